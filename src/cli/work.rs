//! Arguments about work: from a bead on the hook to work that is done.

use clap::{Args, Subcommand, ValueEnum};

use super::DryRun;
use super::elsewhere::{Elsewhere, FallbackArg};

#[derive(Debug, Args)]
pub struct Sling {
    /// BEAD… RIG, BEAD RIG/NAME, or "a new title" RIG; a path inside a rig names that rig. Of several beads those that are
    /// ready start; the others are named, and the exit code is 1
    #[arg(required_unless_present = "new", num_args = 1.., value_name = "BEAD|RIG")]
    pub words: Vec<String>,
    /// Make a bead of this title, whatever is in it, and start it; a title of several words needs no --new
    #[arg(long, value_name = "TITLE")]
    pub new: Option<String>,
    #[command(flatten)]
    pub how: SlingHow,
}

#[derive(Clone, Debug, Default, Args)]
pub struct SlingHow {
    /// Go on with a bead whose worktree or recovery ref exists
    #[arg(long)]
    pub resume: bool,
    /// Also when it is not ready
    #[arg(long)]
    pub force: bool,
    /// Refuse what the rig has no room for, instead of queueing it
    #[arg(long)]
    pub now: bool,
    /// The runtime, instead of the preset's
    #[arg(long)]
    pub agent: Option<String>,
    /// What the agent does without asking, instead of the preset's: ask (as its program comes), edits (its worktree, and the
    /// commands of permissions.allow), all
    #[arg(long, value_name = "LEVEL", value_parser = ["ask", "edits", "all"])]
    pub permissions: Option<String>,
    /// Presets asked for, in order
    #[arg(long)]
    pub preset: Vec<String>,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
    /// What to do when no remote can take it; when not given: wait where all are full, fail where none answers
    #[arg(long, value_name = "WHAT")]
    pub fallback: Option<FallbackArg>,
    #[command(flatten)]
    pub dry: DryRun,
}

impl SlingHow {
    /// The flags that say how a bead is started, as they can be typed again.
    pub fn flags(&self) -> Vec<String> {
        let SlingHow { resume, force, now: _, agent, permissions, preset, elsewhere, fallback, dry: _ } =
            self;
        let set = [(*resume, "--resume"), (*force, "--force"), (elsewhere.local, "--local")];
        let mut flags: Vec<String> =
            set.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_string()).collect();
        let mut add = |flag: &str, value: &str| flags.push(format!("--{flag}={value}"));
        agent.iter().for_each(|value| add("agent", value));
        permissions.iter().for_each(|value| add("permissions", value));
        preset.iter().for_each(|value| add("preset", value));
        elsewhere.remote.iter().for_each(|value| add("remote", value));
        elsewhere.fugue_addr.iter().for_each(|value| add("fugue-addr", value));
        elsewhere.tag.iter().for_each(|value| add("tag", value));
        if let Some(name) = fallback.and_then(|fallback| fallback.to_possible_value()) {
            add("fallback", name.get_name());
        }
        flags
    }
}

#[derive(Debug, Args)]
pub struct Dispatch {
    /// Only this rig
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct QueueArgs {
    /// Only this rig
    pub rig: Option<String>,
}

#[derive(Debug, Args)]
pub struct Spawn {
    /// The bead
    #[arg(long)]
    pub issue: String,
    /// The rig; the bead's own when not given
    #[arg(long)]
    pub rig: Option<String>,
    #[command(flatten)]
    pub how: SlingHow,
}

#[derive(Debug, Args)]
pub struct Unsling {
    /// The beads
    #[arg(required = true)]
    pub beads: Vec<String>,
    /// Also while its agent works
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Hold {
    /// The beads
    #[arg(required = true)]
    pub beads: Vec<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct HookArgs {
    /// Whose; mine when not given
    pub address: Option<String>,
    // `gt hook show ADDRESS`, as the Go program has it.
    #[arg(hide = true)]
    pub shown: Option<String>,
}

#[derive(Debug, Args)]
pub struct PrimeArgs {
    /// Whose; mine when not given
    pub address: Option<String>,
    /// Only what is needed to go on: at most 1.5 KB instead of 6 KB
    #[arg(long)]
    pub brief: bool,
    /// Read the event of an agent's hook on standard input: brief when its context was compacted
    #[arg(long)]
    pub hook: bool,
}

#[derive(Debug, Args)]
pub struct DoneArgs {
    /// End the session too
    #[arg(long)]
    pub exit: bool,
    /// Close the bead without any change, with the reason
    #[arg(long, value_name = "REASON")]
    pub no_changes: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Handoff {
    /// The note's subject
    #[arg(short, long)]
    pub subject: Option<String>,
    /// The note to the next session
    #[arg(short, long)]
    pub message: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct PolecatArgs {
    #[command(subcommand)]
    pub command: PolecatCommand,
}

#[derive(Debug, Subcommand)]
pub enum PolecatCommand {
    /// List polecats, and what can be recovered
    List {
        /// Only this rig's
        rig: Option<String>,
    },
    /// Bring lost work back: makes a branch from a recovery ref
    Recover {
        /// The bead, or RIG/NAME
        what: String,
        #[command(flatten)]
        dry: DryRun,
    },
    /// End a polecat and give its bead back
    Release {
        /// RIG/NAME, or the polecat's name or bead
        address: String,
        /// Also when its state cannot be known
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        dry: DryRun,
    },
    /// End a polecat at once: what it had is kept under a recovery ref
    Nuke {
        /// RIG/NAME, or the polecat's name or bead
        address: String,
        #[command(flatten)]
        dry: DryRun,
    },
}

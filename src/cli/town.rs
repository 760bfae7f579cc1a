//! Arguments about the town, its rigs and its configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DryRun;

#[derive(Debug, Args)]
pub struct Install {
    /// Where the town goes
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Its name; the folder's when not given
    #[arg(long)]
    pub name: Option<String>,
    /// Make it a git repository too
    #[arg(long)]
    pub git: bool,
    /// Repair an existing town, keeping what is there; make one in a git checkout
    #[arg(long)]
    pub force: bool,
    /// Make no store of beads
    #[arg(long)]
    pub no_beads: bool,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Only this rig
    pub rig: Option<String>,
    /// Repair what can be repaired
    #[arg(long)]
    pub fix: bool,
    /// Move damaged stores of beads aside, and restore them
    #[arg(long, requires = "fix", conflicts_with = "agents")]
    pub set_aside_stores: bool,
    /// Create an empty store where one is lost and nothing is left of it
    #[arg(long, requires = "fix", conflicts_with = "agents")]
    pub empty_stores: bool,
    /// Check the agent programs: what would stop them at their first start
    #[arg(long)]
    pub agents: bool,
    /// Change their files without asking
    #[arg(long, short, requires_all = ["agents", "fix"])]
    pub yes: bool,
    /// Also say what was looked at
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this rig
    pub rig: Option<String>,
    /// Show it again whenever it changes, with what changed last
    #[arg(long, short)]
    pub watch: bool,
    /// Say how the state of one agent is known, and what was looked at
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["rig", "watch"])]
    pub explain: Option<String>,
}

#[derive(Debug, Args)]
pub struct Gc {
    /// Only this rig
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Only this rig; all of them, and the town's own store where the town is a repository, when not given
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings that count
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
        /// As they are for this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Say which layers set a key, and which one counts
    Explain {
        /// Dotted, like merge.strategy
        key: String,
        /// As it is for this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Set a key in the town's settings, or a rig's, or your own
    Set {
        /// Dotted, like merge.strategy or polecat.agent
        key: String,
        /// A text, a number, true, false, or a list: a,b or ["a", "b"]
        #[arg(required_unless_present = "unset", allow_hyphen_values = true)]
        value: Option<String>,
        /// Remove it from the file instead
        #[arg(long, conflicts_with = "value")]
        unset: bool,
        /// In this rig's files
        #[arg(long)]
        rig: Option<String>,
        /// In your own files, ~/.config/gastown
        #[arg(long, conflicts_with = "rig")]
        user: bool,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Print the files that are read, in order
    Path {
        /// As they are for this rig
        #[arg(long)]
        rig: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct PresetArgs {
    #[command(subcommand)]
    pub command: PresetCommand,
}

#[derive(Debug, Subcommand)]
pub enum PresetCommand {
    /// List the presets and where they come from
    List {
        /// As they are for this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Print a preset, merged
    Show {
        /// Its name
        name: String,
        /// As it is for this rig
        #[arg(long)]
        rig: Option<String>,
    },
    /// Check preset files; all that are found when none is named
    Check {
        /// Names of presets, or paths of files
        names: Vec<String>,
        /// With this rig's files
        #[arg(long)]
        rig: Option<String>,
    },
    /// Print the JSON Schema of a preset file, for editors
    Schema,
    /// Write a new preset, with every key in comments, to be filled in
    New(NewPreset),
    /// Say what a role comes to, or which layers set one of its keys
    Explain {
        /// ROLE or ROLE.KEY
        what: String,
        /// For this rig
        #[arg(long)]
        rig: Option<String>,
        /// As a sling of this bead would have it
        #[arg(long)]
        bead: Option<String>,
        /// Presets asked for, in order
        #[arg(long)]
        preset: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct NewPreset {
    /// Its name: letters, digits, '-' and '_'
    pub name: String,
    /// A preset that comes under it; several in order
    #[arg(long)]
    pub extends: Vec<String>,
    /// Into ~/.config/gastown/presets instead of the town's config/presets
    #[arg(long, conflicts_with = "rig")]
    pub user: bool,
    /// Into this rig's config/presets
    #[arg(long)]
    pub rig: Option<String>,
    #[command(flatten)]
    pub dry: DryRun,
}

#[derive(Debug, Args)]
pub struct RigArgs {
    #[command(subcommand)]
    pub command: RigCommand,
}

#[derive(Debug, Subcommand)]
pub enum RigCommand {
    /// Add a project
    Add {
        /// Its name here
        name: String,
        /// Where its code comes from: a URL or a path
        url: String,
        /// Prefix of its beads' ids; made from the name when not given
        #[arg(long)]
        prefix: Option<String>,
        /// The branch that work lands on; the remote's default when not given
        #[arg(long)]
        branch: Option<String>,
        /// The command that tests it, for sh -c; nothing red is merged then
        #[arg(long, value_name = "CMD")]
        test: Option<String>,
        /// Trust the agent settings that the repository tracks
        #[arg(long)]
        trust: bool,
        /// Do not trust them, and do not ask
        #[arg(long, conflicts_with = "trust")]
        no_trust: bool,
        #[command(flatten)]
        dry: DryRun,
    },
    /// List the rigs
    List,
    /// Trust the agent settings that a rig's repository tracks
    Trust {
        /// Its name; may be left out inside one, and in a town of one
        name: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// Remove a rig, once nothing in it would be lost
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        name: String,
        /// Also when something would be lost: move the folder to mayor/removed instead of deleting it
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        dry: DryRun,
    },
}

#[derive(Debug, Args)]
pub struct CrewArgs {
    #[command(subcommand)]
    pub command: CrewCommand,
}

#[derive(Debug, Subcommand)]
pub enum CrewCommand {
    /// Make a personal clone
    Add {
        /// Its name
        name: String,
        /// The rig; may be left out inside one
        #[arg(long)]
        rig: Option<String>,
        #[command(flatten)]
        dry: DryRun,
    },
    /// List personal clones
    List {
        /// Only this rig's
        #[arg(long)]
        rig: Option<String>,
    },
    /// Remove a personal clone, once nothing in it would be lost
    #[command(visible_alias = "rm")]
    Remove {
        /// Its name
        name: String,
        /// The rig; may be left out inside one
        #[arg(long)]
        rig: Option<String>,
        /// Also when something would be lost: move the clone to crew/.kept instead of deleting it
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        dry: DryRun,
    },
}

#[derive(Debug, Args)]
pub struct Polecats {
    /// The rig; may be left out inside one
    pub rig: Option<String>,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the town and say where it is
    #[arg(long)]
    pub keep: bool,
    /// Use this repository instead of one made for the demo
    #[arg(long, hide = true)]
    pub repo: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Ignored {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

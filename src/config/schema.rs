//! What settings and presets can say. Unknown keys are errors everywhere; every key has its meaning beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::address::Role;
use crate::programs::fugue;

/// Everything settings files can say. In a preset file the same `agents`, `remotes` and `placement` may stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What counts when nothing else is asked for.
    pub defaults: DefaultSettings,
    /// What `gt start` and `gt apply` keep running.
    pub up: UpSettings,
    /// The store of work.
    pub beads: BeadsSettings,
    /// tmux.
    pub tmux: TmuxSettings,
    /// What the programs of sessions get.
    pub session: SessionSettings,
    /// What agents run without asking.
    pub permissions: PermissionSettings,
    /// fugue's programs.
    pub fugue: FugueSettings,
    /// How the refinery merges.
    pub merge: MergeSettings,
    /// How a worktree is prepared.
    pub worktree: WorktreeSettings,
    /// How beads of other towns are taken.
    pub sync: SyncSettings,
    /// How the person is told what needs them.
    pub notify: NotifySettings,
    /// How long gt waits for what makes no progress.
    pub limits: LimitSettings,
    /// How to run one kind of agent, by name.
    pub agents: BTreeMap<String, Runtime>,
    /// Where remote sessions can live, by name.
    pub remotes: BTreeMap<String, Remote>,
    /// Which work goes where, by name.
    pub placement: BTreeMap<String, Placement>,
}

/// `[defaults]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultSettings {
    /// Presets that count when none are asked for.
    pub presets: Vec<String>,
}

/// `[up]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpSettings {
    /// Roles that should run.
    pub roles: Vec<String>,
    /// Rigs whose roles should run; all when absent.
    pub rigs: Option<Vec<String>>,
    /// Whether `gt start` and `gt up` start the deacon.
    pub deacon: bool,
}

/// `[beads]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeadsSettings {
    /// `auto`, `bd` or `embedded`.
    pub store: StoreChoice,
    /// Prefix of the town's own ids, when its store is made.
    pub prefix: String,
}

impl Default for BeadsSettings {
    fn default() -> BeadsSettings {
        BeadsSettings { store: StoreChoice::Auto, prefix: "hq".into() }
    }
}

/// `[tmux]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TmuxSettings {
    /// The server's socket: a name (`tmux -L`) or an absolute path (`tmux -S`); tmux's own default when absent.
    pub socket: Option<String>,
}

/// `[session]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    /// Which variables pass from the command that starts a session, as patterns: the last that fits decides.
    pub environment: Vec<String>,
}

impl Default for SessionSettings {
    fn default() -> SessionSettings {
        SessionSettings { environment: crate::model::environment::BUILT_IN.map(String::from).into() }
    }
}

/// `[beads] store`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreChoice {
    /// bd when it is on PATH, else the embedded store; a store that exists keeps its kind.
    #[default]
    Auto,
    /// The real bd.
    Bd,
    /// The embedded store.
    Embedded,
}

/// `[permissions]`, also a section of a rig's `config.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermissionSettings {
    /// How commands begin that agents with the permissions `edits` run without asking.
    pub allow: Vec<String>,
}

/// `[fugue]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FugueSettings {
    /// The program that is called: a name or a path; `fugue-client`, else `fugue-compat` when absent.
    pub program: Option<String>,
    /// The words that program understands.
    pub dialect: DialectSetting,
}

/// `fugue.dialect`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialectSetting {
    /// What the program's own help says.
    #[default]
    Auto,
    /// `new-pane` and its like.
    Client,
    /// `new-session` and its like.
    Compat,
}

impl DialectSetting {
    /// The words, where the settings say them.
    pub fn known(self) -> Option<fugue::Dialect> {
        match self {
            DialectSetting::Auto => None,
            DialectSetting::Client => Some(fugue::Dialect::Client),
            DialectSetting::Compat => Some(fugue::Dialect::Compat),
        }
    }
}

/// `[sync]`, also a section of a rig's `config.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncSettings {
    /// Beads that `gt sync` brings count as this town's own. Requests to be merged never do.
    pub trust: bool,
}

/// `[merge]`, also a section of a rig's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MergeSettings {
    /// The branch that work lands on; the remote's own default branch when absent.
    pub target: Option<String>,
    /// How a branch lands.
    pub strategy: Strategy,
    /// Text for `sh -c`, or words run without a shell; no tests when absent.
    pub test_command: Option<CommandSetting>,
    /// The longest a test run may take.
    pub timeout: String,
    /// Most requests tested and pushed together.
    pub batch_size: usize,
    /// How often a red test run is repeated before it counts.
    pub retries: u32,
    /// Exit codes that mean "could not run the tests".
    pub cannot_run: Vec<i32>,
    /// The variables that a test run gets: `NAME`, `BEGIN*` or `NAME=VALUE`.
    pub test_env: Vec<String>,
    /// Whether agents and timers merge without a test command too.
    pub auto: bool,
    /// Which requests wait for a person's consent.
    pub approve: Approve,
    /// Who has work done again that came back from the queue.
    pub rework: Rework,
}

impl Default for MergeSettings {
    fn default() -> Self {
        MergeSettings {
            target: None,
            strategy: Strategy::Merge,
            test_command: None,
            timeout: "30m".into(),
            batch_size: 5,
            retries: 0,
            cannot_run: vec![126, 127],
            test_env: Vec::new(),
            auto: false,
            approve: Approve::Needed,
            rework: Rework::Person,
        }
    }
}

/// `merge.strategy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A merge commit per branch.
    #[default]
    Merge,
    /// The branch's commits, replayed.
    Rebase,
    /// One commit per branch.
    Squash,
}

/// `merge.rework`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rework {
    /// The person, who is told.
    #[default]
    Person,
    /// The first time the queue: another polecat gets it. Then the person.
    Auto,
}

/// `merge.approve`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approve {
    /// Those that change agent settings, and those that nothing tests.
    #[default]
    Needed,
    /// All of them.
    Person,
}

/// A command: one text for `sh -c`, or words run as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub enum CommandSetting {
    /// For `sh -c`.
    Text(String),
    /// Program and arguments.
    Words(Vec<String>),
}

/// `[worktree]`, also a section of a rig's `config.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorktreeSettings {
    /// Untracked files copied from the canonical clone.
    pub copy: Vec<String>,
    /// Untracked files or folders linked from it.
    pub link: Vec<String>,
    /// Run in a new worktree, by `sh -c` or as words.
    pub setup: Option<CommandSetting>,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// Whether `gt done` pushes commits of submodules to their origins.
    pub push_submodules: bool,
}

/// `[notify]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifySettings {
    /// Whether a message is shown in the tmux clients of this town's server.
    pub tmux: bool,
    /// A command as words; `{{what}}` and `{{help}}` in them are filled in. None when empty.
    pub command: Vec<String>,
    /// Hours in which nothing is told, `22:00-07:00`; it is told when they are over. None when empty.
    pub quiet: String,
}

impl Default for NotifySettings {
    fn default() -> NotifySettings {
        NotifySettings { tmux: true, command: Vec::new(), quiet: String::new() }
    }
}

impl NotifySettings {
    /// Whether nothing is told at this minute of the person's day. Hours that cannot be read are none; checking the settings
    /// refuses them.
    pub fn is_quiet(&self, minute: u32) -> bool {
        match Self::hours(&self.quiet) {
            Some((from, to)) if from <= to => (from..to).contains(&minute),
            Some((from, to)) => minute >= from || minute < to,
            None => false,
        }
    }

    /// `22:00-07:00` as two minutes of a day.
    pub fn hours(text: &str) -> Option<(u32, u32)> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-')?;
        minute(from).zip(minute(to))
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// git and ssh on the network.
    pub network: String,
    /// git and setup commands on this machine.
    pub local: String,
    /// A lock that another process holds.
    pub lock: String,
    /// An answer of a tmux server.
    pub tmux: String,
}

impl Default for LimitSettings {
    fn default() -> LimitSettings {
        LimitSettings { network: "60s".into(), local: "10m".into(), lock: "10m".into(), tmux: "20s".into() }
    }
}

/// A preset file: what one or more roles are, and perhaps runtimes, remotes and placement rules of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PresetFile {
    /// The file's name without `.toml`; may be left out.
    pub name: String,
    /// One line for `gt preset list`.
    pub description: String,
    /// Presets that come under this one, lowest first.
    pub extends: Vec<String>,
    /// Drops the files of the same preset from lower places.
    pub replace: bool,
    /// `[mayor]`
    pub mayor: RoleSettings,
    /// `[deacon]`
    pub deacon: RoleSettings,
    /// `[witness]`
    pub witness: RoleSettings,
    /// `[refinery]`
    pub refinery: RoleSettings,
    /// `[polecat]`
    pub polecat: RoleSettings,
    /// `[crew]`
    pub crew: RoleSettings,
    /// `[plugin]`
    pub plugin: RoleSettings,
    /// As in [`Settings`].
    pub agents: BTreeMap<String, Runtime>,
    /// As in [`Settings`].
    pub remotes: BTreeMap<String, Remote>,
    /// As in [`Settings`].
    pub placement: BTreeMap<String, Placement>,
}

impl PresetFile {
    /// Its roles.
    pub fn roles(&self) -> [(Role, &RoleSettings); 7] {
        [
            (Role::Mayor, &self.mayor),
            (Role::Deacon, &self.deacon),
            (Role::Witness, &self.witness),
            (Role::Refinery, &self.refinery),
            (Role::Polecat, &self.polecat),
            (Role::Crew, &self.crew),
            (Role::Plugin, &self.plugin),
        ]
    }
}

/// What counts of a rig's `config.json` here; its other keys are no settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RigSections {
    /// As in [`Settings`].
    pub merge: MergeSettings,
    /// As in [`Settings`].
    pub worktree: WorktreeSettings,
    /// As in [`Settings`].
    pub sync: SyncSettings,
    /// As in [`Settings`].
    pub permissions: PermissionSettings,
    /// For the role polecat.
    pub max_workers: Option<usize>,
    /// For the role polecat.
    pub worker_spawn_delay: Option<String>,
}

/// The keys of [`RoleSettings`] that it leaves out when they have no value.
pub const ROLE_UNSET: [&str; 2] = ["fugue_addr", "remote"];

/// What a role is: one table of a preset, named after the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSettings {
    /// A runtime's name.
    pub agent: String,
    /// What it does without asking.
    pub permissions: Permissions,
    /// `local`, `remote` or `any`.
    pub placement: Where,
    /// `auto`, `tmux`, `fugue` or `none`.
    pub multiplexer: Multiplexer,
    /// The daemon's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fugue_addr: Option<String>,
    /// A remote's name, for its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Words that say what this is for.
    pub tags: Vec<String>,
    /// Most sessions of this role at once, per rig.
    pub max_workers: usize,
    /// Pause between two starts.
    pub worker_spawn_delay: String,
    /// Environment of the session.
    pub env: BTreeMap<String, String>,
    /// The pool of names.
    pub names: Vec<String>,
    /// Where the session starts, as a template.
    pub start_directory: String,
    /// `never`, `on-cycle`, `on-failure` or `always`.
    pub restart: Restart,
    /// `worktree` or `clone`.
    pub sandbox: SandboxSetting,
    /// What tmux shows; one window with the agent when empty.
    pub windows: Vec<WindowSettings>,
}

impl Default for RoleSettings {
    fn default() -> Self {
        RoleSettings {
            agent: String::new(),
            permissions: Permissions::Ask,
            placement: Where::Local,
            multiplexer: Multiplexer::Auto,
            fugue_addr: None,
            remote: None,
            tags: Vec::new(),
            max_workers: 1,
            worker_spawn_delay: "0s".into(),
            env: BTreeMap::new(),
            names: Vec::new(),
            start_directory: "{{worktree}}".into(),
            restart: Restart::Never,
            sandbox: SandboxSetting::Worktree,
            windows: Vec::new(),
        }
    }
}

/// `permissions`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permissions {
    /// It asks as its program comes.
    #[default]
    Ask,
    /// It edits its worktree and runs `permissions.allow`.
    Edits,
    /// It never asks.
    All,
}

impl Permissions {
    /// As files and flags have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Permissions::Ask => "ask",
            Permissions::Edits => "edits",
            Permissions::All => "all",
        }
    }
}

/// `placement`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Where {
    /// Always here.
    #[default]
    Local,
    /// Always elsewhere.
    Remote,
    /// Elsewhere when an address counts.
    Any,
}

/// `multiplexer`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Multiplexer {
    /// fugue when an address counts, else tmux when it is there, else none.
    #[default]
    Auto,
    /// tmux.
    Tmux,
    /// fugue.
    Fugue,
    /// No sessions: gt prints what to run.
    None,
}

/// `restart`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Stays ended.
    #[default]
    Never,
    /// After a handoff.
    OnCycle,
    /// After a handoff or a crash.
    OnFailure,
    /// Whatever ended it.
    Always,
}

impl Restart {
    /// Whether an agent whose work is not done is started again.
    pub fn after_a_crash(self) -> bool {
        matches!(self, Restart::OnFailure | Restart::Always)
    }
}

/// `sandbox`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxSetting {
    /// A worktree of the canonical clone.
    #[default]
    Worktree,
    /// A full clone.
    Clone,
}

/// One window of a role's session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowSettings {
    /// Its name, as a template.
    pub name: String,
    /// One of tmux's layouts or a layout string; one above the other when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// Whether it is shown first; the agent's window when none says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub focus: bool,
    /// Where its panes start, as a template; a relative one is inside the role's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_directory: Option<String>,
    /// More environment for its panes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Its panes; one with the agent when empty.
    pub panes: Vec<PaneSettings>,
}

/// One pane of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaneSettings {
    /// `{{agent}}`, or a command for `sh -c`, where the bead's title is `$GT_BEAD_TITLE`; the person's own shell when empty.
    pub command: String,
    /// Whether it has the focus of its window; the agent's pane when none says so, else the first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub focus: bool,
    /// `30%` of the window or a number of cells.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "text_or_number")]
    pub size: Option<String>,
    /// Where it starts, as a template; a relative one is inside its window's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_directory: Option<String>,
    /// More environment, over its window's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// A number that stands for itself, with or without quotes.
fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text like \"30%\" or a number")]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(Some(match Either::deserialize(from)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}

/// The command of the agent's own pane.
pub const AGENT: &str = "{{agent}}";

impl PaneSettings {
    /// Whether this is the agent's own pane.
    pub fn is_agent(&self) -> bool {
        self.command.trim() == AGENT
    }
}

impl WindowSettings {
    /// Whether the agent is in it.
    pub fn has_agent(&self) -> bool {
        self.panes.is_empty() || self.panes.iter().any(PaneSettings::is_agent)
    }
}

/// How to run one kind of agent: `[agents.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Program and arguments; empty for the runtime `none`.
    pub command: Vec<String>,
    /// What the permissions `edits` mean; nothing where it has no such thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edits: Option<LevelSettings>,
    /// What the permissions `all` mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<LevelSettings>,
    /// How its settings have the commands that it runs without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<AllowedForm>,
    /// Added to go on with an earlier conversation.
    pub resume: Vec<String>,
    /// The version of its program that gt was checked with; empty when with none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checked: String,
    /// Environment of its sessions, under that of the role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How the first prompt reaches it.
    pub prompt: Prompt,
    /// Names its process goes by.
    pub process_names: Vec<String>,
    /// The screen while it asks a person something: nothing is ever pasted then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<ScreenPattern>,
    /// The screen while it cannot reach its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<ScreenPattern>,
    /// The screen while it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<ScreenPattern>,
    /// The screen when it takes text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<ScreenPattern>,
    /// How pasted text is submitted.
    pub submit: Submit,
    /// How a question is answered whose answers have no numbers.
    pub answer: AnswerKeys,
    /// Words through which the program tells gt what the agent does (`gt hook-event`).
    pub hooks: Vec<String>,
    /// Files of gt's own that its folder gets, untracked, where none of that name is there: for the same, where words cannot.
    pub files: Vec<OwnFile>,
    /// The agent settings of a repository that it reads, by the names of files and folders; by its program when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
}

/// What a level of permissions adds to a runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LevelSettings {
    /// Words of its command line.
    pub words: Vec<String>,
    /// Environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Files, as the runtime's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<OwnFile>,
}

/// How `{{allowed}}` is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AllowedForm {
    /// One command: `{{command}}` is how it begins, `{{words}}` the same as a list of texts in JSON.
    pub each: String,
    /// What stands between two.
    pub join: String,
}

/// A file of gt's own in an agent's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnFile {
    /// Where it stands in the folder.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl Runtime {
    /// Whether its program tells gt by itself what the agent does.
    pub fn has_hooks(&self) -> bool {
        !self.hooks.is_empty() || self.files.iter().any(|file| file.text.contains("gt hook-event"))
    }

    /// What a level of permissions adds; nothing where its program has no such thing.
    pub fn level(&self, permissions: Permissions) -> Option<&LevelSettings> {
        match permissions {
            Permissions::Ask => None,
            Permissions::Edits => self.edits.as_ref(),
            Permissions::All => self.all.as_ref(),
        }
    }

    /// Whether its screen tells anything.
    pub fn has_patterns(&self) -> bool {
        [&self.question, &self.offline, &self.busy, &self.ready].iter().any(|screen| screen.is_some())
    }
}

/// `prompt`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prompt {
    /// As the last argument.
    Argument,
    /// Pasted when it is ready.
    Paste,
    /// On standard input.
    Stdin,
    /// Not at all: it reads its own hook.
    #[default]
    None,
}

/// A pattern for the bottom lines of a screen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenPattern {
    /// A regular expression.
    pub pattern: String,
    /// How long to wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// `answer`: tmux's names of keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerKeys {
    /// Yes, this once.
    pub yes: Vec<String>,
    /// No.
    pub no: Vec<String>,
}

/// `submit`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Submit {
    /// tmux's names of keys.
    pub keys: Vec<String>,
    /// `busy` or `ready`: the screen that confirms it.
    pub confirm: String,
}

/// `[remotes.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Remote {
    /// The daemon's address.
    pub fugue_addr: String,
    /// For the tunnel that gt keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<String>,
    /// Where the daemon listens over there, when that is not `fugue_addr`: the far end of the tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listens: Option<String>,
    /// Where the town is over there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Most sessions there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_workers: Option<usize>,
    /// What it is good for.
    pub tags: Vec<String>,
}

/// `[placement.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Placement {
    /// Lowest first.
    pub order: i64,
    /// What must be true of the bead.
    pub when: When,
    /// The preset that counts then.
    #[serde(rename = "use")]
    pub preset: String,
}

/// `placement.NAME.when`: all that are given must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Any of these labels.
    pub labels: Vec<String>,
    /// Any of these types.
    pub types: Vec<String>,
    /// Any of these rigs.
    pub rigs: Vec<String>,
    /// Any of these priorities.
    pub priorities: Vec<u8>,
    /// At least this estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_estimate: Option<String>,
}

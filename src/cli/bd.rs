//! `gt bd …`: bd's own words, taken raw, because they are bd's to define (the real bd gets them as they are). The
//! embedded store understands those below.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

#[derive(Debug, Args)]
pub struct Raw {
    /// bd's own words: init, create, ready, list, show, update, close, reopen, dep, comments, export, import …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}

/// The store of work.
#[derive(Debug, Parser)]
#[command(name = "bd", bin_name = "bd", disable_help_subcommand = true)]
#[command(version = concat!("version ", env!("CARGO_PKG_VERSION"), " (gastown)"))]
pub struct BdArgs {
    #[command(flatten)]
    pub global: BdGlobal,
    #[command(subcommand)]
    pub command: BdCommand,
}

#[derive(Clone, Debug, Default, Args)]
pub struct BdGlobal {
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Who does it (default: BD_ACTOR, BEADS_ACTOR, the user)
    #[arg(long, global = true, value_name = "NAME")]
    pub actor: Option<String>,
    /// Understood and ignored: there is no daemon
    #[arg(long, global = true, hide = true)]
    pub no_daemon: bool,
    /// Understood and ignored: nothing is synced
    #[arg(long, global = true, hide = true)]
    pub sandbox: bool,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BdCommand {
    /// Make a store in ./.beads
    Init(Init),
    /// Make a bead
    #[command(alias = "new")]
    Create(Box<Create>),
    /// Show work that nothing blocks, best first
    Ready(Ready),
    /// List beads
    List(List),
    /// Show beads with everything about them
    #[command(alias = "view")]
    Show(Ids),
    /// Change beads
    Update(Box<Update>),
    /// Close beads
    #[command(alias = "done")]
    Close(CloseArgs),
    /// Open closed beads again
    Reopen(CloseArgs),
    /// What waits for what
    #[command(subcommand)]
    Dep(Dep),
    /// Labels of a bead
    #[command(subcommand)]
    Label(Label),
    /// Show or add comments
    #[command(args_conflicts_with_subcommands = true)]
    Comments(Comments),
    /// Add a comment
    Comment(CommentAdd),
    /// Count the beads
    #[command(alias = "status")]
    Stats,
    /// Write everything as JSONL
    Export(Export),
    /// Take JSONL in
    Import(Import),
    /// Settings of the store
    #[command(subcommand)]
    Config(Config),
    /// Nothing to do: everyone works on the same store
    Sync(super::town::Ignored),
    /// Print how to work with beads
    Prime(super::town::Ignored),
    /// Print where the store is
    Where,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Prefix of the ids (default: the folder's name)
    #[arg(short, long)]
    pub prefix: Option<String>,
    #[arg(long, hide = true)]
    pub skip_agents: bool,
    #[arg(long, hide = true)]
    pub skip_hooks: bool,
    #[arg(long, hide = true)]
    pub skip_merge_driver: bool,
    #[arg(long, hide = true)]
    pub non_interactive: bool,
    #[arg(long, hide = true)]
    pub stealth: bool,
    #[arg(long, hide = true)]
    pub role: Option<String>,
}

// Texts of a bead.
#[derive(Debug, Default, Args)]
pub struct Texts {
    /// What is to be done
    #[arg(short, long, alias = "body", allow_hyphen_values = true)]
    pub description: Option<String>,
    /// The description from a file (`-`: standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "description")]
    pub body_file: Option<PathBuf>,
    /// The description from standard input
    #[arg(long, conflicts_with_all = ["description", "body_file"])]
    pub stdin: bool,
    /// How
    #[arg(long, allow_hyphen_values = true)]
    pub design: Option<String>,
    /// When it counts as done
    #[arg(long, allow_hyphen_values = true)]
    pub acceptance: Option<String>,
    /// What was found on the way
    #[arg(long, allow_hyphen_values = true)]
    pub notes: Option<String>,
    /// Minutes of work
    #[arg(short, long, value_name = "MINUTES", allow_hyphen_values = true)]
    pub estimate: Option<i64>,
    /// A name for it elsewhere, like gh-9
    #[arg(long, value_name = "NAME")]
    pub external_ref: Option<String>,
    /// Values for programs: a JSON object (`@FILE`: from a file)
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
}

#[derive(Debug, Args)]
pub struct Create {
    /// One line
    #[arg(required_unless_present = "title_flag")]
    pub title: Option<String>,
    /// The same as a flag
    #[arg(long = "title", id = "title_flag", value_name = "TITLE", conflicts_with = "title")]
    pub title_flag: Option<String>,
    /// task, bug, feature, epic, chore …
    #[arg(short = 't', long = "type", default_value = "task", value_parser = NonEmptyStringValueParser::new())]
    pub issue_type: String,
    /// 0 (first) to 4 (last), or P0 to P4
    #[arg(short, long, default_value = "2", value_parser = priority)]
    pub priority: u8,
    /// Labels, with commas between
    #[arg(short, long, alias = "label", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Who is to do it
    #[arg(short, long)]
    pub assignee: Option<String>,
    /// The epic it belongs to
    #[arg(long, value_name = "ID")]
    pub parent: Option<String>,
    /// What it waits for: ids or TYPE:ID, with commas between
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub deps: Vec<String>,
    /// Exactly this id
    #[arg(long)]
    pub id: Option<String>,
    #[command(flatten)]
    pub texts: Texts,
    /// Print only the id
    #[arg(long)]
    pub silent: bool,
}

#[derive(Debug, Args)]
pub struct Ready {
    /// Only below this epic
    #[arg(long, value_name = "ID")]
    pub parent: Option<String>,
    /// At most so many (0: all)
    #[arg(short = 'n', long, default_value_t = 50)]
    pub limit: usize,
    /// Only of this holder
    #[arg(short, long)]
    pub assignee: Option<String>,
    /// Only nobody's
    #[arg(short, long, conflicts_with = "assignee")]
    pub unassigned: bool,
    /// Only of this priority
    #[arg(short, long, value_parser = priority)]
    pub priority: Option<u8>,
    /// Only of this type
    #[arg(short = 't', long = "type")]
    pub issue_type: Option<String>,
    /// Only with all of these labels
    #[arg(short, long, value_delimiter = ',')]
    pub label: Vec<String>,
}

#[derive(Debug, Args)]
pub struct List {
    /// Only in these statuses
    #[arg(short, long, value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only of these types
    #[arg(short = 't', long = "type", value_delimiter = ',')]
    pub issue_type: Vec<String>,
    /// Only of this holder
    #[arg(short, long)]
    pub assignee: Option<String>,
    /// Only with all of these labels
    #[arg(short, long, value_delimiter = ',')]
    pub label: Vec<String>,
    /// Only children of this bead
    #[arg(long, value_name = "ID")]
    pub parent: Option<String>,
    /// Only of this priority
    #[arg(short, long, value_parser = priority)]
    pub priority: Option<u8>,
    /// Only these ids
    #[arg(long, value_delimiter = ',')]
    pub id: Vec<String>,
    /// Closed ones too, and mail and merge requests
    #[arg(long)]
    pub all: bool,
    /// At most so many (0: all)
    #[arg(short = 'n', long, default_value_t = 50)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct Ids {
    /// Ids of beads
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Update {
    /// Ids of beads
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// Take it: in progress, and mine, unless somebody has it
    #[arg(long)]
    pub claim: bool,
    /// New status
    #[arg(short, long)]
    pub status: Option<String>,
    /// New title
    #[arg(long)]
    pub title: Option<String>,
    /// New type
    #[arg(short = 't', long = "type")]
    pub issue_type: Option<String>,
    /// New priority: 0 to 4, or P0 to P4
    #[arg(short, long, value_parser = priority)]
    pub priority: Option<u8>,
    /// New holder (empty: nobody)
    #[arg(short, long)]
    pub assignee: Option<String>,
    /// Labels that come
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    pub add_label: Vec<String>,
    /// Labels that go
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    pub remove_label: Vec<String>,
    /// Lines that come after the notes that are there
    #[arg(long, allow_hyphen_values = true)]
    pub append_notes: Option<String>,
    #[command(flatten)]
    pub texts: Texts,
}

#[derive(Debug, Args)]
pub struct CloseArgs {
    #[command(flatten)]
    pub beads: Ids,
    /// Why
    #[arg(short, long, allow_hyphen_values = true)]
    pub reason: Option<String>,
    #[arg(short, long, hide = true)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum Dep {
    /// The first waits for the second
    Add(DepAdd),
    /// The first no longer waits for the second
    #[command(alias = "rm")]
    Remove(DepRemove),
    /// What a bead depends on
    List {
        /// The bead
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct DepAdd {
    /// Who waits
    pub id: String,
    /// For whom
    pub on: String,
    /// blocks, parent-child, related, discovered-from …
    #[arg(short = 't', long = "type", default_value = "blocks")]
    pub kind: String,
}

#[derive(Debug, Args)]
pub struct DepRemove {
    /// Who waits
    pub id: String,
    /// For whom
    pub on: String,
}

#[derive(Debug, Subcommand)]
pub enum Label {
    /// Add a label to beads
    Add(LabelWords),
    /// Take a label from beads
    #[command(alias = "rm")]
    Remove(LabelWords),
    /// A bead's labels
    List {
        /// The bead
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct LabelWords {
    /// Ids of beads, then the label
    #[arg(num_args = 2.., required = true, value_names = ["ID", "LABEL"])]
    pub words: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Comments {
    #[command(subcommand)]
    pub add: Option<CommentsCommand>,
    /// The bead
    #[arg(required = true)]
    pub id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum CommentsCommand {
    /// Add a comment
    Add(CommentAdd),
}

#[derive(Debug, Args)]
pub struct CommentAdd {
    /// The bead
    pub id: String,
    /// The comment
    #[arg(required_unless_present = "file", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// The comment from a file (`-`: standard input)
    #[arg(short, long, conflicts_with = "text")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Into this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file (`-` or none: standard input)
    pub file: Option<PathBuf>,
    /// The same as a flag
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    pub input: Option<PathBuf>,
    /// The beads are the town's own: they can be slung without `gt adopt`
    #[arg(long)]
    pub trust: bool,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show a setting
    Get {
        /// Its name
        key: String,
    },
    /// Change a setting
    Set {
        /// Its name, like types.custom
        key: String,
        /// Its value
        value: String,
    },
}

/// `2` or `P2`.
fn priority(text: &str) -> Result<u8, String> {
    let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
    match digits.parse() {
        Ok(number @ 0..=4) => Ok(number),
        _ => Err("0 is first, 4 is last; P0 to P4 works too".into()),
    }
}

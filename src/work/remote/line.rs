//! What is run on another machine, as one text for `sh` each: an agent's start, the end of a polecat there, and the little
//! script that hands work in (`remote.md`). The texts are `templates/remote-*.sh`; every value goes through [`quote`].

use std::path::Path;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::config::brought::inside;
use crate::config::schema::{self, OwnFile, Prompt, WorktreeSettings};
use crate::config::template;
use crate::model::bead::Bead;
use crate::model::ids::InstanceId;
use crate::model::refs::{self, Sent};
use crate::plan::may_sling::Begin;
use crate::plan::merge_message::harmless;
use crate::work::agent::script;

pub use crate::mux::fugue::{FAILED, REASON_ENDS, STARTED};

const START: &str = include_str!("../../../templates/remote-start.sh");
const END: &str = include_str!("../../../templates/remote-end.sh");
const DONE: &str = include_str!("../../../templates/remote-done.sh");
const PARTS: &str = include_str!("../../../templates/remote-parts.sh");

/// The longest text of a bead that travels, in bytes.
pub const TEXT: usize = 48 << 10;

/// The longest line that a daemon starts, in bytes: a little below what Linux takes as one argument.
pub const LINE: usize = 130_000;

/// A polecat's (or another agent's) place on another machine.
#[derive(Clone, Copy, Debug)]
pub struct RemotePlace<'a> {
    /// Where the town is over there: absolute.
    pub town: &'a Path,
    /// The town's id, which names at origin hold.
    pub id: &'a str,
    /// The rig; empty for the town's own roles.
    pub rig: &'a str,
    /// The agent's name.
    pub name: &'a str,
    /// Its address.
    pub address: &'a str,
    /// Its session's instance.
    pub instance: &'a InstanceId,
    /// Where it works over there.
    pub home: &'a Path,
    /// Its branch; empty for who has none.
    pub branch: &'a str,
    /// The branch that work lands on; empty for the town's own roles.
    pub target: &'a str,
}

/// What kind of place an agent gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A worktree of the rig's clone.
    Worktree,
    /// A full clone, with the rig's clone for its source.
    Clone,
    /// A person's own clone.
    Crew,
    /// A folder.
    Folder,
}

/// What is started.
#[derive(Clone, Copy, Debug)]
pub struct RemoteStart<'a> {
    /// Where.
    pub place: RemotePlace<'a>,
    /// What is made there.
    pub kind: PlaceKind,
    /// How work begins. `Earlier` takes the commits that were sent by way of origin ([`refs::SentKind::Start`]).
    pub begin: Begin,
    /// The commit of an earlier attempt; empty when there is none.
    pub kept: &'a str,
    /// Where the rig's code comes from.
    pub git_url: &'a str,
    /// How a worktree is prepared.
    pub rules: &'a WorktreeSettings,
    /// Files that its folder gets (`files` of the runtime), when gt is over there.
    pub files: &'a [OwnFile],
    /// Where the program starts.
    pub directory: &'a Path,
    /// Its environment.
    pub env: &'a [(String, String)],
    /// The store, which counts when gt and the town are over there.
    pub beads_dir: &'a Path,
    /// Its bead.
    pub bead: Option<&'a Bead>,
    /// What it is told first when gt and the town are over there.
    pub prompt: &'a str,
    /// And when not.
    pub prompt_without_gt: &'a str,
    /// The program and its words; the bead's own script when there is none.
    pub argv: &'a [String],
    /// How the prompt reaches it.
    pub takes: Prompt,
}

impl RemotePlace<'_> {
    /// What is sent about it by way of origin.
    pub fn sent(&self, kind: refs::SentKind) -> Sent {
        let [town, rig, name] = [self.id, self.rig, self.name].map(String::from);
        Sent { kind, town, rig, name, instance: self.instance.clone() }
    }
}

/// The text that starts an agent. It ends by becoming the agent; when it fails it says why between [`FAILED`] and
/// [`REASON_ENDS`] and in `<town>/.gt-start/<instance>.failed`, and waits a minute before it ends.
///
/// # Errors
/// A bead or line that is too long to travel, a bead without the script that is to be run, a variable whose name no
/// shell takes, or a path that leads outside.
pub fn start(start: &RemoteStart<'_>) -> Result<String> {
    let place = &start.place;
    let environment = exports(start.env)?;
    let prepare = prepare(start)?;
    let work = start
        .bead
        .map(|bead| work(place, bead, start.rules.push_submodules))
        .transpose()?
        .unwrap_or_default();
    let (program, run) = run(start)?;
    let line = fill(START, &|name| {
        Some(match name {
            "kind" => match start.kind {
                PlaceKind::Worktree => "worktree".into(),
                PlaceKind::Clone => "clone".into(),
                PlaceKind::Crew => "crew".into(),
                PlaceKind::Folder => "folder".into(),
            },
            "begin" => match start.begin {
                Begin::Fresh => "fresh".into(),
                Begin::Earlier => "earlier".into(),
                Begin::Again => "again".into(),
            },
            "start" => quote(&place.sent(refs::SentKind::Start).full()),
            "start_branch" => quote(&place.sent(refs::SentKind::Start).branch()),
            "kept" => quote(start.kept),
            "git_url" => quote(start.git_url),
            "subject" => quote(&harmless(start.bead.map_or("", |bead| &bead.title))),
            "directory" => quote(&start.directory.to_string_lossy()),
            "beads_dir" => quote(&start.beads_dir.to_string_lossy()),
            "prompt" => quote(start.prompt),
            "prompt_without_gt" => quote(start.prompt_without_gt),
            "environment" => environment.clone(),
            "prepare" => prepare.clone(),
            "work" => work.clone(),
            "program" => program.clone(),
            "run" => run.clone(),
            other => return of_place(place, other),
        })
    })?;
    let id = start.bead.map(|bead| bead.id.as_str()).unwrap_or_default();
    if line.len() > LINE {
        return Err(too_long(id, line.len(), LINE));
    }
    Ok(line)
}

/// The text that takes a polecat's place on another machine away. What is there and on no branch of origin, committed
/// or not, is kept before under `refs/gt/recovery/<Name>/<instance>`, and pushed if origin takes it. It ends at once when it
/// is done, and fails as [`start`] does. Safe to run again, and when there is nothing (any more).
///
/// # Errors
/// None but for a broken template.
pub fn end(place: &RemotePlace<'_>) -> Result<String> {
    fill(END, &|name| of_place(place, name))
}

/// The script by which a polecat hands its work in from over there: `sh "$GT_DONE" -m NOTES`.
///
/// # Errors
/// None but for a broken template.
pub fn done_script(place: &RemotePlace<'_>, bead: &str, push_submodules: bool) -> Result<String> {
    fill(DONE, &|name| match name {
        "bead" => Some(quote(bead)),
        "record" => Some(quote(&place.sent(refs::SentKind::Done).full())),
        "record_branch" => Some(quote(&place.sent(refs::SentKind::Done).branch())),
        "push" => Some(if push_submodules { "1".into() } else { String::new() }),
        other => of_place(place, other),
    })
}

/// The bead as its polecat reads it over there, as Markdown.
pub fn bead_text(bead: &Bead) -> String {
    let mut text = format!("{}{}\n", bead_head(bead), bead.description);
    for (title, part) in
        [("Design", &bead.design), ("Done when", &bead.acceptance_criteria), ("Notes", &bead.notes)]
    {
        if !part.trim().is_empty() {
            text.push_str(&format!("\n## {title}\n{part}\n"));
        }
    }
    if !bead.comments.is_empty() {
        text.push_str("\n## Comments\n");
    }
    for comment in &bead.comments {
        text.push_str(&format!("{} {}: {}\n", comment.created_at, comment.author, comment.text.trim()));
    }
    text
}

/// What stands above the description.
fn bead_head(bead: &Bead) -> String {
    let labels =
        if bead.labels.is_empty() { String::new() } else { format!(" · {}", bead.labels.join(", ")) };
    format!("# {}: {}\n{} · P{}{labels}\n\n", bead.id, bead.title, bead.issue_type, bead.priority)
}

/// Whether a text is short enough to travel; `id` is whose it is.
///
/// # Errors
/// When it is not, with the way round it.
pub fn check_text(id: &str, text: &str) -> Result<()> {
    if text.len() > TEXT { Err(too_long(id, text.len(), TEXT)) } else { Ok(()) }
}

/// Why something does not fit, and the way round it.
fn too_long(id: &str, bytes: usize, most: usize) -> anyhow::Error {
    Failure::new(format!("the text of {id} is too long for another machine: {bytes} bytes, at most {most} travel"))
        .hint(
            "put it into a file of the repository, push it, and name the file in the bead's description; or keep it here: --local",
        )
        .into()
}

fn of_place(place: &RemotePlace<'_>, name: &str) -> Option<String> {
    Some(match name {
        "parts" => PARTS.into(),
        "town" => quote(&place.town.to_string_lossy()),
        "rig" => quote(place.rig),
        "name" => quote(place.name),
        "worker" => quote(place.address),
        "instance" => quote(place.instance),
        "home" => quote(&place.home.to_string_lossy()),
        "branch" => quote(place.branch),
        "target" => quote(place.target),
        "recovery_at_origin" => quote(&refs::recovery_at_origin(place.id)),
        _ => return None,
    })
}

/// Fills a template and leaves its comments out. Values are shell already: words from [`quote`], or lines made of them.
fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    template::fill(&without_comments(text), &|name| match value(name) {
        Some(value) if name == "parts" => Ok(without_comments(&value)),
        Some(value) => Ok(value),
        None => crate::fail!("a template for other machines has an unknown {{{{{name}}}}}"),
    })
}

fn without_comments(text: &str) -> String {
    let comment = |line: &&str| {
        let line = line.trim_start();
        line == "#" || line.starts_with("# ")
    };
    text.lines().filter(|line| !comment(line)).fold(String::new(), |all, line| all + line + "\n")
}

fn exports(env: &[(String, String)]) -> Result<String> {
    let mut text = String::new();
    for (key, value) in env {
        let mut chars = key.chars();
        let named = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !named {
            crate::fail!("env: '{key}' cannot be a variable's name"; "names have letters, digits and _");
        }
        text.push_str(&format!("export {key}={}\n", quote(value)));
    }
    Ok(text)
}

/// The lines that prepare a fresh place.
fn prepare(start: &RemoteStart<'_>) -> Result<String> {
    let mut lines: Vec<String> = Vec::new();
    let polecat = matches!(start.kind, PlaceKind::Worktree | PlaceKind::Clone);
    if polecat && start.rules.submodules {
        lines.push(
            "gt_try 'cannot check out submodules' gt_git -C \"$gt_home\" submodule update -q --init --recursive".into(),
        );
    }
    for (list, how) in [(&start.rules.copy, "copy"), (&start.rules.link, "link")] {
        for name in list.iter().filter(|_| polecat) {
            let inside = inside(name).map_err(|why| Failure::new(format!("worktree.{how}: {why}")))?;
            lines.push(format!("gt_bring {how} {}", quote(&inside.to_string_lossy())));
        }
    }
    for OwnFile { path, text } in start.files {
        // Its commands are gt's.
        lines.push(format!("! command -v gt >/dev/null 2>&1 || gt_settings {} {}", quote(path), quote(text)));
    }
    match start.rules.setup.as_ref().filter(|_| polecat) {
        Some(schema::CommandSetting::Text(text)) => lines.push(format!("gt_set_up sh -c {}", quote(text))),
        Some(schema::CommandSetting::Words(words)) if !words.is_empty() => {
            lines.push(format!("gt_set_up {}", words_of(words)));
        }
        _ => {}
    }
    lines.push("return 0".into());
    Ok(lines.join("\n"))
}

fn words_of(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// The lines that put the bead's text and the hand-in over there.
fn work(place: &RemotePlace<'_>, bead: &Bead, push_submodules: bool) -> Result<String> {
    let text = bead_text(bead);
    check_text(&bead.id, &text)?;
    let done = done_script(place, &bead.id, push_submodules)?;
    Ok(format!(
        "GT_BEAD_FILE=$gt_files/gt-bead.md\nGT_DONE=$gt_files/gt-done.sh\nexport GT_BEAD_FILE GT_DONE\n\
         {{ printf '%s' {} >\"$GT_BEAD_FILE\" && printf '%s' {} >\"$GT_DONE\"; }} || gt_fail \"cannot write into $gt_files\"",
        quote(&text),
        quote(&done)
    ))
}

/// The last lines, for the agent or the bead's script: whether its program is there, and running it.
fn run(start: &RemoteStart<'_>) -> Result<(String, String)> {
    if start.argv.is_empty() {
        return script_lines(start);
    }
    let then = match start.takes {
        Prompt::Argument => "[ -z \"$gt_prompt\" ] || set -- \"$@\" \"$gt_prompt\"\nexec \"$@\"",
        Prompt::Stdin => "exec \"$@\" <\"$GT_PROMPT_FILE\"",
        Prompt::Paste | Prompt::None => "exec \"$@\"",
    };
    let program = format!(
        "set -- {}\ncommand -v \"$1\" >/dev/null 2>&1 || gt_fail \"the program $1 is not here (PATH is $PATH)\"",
        words_of(start.argv)
    );
    Ok((program, format!("echo \"{STARTED}$gt_instance\"\n{then}")))
}

fn script_lines(start: &RemoteStart<'_>) -> Result<(String, String)> {
    let Some(bead) = start.bead else {
        crate::fail!("there is no bead whose script could be run"; "choose another runtime: gt sling BEAD --agent NAME");
    };
    script::of(&bead.id, &bead.description)?;
    let found = script::locate(&bead.description).unwrap_or_default();
    let first = bead_head(bead).lines().count() + found.first + 1;
    let (last, indent) = ((first + found.count).saturating_sub(1), found.indent);
    let shell = found.shell;
    let program = format!(
        "gt_shell=\"{shell}\"\ncommand -v {shell} >/dev/null 2>&1 || gt_fail \"{shell} is not here (PATH is $PATH)\""
    );
    // Whoever started it is still looking: a session that is gone again would pass for a start that failed.
    let run = format!(
        "echo \"{STARTED}$gt_instance\"\ngt_script {first} {last} {indent}\ngt_code=$?\n\
         if [ \"$gt_code\" = 0 ]; then\nsleep 3\nelse\necho \"gt: the script ended with $gt_code\"\nsleep 60\nfi\n\
         exit \"$gt_code\""
    );
    Ok((program, run))
}

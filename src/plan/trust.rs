//! Agent settings: the files of a repository that agent programs read as settings or instructions. Which files those are,
//! which program reads them, and what a branch changes of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::base::terminal::is_hidden;
use crate::config::Runtime;
use crate::town::trust::{Setting, Trust};

/// The agent programs that are known, with the names of the files and folders that each reads. A name counts in every
/// folder of the repository.
pub const READS: [(&str, &[&str]); 7] = [
    ("claude", &[".claude", ".mcp.json", "CLAUDE.md", "CLAUDE.local.md"]),
    ("codex", &[".codex", ".agents", "AGENTS.md", "AGENTS.override.md"]),
    ("gemini", &[".gemini", ".agents", "GEMINI.md", ".env"]),
    (
        "copilot",
        &[
            ".github/hooks",
            ".github/agents",
            ".github/skills",
            ".github/instructions",
            ".github/copilot-instructions.md",
            ".mcp.json",
            "AGENTS.md",
            "CLAUDE.md",
            "GEMINI.md",
        ],
    ),
    (
        "opencode",
        &["opencode.json", "opencode.jsonc", ".opencode", ".claude", ".agents", "AGENTS.md", "CLAUDE.md"],
    ),
    ("aider", &[".aider.conf.yml", ".aider.model.settings.yml", ".aider.model.metadata.json", ".env"]),
    ("pi", &[".pi", ".agents", "AGENTS.md", "CLAUDE.md"]),
];

/// Where the submodules of a repository come from. Whatever an agent program reads may be in one of them.
const SUBMODULES: &str = ".gitmodules";

/// What a runtime reads: what `reads` says; else what the known program among the words of its command reads. A program
/// that is not known may read all of them.
pub fn reads(runtime: &Runtime) -> Vec<String> {
    if let Some(own) = &runtime.reads {
        return with_submodules(own.clone());
    }
    if runtime.command.is_empty() {
        return Vec::new();
    }
    let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_string();
    let words: BTreeSet<String> = runtime.command.iter().map(name).collect();
    let known = READS.iter().filter(|(program, _)| words.contains(*program));
    let names = joined(known.flat_map(|(_, names)| names.iter().map(ToString::to_string)));
    if names.is_empty() { built_in() } else { with_submodules(names) }
}

fn with_submodules(names: Vec<String>) -> Vec<String> {
    if names.is_empty() { names } else { joined(names.into_iter().chain([SUBMODULES.into()])) }
}

/// The names of all agent settings: the built-in list, and what runtimes say of themselves.
pub fn listed(agents: &BTreeMap<String, Runtime>) -> Vec<String> {
    let own = agents.values().filter_map(|runtime| runtime.reads.clone()).flatten();
    joined(built_in().into_iter().chain(own))
}

fn built_in() -> Vec<String> {
    with_submodules(joined(READS.iter().flat_map(|(_, names)| names.iter().map(ToString::to_string))))
}

/// Sorted, each once.
pub fn joined(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().collect::<BTreeSet<String>>().into_iter().collect()
}

/// The known programs that read a setting.
pub fn readers(setting: &Setting) -> Vec<&'static str> {
    let path = setting.by.as_deref().unwrap_or(&setting.path);
    let read = |names: &[&str]| is_setting(path, &names.iter().map(ToString::to_string).collect::<Vec<_>>());
    READS.iter().filter(|(_, names)| read(names)).map(|(program, _)| *program).collect()
}

/// Whether a path is that of an agent setting, or inside of one. Case does not count, nor do characters that are not seen: some
/// file systems know neither.
pub fn is_setting(path: &str, names: &[String]) -> bool {
    // Upper case first: the long s and the Kelvin sign are letters of ASCII then.
    let seen = || path.chars().filter(|c| !is_hidden(*c)).flat_map(char::to_uppercase);
    let path: Cow<'_, str> =
        if path.is_ascii() { path.into() } else { seen().flat_map(char::to_lowercase).collect() };
    let parts: Vec<&str> = path.split('/').collect();
    let is_here = |name: &String| {
        let name: Vec<&str> = name.trim_matches('/').split('/').collect();
        let same = |window: &[&str]| window.iter().zip(&name).all(|(a, b)| a.eq_ignore_ascii_case(b));
        parts.windows(name.len()).any(same)
    };
    names.iter().any(is_here)
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A commit of another repository, whose files are not looked into.
    Submodule,
    /// A symbolic link.
    Link,
    /// A folder.
    Tree,
}

/// One entry of a commit's tree.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its path from the top.
    pub path: &'a str,
    /// git's id of its content.
    pub id: &'a str,
    /// What it is.
    pub kind: EntryKind,
}

/// How many links in a row are followed, as an operating system does.
const LINKS: usize = 40;

/// The paths that the text of a file at `path` may name, which is a setting or which one names: any word of settings, which name
/// commands, servers and further instructions; else what stands after an `@`. Most are no files of the repository.
fn named_in(path: &str, text: &str) -> BTreeSet<String> {
    const SETTINGS: [&str; 5] = [".json", ".jsonc", ".toml", ".yml", ".yaml"];
    let name = path.to_ascii_lowercase();
    let instructions = !SETTINGS.iter().any(|end| name.ends_with(end));
    let part_of_path = |c: char| c.is_alphanumeric() || "._-+@/\0".contains(c);
    // A blank in a path and a slash in JSON may have a backslash before them.
    let text = if instructions { text.replace("\\ ", "\0") } else { text.replace("\\/", "/") };
    let begins = |at: usize| !text[..at].ends_with(char::is_alphanumeric);
    let words: Vec<&str> = match instructions {
        true => {
            text.match_indices('@').filter(|(at, _)| begins(*at)).map(|(at, _)| &text[at + 1..]).collect()
        }
        false => text.split(|c| !part_of_path(c)).collect(),
    };
    let mut found = BTreeSet::new();
    for word in words {
        let word = word.split(char::is_whitespace).next().unwrap_or_default();
        let part = word.split(|c| !part_of_path(c)).next().unwrap_or_default();
        let bare = |word: &str| word.trim_end_matches(|c: char| !c.is_alphanumeric()).replace('\0', " ");
        for word in [word.replace('\0', " "), bare(word), bare(part)].iter().filter(|word| word.len() < 1000)
        {
            found.extend(joined_path(path, word));
            // From the top, by name of a variable or without.
            let from_top = word.split_once('/').map(|(_, rest)| rest).filter(|_| !instructions);
            found
                .extend(from_top.into_iter().chain([word.as_str()]).filter_map(|word| joined_path("", word)));
        }
    }
    found
}

/// Whether what is in a submodule is what counts: nobody looked into it.
pub fn is_submodule(setting: &Setting) -> bool {
    setting.by.as_deref() == Some(SUBMODULES)
}

/// The agent settings of a tree, and what links among them lead to and their texts name: those files count as well. So does
/// each submodule, as a whole. `texts` has the texts that were read so far, by id.
pub fn settings(entries: &[Entry<'_>], names: &[String], texts: &BTreeMap<String, String>) -> Vec<Setting> {
    let own =
        || entries.iter().filter(|entry| entry.kind != EntryKind::Tree && is_setting(entry.path, names));
    let setting = |entry: &Entry<'_>, by: Option<&str>| Setting {
        path: entry.path.into(),
        id: entry.id.into(),
        by: by.map(Into::into),
    };
    let mut found: BTreeMap<String, Setting> =
        own().map(|entry| (entry.path.to_string(), setting(entry, None))).collect();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Submodule) {
        found.insert(entry.path.into(), setting(entry, Some(SUBMODULES)));
    }
    let by_path: BTreeMap<&str, &Entry<'_>> = entries.iter().map(|entry| (entry.path, entry)).collect();
    let leads =
        |entry: &Entry<'_>, rest: &str| joined_path(entry.path, texts.get(entry.id)?).map(|to| to + rest);
    let links = own().filter(|entry| entry.kind == EntryKind::Link);
    let mut open: Vec<(String, &str, usize)> =
        links.filter_map(|entry| Some((leads(entry, "")?, entry.path, 0))).collect();
    let named = |entry: &Entry<'_>| {
        let text = texts.get(entry.id).filter(|_| entry.kind == EntryKind::File);
        let paths = text.map(|text| named_in(entry.path, text)).unwrap_or_default();
        // A folder that is named is not read as a whole.
        paths
            .into_iter()
            .filter(|path| by_path.get(path.as_str()).is_none_or(|there| there.kind != EntryKind::Tree))
    };
    for entry in own() {
        open.extend(named(entry).map(|path| (path, entry.path, 0)));
    }
    let mut known = BTreeSet::new();
    while let Some((place, by, depth)) = open.pop() {
        if depth > LINKS || !known.insert(place.clone()) {
            continue;
        }
        let above = place.match_indices('/').map(|(at, _)| &place[..at]);
        // What is inside of a submodule changes with the commit that is named of it.
        let is_other = |path: &str, entry: &Entry<'_>| {
            matches!(entry.kind, EntryKind::File | EntryKind::Submodule) && path.len() < place.len()
        };
        let on_the_way = above.chain([place.as_str()]).find_map(|path| {
            by_path.get(path).filter(|entry| entry.kind == EntryKind::Link || is_other(path, entry))
        });
        let mut add = |entry: &Entry<'_>| {
            found.entry(entry.path.into()).or_insert_with(|| setting(entry, Some(by)));
        };
        if let Some(link) = on_the_way {
            add(link);
            if link.kind != EntryKind::Link {
                continue;
            }
            open.extend(leads(link, &place[link.path.len()..]).map(|to| (to, by, depth + 1)));
        } else if let Some(entry) = by_path.get(place.as_str()) {
            add(entry);
            open.extend(named(entry).map(|path| (path, by, depth + 1)));
            let inside = format!("{place}/");
            let below = by_path.range(inside.as_str()..).take_while(|(path, _)| path.starts_with(&inside));
            let links = below.filter(|(_, entry)| entry.kind == EntryKind::Link);
            open.extend(links.filter_map(|(_, link)| Some((leads(link, "")?, by, depth + 1))));
        }
    }
    found.into_values().collect()
}

/// Where a link at `path` with that text leads; `None` outside of the repository.
fn joined_path(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Paths of the settings that a program reads under these names and that are not trusted.
pub fn untrusted(settings: &[Setting], trust: &Trust, reads: &[String]) -> Vec<String> {
    let is_read = |setting: &&Setting| is_setting(setting.by.as_deref().unwrap_or(&setting.path), reads);
    let open = settings.iter().filter(is_read).filter(|setting| !trust.holds(setting));
    open.map(|setting| setting.path.clone()).collect()
}

/// The paths among these that are agent settings: by their names, or because a link among the `known` settings leads there, or
/// the text of one names them.
pub fn changed(paths: &[String], names: &[String], known: &[Setting]) -> Vec<String> {
    let linked = |path: &str| {
        let of_link = known.iter().filter(|setting| setting.by.is_some());
        of_link.into_iter().any(|setting| {
            path.strip_prefix(&setting.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    paths.iter().filter(|path| is_setting(path, names) || linked(path)).cloned().collect()
}

/// Paths in one line: the first few, and how many more.
pub fn shown(paths: &[String]) -> String {
    const MOST: usize = 5;
    let first = paths.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(MOST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(command: &[&str]) -> Runtime {
        Runtime { command: command.iter().map(ToString::to_string).collect(), ..Runtime::default() }
    }

    fn names() -> Vec<String> {
        listed(&BTreeMap::new())
    }

    #[test]
    fn settings_are_known_by_their_names_in_every_folder() {
        for path in [
            ".claude/settings.json",
            ".claude",
            "CLAUDE.md",
            "docs/deep/CLAUDE.md",
            "AGENTS.md",
            "agents.md",
            "web/.mcp.json",
            ".Claude/commands/x.md",
            "AGENT\u{17f}.md",
            ".cl\u{200c}aude/settings.json",
            ".github/hooks/pre.json",
            ".codex/config.toml",
            ".gemini/settings.json",
            "opencode.json",
        ] {
            assert!(is_setting(path, &names()), "{path}");
        }
        for path in
            ["claude/x", "docs/CLAUDE.md.txt", ".github/workflows/hooks", "github/hooks", "src/main.rs", ""]
        {
            assert!(!is_setting(path, &names()), "{path}");
        }
    }

    #[test]
    fn a_program_is_known_by_any_word_of_its_command_and_an_unknown_one_may_read_all() {
        let claude = reads(&runtime(&["env", "X=1", "/opt/bin/claude", "--model", "x"]));
        assert!(claude.contains(&".claude".into()) && !claude.contains(&"AGENTS.md".into()));
        assert_eq!(reads(&runtime(&["my-agent"])), names());
        assert_eq!(reads(&runtime(&[])), Vec::<String>::new());
        let none = Runtime { reads: Some(Vec::new()), ..runtime(&["sleep", "600"]) };
        assert_eq!(reads(&none), Vec::<String>::new());
        let own = Runtime { reads: Some(vec!["RULES.md".into()]), ..runtime(&["my-agent"]) };
        assert!(listed(&BTreeMap::from([("mine".into(), own)])).contains(&"RULES.md".into()));
    }

    fn paths(settings: &[Setting]) -> Vec<&str> {
        settings.iter().map(|setting| setting.path.as_str()).collect()
    }

    #[test]
    fn what_a_link_leads_to_counts_as_well() {
        let entry = |path: &'static str, id: &'static str, kind| Entry { path, id, kind };
        let entries = [
            entry(".claude", "l1", EntryKind::Link),
            entry("AGENTS.md", "l2", EntryKind::Link),
            entry("CLAUDE.md", "l3", EntryKind::Link),
            entry("GEMINI.md", "l4", EntryKind::Link),
            entry("docs", "t1", EntryKind::Tree),
            entry("docs/agents.md", "b1", EntryKind::File),
            entry("short", "l5", EntryKind::Link),
            entry("tools", "t2", EntryKind::Tree),
            entry("tools/claude", "t3", EntryKind::Tree),
            entry("tools/claude/settings.json", "l6", EntryKind::Link),
            entry("tools/real.json", "b2", EntryKind::File),
            entry("tools/other", "b3", EntryKind::File),
        ];
        let texts = [
            ("l1", "tools/./claude"),
            ("l2", "short/agents.md"),
            ("l3", "/etc/passwd"),
            ("l4", "GEMINI.md/x"),
            ("l5", "docs"),
            ("l6", "../real.json"),
        ];
        let targets = texts.map(|(id, text)| (id.to_string(), text.to_string())).into();
        let found = settings(&entries, &names(), &targets);
        let wanted = [
            ".claude",
            "AGENTS.md",
            "CLAUDE.md",
            "GEMINI.md",
            "docs/agents.md",
            "short",
            "tools/claude",
            "tools/real.json",
        ];
        assert_eq!(paths(&found), wanted);
        let by = |path: &str| found.iter().find(|one| one.path == path).unwrap().by.clone();
        assert_eq!(by("tools/real.json").as_deref(), Some(".claude"));
        assert_eq!(by("short").as_deref(), Some("AGENTS.md"));

        let claude = reads(&runtime(&["claude"]));
        let mut trust = Trust::default();
        assert_eq!(
            untrusted(&found, &trust, &claude),
            [".claude", "CLAUDE.md", "tools/claude", "tools/real.json"]
        );
        trust.add(&found);
        assert!(untrusted(&found, &trust, &names()).is_empty());
        let mut newer = found.clone();
        newer[7].id = "b9".into();
        assert_eq!(untrusted(&newer, &trust, &claude), ["tools/real.json"]);
        assert!(untrusted(&newer, &trust, &reads(&runtime(&["codex"]))).is_empty());

        let branch = ["tools/claude/new.md", "tools/other", "src/x", "web/AGENTS.md"].map(String::from);
        assert_eq!(changed(&branch, &names(), &found), ["tools/claude/new.md", "web/AGENTS.md"]);
    }

    #[test]
    fn what_a_text_names_is_found_however_it_is_written() {
        let names = |path: &str, text: &str, wanted: &str| named_in(path, text).contains(wanted);
        for text in [
            "@docs/x.md",
            "\u{feff}@docs/x.md",
            "see **@docs/x.md**, or",
            "[@docs/x.md](y)",
            "(@./docs/x.md#part)",
            "<b>@docs/x.md</b>",
            "- @docs/x.md's",
        ] {
            assert!(names("CLAUDE.md", text, "docs/x.md"), "{text}");
        }
        assert!(names("CLAUDE.md", "@docs/my\\ own.md.", "docs/my own.md"));
        assert!(names("docs/rules.txt", "@more.md", "docs/more.md"));
        assert!(names(".claude/settings.json", r#"{"command":"tools\/stop.sh -x"}"#, "tools/stop.sh"));
        assert!(!names("CLAUDE.md", "ann@docs/x.md and docs/x.md", "docs/x.md"));
    }

    #[test]
    fn many_paths_are_counted() {
        let paths: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        assert_eq!(shown(&paths), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(shown(&paths[..2]), "0, 1");
    }
}

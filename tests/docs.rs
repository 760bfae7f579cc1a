//! What the documents show is true: commands parse, links lead somewhere.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

use crate::common::{World, gt, wait_for};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents a person reads, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "templates"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        paths.push(entry.unwrap().path().join("README.md"));
    }
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// The `gt …` commands of a text, as words: lines of code blocks (with the lines that their quotes span), and code
/// spans. True for a whole command; a span may just name one (`gt rig add`).
fn commands(text: &str) -> Vec<(Vec<String>, bool)> {
    let mut found = Vec::new();
    let mut fence: Option<String> = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let ticks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() => fence = None,
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(_) => {
                let line = line.trim_start();
                if line.starts_with("gt ") || line.starts_with("GASTOWN_") {
                    let mut command = line.to_string();
                    while shlex::split(&command).is_none() {
                        command.push('\n');
                        command.push_str(lines.next().unwrap_or_else(|| panic!("no end: {command}")));
                    }
                    found.push((words(&command), true));
                }
            }
            None => {
                let spans = line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("gt "));
                found.extend(spans.map(|span| (words(span), false)));
            }
        }
    }
    found
}

/// Its words as a shell would have them: without variables before it, up to a comment or the next command.
fn words(command: &str) -> Vec<String> {
    let words = shlex::split(command).unwrap_or_else(|| panic!("not a shell's words: {command}"));
    words
        .into_iter()
        .skip_while(|word| word.contains('=') && !word.starts_with('-'))
        .take_while(|word| !matches!(word.as_str(), "|" | "&&" | ">" | "…"))
        .collect()
}

#[test]
fn every_command_shown_is_one_that_gt_takes() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in documents() {
        for (command, whole) in commands(&text) {
            count += 1;
            if let Err(error) = gastown::cli::Cli::try_parse_from(&command) {
                let named = !whole && error.kind() == ErrorKind::MissingRequiredArgument;
                if !named && !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
                    let first = error.to_string().lines().next().unwrap_or_default().to_string();
                    wrong.push(format!("{}: {}: {first}", path.display(), command.join(" ")));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count > 40, "only {count} commands were found: is the search broken?");
}

/// What hints advise: `…: gt WORDS`, up to the end of the text or the next advice.
#[test]
fn every_command_that_a_hint_names_has_the_flags_that_it_names() {
    let source = sources(&root().join("src"));
    let advice = regex::Regex::new(r#": (gt [a-z][^\"`;,()\\]*)"#).unwrap();
    let filled = regex::Regex::new(r"\{[^}]*\}").unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for found in advice.captures_iter(&source) {
        let text = filled.replace_all(&found[1], "x-1");
        let parts =
            text.split(" or ").flat_map(|part| part.split(": ")).filter(|part| part.starts_with("gt "));
        for command in parts.filter_map(shlex::split) {
            count += 1;
            let Err(error) = gastown::cli::Cli::try_parse_from(&command) else { continue };
            let unknown = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            // A sentence may begin with the program's name: `gt needs …`.
            let sentence = command[1].ends_with('s');
            if unknown.starts_with('-') || (error.kind() == ErrorKind::InvalidSubcommand && !sentence) {
                wrong.push(format!("{}: {}", command.join(" "), error.to_string().lines().next().unwrap()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(count > 200, "only {count} commands were found: is the search broken?");
}

#[test]
fn links_lead_to_files() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// The ten commands of a day are in the README, on its first screen.
#[test]
fn the_readme_begins_with_what_counts() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let screen: String = readme.lines().take(70).map(|line| format!("{line}\n")).collect();
    for wanted in
        ["scripts/demo", "scripts/test", "gt install", "gt rig add", "gt sling", "gt status", "gt attach"]
    {
        assert!(screen.contains(wanted), "{wanted} is not on the first screen of the README");
    }
}

/// The five minutes of the README, done as they stand there.
#[test]
fn the_first_town_works() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("````sh\n").nth(1).and_then(|rest| rest.split("````").next()).unwrap();
    let (before, after) = block.split_at(block.find("gt refinery").unwrap());
    let world = World::new();
    world.set("GASTOWN_BEADS__STORE", "embedded");
    world.origin("wyvern.git", &[("README.md", "# wyvern\n")]);
    std::fs::create_dir(world.path("home/src")).unwrap();
    world.git("", ["clone", "-q", "wyvern.git", "home/src/wyvern"]);
    std::os::unix::fs::symlink(gt(), world.path("bin/gt")).unwrap();
    world.run("sh", "", ["-eu", "-c", before]).ok();
    wait_for("the polecat to hand its work in", || {
        let waiting = world.gt_in("home/gt", ["mq", "list", "wyvern", "--json"]).ok().json();
        (waiting["requests"].as_array()?.len() == 1).then_some(())
    });
    world.run("sh", "home/gt", ["-eu", "-c", after]).ok();
    assert_eq!(world.git("wyvern.git", ["show", "main:README.md"]), "# wyvern\nLicence: MIT");
}

/// What the table of troubles quotes is what gt says, word for word.
#[test]
fn every_message_that_is_explained_is_one_that_gt_prints() {
    let page = std::fs::read_to_string(root().join("docs/remote-execution.md")).unwrap();
    let table = page.split("## When something is wrong").nth(1).unwrap().split("\n## ").next().unwrap();
    // What is said over there is in the templates.
    let source = sources(&root().join("src")) + &sources(&root().join("templates"));
    let quoted: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    // `…` stands for what differs.
    let said = |text: &&&str| text.split('…').all(|part| source.contains(part.trim()));
    let unsaid: Vec<&&str> = quoted.iter().filter(|text| !said(text)).collect();
    assert_eq!(unsaid, Vec::<&&str>::new());
    assert!(quoted.len() > 8, "only {quoted:?} were found: is the search broken?");
}

/// All of the program's source as one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => std::fs::read_to_string(path).unwrap(),
    };
    entries.filter(|path| !path.ends_with("tests.rs")).map(read).collect()
}

//! The pages in `man/` are what the command line's own types say.
//!
//! `GT_UPDATE_MAN=1 cargo test --test town man` writes them.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;

/// Name of the file → its text, for the command and everything below it that is not hidden.
fn pages() -> BTreeMap<String, String> {
    fn add(command: &clap::Command, pages: &mut BTreeMap<String, String>) {
        let man = clap_mangen::Man::new(command.clone()).source("gt").manual("gt manual");
        let mut text = Vec::new();
        man.render(&mut text).unwrap();
        pages.insert(man.get_filename(), String::from_utf8(text).unwrap());
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            add(below, pages);
        }
    }
    let mut command = gastown::cli::Cli::command();
    command.build();
    let mut found = BTreeMap::new();
    add(&command, &mut found);
    found
}

#[test]
fn pages_say_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let wanted = pages();
    if std::env::var_os("GT_UPDATE_MAN").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in &wanted {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let found: BTreeMap<String, String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    let differ = |name: &&String| wanted.get(*name) != found.get(*name);
    let stale: Vec<&String> = wanted.keys().chain(found.keys()).filter(differ).collect();
    assert!(
        stale.is_empty(),
        "not up to date: {stale:?}\nwrite them with: GT_UPDATE_MAN=1 cargo test --test town man"
    );
}

#[test]
fn every_page_has_a_name_line_and_a_synopsis() {
    for (name, text) in pages() {
        let title = name.trim_end_matches(".1").replace('-', "\\-");
        let says = text.split(".SH NAME\n").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        assert!(says.starts_with(&format!("{title} \\- ")), "{name}: its NAME line is {says:?}");
        assert!(text.contains(".SH SYNOPSIS"), "{name}");
    }
}

/// Every argument a person can see has a help text.
#[test]
fn every_argument_is_explained() {
    fn look(command: &clap::Command, path: &str, silent: &mut Vec<String>) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_help().is_none()) {
            silent.push(format!("{path} {}", arg.get_id()));
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = format!("{path} {}", below.get_name());
            if below.get_about().is_none() {
                silent.push(path.clone());
            }
            look(below, &path, silent);
        }
    }
    let mut command = gastown::cli::Cli::command();
    command.build();
    let mut silent = Vec::new();
    look(&command, "gt", &mut silent);
    assert_eq!(silent, Vec::<String>::new());
}

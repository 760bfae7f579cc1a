//! Text as an attacker writes it, in every place that takes text: seeds times shapes, the lists beside this file.
//!
//! Whatever it is, no command in it runs, no file is made by it, and no escape sequence or hidden character of it reaches a
//! terminal. Most of it runs in this process, against parsers and renderers; the rest through the program, all of it at once.

use std::collections::BTreeSet;

use gastown::address::{Address, is_member_name, is_polecat_name, is_rig_name};
use gastown::beads::{Bead, Comment, jsonl};
use gastown::config::template;
use gastown::plan::homecoming::{self, Name};
use gastown::report::{self, Screen};
use gastown::terminal::{Color, Text};
use gastown::work::request::Request;
use gastown::{grammar, work};
use serde_json::{Value, json};

use crate::common::{Run, World, wait_for};

/// The inputs; commands in them make the file `canary`.
fn corpus(canary: &str) -> Vec<String> {
    let list = |text: &str| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let seeds = list(include_str!("hostile/seeds.jsonl"));
    let shapes = list(include_str!("hostile/shapes.jsonl"));
    let shaped = |seed: &String| {
        let seed = seed.replace("{canary}", canary);
        shapes.iter().map(|shape| shape.replace('@', &seed)).collect::<Vec<_>>()
    };
    let mut seen = BTreeSet::new();
    seeds.iter().flat_map(shaped).filter(|text| seen.insert(text.clone())).collect()
}

/// What acts on a terminal or fools a reader, written down apart from the program's own list.
fn acts(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{ad}' | '\u{feff}' | '\u{3164}')
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{206f}').contains(&c)
        || ('\u{e0000}'..='\u{e0fff}').contains(&c)
}

#[track_caller]
fn is_harmless(what: &str, shown: &str) {
    if let Some(at) = shown.find(acts) {
        let from = shown[..at].rfind('\n').map_or(0, |end| end + 1);
        let line: String = shown[from..].chars().take(200).collect();
        panic!("{what}: {line:?}");
    }
}

/// The same of what is in colours: gt's own are taken out first.
#[track_caller]
fn is_harmless_in_colour(what: &str, shown: &str) {
    let codes = ["0", "1", "2", "31", "32", "33", "36"].map(|code| format!("\x1b[{code}m"));
    is_harmless(what, &codes.iter().fold(shown.to_string(), |text, code| text.replace(code, "")));
}

fn bead(text: &str) -> Bead {
    let own = || text.to_string();
    Bead {
        id: own(),
        title: own(),
        description: own(),
        notes: own(),
        status: own(),
        issue_type: own(),
        assignee: Some(own()),
        created_by: own(),
        created_at: own(),
        close_reason: own(),
        external_ref: Some(own()),
        labels: vec![own(), format!("from:{text}")],
        comments: vec![Comment { author: own(), text: own(), ..Comment::default() }],
        metadata: [(own(), own().into())].into_iter().collect(),
        ..Bead::default()
    }
}

#[test]
fn there_are_many() {
    let all = corpus("canary");
    assert!(all.len() >= 500, "{}", all.len());
}

#[test]
fn what_is_shown_never_acts() {
    let screen = Screen { width: 60, fancy: true, unicode: true };
    for text in corpus("canary") {
        let bead = bead(&text);
        let message = report::mail::Message::of(&bead);
        let request = Request { title: text.clone(), worker: text.clone(), ..Request::default() };
        let row = report::queue::Row::new(&request, Some(&bead), &text);
        for shown in [
            report::bd::lines(std::slice::from_ref(&bead)),
            report::bd::page(&bead, std::slice::from_ref(&bead)),
            report::mail::list(std::slice::from_ref(&message), "2026-01-01T00:00:00Z"),
            report::mail::whole(&message),
            report::queue::list(std::slice::from_ref(&row), "2026-01-01T00:00:00Z"),
            report::queue::show(&row, "2026-01-01T00:00:00Z"),
        ] {
            is_harmless(&text, Text::from(shown).as_str());
        }
        // One thing is one line in a list, whatever is in it.
        assert_eq!(report::bd::lines(std::slice::from_ref(&bead)).lines().count(), 1, "{text:?}");
        assert_eq!(report::mail::list(&[message], "").lines().count(), 1, "{text:?}");
        let cells = vec![vec![text.as_str().into(), text.as_str().into()]];
        let table = screen.table(&["A", "B"], &cells, 1);
        assert_eq!(table.lines().count(), 2, "{text:?}");
        for shown in [table, screen.paint(Color::Bad, &text), report::diff::patch(&text, &screen)] {
            is_harmless_in_colour(&text, shown.as_str());
        }
        let value = json!({ text.as_str(): bead });
        for form in [format!("{value}"), format!("{value:#}")] {
            let shown = Text::json(&form);
            assert!(!shown.as_str().contains(|c| acts(c) || c == '\t'), "{shown}");
            assert_eq!(serde_json::from_str::<Value>(shown.as_str()).unwrap(), value);
        }
    }
}

#[test]
fn no_name_ref_or_record_is_made_of_it() {
    let plain = |name: &str| {
        !name.contains(acts)
            && !name.starts_with(['-', '.'])
            && !name.contains(['/', '$', '`', '#', ';', ' ', '\n'])
    };
    let from = Name { rig: "wyvern".into(), name: "Nux".into(), instance: "ab12".into() };
    let commit = "0123456789012345678901234567890123456789";
    for text in corpus("canary") {
        for taken in
            [is_rig_name(&text), is_polecat_name(&text), is_member_name(&text), grammar::is_bead_id(&text)]
        {
            assert!(!taken || plain(&text), "{text:?}");
        }
        for address in
            [text.clone(), format!("wyvern/{text}"), format!("{text}/Nux"), format!("wyvern/crew/{text}")]
        {
            if let Ok(address) = Address::parse(&address) {
                assert!(plain(address.name()) && address.rig().is_none_or(plain), "{text:?}: {address}");
                assert!(!address.session_name().contains(['.', ':', '#']), "{address}");
            }
        }
        assert!(
            !grammar::is_branch_name(&text) || !text.starts_with('-') && !text.contains(".."),
            "{text:?}"
        );
        assert_eq!(
            homecoming::name_of(&format!("refs/gt/done/wyvern/{text}/ab12")).map(|name| plain(&name.name)),
            None
        );
        // Each field of a completion record.
        let letter = json!({ "version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": "ab12", "bead": "wy-1",
            "branch": "polecat/Nux-wy-1", "commit": commit, "outcome": "done", "notes": text,
            "beads": [{ "title": text, "description": text }] });
        if let Ok(letter) = homecoming::read(&from, &letter.to_string()) {
            assert!(!letter.notes.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{letter:?}");
        }
        for field in ["rig", "worker", "instance", "bead", "branch", "commit", "outcome"] {
            let mut wrong = letter.clone();
            wrong[field] = text.as_str().into();
            let said = homecoming::read(&from, &wrong.to_string()).unwrap_err();
            is_harmless(field, &said);
        }
        let said = homecoming::read(&from, &text).unwrap_err();
        is_harmless("no letter", &said);
        // A request of somebody's: no value of it becomes a word of git's.
        let fields = ["branch", "commit", "target", "bead", "worker", "instance"];
        for field in fields {
            let mut metadata = json!({ "rig": "wyvern", "branch": "polecat/Nux-wy-1", "commit": commit, "target": "main",
                "bead": "wy-1", "worker": "wyvern/Nux", "instance": "ab12", "created": "2026-01-01T00:00:00Z", "attempt": 1 });
            metadata[field] = text.as_str().into();
            let Value::Object(metadata) = metadata else { continue };
            let request = Bead { issue_type: "merge-request".into(), metadata, ..Bead::default() };
            match Request::read(&request).unwrap() {
                Ok(read) => {
                    let value =
                        [&read.branch, &read.commit, &read.target, &read.bead, &read.worker, &read.instance]
                            [fields.iter().position(|own| *own == field).unwrap()];
                    assert!(
                        !value.starts_with('-') && (field == "bead" || !value.contains("..")),
                        "{field}: {value:?}"
                    );
                }
                Err(why) => is_harmless(field, &why),
            }
        }
        for line in jsonl::parse(&text).into_iter().flatten() {
            panic!("{line:?}");
        }
    }
}

#[test]
fn a_value_is_never_a_part_of_a_text_for_a_shell() {
    let world = World::new();
    let canary = world.str("canary");
    let mut script = String::new();
    for text in corpus(&canary) {
        let value = |_: &str| Ok(text.clone());
        assert!(template::fill_command("echo {{title}}", &value).is_err(), "{text:?}");
        for command in
            ["echo {{bead}}", "sh -c \"echo '{{bead}}'\"", "eval echo x{{bead}}", ": $(({{bead}}))"]
        {
            // What is put in stands for itself in all of them.
            script.extend(template::fill_command(command, &value).map(|line| line + "\n"));
        }
        // Templates of prompts know names and nothing else, and values stay values.
        let filled = work::pieces::fill("a {{town}} b", &[("town", &text), ("gt", "no")]);
        assert_eq!(filled, format!("a {text} b"));
        assert_eq!(template::fill("{{town}}", &value).unwrap(), text);
        let _ = template::expand(&text, &|_| Some(text.clone()));
    }
    world.run("sh", "", ["-c", &script]);
    assert!(!world.path("canary").exists());
}

/// A world whose store, repositories, settings, server and screens hold the corpus.
struct Siege {
    world: World,
    all: Vec<String>,
}

impl Siege {
    fn lay() -> Siege {
        let world = World::waiting();
        let all = corpus(&world.str("canary"));
        Siege { world, all }
    }

    #[track_caller]
    fn look(&self, words: &[&str]) -> Run {
        let run = self.world.in_town(words);
        let what = format!("gt {}", words.iter().take(3).copied().collect::<Vec<_>>().join(" "));
        is_harmless_in_colour(&what, &run.stdout);
        is_harmless(&what, &run.stderr);
        assert!(run.code.is_some_and(|code| code < 5), "{what}: {run:?}");
        run
    }

    /// Nothing ran, and nothing was made outside.
    #[track_caller]
    fn stands(&self) {
        let names = |dir: &str| -> Vec<String> {
            let entries = std::fs::read_dir(self.world.path(dir)).unwrap().flatten();
            let mut names: Vec<_> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(""), ["bin", "home", "origin.git", "tmux", "town"]);
        let in_town = names("town");
        assert!(in_town.iter().all(|name| !name.contains("escape") && name != "canary"), "{in_town:?}");
    }

    fn import(&self) {
        let of = |(number, text): (usize, &String)| {
            let message = number % 3 == 0;
            json!({ "id": format!("wy-h{number}"), "title": text, "description": text, "notes": text, "priority": 2,
                "status": "open", "issue_type": if message { "message" } else { "task" },
                "assignee": message.then_some("overseer"), "created_by": text, "external_ref": text,
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
                "comments": [{ "id": 1, "author": text, "text": text, "created_at": "2026-01-01T00:00:00Z" }] })
        };
        let lines: Vec<String> = self.all.iter().enumerate().map(|one| of(one).to_string()).collect();
        self.world.write("home/hostile.jsonl", lines.join("\n"));
        let file = self.world.str("home/hostile.jsonl");
        self.world.gt_in("town/wyvern", ["bd", "import", &file]).ok();
        self.world.in_town(["bd", "import", &file]).ok();
    }
}

#[test]
fn a_store_full_of_it_is_shown_and_acts_on_nothing() {
    let siege = Siege::lay();
    siege.import();
    let ids: Vec<String> = (0..siege.all.len()).map(|number| format!("wy-h{number}")).collect();
    let show: Vec<&str> = ["bd", "show"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let json = [&show[..], &["--json"]].concat();
    assert!(siege.look(&show).stdout.contains("\\x1b]0;pwned\\x07"));
    let read: Value = serde_json::from_str(&siege.look(&json).stdout).unwrap();
    let titles: Vec<&str> = read.as_array().unwrap().iter().filter_map(|one| one["title"].as_str()).collect();
    assert_eq!(titles, siege.all.iter().map(String::as_str).collect::<Vec<_>>(), "JSON holds each as it is");
    for words in [
        "bd list --limit 0 --all",
        "bd list --limit 0 --all --json",
        "bd ready --limit 0",
        "bd export",
        "status",
        "status --color always",
        "status --json",
        "polecats wyvern",
        "mq list wyvern",
        "mail inbox",
        "mail inbox --json",
        "mail read wy-h0",
        "prime",
        "hook",
        "doctor",
        "sling wy-h1 wyvern --dry-run",
        "witness patrol wyvern --dry-run",
        "refinery process wyvern --dry-run",
    ] {
        siege.look(&words.split(' ').collect::<Vec<_>>());
    }
    // As words of commands: a few of each kind, for each is a process.
    for (number, text) in
        siege.all.iter().enumerate().filter(|(number, text)| number % 16 == 5 && !text.contains('\0'))
    {
        let commands: [&[&str]; 7] = [
            &["attach", "--", text],
            &["bd", "show", "--", text],
            &["crew", "add", "--rig", "wyvern", "--", text],
            &["polecat", "release", "--", text],
            &["config", "explain", "--", text],
            &["rig", "add", "--", text, "origin.git"],
            &["mail", "send", "overseer", "-m", text, "-s", text],
        ];
        siege.look(commands[number / 16 % commands.len()]);
    }
    siege.look(&["mail", "inbox"]);
    siege.stands();
}

#[test]
fn commits_files_settings_and_a_server_full_of_it_are_shown_and_act_on_nothing() {
    let siege = Siege::lay();
    let world = &siege.world;
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    let clone = "town/wyvern/crew/ann";
    let mut stream = String::from("feature done\n");
    for (number, text) in siege.all.iter().enumerate().filter(|(_, text)| !text.contains('\0')) {
        let author: String = text.chars().filter(|c| !"<>\n".contains(*c)).collect();
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        stream += &format!(
            "commit refs/heads/main\nauthor {author} <a@example.invalid> 1767225600 +0000\n\
             committer C <c@example.invalid> 1767225600 +0000\ndata {}\n{text}\n{from}M 644 inline f{number}\ndata {}\n{text}\n",
            text.len(),
            text.len()
        );
        // A path is one that git takes.
        let path = text.replace(['/', '\n', '"', '\\', '\r'], "_");
        if path.len() < 200 && ![".", "..", ".git"].contains(&path.as_str()) && !path.contains("git") {
            stream += &format!("M 644 inline d{number}/{path}\ndata 1\nx\n");
        }
    }
    stream += "done\n";
    world.write("home/stream", stream);
    world.run("sh", clone, ["-c", "git fast-import --quiet <\"$HOME/stream\" && git reset -q --hard"]).ok();
    let log = siege.look(&["log", "wyvern/crew/ann"]);
    assert!(log.stdout.contains("\\x1b]0;pwned\\x07") && log.stdout.lines().count() > 500, "{log:?}");
    for words in [
        "log wyvern/crew/ann --color always",
        "log wyvern/crew/ann --json",
        "diff wyvern/crew/ann --color always",
        "diff wyvern/crew/ann --json",
    ] {
        siege.look(&words.split(' ').collect::<Vec<_>>());
    }
    // In a pipe a patch stays one.
    assert!(world.in_town(["diff", "wyvern/crew/ann"]).ok().stdout.contains('\u{1b}'));

    // The words of a server.
    world.bead("To be pushed", "true");
    let words: String = siege.all.iter().map(|text| text.replace('\0', "") + "\n").collect();
    world.write("home/words", &words);
    let hook = format!("#!/bin/sh\ncat '{}' >&2\nexit 1\n", world.str("home/words"));
    world.write("origin.git/hooks/pre-receive", hook);
    world.run("chmod", "", ["+x", "origin.git/hooks/pre-receive"]).ok();
    let refused = siege.look(&["sync", "wyvern"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("\\x1b]0;pwned\\x07"), "{refused:?}");

    // Values of settings, and keys that are none.
    let quoted = |text: &String| {
        let text = text.replace("{{", "{ {").replace('$', "$$");
        serde_json::to_string(&text).unwrap().replace('\u{7f}', "\\u007f")
    };
    let agents: String = siege
        .all
        .iter()
        .enumerate()
        .map(|(n, text)| format!("[agents.a{n}]\ncommand = [{}]\n", quoted(text)))
        .collect();
    world.settings(&format!("[beads]\nstore = \"embedded\"\n{agents}"));
    assert!(siege.look(&["config", "show"]).code == Some(0));
    siege.look(&["config", "show", "--json"]);
    siege.look(&["doctor"]);
    let keys: String = siege.all.iter().map(|text| format!("{} = 1\n", quoted(text))).collect();
    world.settings(&format!("[merge]\n{keys}"));
    assert_eq!(siege.look(&["config", "show"]).code, Some(1));
    siege.stands();
}

#[test]
fn screens_and_windows_full_of_it_are_shown_and_act_on_nothing() {
    let siege = Siege::lay();
    let world = &siege.world;
    world.write("home/words", siege.all.join("\n") + "\n\x1b[?1049l\nthe end of it\n");
    let cat = format!("command = [\"sh\", \"-c\", \"cat '{}'; exec sleep 600\"]", world.str("home/words"));
    world.settings(&format!("[beads]\nstore = \"embedded\"\n[agents.waits]\nprompt = \"none\"\n{cat}\n"));
    world.write(
        "town/config/presets/polecat.toml",
        "name = \"polecat\"\n[polecat]\nmax_workers = 50\n[[polecat.windows]]\nname = \"{{title}}\"\nenv = { WHAT = \"{{title}}\" }\n\
         panes = [{ command = \"{{agent}}\" }, { command = 'printf %s\\n \"$GT_BEAD_TITLE\" \"$WHAT\"; exec sleep 600' }]\n",
    );
    let titles = siege
        .all
        .iter()
        .enumerate()
        .filter(|(number, text)| number % 37 == 0 && !text.contains(['\0', '\n', '\r']));
    let titles: Vec<&String> = titles.map(|(_, text)| text).collect();
    let made = |title: &&String| -> String {
        let run = world
            .gt_in("town/wyvern", ["bd", "create", "--json", "-d", title.as_str(), "--", title.as_str()])
            .ok();
        run.json()["id"].as_str().unwrap().into()
    };
    let beads: Vec<String> = titles.iter().map(made).collect();
    let sling: Vec<&str> =
        ["sling"].into_iter().chain(beads.iter().map(String::as_str)).chain(["wyvern"]).collect();
    assert_eq!(siege.look(&sling).code, Some(0));
    let names = world.tmux(["list-windows", "-a", "-F", "#{window_name}"]).ok().stdout;
    assert_eq!(names.lines().count(), titles.len());
    is_harmless("names of windows", &names);
    assert!(names.contains("##(touch") && !names.replace("##", "").contains('#'), "{names}");
    let marks = world.tmux(["list-sessions", "-F", "#{@gt_own} #{@gt_bead} #{@gt_address}"]).ok().stdout;
    is_harmless("marks", &marks);
    wait_for("a screen", || {
        siege.look(&["capture", "wyvern/Nux"]).stdout.contains("the end of it").then_some(())
    });
    for words in [
        "capture wyvern/Nux --lines 2000",
        "capture wyvern/Nux --lines 2000 --json",
        "status",
        "status --json",
        "agents",
        "session list --json",
        "freeze",
        "plan",
        "doctor",
    ] {
        siege.look(&words.split(' ').collect::<Vec<_>>());
    }
    siege.stands();
}

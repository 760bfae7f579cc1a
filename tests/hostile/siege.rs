//! The corpus through the program: one store, one repository, one server and a few screens that hold all of it.

use serde_json::{Value, json};

use super::{corpus, is_harmless, is_harmless_in_colour};
use crate::common::{Run, World, wait_for};

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
        // No word of a command can hold a NUL.
        let text = text.replace("{{", "{ {").replace('$', "$$").replace('\0', "");
        serde_json::to_string(&text).unwrap().replace('\u{7f}', "\\u007f")
    };
    let agents: String = siege
        .all
        .iter()
        .enumerate()
        .map(|(n, text)| format!("[agents.a{n}]\ncommand = [{}]\n", quoted(&text.replace('\0', ""))))
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
    let marks = world.tmux(["list-sessions", "-F", "#{@gt_own} #{@gt_state}"]).ok().stdout;
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

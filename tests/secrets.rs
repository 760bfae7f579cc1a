//! What other users of the machine, and readers of files and of what is printed, must not get: credentials, rights, variables.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{World, gt, wait_for};

/// The secret, as a URL has it and as git sends it.
const TOKEN: &str = "ghp_SECRET1";
const SENT: &str = "authorization: basic zgfuytpnahbfu0vdukvumq==";

/// Serves a folder to git, by its simplest protocol, to who signs in as dana; gives the address.
fn server(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream, &folder);
        }
    });
    address
}

fn answer(mut stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let signed = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let signed = signed.filter(|line| line.to_lowercase() == SENT).count() > 0;
    let path = first.split([' ', '?']).nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match std::fs::read(folder.join(path)) {
        _ if !signed => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

/// A town, and the address of a server that has `origin.git`.
fn town() -> (World, String) {
    let world = World::new();
    world.origin("origin.git", &[("README.md", "# wyvern\n")]);
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.run("git", "origin.git", ["update-server-info"]).ok();
    world.gt(["install", "town"]).ok();
    let address = server(world.path(""));
    (world, address)
}

/// Files of a folder that hold a text.
fn holding(dir: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(holding(&entry.path(), text));
        } else if kind.is_file()
            && String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).contains(text)
        {
            found.push(entry.path());
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_token_of_a_url_is_gits_alone() {
    let (world, address) = town();
    let url = format!("http://dana:{TOKEN}@{address}/origin.git");
    world.count_calls(&["git"]);
    world.program("claude", "#!/bin/sh\n");
    let mut printed = String::new();
    let mut gt = |words: &[&str]| {
        let run = world.in_town(words).ok();
        printed += &(run.stdout + &run.stderr);
    };
    gt(&["rig", "add", "wyvern", &url, "--prefix", "wy"]);
    gt(&["rigs", "--json"]);
    gt(&["crew", "add", "ann", "--rig", "wyvern"]);
    gt(&["config", "show"]);
    gt(&["plan", "--json"]);
    gt(&["doctor", "--json"]);
    assert!(!printed.contains(TOKEN), "{printed}");
    assert!(printed.contains("kept for git alone"), "{printed}");
    assert!(!world.calls("git").concat().contains(TOKEN));
    let file = world.path("town/wyvern/mayor/rig/.git/gt-credential");
    assert_eq!(holding(&world.path("town"), TOKEN), std::slice::from_ref(&file));
    assert_eq!(mode(&file), 0o600);
    for clone in ["mayor/rig", "refinery/rig", "crew/ann"] {
        world.run("git", format!("town/wyvern/{clone}"), ["fetch", "-q"]).ok();
    }
    // A town may be moved.
    std::fs::rename(world.path("town"), world.path("moved town")).unwrap();
    world.run("git", "moved town/wyvern/crew/ann", ["fetch", "-q"]).ok();
    let run = world.gt_in("moved town", ["rig", "remove", "wyvern", "--force"]).ok();
    assert!(!(run.stdout + &run.stderr).contains(TOKEN));
}

#[test]
fn what_a_person_puts_in_place_of_a_url_counts() {
    let (world, _) = town();
    let url = format!("https://dana:{TOKEN}@git.example/");
    let key = format!("url.{}.insteadOf", world.str(""));
    world.run("git", "", ["config", "--global", &key, &url]).ok();
    world.in_town(["rig", "add", "wyvern", &format!("{url}origin.git")]).ok();
    assert_eq!(holding(&world.path("town"), TOKEN), [] as [PathBuf; 0]);
}

#[test]
fn a_url_that_cannot_be_cloned_is_named_without_its_token() {
    let (world, address) = town();
    let url = format!("http://dana:{TOKEN}x@{address}/origin.git");
    let run = world.in_town(["rig", "add", "wyvern", &url]).fails(1);
    assert!(run.stderr.contains(&format!("cannot clone http://{address}/origin.git: ")), "{run:#?}");
    assert!(!run.stderr.contains(TOKEN), "{run:#?}");
    for (url, said) in [
        (format!("http://dana:a/{TOKEN}#x y@{address}/none.git"), "cannot clone http://"),
        (
            format!("https://ho/{TOKEN}@git.example/x.git"),
            "cannot tell the user part of a URL from its path: ",
        ),
        (format!("https://git.example/x.git?private_token={TOKEN}"), "a URL with a token in its query"),
        (format!("https://dana:{TOKEN}@git.example/\nx"), "a URL holds no control characters"),
    ] {
        let run = world.in_town(["rig", "add", "wyvern", &url]);
        assert!(run.code != Some(0) && run.stderr.contains(said) && !run.stderr.contains(TOKEN), "{run:#?}");
    }
    assert_eq!(holding(&world.path("town"), TOKEN), [] as [PathBuf; 0]);
}

#[test]
fn doctor_takes_tokens_out_of_the_files_of_older_towns() {
    let (world, address) = town();
    let plain = format!("http://{address}/origin.git");
    let url = format!("http://dana:{TOKEN}@{address}/origin.git");
    world.in_town(["rig", "add", "wyvern", &url]).ok();
    world.in_town(["crew", "add", "ann", "--rig", "wyvern"]).ok();
    let files = ["mayor/rigs.json", "wyvern/config.json", "mayor/exports/wyvern.config.json"];
    for file in files.map(|file| format!("town/{file}")) {
        world.write(&file, world.read(&file).replace(&plain, &url));
    }
    for clone in ["mayor/rig", "refinery/rig", "crew/ann"].map(|clone| format!("town/wyvern/{clone}")) {
        world
            .run("git", &clone, ["config", "--remove-section", &format!("credential.http://{address}")])
            .ok();
        world.run("git", &clone, ["config", "remote.origin.url", &url]).ok();
    }
    std::fs::remove_file(world.path("town/wyvern/mayor/rig/.git/gt-credential")).unwrap();
    assert!(!world.in_town(["rigs"]).ok().stdout.contains(TOKEN));
    let found = world.in_town(["doctor"]).fails(1);
    let own = format!("https://dana:{TOKEN}@elsewhere.example/x.git");
    world.git("town/wyvern/crew/ann", ["remote", "add", "mine", &own]);
    for file in files.into_iter().chain(["wyvern/crew/ann/.git/config"]) {
        let line = format!("{file} has a name or a token in a URL");
        assert!(found.stdout.contains(&line) && !found.stdout.contains(TOKEN), "{found:#?}");
    }
    world.in_town(["doctor", "--fix"]).ok();
    let file = world.path("town/wyvern/mayor/rig/.git/gt-credential");
    let crew = "town/wyvern/crew/ann";
    assert_eq!(world.git(crew, ["remote", "get-url", "mine"]), own, "that is the person's own");
    world.git(crew, ["remote", "remove", "mine"]);
    assert_eq!(holding(&world.path("town"), TOKEN), [file]);
    for clone in [crew, "town/wyvern/refinery/rig"] {
        world.run("git", clone, ["fetch", "-q"]).ok();
    }
    world.in_town(["doctor"]).ok();
}

/// What gt made of a town that others may read or write; git makes the files of its clones, by the person's umask.
fn open_to_others(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_symlink() {
            continue;
        }
        let clone = path.join(".git").exists() || path.ends_with(".git");
        if !clone && mode(&path) & 0o077 != 0 {
            found.push(path.clone());
        }
        if clone && path.join(".beads").is_dir() {
            open_to_others(&path.join(".beads"), found);
        } else if kind.is_dir() && !clone {
            open_to_others(&path, found);
        }
    }
}

#[test]
fn nothing_of_a_town_is_open_to_other_users_whatever_the_umask() {
    let world = World::new();
    world.origin("origin.git", &[("README.md", "# wyvern\n")]);
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.set("GASTOWN_POLECAT__AGENT", "shell");
    let script = "umask 000; \"$0\" install town && cd town && \"$0\" rig add wyvern ../origin.git --prefix wy && \
                  \"$0\" crew add ann --rig wyvern && cd wyvern && \"$0\" bd create one --id wy-1 -d '```sh\nexit 3\n```' && \
                  cd .. && \"$0\" sling wy-1 wyvern && \"$0\" preset new mine && \"$0\" witness patrol wyvern";
    world.run("sh", "", ["-c", script, gt()]).ok();
    wait_for("the end of the script", || {
        world.in_town(["polecats", "wyvern"]).ok().stdout.contains("crashed").then_some(())
    });
    world.run("sh", "town", ["-c", "umask 000; \"$0\" polecat nuke wyvern/Nux --force", gt()]);
    let mut found = Vec::new();
    open_to_others(&world.path("town"), &mut found);
    assert_eq!(found, [] as [PathBuf; 0]);
    assert_eq!(mode(&world.path("town")), 0o700);
    // git's files are as the person wants them.
    assert_eq!(mode(&world.path("town/wyvern/crew/ann/README.md")), 0o666);
}

#[test]
fn a_town_that_others_may_look_into_is_closed_by_doctor() {
    let world = World::with_rig();
    let root = world.path("town");
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = world.in_town(["doctor"]).fails(1);
    assert!(found.stdout.contains("The town's folder is open to other users"), "{found:#?}");
    world.in_town(["doctor", "--fix"]).ok();
    assert_eq!(mode(&root), 0o700);
}

#[test]
fn a_session_has_its_callers_variables_and_none_of_an_older_server() {
    let world = World::with_rig();
    for (key, value) in [("OLD_TOKEN", "stale"), ("SSH_AUTH_SOCK", "/old"), ("PATH_OF", "old")] {
        world.set(key, value);
    }
    world.tmux(["new-session", "-d", "-s", "mine", "sleep 600"]).ok();
    world.unset("OLD_TOKEN");
    world.unset("SSH_AUTH_SOCK");
    let odd = "it's \"new\"; $(x) #{pid}\nand more;";
    let own = [("PATH_OF", odd), ("CLAUDECODE", "1"), ("CLAUDE_CODE_CHILD_SESSION", "1"), ("GT_OTHER", "1")];
    for (key, value) in own.into_iter().chain([("AWS_KEY", "a"), ("GIT_CONFIG_COUNT", "0")]) {
        world.set(key, value);
    }
    world.settings(
        "[beads]\nstore = \"embedded\"\n[session]\nenvironment = [\"...\", \"!AWS_*\", \"CLAUDECODE\"]\n",
    );
    let show = |to: &str| format!("env -0 > {0}.new; mv {0}.new {0}; sleep 600", world.str(to));
    world.write(
        "home/.config/gastown/presets/polecat.toml",
        format!(
            "[[polecat.windows]]\npanes = [{{ command = '{{{{agent}}}}' }}, {{ command = '{}', env = {{ MINE = 'x' }} }}]\n",
            show("pane")
        ),
    );
    let bead = world.bead("look", &show("agent"));
    world.in_town(["sling", &bead, "wyvern"]).ok();
    for place in ["agent", "pane"] {
        let seen = wait_for("the variables", || std::fs::read_to_string(world.path(place)).ok());
        let value = |key: &str| {
            seen.split('\0').find_map(|one| Some(one.strip_prefix(key)?.strip_prefix('=')?.to_string()))
        };
        assert_eq!(value("PATH_OF").as_deref(), Some(odd), "{place}: {seen}");
        assert_eq!(value("CLAUDECODE").as_deref(), Some("1"), "{place}: {seen}");
        assert_eq!(value("GT_ADDRESS").as_deref(), Some("wyvern/Nux"), "{place}: {seen}");
        assert!(value("TMUX_PANE").is_some() && value("HOME").is_some(), "{place}: {seen}");
        assert_eq!(value("MINE").is_some(), place == "pane");
        for key in [
            "OLD_TOKEN",
            "SSH_AUTH_SOCK",
            "CLAUDE_CODE_CHILD_SESSION",
            "GT_OTHER",
            "AWS_KEY",
            "GIT_CONFIG_COUNT",
            "GT_PASSED",
        ] {
            assert_eq!(value(key), None, "{place}: {key}: {seen}");
        }
    }
    let explained = world.in_town(["config", "explain", "session.environment"]).ok().stdout;
    assert!(explained.contains("\"!GIT_*\"") && explained.contains("\"!AWS_*\""), "{explained}");
    world.settings("[session]\nenvironment = [\"A=B\"]\n");
    let wrong = world.in_town(["config", "show"]).fails(1);
    assert!(wrong.stderr.contains("'A=B' is no pattern for names of variables"), "{wrong:#?}");
}

#[test]
fn what_may_be_a_secret_in_a_preset_stands_in_no_answer() {
    let world = World::with_rig();
    world.settings(
        "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"1000\"]\nenv = { API_KEY = \"hush-1\" }\n\
         [up]\nroles = [\"mayor\"]\n",
    );
    world.set("GASTOWN_MAYOR__AGENT", "waits");
    world.write(
        "home/.config/gastown/presets/mayor.toml",
        "[mayor]\nenv = { GH_TOKEN = 'hush-2', SHOWN = 'plain', MY_TOKEN = '${HOME}' }\n\
         [[mayor.windows]]\nenv = { DB_PASSWORD = 'hush-3' }\npanes = [{ command = '{{agent}}', env = { X_SECRET = 'hush-4' } }]\n",
    );
    world.in_town(["apply"]).ok();
    let asked: [&[&str]; 8] = [
        &["preset", "show", "mayor"],
        &["preset", "explain", "mayor"],
        &["preset", "explain", "mayor.env.GH_TOKEN"],
        &["config", "explain", "mayor.env"],
        &["config", "show"],
        &["config", "explain", "agents.waits.env.API_KEY"],
        &["freeze"],
        &["config", "set", "agents.waits.env.API_KEY", "hush-5", "--dry-run"],
    ];
    for words in asked {
        for more in [&[][..], &["--json"]] {
            let run = world.in_town([words, more].concat()).ok();
            assert!(!(run.stdout.clone() + &run.stderr).contains("hush-"), "{words:?}: {run:#?}");
        }
    }
    let shown = world.in_town(["preset", "show", "mayor"]).ok().stdout;
    assert!(shown.contains("GH_TOKEN = \"(hidden)\"") && shown.contains("SHOWN = \"plain\""), "{shown}");
    let frozen = world.in_town(["freeze"]).ok().stdout;
    assert!(
        frozen.contains("# mayor/: not seen: the value of GH_TOKEN in env, which may be a secret"),
        "{frozen}"
    );
    assert!(frozen.contains("SHOWN = \"plain\"") && !frozen.contains("(hidden)"), "{frozen}");
}

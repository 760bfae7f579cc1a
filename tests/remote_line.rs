//! What is run on another machine, through every shell that may be there: the start, the hand-in, the end.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gastown::config::schema::{CommandSetting, Prompt, WorktreeSettings};
use gastown::model::bead::Bead;
use gastown::plan::homecoming;
use gastown::plan::may_sling::Begin;
use gastown::programs::git::Git;
use gastown::town::occupancy::{self, Occupied};
use gastown::work::remote::line::{self, PlaceKind, RemotePlace, RemoteStart};

use crate::common::{Run, World, finish, wait_for};

/// A title and a text that would start things, were they ever read as shell.
const HOSTILE: &str =
    "'; touch /tmp/gt-test-x # $(touch /tmp/gt-test-x) `touch /tmp/gt-test-x` \"\\ é🦀 !! ~ * \t;";

/// Every shell that counts. One that is missing is a failure, with how to get it.
fn shells() -> Vec<Vec<&'static str>> {
    for program in ["dash", "bash", "busybox", "shellcheck"] {
        assert!(
            which(program),
            "{program} is needed for this test: sudo apt-get install -y dash bash busybox shellcheck"
        );
    }
    vec![vec!["dash"], vec!["bash"], vec!["busybox", "sh"]]
}

fn which(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
}

/// A machine over there: an origin, a folder for the town, an agent that says what it was given, a quick `sleep`.
struct There {
    world: World,
    town: PathBuf,
    shell: Vec<&'static str>,
}

/// What a test changes of a start.
struct How {
    name: &'static str,
    instance: &'static str,
    begin: Begin,
    kept: String,
    kind: PlaceKind,
    bead: Bead,
    rules: WorktreeSettings,
    argv: Vec<String>,
    takes: Prompt,
    url: String,
    env: Vec<(String, String)>,
}

impl There {
    fn new(shell: &[&'static str]) -> There {
        let world = World::new();
        world.origin("origin.git", &[("README.md", "# wyvern\n"), (".gitignore", "*.log\n")]);
        world.program(
            "agent",
            "#!/bin/sh\nout=$OUT\nprintf '%s\\n' \"$#\" >\"$out/count\"\nfor word in \"$@\"; do printf '%s' \"$word\" >\"$out/last\"; done\n\
             pwd >\"$out/pwd\"\nenv -0 >\"$out/env\"\ncat >\"$out/stdin\"\ncp \"$GT_BEAD_FILE\" \"$out/bead\"\n",
        );
        world.program("sleep", "#!/bin/sh\nexit 0\n");
        std::fs::create_dir(world.path("out")).unwrap();
        let town = world.path("there/the town");
        There { world, town, shell: shell.to_vec() }
    }

    fn how(&self, name: &'static str, instance: &'static str) -> How {
        How {
            name,
            instance,
            begin: Begin::Fresh,
            kept: String::new(),
            kind: PlaceKind::Worktree,
            bead: Bead {
                id: "wy-1".into(),
                title: "Fix it".into(),
                issue_type: "task".into(),
                ..Bead::default()
            },
            rules: WorktreeSettings::default(),
            argv: vec!["agent".into()],
            takes: Prompt::None,
            url: self.world.str("origin.git"),
            env: vec![("OUT".into(), self.world.str("out")), ("GT_INSTANCE".into(), instance.into())],
        }
    }

    fn home(&self, how: &How) -> PathBuf {
        match how.kind {
            PlaceKind::Worktree | PlaceKind::Clone => self.town.join("wyvern/polecats").join(how.name),
            PlaceKind::Crew => self.town.join("wyvern/crew").join(how.name),
            PlaceKind::Folder => self.town.join("wyvern/witness"),
        }
    }

    fn with<T>(&self, how: &How, act: impl FnOnce(RemotePlace<'_>) -> T) -> T {
        let branch = format!("polecat/gt-1a2b/{}-{}", how.name, how.bead.id);
        let address = format!("wyvern/{}", how.name);
        act(RemotePlace {
            town: &self.town,
            id: "gt-1a2b",
            rig: "wyvern",
            name: how.name,
            address: &address,
            instance: &how.instance.parse().unwrap(),
            home: &self.home(how),
            branch: &branch,
            target: "main",
        })
    }

    fn line(&self, how: &How) -> String {
        let beads = self.town.join("wyvern/.beads");
        let mut env = how.env.clone();
        env.extend(
            [("GT_BEAD", &how.bead.id), ("GT_BEAD_TITLE", &how.bead.title)]
                .map(|(k, v)| (k.into(), v.clone())),
        );
        self.with(how, |place| {
            line::start(&RemoteStart {
                kind: how.kind,
                begin: how.begin,
                kept: &how.kept,
                git_url: &how.url,
                rules: &how.rules,
                files: &[gastown::config::schema::OwnFile {
                    path: ".claude/settings.local.json".into(),
                    text: "gt hook-event".into(),
                }],
                directory: place.home,
                env: &env,
                beads_dir: &beads,
                bead: Some(&how.bead),
                prompt: "with gt: '$(touch /tmp/gt-test-x)'",
                prompt_without_gt: HOSTILE,
                argv: &how.argv,
                takes: how.takes,
                place,
            })
            .unwrap()
        })
    }

    /// Runs a text as a daemon does: one word for `sh -c`.
    fn sh(&self, text: &str) -> Run {
        let mut command = self.world.command(self.shell[0], "home");
        command.args(&self.shell[1..]).args(["-c", text]);
        let run = finish(command.env_remove("GASTOWN_TMUX_SOCKET"));
        Run { words: vec!["(a line)".into()], ..run }
    }

    fn start(&self, how: &How) -> Run {
        self.sh(&self.line(how))
    }

    fn end(&self, how: &How) -> Run {
        self.sh(&self.with(how, |place| line::end(&place).unwrap()))
    }

    /// The hand-in, as the agent calls it.
    fn done(&self, how: &How, words: &[&str]) -> Run {
        let dir = self.git_in(&self.home(how), &["rev-parse", "--absolute-git-dir"]);
        let mut command = self.world.command(self.shell[0], "home");
        command.args(&self.shell[1..]).arg(Path::new(&dir).join("gt-done.sh")).args(words);
        finish(&mut command)
    }

    fn git_in(&self, dir: &Path, words: &[&str]) -> String {
        self.world.git(dir, words)
    }

    fn out(&self, name: &str) -> String {
        self.world.read(Path::new("out").join(name))
    }

    fn commit(&self, how: &How, file: &str, text: &str) {
        let home = self.home(how);
        std::fs::write(home.join(file), text).unwrap();
        self.git_in(&home, &["add", "-A"]);
        self.git_in(&home, &["commit", "-q", "-m", file]);
    }

    /// The completion record of a hand-in, read from origin; its proof is checked.
    fn letter(&self, of: &str) -> serde_json::Value {
        let text = self.world.run("git", "origin.git", ["log", "-1", "--format=%B", of]).ok().stdout;
        assert_eq!(self.world.git("origin.git", ["ls-tree", of]), "", "its tree is empty");
        let (said, proof) = homecoming::split(text.as_bytes());
        let letter: serde_json::Value =
            serde_json::from_slice(said).unwrap_or_else(|error| panic!("{error}: {text}"));
        let file = self.town.join(format!(".gt-start/{}.proof", letter["instance"].as_str().unwrap()));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let secret = std::fs::read_to_string(&file).unwrap();
        let git = Git::at(self.world.path("origin.git"));
        assert_eq!(proof, Some(&*git.hash_of(&homecoming::proven(secret.trim(), said)).unwrap()));
        letter
    }
}

#[track_caller]
fn failed(run: &Run, reason: &str) {
    assert!(run.stdout.contains(line::FAILED) && run.stdout.contains(line::REASON_ENDS), "{run:#?}");
    assert!(run.stdout.contains(reason), "{run:#?}");
}

#[test]
fn what_is_sent_passes_shellcheck() {
    shells();
    let there = There::new(&["dash"]);
    let mut how = there.how("Nux", "one");
    how.rules = WorktreeSettings {
        copy: vec![".env".into()],
        link: vec!["a b".into()],
        setup: Some(CommandSetting::Words(vec!["make".into(), "it".into()])),
        submodules: true,
        ..WorktreeSettings::default()
    };
    let mut texts = Vec::new();
    // The place and the prompt are pieces of their own: each kind of either is in one of the texts.
    for (kind, takes) in [
        (PlaceKind::Worktree, Prompt::Argument),
        (PlaceKind::Clone, Prompt::Stdin),
        (PlaceKind::Crew, Prompt::None),
        (PlaceKind::Folder, Prompt::Argument),
    ] {
        (how.kind, how.takes) = (kind, takes);
        texts.push(there.line(&how));
    }
    (how.argv, how.bead.description) = (Vec::new(), "```sh\necho\n```\n".into());
    texts.push(there.line(&how));
    texts.push(there.with(&how, |place| line::end(&place).unwrap()));
    texts.push(there.with(&how, |place| line::done_script(&place, "wy-1", true).unwrap()));
    for (number, text) in texts.iter().enumerate() {
        // SC2034, SC2317: functions and values that only another kind of start uses; SC2016: text that is data.
        there.world.write("checked.sh", text);
        let words = ["-s", "sh", "-e", "SC2034,SC2317,SC2329,SC2016", &there.world.str("checked.sh")];
        let run = there.world.run("shellcheck", "", words);
        assert_eq!(run.code, Some(0), "text {number}: {}", run.stdout);
    }
}

#[test]
fn whatever_is_in_a_title_and_a_text_arrives_and_starts_nothing() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        how.bead.title = HOSTILE.into();
        how.bead.description = format!("{HOSTILE}\n\n{HOSTILE}\nEND\nEOF\n  {HOSTILE}");
        how.env.push(("TOKEN".into(), format!("{HOSTILE}\nsecond line\n")));
        how.takes = Prompt::Argument;
        how.argv.extend([HOSTILE.to_string(), String::new()]);
        let run = there.start(&how).ok();
        assert!(
            run.stdout.contains("gt: preparing one") && run.stdout.contains("gt: started one"),
            "{run:#?}"
        );
        assert_eq!(there.out("count"), "3\n", "{shell:?}");
        assert_eq!(there.out("last"), HOSTILE);
        assert_eq!(there.out("bead"), line::bead_text(&how.bead));
        let env = there.out("env");
        assert!(env.split('\0').any(|own| own == format!("TOKEN={HOSTILE}\nsecond line\n")), "{env}");
        assert!(env.split('\0').any(|own| own == format!("GT_BEAD_TITLE={HOSTILE}")), "{env}");
        assert!(!env.split('\0').any(|own| own.starts_with("BEADS_DIR=")), "{env}");
        assert_eq!(there.out("pwd").trim(), there.home(&how).to_str().unwrap());
        assert!(!Path::new("/tmp/gt-test-x").exists());
        how.begin = Begin::Again;
        how.takes = Prompt::Stdin;
        there.start(&how).ok();
        assert_eq!((there.out("stdin"), there.out("count")), (HOSTILE.to_string(), "2\n".into()));
        assert!(!Path::new("/tmp/gt-test-x").exists());
    }
}

#[test]
fn gt_over_there_with_a_town_gets_its_store_and_its_words() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        how.takes = Prompt::Argument;
        there.world.program("gt", "#!/bin/sh\n");
        there.start(&how).ok();
        assert!(!there.out("env").contains("\0BEADS_DIR="), "no town there");
        std::fs::create_dir_all(there.town.join("mayor")).unwrap();
        std::fs::create_dir_all(there.town.join("wyvern/.beads")).unwrap();
        std::fs::write(there.town.join("mayor/town.json"), "{}").unwrap();
        how.begin = Begin::Again;
        there.start(&how).ok();
        let beads = format!("\0BEADS_DIR={}\0", there.town.join("wyvern/.beads").display());
        assert!(there.out("env").contains(&beads), "{}", there.out("env"));
        assert_eq!(there.out("last"), "with gt: '$(touch /tmp/gt-test-x)'");
        assert!(there.home(&how).join(".claude/settings.local.json").exists());
        assert_eq!(there.git_in(&there.home(&how), &["status", "--porcelain"]), "");
    }
}

#[test]
fn a_place_is_prepared_as_the_rig_says() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        there.start(&how).ok();
        let clone = there.town.join("wyvern/mayor/rig");
        std::fs::write(clone.join(".env"), "secret\n").unwrap();
        for path in ["apps/a [1]/.env", "apps/b/.env", "apps/b/c/d.key", "top.key", "../outside/.env"] {
            std::fs::create_dir_all(clone.join(path).parent().unwrap()).unwrap();
            std::fs::write(clone.join(path), "of the person").unwrap();
        }
        std::os::unix::fs::symlink("../../outside", clone.join("apps/link")).unwrap();
        std::fs::create_dir_all(clone.join("node modules/deep")).unwrap();
        std::fs::write(clone.join("node modules/deep/x"), "x").unwrap();
        how.rules = WorktreeSettings {
            copy: vec![
                ".env".into(),
                "missing".into(),
                "apps/*/.env".into(),
                "**/*.key".into(),
                "*.none".into(),
            ],
            link: vec!["node modules".into()],
            setup: Some(CommandSetting::Text("echo done >set-up.log; echo \"$PWD\" >where.log".into())),
            submodules: true,
            ..WorktreeSettings::default()
        };
        (how.name, how.instance, how.bead.id) = ("Toast", "two", "wy-2".into());
        let run = there.start(&how).ok();
        assert!(run.stdout.contains("missing is not there: not brought along"), "{run:#?}");
        assert!(run.stdout.contains("fits *.none: not brought along"), "{run:#?}");
        let home = there.home(&how);
        for brought in ["apps/a [1]/.env", "apps/b/.env", "apps/b/c/d.key", "top.key"] {
            assert_eq!(std::fs::read_to_string(home.join(brought)).unwrap(), "of the person", "{brought}");
        }
        assert!(!home.join("apps/link/.env").exists(), "a pattern leads through no link");
        assert_eq!(std::fs::read_to_string(home.join(".env")).unwrap(), "secret\n");
        assert!(home.join("node modules").is_symlink() && home.join("node modules/deep/x").exists());
        assert_eq!(std::fs::read_to_string(home.join("where.log")).unwrap().trim(), home.to_str().unwrap());
        assert_eq!(there.git_in(&home, &["status", "--porcelain"]), "");
        assert_eq!(there.git_in(&home, &["symbolic-ref", "--short", "HEAD"]), "polecat/gt-1a2b/Toast-wy-2");
        how.rules =
            WorktreeSettings { setup: Some(CommandSetting::Text("echo no >&2; exit 3".into())), ..how.rules };
        (how.name, how.instance, how.bead.id) = ("Slit", "three", "wy-3".into());
        let run = there.start(&how).fails(1);
        failed(&run, "worktree.setup ended with 3: no");
        assert!(!there.home(&how).exists(), "what it made is gone");
        let clone = there.town.join("wyvern/mayor/rig");
        assert_eq!(there.git_in(&clone, &["branch", "--list", "polecat/gt-1a2b/Slit-wy-3"]), "");
        let reason = std::fs::read_to_string(there.town.join(".gt-start/three.failed")).unwrap();
        assert_eq!(reason, "worktree.setup ended with 3: no\n");
        // Mended, the same start makes the place afresh, and runs the setup there.
        how.rules.setup = Some(CommandSetting::Words(vec!["touch".into(), "good.log".into()]));
        there.start(&how).ok();
        assert!(there.home(&how).join("good.log").exists());
        assert!(!there.town.join(".gt-start/three.failed").exists());
    }
}

#[test]
fn nothing_is_written_through_a_link_that_leads_out_of_the_worktree() {
    for shell in shells() {
        let there = There::new(&shell);
        let victim = there.world.path("victim");
        std::fs::create_dir(&victim).unwrap();
        there.world.git("", ["clone", "-q", "origin.git", "person"]);
        for name in ["cfg", ".claude"] {
            std::os::unix::fs::symlink(&victim, there.world.path("person").join(name)).unwrap();
        }
        there.world.git("person", ["add", "-A"]);
        there.world.git("person", ["commit", "-q", "-m", "links"]);
        there.world.git("person", ["push", "-q", "origin", "HEAD:links"]);
        there.start(&there.how("Nux", "one")).ok();
        let clone = there.town.join("wyvern/mayor/rig");
        std::fs::create_dir(clone.join("cfg")).unwrap();
        std::fs::write(clone.join("cfg/secret.env"), "secret\n").unwrap();
        there.world.git("person", ["push", "-q", "origin", "HEAD:main"]);
        let mut how = there.how("Toast", "two");
        let rules = |copy: &[&str], link: &[&str]| {
            let own = |list: &[&str]| list.iter().map(ToString::to_string).collect();
            WorktreeSettings { copy: own(copy), link: own(link), ..WorktreeSettings::default() }
        };
        for rules in
            [rules(&["cfg/secret.env"], &[]), rules(&["**/secret.env"], &[]), rules(&[], &["cfg/secret.env"])]
        {
            how.rules = rules;
            failed(&there.start(&how).fails(1), "is behind a link that leads out of that folder");
            assert!(!there.home(&how).exists(), "what it made is gone");
        }
        how.rules = WorktreeSettings::default();
        there.world.program("gt", "#!/bin/sh\n");
        failed(&there.start(&how).fails(1), ".claude/settings.local.json in ");
        assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    }
}

#[test]
fn a_hook_that_fails_after_a_whole_checkout_is_named_and_stops_nothing() {
    for shell in shells() {
        let there = There::new(&shell);
        there.world.program("hooks/post-checkout", "#!/bin/sh\necho bundle: not found >&2\nexit 1\n");
        there.world.git("", ["config", "--global", "core.hooksPath", &there.world.str("bin/hooks")]);
        for (kind, name, instance) in [
            (PlaceKind::Worktree, "Nux", "one"),
            (PlaceKind::Clone, "Slit", "two"),
            (PlaceKind::Crew, "dave", "three"),
        ] {
            let how = How { kind, ..there.how(name, instance) };
            let run = there.start(&how).ok();
            assert!(run.stdout.contains("a hook failed after the checkout: bundle: not found"), "{run:#?}");
        }
    }
}

#[test]
fn a_start_that_cannot_be_says_why() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        how.url = there.world.str("nowhere.git");
        failed(&there.start(&how).fails(1), "nowhere.git");
        assert!(!there.town.join("wyvern/mayor/rig").exists(), "nothing half-made");
        let mut how = there.how("Nux", "two");
        how.argv = vec!["no-such-program".into()];
        failed(&there.start(&how).fails(1), "the program no-such-program is not here");
        let mut how = there.how("Nux", "three");
        how.begin = Begin::Earlier;
        failed(&there.start(&how).fails(1), "cannot fetch the commits of the earlier attempt");
        std::fs::write(there.world.path("there/file"), "").unwrap();
        let there = There { town: there.world.path("there/file/town"), ..there };
        failed(&there.start(&there.how("Nux", "four")).fails(1), "cannot make the town");
    }
}

#[test]
fn what_is_over_there_is_used_again_and_others_work_is_kept() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        there.start(&how).ok();
        there.commit(&how, "a.txt", "one\n");
        std::fs::write(there.home(&how).join("open.txt"), "not yet\n").unwrap();
        how.begin = Begin::Again;
        there.start(&how).ok();
        assert!(there.home(&how).join("open.txt").exists(), "{shell:?}");
        // The folder is lost, the branch stands.
        std::fs::remove_dir_all(there.home(&how)).unwrap();
        there.start(&how).ok();
        assert!(there.home(&how).join("a.txt").exists());
        // All is lost over there, and the branch was pushed.
        there.git_in(&there.home(&how), &["push", "-q", "origin", "HEAD"]);
        std::fs::remove_dir_all(&there.town).unwrap();
        there.start(&how).ok();
        assert!(there.home(&how).join("a.txt").exists());
        // Another bearer of the name finds work of the first: it is kept, and the target is where it begins.
        there.commit(&how, "b.txt", "two\n");
        std::fs::write(there.home(&how).join("open.txt"), "not yet\n").unwrap();
        let next = How { bead: Bead { id: "wy-2".into(), ..how.bead.clone() }, ..there.how("Nux", "two") };
        there.start(&next).ok();
        assert!(!there.home(&next).join("b.txt").exists());
        let kept =
            there.world.git("origin.git", ["ls-tree", "--name-only", "refs/gt/gt-1a2b/recovery/Nux/one"]);
        assert!(kept.contains("b.txt") && kept.contains("open.txt"), "{kept}");
    }
}

#[test]
fn a_polecat_that_still_runs_is_not_taken_from() {
    if !Path::new("/proc/self/environ").exists() {
        return;
    }
    let there = There::new(&["dash"]);
    there.world.program("agent", "#!/bin/sh\nexec cat\n");
    let how = there.how("Nux", "one");
    let mut command = there.world.command("dash", "home");
    let mut running = command.args(["-c", &there.line(&how)]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = there.town.join("wyvern/mayor/rig/.git/worktrees/Nux/gt-pid");
    wait_for("the agent", || pid.exists().then_some(()));
    wait_for("its own environment", || {
        let env = std::fs::read(format!("/proc/{}/environ", running.id())).ok()?;
        String::from_utf8_lossy(&env).contains("GT_INSTANCE=one").then_some(())
    });
    failed(&there.start(&there.how("Nux", "two")).fails(1), "is still worked in by process");
    drop(running.stdin.take());
    running.wait().unwrap();
    there.start(&there.how("Nux", "two")).ok();
}

/// The lock is the one that gt itself asks, and what the agent left running holds it.
#[test]
fn what_an_agent_left_running_keeps_its_worktree() {
    for shell in shells() {
        let there = There::new(&shell);
        let fifo = there.world.str("fifo");
        there.world.run("mkfifo", "", [&fifo]).ok();
        there.world.program(
            "agent",
            &format!("#!/bin/sh\ncat '{fifo}' >/dev/null 2>&1 &\necho $! >\"$OUT/left\"\n"),
        );
        let how = there.how("Nux", "one");
        there.start(&how).ok();
        let home = there.home(&how);
        assert!(matches!(occupancy::is_occupied(&home), Occupied::Yes(_)), "{shell:?}");
        let left = format!("is still worked in by process {}", there.out("left").trim());
        let mut again = there.how("Nux", "one");
        again.begin = Begin::Again;
        for refused in [there.start(&again), there.start(&there.how("Nux", "two")), there.end(&how)] {
            let said = if Path::new("/proc/self/fd").exists() { &left } else { "is still worked in" };
            failed(&refused.fails(1), said);
            assert!(home.join("README.md").exists(), "{shell:?}");
        }
        drop(std::fs::File::options().write(true).open(&fifo).unwrap());
        wait_for("what was left to end", || (occupancy::is_occupied(&home) == Occupied::No).then_some(()));
        there.end(&how).ok();
        assert!(!home.exists(), "{shell:?}");
    }
}

#[test]
fn an_earlier_attempt_is_replayed_and_a_conflict_is_left_for_the_agent() {
    for shell in shells() {
        let there = There::new(&shell);
        let world = &there.world;
        world.git("", ["clone", "-q", "origin.git", "here"]);
        world.write("here/a.txt", "mine\n");
        world.git("here", ["add", "-A"]);
        world.git("here", ["commit", "-q", "-m", "mine"]);
        world.git("here", ["push", "-q", "origin", "HEAD:refs/gt/gt-1a2b/start/wyvern/Nux/one"]);
        world.git("here", ["push", "-q", "origin", "HEAD:refs/heads/gt-start/gt-1a2b/wyvern/Toast-two"]);
        let mut how = there.how("Nux", "one");
        how.begin = Begin::Earlier;
        // What others pushed there is no earlier attempt.
        how.kept = world.git("here", ["rev-parse", "HEAD^"]);
        failed(&there.start(&how), "cannot fetch the commits of the earlier attempt from origin");
        how.kept = world.git("here", ["rev-parse", "HEAD"]);
        there.start(&how).ok();
        assert!(there.home(&how).join("a.txt").exists());
        world.git("here", ["reset", "-q", "--hard", "HEAD^"]);
        world.write("here/a.txt", "theirs\n");
        world.git("here", ["add", "-A"]);
        world.git("here", ["commit", "-q", "-m", "theirs"]);
        world.git("here", ["push", "-q", "origin", "HEAD:main"]);
        let kept = how.kept;
        let mut how = How { kept, ..there.how("Toast", "two") };
        how.begin = Begin::Earlier;
        let run = there.start(&how).ok();
        assert!(run.stdout.contains("the earlier attempt conflicts with main"), "{run:#?}");
        assert_eq!(there.git_in(&there.home(&how), &["diff", "--name-only", "--diff-filter=U"]), "a.txt");
    }
}

/// With flock, and with the lock that is made when there is none.
#[test]
fn many_starts_at_once_share_one_clone() {
    for flock in [true, false] {
        for shell in shells() {
            let there = There::new(&shell);
            if !flock {
                without(&there, "flock");
            }
            let names = ["Nux", "Toast", "Slit", "Rictus", "Dag", "Ace"];
            let runs: Vec<_> = names
                .iter()
                .map(|name| {
                    let mut how = there.how(name, name);
                    how.argv = vec!["true".into()];
                    let mut command = there.world.command(there.shell[0], "home");
                    let words = command.args(&there.shell[1..]).args(["-c", &there.line(&how)]);
                    words.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
                })
                .collect();
            for run in runs {
                let output = run.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{shell:?} {flock}: {said} {output:?}");
            }
            let clone = there.town.join("wyvern/mayor/rig");
            assert_eq!(there.git_in(&clone, &["worktree", "list"]).lines().count(), 7);
            assert!(!there.town.join("wyvern/mayor/.gt-start.lock.held").exists());
        }
    }
}

/// A PATH with everything the machine has but this program.
fn without(there: &There, program: &str) {
    let dir = there.world.path("less");
    std::fs::create_dir_all(&dir).unwrap();
    for from in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
            if entry.file_name() != program {
                let _ = std::os::unix::fs::symlink(entry.path(), dir.join(entry.file_name()));
            }
        }
    }
    there.world.set("PATH", &format!("{}:{}", there.world.str("bin"), dir.display()));
}

#[test]
fn the_lock_of_a_dead_start_is_taken_away() {
    for shell in shells() {
        let there = There::new(&shell);
        without(&there, "flock");
        let mayor = there.town.join("wyvern/mayor");
        std::fs::create_dir_all(&mayor).unwrap();
        assert!(!mayor.join("rig").exists());
        let host = there.world.run("uname", "", ["-n"]).ok().stdout;
        // A process that is no more.
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let pid = ended.id();
        ended.wait().unwrap();
        let held = mayor.join(".gt-start.lock.held");
        std::os::unix::fs::symlink(format!("{pid}@{}", host.trim()), &held).unwrap();
        there.start(&there.how("Nux", "one")).ok();
        assert!(!held.is_symlink());
        // One of another machine that shares the folder is left alone.
        std::os::unix::fs::symlink(format!("{pid}@elsewhere"), &held).unwrap();
        let line = there.line(&there.how("Toast", "two"));
        let quick = line.replace("gt_patience=600", "gt_patience=3");
        assert!(line != quick);
        failed(&there.sh(&quick).fails(1), "is held by");
    }
}

#[test]
fn a_kill_half_way_is_made_good_by_the_next_start() {
    let there = There::new(&["dash"]);
    let git = there.world.run("sh", "", ["-c", "command -v git"]).ok().stdout;
    for word in ["clone", "fetch", "worktree add", "none"] {
        // The whole start is killed while git does this.
        let script = format!(
            "#!/bin/sh\ncase \"$* \" in *'{word} '*) kill -9 \"$MAIN\"; exit 1;; esac\nexec {} \"$@\"\n",
            git.trim()
        );
        there.world.program("git", &script);
        let mut how = there.how("Nux", "one");
        how.begin = Begin::Again;
        let run = there.sh(&format!("MAIN=$$\nexport MAIN\n{}", there.line(&how)));
        assert_eq!(run.code, (word == "none").then_some(0), "{word}: {run:#?}");
    }
    // A worktree that was being made again for a branch with commits: the branch stays.
    let mut how = there.how("Nux", "one");
    how.begin = Begin::Again;
    there.commit(&how, "a.txt", "1\n");
    there.world.write("there/the town/.gt-start/wyvern-Nux.making", "own\n");
    std::fs::remove_file(there.home(&how).join("README.md")).unwrap();
    there.start(&how).ok();
    assert!(there.home(&how).join("README.md").exists() && there.home(&how).join("a.txt").exists());
    // A half-made worktree: the note that it is being made stands.
    let how = there.how("Nux", "two");
    there.world.write("there/the town/.gt-start/wyvern-Nux.making", "\n");
    std::fs::remove_file(there.home(&how).join("README.md")).unwrap();
    there.start(&how).ok();
    assert!(there.home(&how).join("README.md").exists());
    assert_eq!(
        there.world.git("origin.git", ["for-each-ref", "refs/gt"]),
        "",
        "nothing of it was worth keeping"
    );
}

#[test]
fn work_is_handed_in_by_git_alone() {
    for shell in shells() {
        let there = There::new(&shell);
        let how = there.how("Nux", "one");
        there.start(&how).ok();
        let refused = there.done(&how, &[]).fails(1);
        assert!(refused.stderr.contains("there is no commit that main lacks"), "{refused:#?}");
        std::fs::write(there.home(&how).join("a b.txt"), "").unwrap();
        let refused = there.done(&how, &[]).fails(1);
        assert!(refused.stderr.contains("a b.txt") && refused.stderr.contains("not everything is committed"));
        there.commit(&how, "a.txt", "1\n");
        let notes = format!("{HOSTILE}\nsecond \u{1}\u{7f}\n\n");
        let words = ["-m", &notes, "--bead", HOSTILE, "--description", "x\n", "--bead", "two"];
        there.done(&how, &words).ok();
        let letter = there.letter("refs/gt/gt-1a2b/done/wyvern/Nux/one");
        let commit = there.git_in(&there.home(&how), &["rev-parse", "HEAD"]);
        let wanted = serde_json::json!({
            "version": 1, "rig": "wyvern", "worker": "wyvern/Nux", "instance": "one", "bead": "wy-1",
            "branch": "polecat/gt-1a2b/Nux-wy-1", "commit": commit, "outcome": "done", "notes": notes,
            "beads": [{"title": HOSTILE, "description": "x\n"}, {"title": "two"}],
        });
        assert_eq!(letter, wanted, "{shell:?}");
        assert_eq!(there.world.git("origin.git", ["rev-parse", "polecat/gt-1a2b/Nux-wy-1"]), commit);
        // Again, after it was changed.
        there.git_in(&there.home(&how), &["commit", "-q", "--amend", "-m", "better"]);
        there.done(&how, &[]).ok();
        there.done(&how, &[]).ok();
        let letter = there.letter("refs/gt/gt-1a2b/done/wyvern/Nux/one");
        let commit = there.git_in(&there.home(&how), &["rev-parse", "HEAD"]);
        assert_eq!((&letter["commit"], &letter["notes"]), (&commit.clone().into(), &"".into()));
        assert_eq!(there.world.git("origin.git", ["rev-parse", "polecat/gt-1a2b/Nux-wy-1"]), commit);
        there.done(&how, &["--what"]).fails(2);
        there.done(&how, &["-m"]).fails(1);
        assert!(there.done(&how, &["--help"]).ok().stdout.contains("Usage:"));
        // The branch on origin is somebody else's: nothing is overwritten.
        there.world.git("", ["clone", "-q", "origin.git", "other"]);
        there.world.git("other", ["commit", "-q", "--allow-empty", "-m", "other"]);
        there.world.git("other", ["push", "-q", "-f", "origin", "HEAD:polecat/gt-1a2b/Nux-wy-1"]);
        let refused = there.done(&how, &[]).fails(1);
        assert!(
            refused.stderr.contains("cannot push polecat/gt-1a2b/Nux-wy-1: nothing is lost"),
            "{refused:#?}"
        );
    }
}

#[test]
fn a_server_that_takes_branches_only_gets_a_branch() {
    let there = There::new(&["dash"]);
    there.world.program("hook", "");
    let hook = "#!/bin/sh\ncase $1 in refs/heads/*) ;; *) exit 1;; esac\n";
    there.world.program("../origin.git/hooks/update", hook);
    let how = there.how("Nux", "one");
    there.start(&how).ok();
    there.done(&how, &["--no-changes", "it was \"done\" already", "-m", "see above"]).ok();
    let letter = there.letter("refs/heads/gt-done/gt-1a2b/wyvern/Nux-one");
    assert_eq!(letter["outcome"], "no-changes");
    assert_eq!(letter["notes"], "it was \"done\" already\nsee above");
    there.world.program("../origin.git/hooks/update", "#!/bin/sh\nexit 1\n");
    let refused = there.done(&how, &["--no-changes", "x"]).fails(1);
    assert!(refused.stderr.contains("cannot hand in: nothing is lost"), "{refused:#?}");
}

#[test]
fn a_beads_own_script_needs_no_gt_over_there() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("Nux", "one");
        how.argv = Vec::new();
        how.bead.title = HOSTILE.into();
        how.bead.description = format!(
            "{HOSTILE}\n\n  ```sh\n  cat > 'it''s.txt' <<'END'\n    {HOSTILE}\n  END\n  if true; then\n    echo \"$GT_BEAD\"\r\n  fi\n  ```\nrest\n"
        );
        let run = there.start(&how).ok();
        assert!(run.stdout.contains("handed in wy-1: polecat/gt-1a2b/Nux-wy-1"), "{run:#?}");
        let text = there.world.git("origin.git", ["show", "polecat/gt-1a2b/Nux-wy-1:its.txt"]);
        assert_eq!(text, format!("  {HOSTILE}"));
        assert_eq!(
            there.world.git("origin.git", ["log", "-1", "--format=%s", "polecat/gt-1a2b/Nux-wy-1"]),
            HOSTILE.trim()
        );
        assert_eq!(there.letter("refs/gt/gt-1a2b/done/wyvern/Nux/one")["outcome"], "done");
        // Again: from the target, and what was there is kept.
        std::fs::write(there.home(&how).join("left.txt"), "").unwrap();
        how.begin = Begin::Again;
        there.start(&how).ok();
        how.bead.description = "```sh\ntrue\n```".into();
        assert!(there.start(&how).ok().stdout.contains("without changes"), "{shell:?}");
        how.bead.description = "```sh\necho bad\nexit 7\n```".into();
        let run = there.start(&how).fails(7);
        assert!(run.stdout.contains("bad\ngt: the script ended with 7"), "{run:#?}");
        assert!(!run.stdout.contains(line::FAILED), "that is no failed start");
        assert!(!Path::new("/tmp/gt-test-x").exists());
    }
}

#[test]
fn the_end_keeps_what_is_nowhere_else() {
    for shell in shells() {
        for kind in [PlaceKind::Worktree, PlaceKind::Clone] {
            let there = There::new(&shell);
            let mut how = there.how("Nux", "one");
            how.kind = kind;
            there.start(&how).ok();
            there.commit(&how, "a.txt", "1\n");
            there.done(&how, &[]).ok();
            there.end(&how).ok();
            assert!(!there.home(&how).exists() && !there.town.join(".gt-start").exists());
            let clone = there.town.join("wyvern/mayor/rig");
            assert_eq!(there.git_in(&clone, &["for-each-ref", "refs/heads/polecat", "refs/gt"]), "");
            there.end(&how).ok();
            // Not pushed, not even committed, and in the middle of a rebase.
            how.instance = "two";
            there.start(&how).ok();
            there.commit(&how, "b.txt", "1\n");
            there.commit(&how, "c.txt", "1\n");
            let home = there.home(&how);
            std::fs::write(home.join("d.txt"), "open").unwrap();
            std::fs::write(home.join("x.log"), "ignored").unwrap();
            there.git_in(&home, &["checkout", "-q", "--detach", "HEAD^"]);
            let other = How { instance: "other", ..there.how("Nux", "other") };
            there.end(&How { kind, ..other }).ok();
            assert!(home.exists(), "another instance's");
            let run = there.end(&how).ok();
            assert!(run.stdout.contains("gt: ended two"), "{run:#?}");
            assert!(!home.exists());
            let kept =
                there.world.git("origin.git", ["ls-tree", "--name-only", "refs/gt/gt-1a2b/recovery/Nux/two"]);
            assert_eq!(kept, ".gitignore\nREADME.md\nb.txt\nd.txt", "{shell:?} {kind:?}");
            let branch = there
                .world
                .git("origin.git", ["ls-tree", "--name-only", "refs/gt/gt-1a2b/recovery/Nux/two-branch"]);
            assert!(branch.contains("c.txt"), "{branch}");
        }
    }
}

#[test]
fn repositories_inside_are_asked_for_at_hand_in_and_kept_at_the_end() {
    for shell in shells() {
        let kinds = [PlaceKind::Worktree, PlaceKind::Clone];
        for kind in kinds.into_iter().take(if shell == ["dash"] { 2 } else { 1 }) {
            let there = There::new(&shell);
            let world = &there.world;
            world.origin("lib.git", &[("lib.txt", "one\n")]);
            world.git("", ["clone", "-q", "origin.git", "dev"]);
            world.git("dev", ["submodule", "--quiet", "add", &world.str("lib.git"), "vendor/a lib"]);
            world.git("dev", ["commit", "-q", "-m", "a library"]);
            world.git("dev", ["push", "-q", "origin", "main"]);
            let mut how = there.how("Nux", "one");
            how.kind = kind;
            how.rules.submodules = true;
            there.start(&how).ok();
            let (home, lib) = (there.home(&how), there.home(&how).join("vendor/a lib"));
            std::fs::write(lib.join("lib.txt"), "two\n").unwrap();
            there.git_in(&lib, &["commit", "-q", "-a", "-m", "library"]);
            there.commit(&how, "a.txt", "1\n");
            let refused = there.done(&how, &[]).fails(1);
            let commit = there.git_in(&lib, &["rev-parse", "HEAD"]);
            let said = format!("vendor/a lib is to stand at {commit}, which is not at its origin");
            assert!(refused.stderr.contains(&said), "{shell:?} {refused:#?}");
            there.git_in(&lib, &["push", "-q", "origin", "HEAD:refs/heads/fix"]);
            there.done(&how, &[]).ok();
            // A nested repository: with a commit, and without.
            for name in ["nested", "empty"] {
                std::fs::create_dir(home.join(name)).unwrap();
                there.git_in(&home.join(name), &["init", "-q"]);
                std::fs::write(home.join(name).join("f"), name).unwrap();
            }
            there.git_in(&home.join("nested"), &["add", "-A"]);
            there.git_in(&home.join("nested"), &["commit", "-q", "-m", "precious"]);
            there.git_in(&home, &["add", "nested"]);
            there.git_in(&home, &["commit", "-q", "-m", "a link"]);
            std::fs::remove_dir_all(home.join("empty/.git")).unwrap();
            there.git_in(&home, &["add", "-A"]);
            there.git_in(&home, &["commit", "-q", "-m", "empty"]);
            let refused = there.done(&how, &[]).fails(1);
            assert!(refused.stderr.contains("nested is a repository of its own"), "{refused:#?}");
            there.git_in(&home.join("empty"), &["init", "-q"]);
            std::fs::write(home.join("nested/open"), "open").unwrap();
            std::fs::write(lib.join("lib.txt"), "three\n").unwrap();
            there.end(&how).ok();
            let refs =
                world.git("origin.git", ["for-each-ref", "--format=%(refname)", "refs/gt/gt-1a2b/recovery"]);
            let kept: Vec<String> = refs
                .lines()
                .flat_map(|name| {
                    let text = world.git("origin.git", ["ls-tree", "-r", "--name-only", name]);
                    text.lines()
                        .map(|file| {
                            format!(
                                "{file}={}",
                                world.run("git", "origin.git", ["show", &format!("{name}:{file}")]).stdout
                            )
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
            for file in ["f=nested", "open=open", "f=empty", "lib.txt=three\n"] {
                assert!(kept.iter().any(|one| one == file), "{file}: {kept:?} {refs}");
            }
        }
    }
}

/// A small machine: busybox for everything but git.
#[test]
fn busybox_and_git_are_enough() {
    shells();
    let there = There::new(&["sh"]);
    let world = &there.world;
    let (small, git) = (world.str("small"), world.run("sh", "", ["-c", "command -v git"]).ok().stdout);
    std::fs::create_dir(world.path("small")).unwrap();
    world.run("busybox", "", ["--install", "-s", &small]).ok();
    let _ = std::fs::remove_file(world.path("small/git"));
    std::os::unix::fs::symlink(git.trim(), world.path("small/git")).unwrap();
    world.set("PATH", &format!("{}:{small}", world.str("bin")));
    let mut how = there.how("Nux", "one");
    how.argv = Vec::new();
    how.bead.title = HOSTILE.into();
    how.bead.description = format!("```sh\ncat >its.txt <<'END'\n{HOSTILE}\nEND\n```\n");
    how.rules =
        WorktreeSettings { setup: Some(CommandSetting::Text("true".into())), ..WorktreeSettings::default() };
    let run = there.start(&how).ok();
    assert!(run.stdout.contains("handed in wy-1"), "{run:#?}");
    assert_eq!(world.git("origin.git", ["show", "polecat/gt-1a2b/Nux-wy-1:its.txt"]), HOSTILE);
    std::fs::write(there.home(&how).join("open.txt"), "open").unwrap();
    there.end(&how).ok();
    let kept = world.git("origin.git", ["ls-tree", "--name-only", "refs/gt/gt-1a2b/recovery/Nux/one"]);
    assert!(kept.contains("open.txt"), "{kept}");
}

#[test]
fn crew_and_roles_get_their_folder() {
    for shell in shells() {
        let there = There::new(&shell);
        let mut how = there.how("max", "one");
        how.kind = PlaceKind::Crew;
        there.start(&how).ok();
        there.start(&how).ok();
        assert!(there.home(&how).join(".git").is_dir() && there.home(&how).join("README.md").exists());
        how.kind = PlaceKind::Folder;
        there.start(&how).ok();
        assert_eq!(there.out("pwd").trim(), there.home(&how).to_str().unwrap());
    }
}

#[test]
fn a_text_of_48_kib_travels_and_a_longer_one_does_not() {
    let there = There::new(&["dash"]);
    let mut how = there.how("Nux", "one");
    let head = line::bead_text(&how.bead).len();
    how.bead.description = "'\"$`\\ x\n".repeat(6145)[..line::TEXT - head].into();
    let text = there.line(&how);
    assert!(text.len() < line::LINE, "{}", text.len());
    there.start(&how).ok();
    assert_eq!(there.out("bead"), line::bead_text(&how.bead));
    how.bead.description.push('x');
    let error = there.with(&how, |place| {
        line::start(&RemoteStart {
            place,
            kind: PlaceKind::Worktree,
            begin: Begin::Fresh,
            kept: "",
            git_url: "",
            rules: &how.rules,
            files: &[],
            directory: place.home,
            env: &[],
            beads_dir: place.home,
            bead: Some(&how.bead),
            prompt: "",
            prompt_without_gt: "",
            argv: &how.argv,
            takes: Prompt::None,
        })
        .unwrap_err()
    });
    assert!(error.to_string().contains("wy-1 is too long for another machine: 49153 bytes"), "{error}");
}

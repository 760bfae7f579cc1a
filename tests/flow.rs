//! From a bead to a request: sling, the bead's own script in a real tmux session, done, and the polecat's end.

use crate::common::{ADDRESS, STATE, World, wait_for};

/// What a command that refuses must leave as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Scene {
    beads: Vec<String>,
    refs: String,
    worktrees: String,
    names: Vec<String>,
    sessions: String,
}

impl Scene {
    /// The same without the times of writing: what was done and taken back leaves those.
    pub fn without_times(mut self) -> Scene {
        for line in &mut self.beads {
            let mut bead: serde_json::Value = serde_json::from_str(line).unwrap();
            bead.as_object_mut().unwrap().remove("updated_at");
            *line = bead.to_string();
        }
        self
    }

    pub fn of(world: &World) -> Scene {
        let clone = "town/wyvern/mayor/rig";
        let export = world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
        let mut beads: Vec<String> = export.lines().map(str::to_string).collect();
        beads.sort_unstable();
        Scene {
            beads,
            refs: world
                .git(clone, ["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/gt"]),
            worktrees: world.git(clone, ["worktree", "list", "--porcelain"]),
            names: names(world),
            sessions: world
                .tmux(["list-sessions", "-F", &format!("#{{session_id}} {ADDRESS} {STATE}")])
                .stdout,
        }
    }
}

/// Reserved names of polecats.
pub fn names(world: &World) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(world.path("town/wyvern/polecats/.names")) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    names
}

/// Waits until no polecat of the rig is left.
pub fn wait_for_the_end(world: &World) {
    wait_for("the polecats' end", || {
        let folders = std::fs::read_dir(world.path("town/wyvern/polecats")).unwrap();
        let left = folders.filter_map(Result::ok).any(|entry| {
            let name = entry.file_name().into_string().unwrap();
            !name.starts_with('.')
        });
        (!left && names(world).is_empty()).then_some(())
    });
}

/// The open request for a bead.
pub fn request(world: &World, bead: &str) -> Option<serde_json::Value> {
    let export = world.gt_in("town/wyvern", ["bd", "export"]).ok().stdout;
    let beads = export.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    beads.into_iter().find(|one| {
        one["issue_type"] == "merge-request" && one["status"] == "open" && one["metadata"]["bead"] == bead
    })
}

#[test]
fn a_bead_goes_in_and_a_request_comes_out() {
    let world = World::with_rig();
    let bead = world.bead("Say hello", "echo hello > hello.txt");
    let slung = world.in_town(["sling", &bead, "wyvern"]).ok();
    assert!(slung.stdout.contains(&format!("{bead}  wyvern/")), "{slung:#?}");
    let request = wait_for("the request", || request(&world, &bead));
    wait_for_the_end(&world);

    let shown = world.show(&bead);
    assert_eq!(shown["status"], "in_progress");
    assert_eq!(shown["labels"], serde_json::json!(["gt:submitted"]));
    let data = &request["metadata"];
    let (branch, commit) = (data["branch"].as_str().unwrap(), data["commit"].as_str().unwrap());
    assert_eq!(data["target"], "main");
    assert_eq!(data["attempt"], 1);
    let worker = data["worker"].as_str().unwrap();
    let name = worker.strip_prefix("wyvern/").unwrap();
    assert_eq!(branch, world.branch(name, &bead));
    assert_eq!(world.git("origin.git", ["rev-parse", branch]), commit);
    assert_eq!(world.git("origin.git", ["show", &format!("{branch}:hello.txt")]), "hello");
    assert_eq!(
        world.git("origin.git", ["log", "-1", "--format=%s %an", branch]),
        format!("Say hello {worker}")
    );
    // The commit is kept here as well, under a recovery ref, because the branch is gone.
    let kept =
        world.git("town/wyvern/mayor/rig", ["for-each-ref", "--format=%(objectname)", "refs/gt/recovery"]);
    assert_eq!(kept, commit);
    // The patrol that ended the polecat has seen to the notice.
    let mail = world.gt_in("town/wyvern", ["bd", "list", "--all", "--type", "message", "--json"]).ok().json();
    assert_eq!(mail[0]["title"], format!("{bead} done: Say hello"));
    let instance = data["instance"].as_str().unwrap();
    assert!(world.path(format!("town/wyvern/logs/{name}-{instance}.log")).exists());
}

#[test]
fn a_failing_script_leaves_a_crashed_place_with_its_output() {
    let world = World::with_rig();
    let bead = world.bead("Break", "echo before; echo made > made.txt; echo oh no >&2; exit 7; echo after");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    let comment = wait_for("the comment", || {
        let shown = world.show(&bead);
        Some(shown["comments"][0]["text"].as_str()?.to_string())
    });
    assert_eq!(comment, "the script ended with 7:\nbefore\noh no");
    let name = world.polecat_of(&bead);
    let address = format!("wyvern/{name}");
    // The pane stays, readable, with the script's own exit code.
    let session = world.session_of(&address);
    wait_for("the dead pane", || {
        // tmux may lose a death until something makes it look: gt does.
        world.in_town(["polecats", "wyvern"]).ok();
        let format = "#{pane_dead} #{pane_dead_status}";
        let seen = world.tmux(["list-panes", "-t", &session, "-F", format]).ok().stdout;
        (seen.trim() == "1 7").then_some(())
    });
    let pane = world.tmux(["capture-pane", "-p", "-t", &session]).ok().stdout;
    assert!(pane.contains("oh no"), "{pane}");
    assert_eq!(world.show(&bead)["status"], "in_progress");
    // A plain sling says so; --resume begins again, and what the first run left is under a recovery ref.
    let refused = world.in_town(["sling", &bead, "wyvern"]).fails(1);
    assert!(refused.stderr.contains("whose session has ended"), "{refused:#?}");
    assert!(refused.stderr.contains(&format!("gt sling --resume {bead}")), "{refused:#?}");
    world.gt_in("town/wyvern", ["bd", "update", &bead, "-d", "```sh\necho ok > ok.txt\n```\n"]).ok();
    world.in_town(["sling", "--resume", &bead]).ok();
    let request = wait_for("the request", || request(&world, &bead));
    assert_eq!(request["metadata"]["worker"], address);
    let commit = request["metadata"]["commit"].as_str().unwrap();
    assert_eq!(world.git("origin.git", ["show", "--format=", "--name-only", commit]), "ok.txt");
    let clone = "town/wyvern/mayor/rig";
    let kept = world.git(clone, ["for-each-ref", "--format=%(refname)", "refs/gt/recovery"]);
    let holds = |name: &str| world.git(clone, ["show", "--format=", "--name-only", name]) == "made.txt";
    assert!(kept.lines().any(holds), "{kept}");
    wait_for_the_end(&world);
}

#[test]
fn a_script_that_changes_nothing_closes_its_bead_and_says_so() {
    let world = World::with_rig();
    let bead = world.bead("Nothing to do", "true");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for_the_end(&world);
    let shown = world.show(&bead);
    assert_eq!(shown["status"], "closed");
    assert_eq!(shown["close_reason"], "no changes: the script changed nothing");
}

#[test]
fn titles_are_data_all_the_way_to_the_commit() {
    let world = World::with_rig();
    let long = "x".repeat(300);
    let titles = [
        "'; touch x #",
        "$(touch x)",
        "`touch x`",
        "-m oops",
        "#(touch x)",
        "party \u{1F389} ends in ;",
        &long,
    ];
    let mut beads = Vec::new();
    for title in titles {
        let title = format!("--title={title}");
        let words = ["bd", "create", &title, "-d", "```sh\necho y >> y.txt\n```", "--json"];
        beads.push(world.gt_in("town/wyvern", words).ok().json()["id"].as_str().unwrap().to_string());
    }
    for chunk in beads.chunks(3) {
        let mut words = vec!["sling"];
        words.extend(chunk.iter().map(String::as_str));
        words.push("wyvern");
        world.in_town(&words).ok();
        wait_for_the_end(&world);
    }
    for (bead, title) in beads.iter().zip(titles) {
        let request = request(&world, bead).unwrap();
        let commit = request["metadata"]["commit"].as_str().unwrap();
        assert_eq!(world.git("origin.git", ["log", "-1", "--format=%B", commit]), title);
        let files = world.git("origin.git", ["show", "--format=", "--name-only", commit]);
        assert_eq!(files, "y.txt", "{title}");
    }
    assert!(!world.path("town/x").exists() && !world.path("x").exists());
}

#[test]
fn without_tmux_everything_but_the_session_works() {
    let world = World::with_rig();
    world.settings("[beads]\nstore = \"embedded\"\n");
    world.set("GASTOWN_POLECAT__MULTIPLEXER", "none");
    world.write(
        "town/config/presets/polecat.toml",
        "[polecat.env]\nEDITOR = \"its own\"\nCLAUDE_CODE_X = \"1\"\n",
    );
    let bead = world.bead("Say hello", "echo \"$EDITOR $CLAUDE_CODE_X\" > hello.txt");
    let slung = world.in_town(["sling", &bead, "wyvern"]).ok();
    let command = slung.stdout.lines().last().unwrap().to_string();
    assert!(command.starts_with("cd ") && command.contains("run-script"), "{slung:#?}");
    assert!(slung.stderr.contains("run its agent by hand"), "{slung:#?}");
    assert_eq!(world.show(&bead)["status"], "hooked");
    // The same sling says it again.
    let again = world.in_town(["sling", &bead, "wyvern"]).ok();
    assert_eq!(again.stdout.lines().last().unwrap(), command);
    assert!(!command.contains("its own"), "{command}");
    world.run("sh", "", ["-c", &command]).ok();
    let commit = request(&world, &bead).unwrap()["metadata"]["commit"].as_str().unwrap().to_string();
    assert_eq!(world.git("origin.git", ["show", &format!("{commit}:hello.txt")]), "its own 1");
    wait_for_the_end(&world);
}

/// Gives a submitted bead back as a queue does that met a conflict.
fn set_aside(world: &World, bead: &str) {
    let request = request(world, bead).unwrap();
    let rig = "town/wyvern";
    world.gt_in(rig, ["bd", "close", request["id"].as_str().unwrap(), "--reason", "conflict"]).ok();
    let words = ["bd", "update", bead, "--status", "open", "--assignee", ""];
    world.gt_in(rig, words).ok();
    world
        .gt_in(rig, ["bd", "update", bead, "--remove-label", "gt:submitted", "--add-label", "gt:rework"])
        .ok();
}

fn push_to_main(world: &World, path: &str, text: &str) {
    let clone = format!("other-{}", path.replace('/', "-"));
    world.git("", ["clone", "-q", "origin.git", &clone]);
    world.write(format!("{clone}/{path}"), text);
    world.git(&clone, ["add", "-A", "-f"]);
    world.git(&clone, ["commit", "-q", "-m", &format!("theirs: {path}")]);
    world.git(&clone, ["push", "-q", "origin", "HEAD:main"]);
}

#[test]
fn a_script_that_met_a_conflict_is_done_again_on_the_new_target() {
    let world = World::with_rig();
    let bead = world.bead("Append", "echo ours >> README.md");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || request(&world, &bead));
    wait_for_the_end(&world);
    push_to_main(&world, "README.md", "# wyvern\ntheirs\n");
    set_aside(&world, &bead);
    let slung = world.in_town(["sling", &bead, "wyvern"]).ok();
    assert!(slung.stderr.contains("conflicts with the target in README.md"), "{slung:#?}");
    let request = wait_for("the second request", || request(&world, &bead));
    wait_for_the_end(&world);
    assert_eq!(request["metadata"]["attempt"], 2);
    let commit = request["metadata"]["commit"].as_str().unwrap();
    assert_eq!(world.git("origin.git", ["show", &format!("{commit}:README.md")]), "# wyvern\ntheirs\nours");
    assert_eq!(world.git("origin.git", ["rev-list", "--count", &format!("main..{commit}")]), "1");
    assert_eq!(world.show(&bead)["labels"], serde_json::json!(["gt:submitted"]));
}

#[test]
fn an_agent_gets_the_earlier_attempt_and_its_conflict_as_the_first_task() {
    let world = World::with_rig();
    let bead = world.bead("Append", "echo ours >> README.md");
    world.in_town(["sling", &bead, "wyvern"]).ok();
    wait_for("the request", || request(&world, &bead));
    wait_for_the_end(&world);
    push_to_main(&world, "README.md", "# wyvern\ntheirs\n");
    set_aside(&world, &bead);
    let settings = "[beads]\nstore = \"embedded\"\n[agents.writes]\nprompt = \"argument\"\n\
                    command = [\"sh\", \"-c\", \"printf %s \\\"$1\\\" > ~/prompt.txt; exec sleep 600\", \"sh\"]\n";
    world.settings(settings);
    let slung = world.in_town(["sling", &bead, "wyvern", "--agent", "writes", "--json"]).ok().json();
    assert_eq!(slung["slung"][0]["begin"], "earlier");
    assert_eq!(slung["slung"][0]["conflicts"], serde_json::json!(["README.md"]));
    let prompt = wait_for("the prompt", || {
        let path = world.path("home/prompt.txt");
        std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))
    });
    let conflict =
        "First: the earlier attempt is being replayed onto main and stopped at a conflict in README.md.";
    assert!(prompt.contains(conflict), "{prompt}");
    // gt done does not take a half-done replay.
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&bead));
    let early = world.gt_in(&place, ["done"]).fails(1);
    assert!(early.stderr.contains("a rebase or a checkout goes on"), "{early:#?}");
    world.write(format!("{place}/README.md"), "# wyvern\ntheirs\nours\n");
    world.git(&place, ["add", "-A"]);
    world.git(&place, ["-c", "core.editor=true", "rebase", "--continue"]);
    world.gt_in(&place, ["done", "--exit"]).ok();
    wait_for_the_end(&world);
    let commit = request(&world, &bead).unwrap()["metadata"]["commit"].as_str().unwrap().to_string();
    assert_eq!(world.git("origin.git", ["show", &format!("{commit}:README.md")]), "# wyvern\ntheirs\nours");
}

#[test]
fn the_first_prompt_reaches_the_agent_as_its_runtime_wants_it() {
    let world = World::with_rig();
    let agents = ["argument", "stdin"].map(|kind| {
        let tail = if kind == "stdin" { "cat" } else { "printf %s \\\"$1\\\"" };
        format!("[agents.{kind}]\nprompt = \"{kind}\"\ncommand = [\"sh\", \"-c\", \"{tail} > ~/{kind}; exec sleep 600\", \"sh\"]\n")
    });
    world.settings(&format!("[beads]\nstore = \"embedded\"\n{}", agents.concat()));
    let title = "it's `odd`; $(touch x) #(touch x) \"quoted\" \u{1F389};";
    for kind in ["argument", "stdin"] {
        world.in_town(["sling", title, "wyvern", "--agent", kind]).ok();
        let prompt = wait_for("the prompt", || {
            let text = std::fs::read_to_string(world.path("home").join(kind)).ok()?;
            text.ends_with("gt done --exit`.\n").then_some(text)
        });
        assert!(prompt.lines().next().unwrap().ends_with(title), "{kind}: {prompt}");
    }
    for place in ["", "home", "town", "town/wyvern/polecats/Nux"] {
        assert!(!world.path(place).join("x").exists());
    }
}

#[test]
fn the_agents_own_settings_stay_out_of_the_projects_files() {
    let world = World::with_rig();
    let settings = "[beads]\nstore = \"embedded\"\n[agents.waits]\ncommand = [\"sleep\", \"600\"]\nprompt = \"none\"\nfiles = [{ path = \".claude/settings.local.json\", text = \"gt hook-event; gt prime\" }]\n";
    world.settings(settings);
    let first = world.bead("First", "true");
    world.in_town(["sling", &first, "wyvern", "--agent", "waits"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&first));
    let file = format!("{place}/.claude/settings.local.json");
    assert!(world.read(&file).contains("gt prime"));
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
    // A project that has one of its own keeps it.
    push_to_main(&world, ".claude/settings.local.json", "{}\n");
    world.in_town(["rig", "trust", "wyvern"]).ok();
    let second = world.bead("Second", "true");
    world.in_town(["sling", &second, "wyvern", "--agent", "waits"]).ok();
    let place = format!("town/wyvern/polecats/{}", world.polecat_of(&second));
    assert_eq!(world.read(format!("{place}/.claude/settings.local.json")), "{}\n");
    assert_eq!(world.git(&place, ["status", "--porcelain"]), "");
}

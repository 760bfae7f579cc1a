//! What a person does to the panes, windows and sessions of agents in tmux: an agent is still found, counted once, never
//! started again, and ended alone.

use crate::common::{World, wait_for};

/// A polecat at work; gives its bead, its pane and its process.
fn polecat(world: &World, name: &str) -> (String, String, String) {
    let bead = world.bead(name, "sleep 600");
    world.in_town(["sling", &bead, &format!("wyvern/{name}")]).ok();
    let filter = format!("#{{m:*wyvern/{name} *,#{{@gt}}}}");
    let seen = world.tmux(["list-panes", "-a", "-f", &filter, "-F", "#{pane_id} #{pane_pid}"]).ok().stdout;
    let (pane, pid) = seen.trim().split_once(' ').unwrap();
    (bead, pane.into(), pid.into())
}

fn place(world: &World, bead: &str) -> String {
    let polecats = world.in_town(["polecats", "wyvern", "--json"]).ok().json();
    let found = polecats["polecats"].as_array().unwrap().iter().find(|one| one["bead"] == bead).cloned();
    found.unwrap()["place"].as_str().unwrap().into()
}

fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_pane_that_a_person_moved_is_found_and_ended_alone() {
    let world = World::with_rig();
    world.tmux(["new-session", "-d", "-s", "mine", "sleep 600", ";", "split-window", "sleep 600"]).ok();
    type Move<'a> = (&'a str, &'a dyn Fn(&str));
    let moves: [Move<'_>; 6] = [
        ("Ace", &|pane| drop(world.tmux(["join-pane", "-d", "-s", pane, "-t", "mine:"]).ok())),
        ("Bolt", &|pane| drop(world.tmux(["move-window", "-d", "-s", pane, "-t", "mine:"]).ok())),
        ("Cog", &|pane| drop(world.tmux(["link-window", "-d", "-s", pane, "-t", "mine:"]).ok())),
        ("Dag", &|_| drop(world.tmux(["new-session", "-d", "-t", "gt-wyvern-Dag", "-s", "group"]).ok())),
        ("Echo", &|pane| drop(world.tmux(["swap-pane", "-d", "-s", pane, "-t", "mine:0.0"]).ok())),
        ("Fay", &|_| drop(world.tmux(["set-option", "-u", "-t", "gt-wyvern-Fay", "@gt_own"]).ok())),
    ];
    for (name, moved) in moves {
        let (bead, pane, pid) = polecat(&world, name);
        moved(&pane);
        assert_eq!(place(&world, &bead), "working", "{name}");
        world.in_town(["sling", &bead, "wyvern", "--resume"]).fails(1);
        let agents = world.in_town(["agents", "--json"]).ok().json();
        let address = format!("wyvern/{name}");
        let own =
            agents["agents"].as_array().unwrap().iter().filter(|one| one["address"] == *address).count();
        assert_eq!(own, 1, "{name}: {agents:#}");
        world.in_town(["polecat", "nuke", &address]).ok();
        wait_for("the agent to end", || (!runs(&pid)).then_some(()));
        assert!(!world.path(format!("town/wyvern/polecats/{name}")).exists());
        world.tmux(["has-session", "-t", "=mine"]).ok();
    }
}

#[test]
fn a_mark_that_is_not_the_panes_own_is_no_mark() {
    let world = World::with_rig();
    let (bead, pane, _) = polecat(&world, "Ace");
    let mark = world.tmux(["show-options", "-pqv", "-t", &pane, "@gt"]).ok().stdout.trim().to_string();
    // What is inherited by every pane and session.
    world.tmux(["set-option", "-g", "@gt", &mark]).ok();
    world.tmux(["set-option", "-g", "@gt_own", "$0 ab12 agent"]).ok();
    let town = world.real().join("town");
    world.tmux(["set-option", "-g", "@gt_town", town.to_str().unwrap()]).ok();
    world.tmux(["set-option", "-g", "@gt_address", "lost/witness"]).ok();
    world.tmux(["new-session", "-d", "-s", "mine", "sleep 600"]).ok();
    let sessions = world.in_town(["agents", "--json"]).ok().json();
    assert_eq!(sessions["agents"].as_array().unwrap().len(), 1, "{sessions:#}");
    world.in_town(["doctor", "--fix"]);
    world.tmux(["has-session", "-t", "=mine"]).ok();
    // A program that a person started in the agent's pane is not the agent.
    world.tmux(["respawn-pane", "-k", "-t", &pane, "sleep 600"]).ok();
    wait_for("the agent's lock", || (place(&world, &bead) == "crashed").then_some(()));
}

#[test]
fn an_option_of_all_panes_marks_none_of_them() {
    let world = World::with_rig();
    world.settings("[agents.waits]\ncommand = [\"sleep\", \"600\"]\n[up]\nroles = [\"mayor\"]\n");
    let preset = |windows: &str| {
        let text = format!("[mayor]\nagent = \"waits\"\n{windows}");
        world.write("home/.config/gastown/presets/mayor.toml", &text);
    };
    preset(
        "[[mayor.windows]]\nname = \"a\"\npanes = [{ command = \"{{agent}}\" }, { command = \"sleep 601\" }]\n\
         [[mayor.windows]]\nname = \"b\"\npanes = [{ command = \"sleep 602\" }]\n",
    );
    world.in_town(["apply"]).ok();
    let pane = world.tmux(["display-message", "-p", "-t", "=hq-mayor:a.0", "#{pane_id}"]).ok().stdout;
    world.tmux(["split-window", "-d", "-t", "=hq-mayor:a.0", "sleep 700"]).ok();
    world.tmux(["new-window", "-d", "-n", "mine", "-t", "=hq-mayor:", "sleep 701"]).ok();
    world.tmux(["new-session", "-d", "-s", "person", "sleep 702"]).ok();
    let of = |name: &str| world.tmux(["show-options", "-pqv", "-t", "=hq-mayor:a.0", name]).ok().stdout;
    for name in ["gt", "gt_own", "gt_pane", "gt_window", "gt_agent", "gt_state", "gt_town", "gt_address"] {
        let (name, own) = (format!("@{name}"), of(&format!("@{name}")));
        world.tmux(["set-option", "-g", &name, own.trim()]).ok();
        // What comes before the marks of sessions makes them unreadable, not ended.
        for scope in ["-gw", "-s"] {
            world.tmux(["set-option", scope, &name, "0.1 ab12"]).ok();
            let run = world.in_town(["apply"]).fails(1);
            assert!(run.stderr.contains(&format!("tmux set-option -su {name} ; ")), "{run:#?}");
            world.tmux(["set-option", &format!("{scope}u"), &name]).ok();
        }
    }
    preset("");
    world.in_town(["apply"]).ok();
    let left = world.tmux(["list-panes", "-a", "-F", "#{pane_start_command}"]).ok().stdout;
    let left = |word: &str| left.contains(word);
    assert_eq!(["600", "601", "602", "700", "701", "702"].map(left), [true, false, false, true, true, true]);
    let agents = world.in_town(["agents", "--json"]).ok().json();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "{agents:#}");
    // The state of an agent whose session is gone is what its pane says, not what all sessions say.
    world.tmux(["set-option", "-g", "@gt_state", "pending_shutdown"]).ok();
    world.tmux(["join-pane", "-d", "-s", pane.trim(), "-t", "person:"]).ok();
    world.tmux(["kill-session", "-t", "=hq-mayor"]).ok();
    let agents = world.in_town(["agents", "--json"]).ok().json();
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "{agents:#}");
    assert!(!agents.to_string().contains("shut"), "{agents:#}");
}

#[test]
fn a_hook_that_splits_every_new_session_takes_no_mark_away() {
    let world = World::with_rig();
    for (name, hook) in [("Ace", "split-window -h"), ("Bolt", "split-window -hb"), ("Cog", "new-window")] {
        world.tmux(["new-session", "-d", "-s", "mine", "sleep 600"]);
        world.tmux(["set-hook", "-g", "after-new-session", hook]).ok();
        // A program that ends before its pane is marked takes that pane along.
        let script = format!("until test -e ~/slung-{name}; do sleep 0.05; done\nexit 3");
        let bead = world.bead(name, &script);
        world.in_town(["sling", &bead, &format!("wyvern/{name}")]).ok();
        world.write(format!("home/slung-{name}"), "");
        wait_for("the end of the script", || (place(&world, &bead) == "crashed").then_some(()));
        let seen = world.tmux([
            "list-panes",
            "-a",
            "-f",
            "#{@gt_agent}",
            "-F",
            "#{pane_dead} #{pane_start_command}",
        ]);
        assert!(
            seen.stdout.lines().all(|line| line.starts_with("1 ") && line.contains("run-agent")),
            "{seen:?}"
        );
    }
}

#[test]
fn ids_of_a_server_that_was_seen_mean_nothing_in_the_next() {
    use gastown::mux::{Mux, tmux::TmuxMux};
    let world = World::with_rig();
    let (_, pane, _) = polecat(&world, "Ace");
    let socket = world.tmux(["display-message", "-p", "#{socket_path}"]).ok().stdout.trim().to_string();
    let tmux = TmuxMux::new(Some(&socket));
    let seen = tmux.look().unwrap();
    let id = seen.sessions[0].id.clone();
    // Between look and act the server restarts, and another session of gt's gets the ids.
    world.tmux(["kill-server"]).ok();
    polecat(&world, "Bolt");
    assert_eq!(world.session_of("wyvern/Bolt"), id);
    tmux.stop(&[&id]).unwrap();
    assert_eq!(world.session_of("wyvern/Bolt"), id);
    assert!(tmux.mark(&id, "waiting", "").is_err());
    assert!(tmux.paste(&pane, "rm -rf /\n").is_err() && tmux.keys(&pane, &["Enter".into()]).is_err());
}

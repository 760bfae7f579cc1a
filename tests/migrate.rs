//! From the older layout to the present one: everything is kept, all or nothing.

use insta::assert_snapshot;

use crate::common::World;
use crate::doctor::older;
use crate::install::{embedded, plain, tree};

/// A complete town of the older layout, with a worker and mail.
fn complete() -> World {
    let world = embedded();
    older(&world);
    world.in_town(["doctor", "--fix"]).ok();
    world.git("", ["clone", "-q", &world.str("origin.git"), "town/gastown/happy"]);
    world.write("town/gastown/happy/notes", "not committed\n");
    world.write(
        "town/mayor/mail/inbox.jsonl",
        "{\"from\":\"gastown/happy\",\"subject\":\"done\",\"body\":\"all\\ngood\",\"timestamp\":\"2024-01-16T10:30:00Z\",\"read\":true}\n\
         {\"from\":\"overseer\",\"body\":\"begin\"}\n",
    );
    world.write(
        "town/gastown/happy/mail/inbox.jsonl",
        "{\"from\":\"mayor/\",\"subject\":\"go\",\"body\":\"\"}\n",
    );
    let config = world
        .read("town/gastown/.gastown/config.json")
        .replace('}', ",\"federation\":{\"machines\":[\"local\"]}}");
    world.write("town/gastown/.gastown/config.json", config);
    world
}

#[test]
fn everything_is_kept_and_found_again() {
    let world = complete();
    let before = tree(&world, "town");
    let run = world.in_town(["migrate", "--dry-run"]).ok();
    assert_snapshot!(plain(&world, &run.stdout), @"
    would migrate /world/town:
    + mayor/town.json: town town
    + 3 mails as beads of the town
    ~ gastown: beads gas-…, work lands on main
        the Mayor's clone moves to gastown/mayor/rig
        gastown/happy moves to gastown/crew/happy
    ");
    assert_eq!(tree(&world, "town"), before);
    world.in_town(["migrate"]).ok();
    assert_snapshot!(tree(&world, "town"), @"
    .beads/
      gastown.db
      gastown.lock
    .gitignore
    CLAUDE.md
    bin/
      bd -> gt
    config/
      presets/
      town.toml
    gastown/
      .beads -> mayor/rig/.beads
      .gastown/
        config.json
      config.json
      crew/
        happy/ (clone)
      mayor/
        rig/ (clone)
        state.json
      plugins/
      polecats/
      refinery/
        README.md
        rig/ (clone)
        state.json
        state.json.lock
      witness/
        state.json
    mayor/
      .lock
      boss/
        state.json
      config.json
      ended
      mail/
        inbox.jsonl
      rigs/
      rigs.json
      secret
      state.json
      town.json
    ");
    assert_snapshot!(plain(&world, &world.read("town/gastown/config.json")), @r#"
    {
      "type": "rig",
      "version": 1,
      "name": "gastown",
      "git_url": "/world/origin.git",
      "beads": {
        "prefix": "gas"
      },
      "merge": {
        "target": "main"
      },
      "federation": {
        "machines": [
          "local"
        ]
      }
    }
    "#);
    assert_snapshot!(plain(&world, &world.read("town/mayor/town.json")), @r#"
    {
      "type": "town",
      "version": 1,
      "name": "town",
      "created_at": "TIME"
    }
    "#);
    assert_eq!(world.read("town/gastown/crew/happy/notes"), "not committed\n");
    let mails = world.in_town(["bd", "list", "--type", "message", "--json"]).ok().json();
    let line = |mail: &serde_json::Value| {
        let text = |key: &str| mail[key].as_str().unwrap_or_default().to_string();
        let sent = text("created_at");
        format!(
            "{} | {} | {}",
            text("title"),
            text("assignee"),
            if sent.starts_with("2024") { sent } else { "now".into() }
        )
    };
    let mut lines: Vec<String> = mails.as_array().unwrap().iter().map(line).collect();
    lines.sort();
    assert_snapshot!(lines.join("\n"), @"
    begin | mayor/ | now
    done | mayor/ | 2024-01-16T10:30:00Z
    go | gastown/crew/happy | now
    ");
    world.in_town(["doctor"]).ok();
    let run = world.in_town(["migrate"]).ok();
    assert!(run.stderr.contains("has the present layout: nothing to do"), "{run:?}");
    world.gt_in("town/gastown", ["bd", "create", "goes on"]).ok();
}

#[test]
fn killed_after_each_step_the_same_command_goes_on() {
    let whole = complete();
    whole.in_town(["migrate"]).ok();
    for step in ["migrate.1", "migrate.2", "migrate.3"] {
        let world = complete();
        world.gt_killed(step, "town", ["migrate"]);
        assert!(!world.path("town/mayor/town.json").exists(), "{step}");
        world.in_town(["migrate"]).ok();
        assert_eq!(tree(&world, "town"), tree(&whole, "town"), "{step}");
        let mails = world.in_town(["bd", "list", "--type", "message", "--json"]).ok().json();
        assert_eq!(mails.as_array().unwrap().len(), 3, "{step}");
        world.in_town(["doctor"]).ok();
    }
}

#[test]
fn what_cannot_be_taken_over_changes_nothing() {
    let world = complete();
    world.write("town/mayor/mail/inbox.jsonl", "{\"from\":\"x\"}\nnot json\n");
    let before = tree(&world, "town");
    let run = world.in_town(["migrate"]).fails(1);
    assert_snapshot!(plain(&world, &run.stderr), @"
    gt: /world/town/mayor/mail/inbox.jsonl:2: expected ident
    hint: mend the line by hand; nothing has been changed
    ");
    assert_eq!(tree(&world, "town"), before);
    world.write("town/mayor/mail/inbox.jsonl", "");
    std::fs::remove_dir_all(world.path("town/gastown/refinery/rig")).unwrap();
    let before = tree(&world, "town");
    assert_snapshot!(plain(&world, &world.in_town(["migrate"]).fails(1).stderr), @"
    gt: the rig gastown has not all of its clones
    hint: bring them back first with: gt doctor --fix
    ");
    assert_eq!(tree(&world, "town"), before);
}

#[test]
fn a_failure_in_the_middle_is_taken_back() {
    let world = complete();
    // A folder where the list of rigs goes: the write fails after the clones have moved.
    world.write("town/mayor/rigs.json/x", "");
    let before = tree(&world, "town");
    world.in_town(["migrate"]).fails(1);
    assert_eq!(tree(&world, "town").replace("  .lock\n", ""), before.replace("  .lock\n", ""));
}

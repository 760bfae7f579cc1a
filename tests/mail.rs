//! `gt mail`: beads of type message.

use crate::common::World;

#[test]
fn a_mail_is_sent_listed_and_read() {
    let world = World::with_rig();
    world
        .in_town(["mail", "send", "wyvern/witness", "-s", "stuck; $(touch x)", "-m", "line one\nline 'two'"])
        .ok();
    let list = world.in_town(["mail", "inbox", "wyvern/witness"]).ok().stdout;
    assert!(list.starts_with("* ") && list.contains("overseer  stuck; $(touch x)"), "{list}");
    let json = world.in_town(["mail", "inbox", "wyvern/witness", "--json"]).ok().json();
    let message = &json["messages"][0];
    assert_eq!(message["text"], "line one\nline 'two'");
    assert_eq!((message["from"].as_str(), message["read"].as_bool()), (Some("overseer"), Some(false)));
    let id = message["id"].as_str().unwrap();
    // Somebody else's look changes nothing; its own marks it.
    let shown = world.in_town(["mail", "read", id]).ok().stdout;
    assert!(shown.starts_with("from:    overseer\nto:      wyvern/witness\n"), "{shown}");
    assert!(world.in_town(["mail", "inbox", "wyvern/witness", "--unread"]).ok().stdout.contains("stuck"));
    world.set("GT_ADDRESS", "wyvern/witness");
    world.in_town(["mail", "read", id]).ok();
    let unread = world.in_town(["mail", "inbox", "--unread"]).ok();
    assert_eq!((unread.stdout.as_str(), unread.stderr.as_str()), ("", "no unread mail for wyvern/witness\n"));
    assert!(!world.path("town/x").exists());
}

#[test]
fn mail_within_a_rig_stays_there_and_the_rest_is_the_towns() {
    let world = World::with_rig();
    world.set("GT_ADDRESS", "wyvern/Nux");
    world.in_town(["mail", "send", "wyvern/witness", "-s", "in the rig", "-m", "x"]).ok();
    world.in_town(["mail", "send", "mayor/", "-s", "up", "-m", "x"]).ok();
    world.unset("GT_ADDRESS");
    let id = |address: &str| {
        let json = world.in_town(["mail", "inbox", address, "--json"]).ok().json();
        json["messages"][0]["id"].as_str().unwrap().to_string()
    };
    assert!(id("wyvern/witness").starts_with("wy-"));
    assert!(id("mayor/").starts_with("hq-"));
}

#[test]
fn text_comes_from_standard_input_too() {
    use std::io::Write;
    let world = World::with_rig();
    let mut command = world.command(crate::common::gt(), "town");
    command.args(["mail", "send", "overseer", "-s", "long", "--stdin"]).stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let text = "a\n\n'b' \u{1F389}\n".repeat(1000);
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let json = world.in_town(["mail", "inbox", "--json"]).ok().json();
    assert_eq!(json["messages"][0]["text"], text.as_str());
}

#[test]
fn nobodys_address_is_refused_and_nothing_is_sent() {
    let world = World::with_rig();
    for (address, code) in [
        ("wivern/witness", 2),
        ("wyvern/crew/nobody", 1),
        ("wyvern/plugins/none", 1),
        ("not an address", 2),
        ("Nobody", 1),
    ] {
        let run = world.in_town(["mail", "send", address, "-s", "x", "-m", "x"]).fails(code);
        assert!(run.stderr.contains("hint: "), "{run:#?}");
    }
    let dry = world.in_town(["mail", "send", "mayor/", "-s", "x", "-m", "x", "--dry-run"]).ok();
    assert_eq!(dry.stdout, "would send to mayor/: x\n");
    let json = world.in_town(["mail", "inbox", "mayor/", "--json"]).ok().json();
    assert_eq!(json["messages"], serde_json::json!([]));
    world.in_town(["mail", "read", "hq-none"]).fails(1);
    world.in_town(["mail", "send", "mayor/", "-s", "x"]).fails(2);
}

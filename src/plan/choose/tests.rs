use proptest::prelude::*;

use super::*;
use crate::base::failure::Exit;
use crate::config::RoleSettings;
use crate::model::address::Role;

fn role(change: impl FnOnce(&mut RoleSettings)) -> ResolvedRole {
    let mut settings = RoleSettings { placement: Where::Any, ..RoleSettings::default() };
    change(&mut settings);
    ResolvedRole {
        role: Role::Polecat,
        address_from: settings.fugue_addr.as_ref().map(|_| "GASTOWN_FUGUE_ADDR".into()),
        settings,
        agent: "claude".into(),
        runtime: crate::config::Runtime::default(),
        presets: vec!["polecat".into()],
        asked_by: None,
        remotes: std::collections::BTreeMap::new(),
        environment: Vec::new(),
        allowed: Vec::new(),
    }
}

fn at(name: &str, tags: &[&str], most: Option<usize>, sessions: usize, latency_us: Option<u64>) -> Candidate {
    Candidate {
        known: KnownRemote {
            name: name.into(),
            fugue_addr: format!("tcp://{name}:9999"),
            max_workers: most,
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            ..KnownRemote::default()
        },
        sessions,
        silent: None,
        hint: None,
        latency_us,
        opens: false,
    }
}

fn silent(mut one: Candidate, why: &str) -> Candidate {
    one.silent = Some(why.into());
    one.hint = Some(format!("what helps {}", one.known.name));
    one
}

fn yard() -> Vec<Candidate> {
    vec![
        at("box", &["heavy"], Some(4), 1, Some(900)),
        at("gaming-pc", &["gpu", "heavy"], Some(6), 2, Some(1_240)),
        at("mini", &["heavy"], Some(2), 2, Some(100)),
    ]
}

fn by(hand: PlaceFlags) -> PlacementWish {
    PlacementWish { hand, ..PlacementWish::default() }
}

fn tags(tags: &[&str]) -> PlaceFlags {
    PlaceFlags::Tags(tags.iter().map(|tag| (*tag).into()).collect())
}

/// The choice with its reasons; or what is said, the hint and the exit code.
fn said(role: &ResolvedRole, wish: &PlacementWish, candidates: &[Candidate]) -> String {
    match choose(role, wish, candidates) {
        Ok(choice) => {
            let place = choice.remote.map_or("here".into(), |remote| remote.name);
            format!("{place}\n{}", choice.why.iter().map(|why| format!("    {why}\n")).collect::<String>())
        }
        Err(failure) => format!(
            "exit {}: {}\n    hint: {}\n",
            failure.exit as u8,
            failure.message,
            failure.hint.unwrap_or_default()
        ),
    }
}

#[test]
fn the_most_specific_word_counts() {
    let plain = role(|_| {});
    let address = role(|role| role.fugue_addr = Some("tcp://box:9999".into()));
    let far = role(|role| role.fugue_addr = Some("tcp://far:1".into()));
    let local = role(|role| {
        role.placement = Where::Local;
        role.fugue_addr = Some("tcp://box:9999".into());
    });
    let tmux = role(|role| {
        role.multiplexer = Multiplexer::Tmux;
        role.fugue_addr = Some("tcp://box:9999".into());
    });
    let none = role(|role| role.multiplexer = Multiplexer::None);
    let fugue = role(|role| role.multiplexer = Multiplexer::Fugue);
    let fugue_local = role(|role| {
        role.multiplexer = Multiplexer::Fugue;
        role.placement = Where::Local;
    });
    let tagged = role(|role| role.tags = vec!["heavy".into()]);
    let odd = role(|role| role.tags = vec!["town".into()]);
    let elsewhere = role(|role| role.placement = Where::Remote);
    let rule = ResolvedRole { asked_by: Some("placement.heavy, town.toml:3:7".into()), ..address.clone() };
    let nothing = PlacementWish::default();
    let cases = [
        ("nothing says a thing", &plain, &nothing),
        ("an address", &address, &nothing),
        ("an address that no remote names", &far, &nothing),
        ("a rule", &rule, &nothing),
        ("placement local", &local, &nothing),
        ("multiplexer tmux", &tmux, &nothing),
        ("multiplexer none", &none, &nothing),
        ("multiplexer fugue, no address", &fugue, &nothing),
        ("multiplexer fugue, local", &fugue_local, &nothing),
        ("tags that remotes have", &tagged, &nothing),
        ("tags that none has", &odd, &nothing),
        ("placement remote, remotes", &elsewhere, &nothing),
        ("--local over an address", &address, &by(PlaceFlags::Local)),
        ("--local over placement remote", &elsewhere, &by(PlaceFlags::Local)),
        ("--remote over placement local", &local, &by(PlaceFlags::Remote("gaming-pc".into()))),
        ("--remote over multiplexer tmux", &tmux, &by(PlaceFlags::Remote("box".into()))),
        ("--fugue-addr over an address", &address, &by(PlaceFlags::Address("tcp://gaming-pc:9999".into()))),
        ("--fugue-addr over placement local", &local, &by(PlaceFlags::Address("tcp://far:1".into()))),
        ("--tag over an address", &address, &by(tags(&["gpu"]))),
        ("two tags", &plain, &by(tags(&["heavy", "gpu"]))),
    ];
    let mut shown = String::new();
    for (what, role, wish) in cases {
        shown += &format!("{what}: {}", said(role, wish, &yard()));
    }
    insta::assert_snapshot!(shown, @r#"
    nothing says a thing: here
        no address counts
    an address: box
        GASTOWN_FUGUE_ADDR: tcp://box:9999
        box: 3 of 4 places free, 0.9 ms
    an address that no remote names: tcp://far:1
        GASTOWN_FUGUE_ADDR: tcp://far:1
        tcp://far:1: 0 of ours, no limit
    a rule: box
        presets: polecat (placement.heavy, town.toml:3:7)
        GASTOWN_FUGUE_ADDR: tcp://box:9999
        box: 3 of 4 places free, 0.9 ms
    placement local: here
        polecat.placement is "local": tcp://box:9999 does not count
    multiplexer tmux: here
        polecat.multiplexer is "tmux": tcp://box:9999 does not count
    multiplexer none: here
        polecat.multiplexer is "none"
    multiplexer fugue, no address: fugue
        no address counts
        polecat.multiplexer is "fugue": its own default socket
    multiplexer fugue, local: fugue
        polecat.placement is "local"
        polecat.multiplexer is "fugue": its own default socket
    tags that remotes have: gaming-pc
        polecat.tags: heavy
        box: 3 of 4 places free, 0.9 ms
        gaming-pc: 4 of 6 places free, 1.2 ms
        mini: 0 of 2 places free, 0.1 ms
    tags that none has: here
        no address counts
    placement remote, remotes: gaming-pc
        polecat.placement is "remote"
        box: 3 of 4 places free, 0.9 ms
        gaming-pc: 4 of 6 places free, 1.2 ms
        mini: 0 of 2 places free, 0.1 ms
    --local over an address: here
        by hand: --local
    --local over placement remote: here
        by hand: --local
    --remote over placement local: gaming-pc
        by hand: --remote gaming-pc
        gaming-pc: 4 of 6 places free, 1.2 ms
    --remote over multiplexer tmux: box
        by hand: --remote box
        box: 3 of 4 places free, 0.9 ms
    --fugue-addr over an address: gaming-pc
        by hand: --fugue-addr tcp://gaming-pc:9999
        gaming-pc: 4 of 6 places free, 1.2 ms
    --fugue-addr over placement local: tcp://far:1
        by hand: --fugue-addr tcp://far:1
        tcp://far:1: 0 of ours, no limit
    --tag over an address: gaming-pc
        by hand: --tag gpu
        box: lacks gpu
        mini: lacks gpu
        gaming-pc: 4 of 6 places free, 1.2 ms
    two tags: gaming-pc
        by hand: --tag heavy --tag gpu
        box: lacks gpu
        mini: lacks gpu
        gaming-pc: 4 of 6 places free, 1.2 ms
    "#);
}

#[test]
fn what_cannot_be_had_is_said_with_what_helps() {
    let plain = role(|_| {});
    let elsewhere = role(|role| role.placement = Where::Remote);
    let torn = role(|role| {
        role.placement = Where::Remote;
        role.multiplexer = Multiplexer::Tmux;
    });
    let address = role(|role| role.fugue_addr = Some("tcp://mini:9999".into()));
    let heavy = by(tags(&["heavy"]));
    let with = |fallback, wish: &PlacementWish| PlacementWish { fallback: Some(fallback), ..wish.clone() };
    let full: Vec<Candidate> = yard().into_iter().filter(|one| one.known.name == "mini").collect();
    let two = [full[0].clone(), at("box", &["heavy"], Some(4), 5, None)];
    let dead = [silent(full[0].clone(), "connection refused")];
    let mixed = [full[0].clone(), silent(at("box", &["heavy"], Some(4), 0, None), "connection refused")];
    let both_dead = [dead[0].clone(), mixed[1].clone()];
    let cases = [
        ("placement remote, no address", &elsewhere, PlacementWish::default(), &[][..]),
        ("placement remote, tmux", &torn, PlacementWish::default(), &full),
        ("a remote that is not", &plain, by(PlaceFlags::Remote("gamin-pc".into())), &yard()),
        ("a remote where there is none", &plain, by(PlaceFlags::Remote("box".into())), &[]),
        ("tags that none has", &plain, by(tags(&["tpu"])), &yard()),
        ("tags, and no remotes", &plain, heavy.clone(), &[]),
        ("full", &address, PlacementWish::default(), &full),
        ("full, fail", &address, with(Fallback::Fail, &PlacementWish::default()), &full),
        ("full, local", &address, with(Fallback::Local, &PlacementWish::default()), &full),
        ("all full", &plain, heavy.clone(), &two),
        ("dead", &address, PlacementWish::default(), &dead),
        ("dead, wait", &address, with(Fallback::Wait, &PlacementWish::default()), &dead),
        ("dead, local", &address, with(Fallback::Local, &PlacementWish::default()), &dead),
        ("full and dead", &plain, heavy.clone(), &mixed),
        ("all dead", &plain, heavy, &both_dead),
        (
            "an unnamed one is dead",
            &address,
            by(PlaceFlags::Address("tcp://far:1".into())),
            &[{
                let mut far = silent(at("tcp://far:1", &[], None, 0, None), "no route to host");
                far.known.fugue_addr = "tcp://far:1".into();
                far
            }],
        ),
    ];
    let mut shown = String::new();
    for (what, role, wish, candidates) in cases {
        shown += &format!("{what}: {}", said(role, &wish, candidates));
    }
    insta::assert_snapshot!(shown, @r#"
    placement remote, no address: exit 1: polecat.placement is "remote", and no address counts
        hint: set GASTOWN_FUGUE_ADDR=tcp://localhost:9999, polecat.fugue_addr or a [remotes.NAME]; here for once: --local
    placement remote, tmux: exit 1: polecat.placement is "remote", and polecat.multiplexer is "tmux", which is on this machine
        hint: see who says so: gt preset explain polecat; for once: --local, or --remote NAME
    a remote that is not: exit 2: there is no remote 'gamin-pc'
        hint: did you mean 'gaming-pc'?
    a remote where there is none: exit 2: there is no remote 'box'
        hint: there are none yet
    tags that none has: exit 1: no remote has all these tags: tpu
        hint: see remotes and their tags with: gt remote list; here for once: --local
    tags, and no remotes: exit 1: there is no remote
        hint: see remotes and their tags with: gt remote list; here for once: --local
    full: exit 3: mini is full: 2 of 2 places are taken; the work waits, untouched
        hint: run the same again when one of them ends (gt remote status shows it); or do it here: --fallback local
    full, fail: exit 1: mini is full: 2 of 2 places are taken
        hint: wait until one of them ends (gt remote status shows it); or do it here: --local
    full, local: here
        GASTOWN_FUGUE_ADDR: tcp://mini:9999
        mini: 0 of 2 places free, 0.1 ms
        mini is full: 2 of 2 places are taken: --fallback local
    all full: exit 3: no remote with heavy has room: mini has 2 of 2; box has 5 of 4; the work waits, untouched
        hint: run the same again when one of them ends (gt remote status shows it); or do it here: --fallback local
    dead: exit 1: cannot reach the remote mini at tcp://mini:9999: connection refused
        hint: what helps mini; here for once: --local
    dead, wait: exit 3: cannot reach the remote mini at tcp://mini:9999: connection refused; the work waits, untouched
        hint: run the same again when it answers (gt remote status shows it); or do it here: --fallback local
    dead, local: here
        GASTOWN_FUGUE_ADDR: tcp://mini:9999
        mini: silent: connection refused
        cannot reach the remote mini at tcp://mini:9999: connection refused: --fallback local
    full and dead: exit 3: no remote with heavy has room: mini has 2 of 2; cannot reach the remote box at tcp://box:9999: connection refused; the work waits, untouched
        hint: run the same again when one of them ends (gt remote status shows it); or do it here: --fallback local
    all dead: exit 1: no remote with heavy answers: cannot reach the remote mini at tcp://mini:9999: connection refused; cannot reach the remote box at tcp://box:9999: connection refused
        hint: what helps mini; here for once: --local
    an unnamed one is dead: exit 1: cannot reach the fugue daemon at tcp://far:1: no route to host
        hint: what helps tcp://far:1; here for once: --local
    "#);
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (
        prop::sample::subsequence(vec!["a", "b", "c"], 0..=3),
        prop::option::of(0usize..5),
        0usize..5,
        any::<bool>(),
        prop::option::of(0u64..3),
    );
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let named = |(number, (tags, most, sessions, dead, latency)): (usize, (Vec<&str>, _, _, bool, _))| {
            let one = at(&format!("r{number}"), &tags, most, sessions, latency);
            if dead { silent(one, "dead") } else { one }
        };
        all.into_iter().enumerate().map(named).collect()
    })
}

fn room(one: &Candidate) -> usize {
    one.known.max_workers.map_or(usize::MAX - one.sessions, |most| most.saturating_sub(one.sessions))
}

proptest! {
    /// By tags: the chosen one has all of them, answers and has room; none of those is better. No choice: there is none.
    #[test]
    fn the_best_that_fits_is_chosen(
        candidates in candidates(),
        wanted in prop::sample::subsequence(vec!["a", "b", "c"], 1..=2),
    ) {
        let wish = by(tags(&wanted));
        let fits = |one: &&Candidate| {
            wanted.iter().all(|tag| one.known.tags.iter().any(|own| own == tag))
                && one.silent.is_none()
                && room(one) > 0
        };
        match choose(&role(|_| {}), &wish, &candidates) {
            Ok(choice) => {
                let name = choice.remote.unwrap().name;
                let chosen = candidates.iter().find(|one| one.known.name == name).unwrap();
                prop_assert!(fits(&chosen));
                for other in candidates.iter().filter(fits) {
                    prop_assert!(room(other) <= room(chosen));
                    if room(other) == room(chosen) {
                        let late = |one: &Candidate| one.latency_us.unwrap_or(u64::MAX);
                        prop_assert!(late(other) >= late(chosen));
                    }
                }
            }
            Err(failure) => {
                prop_assert_eq!(candidates.iter().filter(fits).count(), 0);
                prop_assert!(failure.hint.is_some());
            }
        }
    }

    /// The order in which configuration names the remotes changes nothing.
    #[test]
    fn order_does_not_matter(candidates in candidates(), placement in prop::sample::select(vec![Where::Any, Where::Remote])) {
        let role = role(|role| {
            role.placement = placement;
            role.tags = vec!["a".into()];
        });
        let remote = |candidates: &[Candidate]| {
            choose(&role, &PlacementWish::default(), candidates).map(|choice| choice.remote).map_err(|failure| failure.exit)
        };
        let mut turned = candidates.clone();
        turned.reverse();
        prop_assert_eq!(remote(&candidates), remote(&turned));
    }

    /// What must be elsewhere is never silently here; with `--local` or `--fallback local` nothing fails for want of a place.
    #[test]
    fn elsewhere_is_never_silently_here(candidates in candidates(), wanted in prop::sample::subsequence(vec!["a", "b"], 0..=2)) {
        let role = role(|role| {
            role.placement = Where::Remote;
            role.tags = wanted.iter().map(|tag| (*tag).into()).collect();
        });
        if let Ok(choice) = choose(&role, &PlacementWish::default(), &candidates) {
            prop_assert!(choice.remote.is_some());
        }
        prop_assert_eq!(choose(&role, &by(PlaceFlags::Local), &candidates).unwrap().remote, None);
        let local = PlacementWish { fallback: Some(Fallback::Local), ..PlacementWish::default() };
        prop_assert!(candidates.is_empty() || choose(&role, &local, &candidates).is_ok());
    }

    /// With nothing that says a thing about other machines, everything is here, whatever remotes there are.
    #[test]
    fn nothing_said_is_here(candidates in candidates()) {
        let choice = choose(&role(|_| {}), &PlacementWish::default(), &candidates).unwrap();
        prop_assert_eq!(choice.remote, None);
    }

    /// Waiting is exit code 3, and never for a daemon that is merely not there.
    #[test]
    fn only_what_is_full_is_waited_for(candidates in candidates()) {
        if let Err(failure) = choose(&role(|_| {}), &by(tags(&["a"])), &candidates) {
            let full = candidates
                .iter()
                .any(|one| one.silent.is_none() && one.known.tags.iter().any(|tag| tag == "a"));
            prop_assert_eq!(failure.exit, if full { Exit::Queued } else { Exit::Failed });
        }
    }
}

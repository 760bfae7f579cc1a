//! What should run, and a short form of what was asked for, by which a session that runs is compared with it.

use std::fmt;
use std::path::Path;

use crate::base::hash::fnv32;
use crate::config::ResolvedRole;
use crate::model::address::Address;
use crate::mux::Spec;

/// What should run in a town.
#[derive(Clone, Debug, Default)]
pub struct Layout<'a> {
    /// The town's mark on its sessions.
    pub town: String,
    /// Every agent that should run, or should but is kept down.
    pub wanted: Vec<WantedAgent<'a>>,
    /// Only some agents were asked for: nothing is concluded about the others.
    pub some: bool,
    /// Agents that a person took down by name, whether configuration wants them or not.
    pub down: Vec<String>,
}

/// An agent that should run.
#[derive(Clone, Debug)]
pub struct WantedAgent<'a> {
    /// Whose.
    pub address: Address,
    /// Its session; nothing when it could not be worked out, and then nothing is concluded.
    pub spec: Option<&'a Spec>,
    /// A person took it down, and it stays down.
    pub down: bool,
}

/// What was asked for, piece by piece: the mark `hash` of a session. Presets' own words count, with their `{{name}}`s
/// unfilled: an instance, a time or the caller's PATH changes nothing. Each piece is a hash of 32 bits.
///
/// Windows and panes have marks of their own ([`crate::mux::Window::asked`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedMark {
    /// The agent's words, and how it gets its prompt.
    pub command: u32,
    /// Where it starts.
    pub folder: u32,
    /// What the preset adds to the environment: as the agent has it.
    pub env: u32,
    /// The same, as later windows get it.
    pub later: u32,
    /// Where the session lives.
    pub place: u32,
    /// The names of what the preset adds to the environment.
    pub vars: Vec<String>,
    /// It was started because configuration wants it (`[up]`), not by hand alone.
    pub up: bool,
}

impl AskedMark {
    /// What a role asks for, in a folder.
    pub fn of(role: &ResolvedRole, cwd: &Path) -> AskedMark {
        let settings = &role.settings;
        let env = hash(settings.env.iter().flat_map(|(key, value)| [key.as_str(), value]));
        let words = role.runtime.command.iter().chain(&role.runtime.hooks).chain(role.level_words());
        let words = words.map(String::as_str);
        let prompt = format!("{:?}", role.runtime.prompt);
        let place = match role.address() {
            Some(address) => vec![address.to_string(), format!("{:?}", settings.tags)],
            None => Vec::new(),
        };
        AskedMark {
            command: hash(words.chain([prompt.as_str()])),
            folder: hash([cwd.to_string_lossy().as_ref()]),
            env,
            later: env,
            place: hash(place.iter().map(String::as_str)),
            vars: settings.env.keys().filter(|name| !name.contains([',', ' '])).cloned().collect(),
            up: false,
        }
    }

    /// Reads a mark; nothing for one that this program did not write.
    pub fn parse(mark: &str) -> Option<AskedMark> {
        let mut words = mark.split(' ');
        let pieces = words.next()?.split('.').map(|piece| u32::from_str_radix(piece, 16).ok());
        let &[command, folder, env, later, place] = pieces.collect::<Option<Vec<u32>>>()?.as_slice() else {
            return None;
        };
        let vars = words.next()?.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect();
        let up = match words.next() {
            Some(UP) => true,
            None => false,
            Some(_) => return None,
        };
        words.next().is_none().then_some(AskedMark { command, folder, env, later, place, vars, up })
    }
}

/// What the mark of a session ends in that was started because configuration wants it.
const UP: &str = "up";

impl fmt::Display for AskedMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AskedMark { command, folder, env, later, place, vars, up } = self;
        write!(f, "{command:08x}.{folder:08x}.{env:08x}.{later:08x}.{place:08x} {}", vars.join(","))?;
        f.write_str(if *up { " up" } else { "" })
    }
}

/// The hash of texts and their borders.
fn hash<'t>(texts: impl IntoIterator<Item = &'t str>) -> u32 {
    fnv32(texts.into_iter().flat_map(|text| text.bytes().chain([0])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::LevelSettings;
    use crate::config::{Permissions, RoleSettings, Runtime};
    use crate::model::address::Role;
    use proptest::prelude::*;

    fn role(settings: RoleSettings, runtime: Runtime) -> ResolvedRole {
        ResolvedRole {
            role: Role::Crew,
            settings,
            agent: "a".into(),
            runtime,
            presets: vec!["crew".into()],
            asked_by: None,
            address_from: None,
            remotes: Default::default(),
            environment: Vec::new(),
            allowed: Vec::new(),
        }
    }

    #[test]
    fn each_piece_changes_with_what_it_is_about_and_with_nothing_else() {
        let runtime = Runtime { command: vec!["run".into(), "{{session_id}}".into()], ..Runtime::default() };
        let plain = AskedMark::of(&role(RoleSettings::default(), runtime.clone()), Path::new("/a"));
        let again = AskedMark::of(&role(RoleSettings::default(), runtime.clone()), Path::new("/a"));
        assert_eq!(plain, again);
        let moved = AskedMark::of(&role(RoleSettings::default(), runtime.clone()), Path::new("/b"));
        assert_ne!(moved, plain);
        assert_eq!(AskedMark { folder: plain.folder, ..moved }, plain);
        let env = RoleSettings { env: [("A".into(), "b".into())].into(), ..RoleSettings::default() };
        let other = AskedMark::of(&role(env, runtime.clone()), Path::new("/a"));
        assert_ne!((other.env, other.later), (plain.env, plain.later));
        assert_eq!(other.vars, ["A"]);
        assert_eq!(AskedMark { env: plain.env, later: plain.later, vars: Vec::new(), ..other }, plain);
        let all = RoleSettings { permissions: Permissions::All, ..RoleSettings::default() };
        let words = LevelSettings { words: vec!["--yes".into()], ..LevelSettings::default() };
        let words = Runtime { all: Some(words), ..runtime };
        let other = AskedMark::of(&role(all, words), Path::new("/a"));
        assert_ne!(other, plain);
        assert_eq!(AskedMark { command: plain.command, ..other }, plain);
    }

    #[test]
    fn borders_count() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_ne!(hash([]), hash([""]));
    }

    #[test]
    fn what_another_program_wrote_is_not_read() {
        for mark in [
            "",
            "abc",
            "1.2.3.4.5",
            "1.2.3.4 ",
            "1.2.3.4.5.6 ",
            "x.2.3.4.5 ",
            "1.2.3.4.5  down",
            "1.2.3.4.5  up x",
        ] {
            assert_eq!(AskedMark::parse(mark), None, "{mark}");
        }
    }

    proptest! {
        #[test]
        fn a_mark_is_read_as_it_was_written(
            pieces in any::<[u32; 5]>(),
            vars in prop::collection::vec("[A-Z_]{1,8}", 0..3),
            up in any::<bool>(),
        ) {
            let [command, folder, env, later, place] = pieces;
            let asked = AskedMark { command, folder, env, later, place, vars, up };
            prop_assert_eq!(AskedMark::parse(&asked.to_string()), Some(asked));
        }
    }
}

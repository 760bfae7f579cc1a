//! Who is meant: `[machine:]rig/name`, roles, and the names of their sessions (`town.md`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;

/// What an agent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hands out work, for the whole town.
    Mayor,
    /// Keeps the town going: the daemon.
    Deacon,
    /// Looks after one rig's polecats.
    Witness,
    /// Merges what one rig's polecats finish.
    Refinery,
    /// A short-lived worker in a worktree of its own.
    Polecat,
    /// A person's own clone.
    Crew,
    /// An agent from a rig's `plugins/`.
    Plugin,
}

impl Role {
    /// Every role, in the order people read them.
    pub const ALL: [Role; 7] =
        [Role::Mayor, Role::Deacon, Role::Witness, Role::Refinery, Role::Polecat, Role::Crew, Role::Plugin];

    /// The role's name, as presets, `GT_ROLE` and `@gt_role` have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Mayor => "mayor",
            Role::Deacon => "deacon",
            Role::Witness => "witness",
            Role::Refinery => "refinery",
            Role::Polecat => "polecat",
            Role::Crew => "crew",
            Role::Plugin => "plugin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Words that no rig may be called, because they mean something in paths or addresses (`town.md`).
pub const RESERVED_RIG_NAMES: [&str; 11] = [
    "mayor", "deacon", "witness", "refinery", "crew", "polecats", "plugins", "config", "bin", "overseer",
    "hq",
];

/// Somebody in the town, or the person who runs it. `Display` gives the form that [`Address::parse`] takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// `overseer`: the person.
    Overseer,
    /// `mayor/`
    Mayor,
    /// `deacon/`
    Deacon,
    /// `rig/witness`
    Witness(String),
    /// `rig/refinery`
    Refinery(String),
    /// `rig/Name`
    Polecat(String, String),
    /// `rig/crew/name`
    Crew(String, String),
    /// `rig/plugins/name`
    Plugin(String, String),
}

impl Address {
    /// Reads one address of this machine. A leading `local:` is accepted; another machine's is kept out by the
    /// caller, which has [`split_machine`] for it.
    ///
    /// # Errors
    /// A usage failure that names the forms, when the text is none of them.
    pub fn parse(text: &str) -> Result<Address, Failure> {
        let text = text.strip_prefix("local:").unwrap_or(text);
        let wrong = || {
            Failure::usage(format!("'{text}' is not an address")).hint(
                "addresses are mayor/, deacon/, overseer, RIG/NAME, RIG/witness, RIG/refinery, RIG/crew/NAME, RIG/plugins/NAME",
            )
        };
        let parts: Vec<&str> = text.strip_suffix('/').unwrap_or(text).split('/').collect();
        match parts.as_slice() {
            ["overseer"] => Ok(Address::Overseer),
            ["mayor"] => Ok(Address::Mayor),
            ["deacon"] => Ok(Address::Deacon),
            [rig, kind] if is_rig_name(rig) => match *kind {
                "witness" => Ok(Address::Witness((*rig).into())),
                "refinery" => Ok(Address::Refinery((*rig).into())),
                name if is_polecat_name(name) => Ok(Address::Polecat((*rig).into(), name.into())),
                _ => Err(wrong()),
            },
            [rig, "crew", name] if is_rig_name(rig) && is_member_name(name) => {
                Ok(Address::Crew((*rig).into(), (*name).into()))
            }
            [rig, "plugins", name] if is_rig_name(rig) && is_member_name(name) => {
                Ok(Address::Plugin((*rig).into(), (*name).into()))
            }
            [rig, "polecats", name] if is_rig_name(rig) && is_polecat_name(name) => {
                Ok(Address::Polecat((*rig).into(), (*name).into()))
            }
            _ => Err(wrong()),
        }
    }

    /// Whether it is a polecat's.
    pub fn is_polecat(&self) -> bool {
        matches!(self, Address::Polecat(..))
    }

    /// The role, or `None` for the Overseer, who is no agent.
    pub fn role(&self) -> Option<Role> {
        Some(match self {
            Address::Overseer => return None,
            Address::Mayor => Role::Mayor,
            Address::Deacon => Role::Deacon,
            Address::Witness(_) => Role::Witness,
            Address::Refinery(_) => Role::Refinery,
            Address::Polecat(..) => Role::Polecat,
            Address::Crew(..) => Role::Crew,
            Address::Plugin(..) => Role::Plugin,
        })
    }

    /// The rig, for those who belong to one.
    pub fn rig(&self) -> Option<&str> {
        match self {
            Address::Overseer | Address::Mayor | Address::Deacon => None,
            Address::Witness(rig) | Address::Refinery(rig) => Some(rig),
            Address::Polecat(rig, _) | Address::Crew(rig, _) | Address::Plugin(rig, _) => Some(rig),
        }
    }

    /// The agent's own name: `Nux`, `max`, or the role for those of whom there is one.
    pub fn name(&self) -> &str {
        match self {
            Address::Overseer => "overseer",
            Address::Mayor => "mayor",
            Address::Deacon => "deacon",
            Address::Witness(_) => "witness",
            Address::Refinery(_) => "refinery",
            Address::Polecat(_, name) | Address::Crew(_, name) | Address::Plugin(_, name) => name,
        }
    }

    /// The session's name where it is free (`town.md`); a session is found by its marks, never by this.
    pub fn session_name(&self) -> String {
        match self {
            Address::Overseer => "hq-overseer".into(),
            Address::Mayor => "hq-mayor".into(),
            Address::Deacon => "hq-deacon".into(),
            Address::Witness(rig) => format!("gt-{rig}-witness"),
            Address::Refinery(rig) => format!("gt-{rig}-refinery"),
            Address::Polecat(rig, name) => format!("gt-{rig}-{name}"),
            Address::Crew(rig, name) => format!("gt-{rig}-crew-{name}"),
            Address::Plugin(rig, name) => format!("gt-{rig}-plugin-{name}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Overseer => f.write_str("overseer"),
            Address::Mayor => f.write_str("mayor/"),
            Address::Deacon => f.write_str("deacon/"),
            Address::Witness(rig) => write!(f, "{rig}/witness"),
            Address::Refinery(rig) => write!(f, "{rig}/refinery"),
            Address::Polecat(rig, name) => write!(f, "{rig}/{name}"),
            Address::Crew(rig, name) => write!(f, "{rig}/crew/{name}"),
            Address::Plugin(rig, name) => write!(f, "{rig}/plugins/{name}"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The name in the text of an address that is a polecat's of the rig.
pub fn polecat_of(rig: &str, address: &str) -> Option<String> {
    match Address::parse(address) {
        Ok(Address::Polecat(own, name)) if own == rig => Some(name),
        _ => None,
    }
}

/// Splits `machine:rest`; without a machine, `local` (source document 004).
pub fn split_machine(text: &str) -> (&str, &str) {
    text.split_once(':').unwrap_or(("local", text))
}

/// `[a-z][a-z0-9-]{0,31}` (`town.md`); reserved words are refused by `rig add`, not here.
pub fn is_rig_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 32
        && chars.next().is_some_and(|first| first.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A capital first, then letters, digits or `_`: at most 32 of them. No `-`, because a polecat's branch is
/// `polecat/<Name>-<bead>`.
pub fn is_polecat_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 32
        && chars.next().is_some_and(|first| first.is_ascii_uppercase())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Names of crew and plugins: a letter or digit first, then letters, digits, `-` or `_`: at most 32 of them.
pub fn is_member_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 32
        && chars.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_reads_back_as_written() {
        for text in [
            "overseer",
            "mayor/",
            "deacon/",
            "wyvern/witness",
            "wyvern/refinery",
            "wyvern/Nux",
            "wyvern/crew/max",
            "wyvern/plugins/merge-oracle",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("mayor").unwrap(), Address::Mayor);
        assert_eq!(Address::parse("local:wyvern/Nux").unwrap().session_name(), "gt-wyvern-Nux");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_forms() {
        for text in
            ["", "/", "wyvern", "Wyvern/Nux", "wyvern/nux", "../x/Nux", "a b/Nux", "wyvern/crew/", "x/y/z/w"]
        {
            let failure = Address::parse(text).unwrap_err();
            assert!(failure.hint.unwrap().contains("RIG/NAME"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_display_is_a_fixed_point(text in "\\PC{0,40}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }
}

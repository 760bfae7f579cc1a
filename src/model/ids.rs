//! Names that travel far, each a type of its own: none is taken for another, or for a text.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::failure::Failure;
use crate::base::grammar::{is_bead_id, is_instance};
use crate::model::bead::Bead;

/// A text with a meaning, checked where it is read; empty for none. In JSON it is that text.
macro_rules! meaning {
    ($(#[$doc:meta])* $name:ident, $is_one:path, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads one that comes from outside. `None`: it can be none.
            pub fn parse(text: &str) -> Option<$name> {
                $is_one(text).then(|| $name(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Failure;

            fn from_str(text: &str) -> Result<$name, Failure> {
                let none = text.is_empty().then($name::default);
                none.or_else(|| $name::parse(text))
                    .ok_or_else(|| Failure::usage(format!("'{text}' is no {}", $what)))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Failure;

            fn try_from(text: String) -> Result<$name, Failure> {
                text.parse()
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self
            }
        }

        impl From<&$name> for $name {
            fn from(own: &$name) -> $name {
                own.clone()
            }
        }

        impl From<&$name> for String {
            fn from(own: &$name) -> String {
                own.0.clone()
            }
        }

        impl From<$name> for String {
            fn from(own: $name) -> String {
                own.0
            }
        }

        impl PartialEq<&$name> for $name {
            fn eq(&self, other: &&$name) -> bool {
                self == *other
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                self.0 == *other
            }
        }

        impl PartialEq<$name> for String {
            fn eq(&self, other: &$name) -> bool {
                *self == other.0
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

meaning! {
    /// Which of an agent's sessions: it tells two bearers of one name apart. Empty where it is not known.
    InstanceId, is_instance, "id of an instance"
}

meaning! {
    /// The id of a bead. Empty for none.
    BeadId, is_bead_id, "id of a bead"
}

impl InstanceId {
    /// One of two numbers.
    pub fn new(first: u32, second: u32) -> InstanceId {
        InstanceId(format!("{first:08x}{second:08x}"))
    }

    /// What is kept of no session goes by its commit.
    pub fn of_commit(commit: &str) -> InstanceId {
        InstanceId::parse(commit).unwrap_or_default().or_unknown()
    }

    /// As a part of the names of what is kept: `unknown` where it is not known.
    #[must_use]
    pub fn or_unknown(&self) -> InstanceId {
        if self.is_empty() { InstanceId("unknown".into()) } else { self.clone() }
    }
}

/// Each store checks the ids that it reads.
impl From<&Bead> for BeadId {
    fn from(bead: &Bead) -> BeadId {
        BeadId(bead.id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<&str> for BeadId {
        fn from(text: &str) -> BeadId {
            text.parse().unwrap()
        }
    }

    impl From<&str> for InstanceId {
        fn from(text: &str) -> InstanceId {
            text.parse().unwrap()
        }
    }

    #[test]
    fn what_can_be_no_id_is_read_nowhere() {
        for odd in ["a b", "--x", "../x", "$(x)", "x\u{202e}y", "x\ny"] {
            assert_eq!((BeadId::parse(odd), InstanceId::parse(odd)), (None, None), "{odd}");
            let json = serde_json::to_string(odd).unwrap();
            assert!(odd.parse::<BeadId>().is_err() && serde_json::from_str::<BeadId>(&json).is_err());
            assert!(odd.parse::<InstanceId>().is_err() && serde_json::from_str::<InstanceId>(&json).is_err());
        }
        let id: BeadId = serde_json::from_str("\"wy-a.2\"").unwrap();
        assert_eq!((serde_json::to_string(&id).unwrap().as_str(), id.as_str()), ("\"wy-a.2\"", "wy-a.2"));
        // None is said by an empty text, which is no id.
        assert_eq!(("".parse().ok(), BeadId::parse("")), (Some(BeadId::default()), None));
    }
}

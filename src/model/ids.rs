//! Names that travel far, each a type of its own: none is taken for another, or for a text.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::base::grammar::is_instance;

/// A text with a meaning: it is read as a `&str`, and made of one where the meaning is known. In JSON it is that text.
macro_rules! meaning {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
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

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name(text)
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
    InstanceId
}

meaning! {
    /// The id of a bead. Empty for none.
    BeadId
}

impl InstanceId {
    /// Reads one that comes from outside: from a file, a ref or a store that others write to. `None`: no instance id.
    pub fn parse(text: &str) -> Option<InstanceId> {
        is_instance(text).then(|| text.into())
    }

    /// As a part of the names of what is kept: `unknown` where it is not known.
    #[must_use]
    pub fn or_unknown(&self) -> InstanceId {
        if self.is_empty() { "unknown".into() } else { self.clone() }
    }
}

//! Commits as git tells them.

/// Who wrote a commit, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// In git's raw form: seconds and time zone.
    pub date: String,
}

/// A commit that is squashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Squashed {
    /// Who wrote it.
    pub author: Author,
    /// Whether it is itself a merge.
    pub merge: bool,
    /// Its trailers, a line each.
    pub trailers: Vec<String>,
}

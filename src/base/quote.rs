//! Words for a shell.

/// One word for a POSIX shell. A NUL byte, which no argument can hold, is dropped.
pub fn quote(word: &str) -> String {
    let clean = word.replace('\0', "");
    shlex::try_quote(&clean).map(|quoted| quoted.into_owned()).unwrap_or_default()
}

//! The address of a fugue daemon: `unix:///absolute/path` or `tcp://host:port`.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::failure::Failure;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum FugueAddr {
    /// A socket on this machine: an absolute path.
    Unix(PathBuf),
    /// Host (IPv6 in brackets) and port.
    Tcp(String, u16),
}

const TCP: &str = "tcp://localhost:9999";
const UNIX: &str = "unix:///run/user/1000/fugue.sock";

impl FugueAddr {
    /// Reads an address. More schemes are added here and nowhere else.
    ///
    /// # Errors
    /// Each thing that can be wrong has its own message, with an address that is right.
    pub fn parse(text: &str) -> Result<FugueAddr, Failure> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let example = if text.starts_with('/') { format!("unix://{text}") } else { TCP.into() };
            return Err(wrong(text, "it has no scheme", &example));
        };
        match scheme {
            "unix" => unix(text, rest),
            "tcp" => tcp(text),
            other => Err(wrong(text, &format!("the scheme '{other}' is neither unix nor tcp"), TCP)),
        }
    }

    /// As a half of ssh's `-L`.
    pub fn forward(&self) -> String {
        match self {
            FugueAddr::Unix(path) => path.display().to_string(),
            FugueAddr::Tcp(host, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for FugueAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FugueAddr::Unix(path) => write!(f, "unix://{}", path.display()),
            FugueAddr::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl Serialize for FugueAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for FugueAddr {
    type Error = Failure;

    fn try_from(text: String) -> Result<FugueAddr, Failure> {
        FugueAddr::parse(&text)
    }
}

fn unix(text: &str, path: &str) -> Result<FugueAddr, Failure> {
    if path.contains('?') {
        return Err(wrong(text, "it has a query ('?…')", UNIX));
    }
    if path.contains('#') {
        return Err(wrong(text, "it has a fragment ('#…')", UNIX));
    }
    if path.is_empty() || path == "/" {
        return Err(wrong(text, "it names no socket", UNIX));
    }
    if !path.starts_with('/') {
        let problem = if path.contains('@') { "it names a user" } else { "its path is not absolute" };
        return Err(wrong(text, problem, UNIX));
    }
    if path.contains(char::is_control) {
        return Err(wrong(text, "it holds a control character", UNIX));
    }
    Ok(FugueAddr::Unix(path.into()))
}

fn tcp(text: &str) -> Result<FugueAddr, Failure> {
    let url = Url::parse(text).map_err(|error| match error {
        _ if text.matches(':').count() > 2 && !text.contains(['[', '@']) => {
            wrong(text, "an IPv6 address stands in brackets", "tcp://[::1]:9999")
        }
        url::ParseError::EmptyHost => wrong(text, "it has no host", TCP),
        url::ParseError::InvalidPort => wrong(text, "its port is not a number from 1 to 65535", TCP),
        url::ParseError::InvalidIpv6Address => {
            wrong(text, "its IPv6 address is not right", "tcp://[::1]:9999")
        }
        other => wrong(text, &other.to_string(), TCP),
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(text, "it names a user", TCP));
    }
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err(wrong(text, "it has no host", TCP));
    }
    if url.query().is_some() {
        return Err(wrong(text, "it has a query ('?…')", TCP));
    }
    if url.fragment().is_some() {
        return Err(wrong(text, "it has a fragment ('#…')", TCP));
    }
    if !matches!(url.path(), "" | "/") {
        return Err(wrong(text, &format!("it has a path ('{}')", url.path()), TCP));
    }
    match url.port() {
        None => Err(wrong(text, "it has no port", &format!("tcp://{host}:9999"))),
        Some(0) => Err(wrong(text, "nothing can listen on port 0", &format!("tcp://{host}:9999"))),
        Some(port) => Ok(FugueAddr::Tcp(host.into(), port)),
    }
}

fn wrong(text: &str, problem: &str, example: &str) -> Failure {
    Failure::new(format!("'{text}' is not an address of fugue: {problem}"))
        .hint(format!("an address looks like {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        assert_eq!(
            FugueAddr::parse("tcp://localhost:9999").unwrap(),
            FugueAddr::Tcp("localhost".into(), 9999)
        );
        assert_eq!(FugueAddr::parse("tcp://[::1]:9999/").unwrap(), FugueAddr::Tcp("[::1]".into(), 9999));
        assert_eq!(FugueAddr::parse("tcp://10.0.0.5:1").unwrap(), FugueAddr::Tcp("10.0.0.5".into(), 1));
        assert_eq!(
            FugueAddr::parse("unix:///run/user/1000/a b.sock").unwrap(),
            FugueAddr::Unix("/run/user/1000/a b.sock".into())
        );
    }

    #[test]
    fn every_refusal_has_its_own_words_and_a_right_example() {
        let refused = [
            "localhost:9999",
            "/run/fugue.sock",
            "",
            "http://localhost:9999",
            "tls://localhost:9999",
            "tcp://",
            "tcp://:9999",
            "tcp://localhost",
            "tcp://localhost:0",
            "tcp://localhost:65536",
            "tcp://localhost:x",
            "tcp://::1:9999",
            "tcp://[::1:9999",
            "tcp://me@localhost:9999",
            "tcp://me:secret@localhost:9999",
            "tcp://localhost:9999/x",
            "tcp://localhost:9999?a=b",
            "tcp://localhost:9999#a",
            "tcp://a b:9999",
            "unix://",
            "unix:///",
            "unix://run/fugue.sock",
            "unix://me@host/x",
            "unix:///x?a",
            "unix:///x#a",
        ];
        let mut shown = String::new();
        for text in refused {
            let failure = FugueAddr::parse(text).unwrap_err();
            let hint = failure.hint.unwrap();
            let example = hint.strip_prefix("an address looks like ").unwrap();
            assert_eq!(FugueAddr::parse(example).unwrap().to_string(), example);
            shown += &format!(
                "{}\n    {example}\n",
                failure.message.replace("is not an address of fugue: ", "| ")
            );
        }
        insta::assert_snapshot!(shown, @r"
        'localhost:9999' | it has no scheme
            tcp://localhost:9999
        '/run/fugue.sock' | it has no scheme
            unix:///run/fugue.sock
        '' | it has no scheme
            tcp://localhost:9999
        'http://localhost:9999' | the scheme 'http' is neither unix nor tcp
            tcp://localhost:9999
        'tls://localhost:9999' | the scheme 'tls' is neither unix nor tcp
            tcp://localhost:9999
        'tcp://' | it has no host
            tcp://localhost:9999
        'tcp://:9999' | it has no host
            tcp://localhost:9999
        'tcp://localhost' | it has no port
            tcp://localhost:9999
        'tcp://localhost:0' | nothing can listen on port 0
            tcp://localhost:9999
        'tcp://localhost:65536' | its port is not a number from 1 to 65535
            tcp://localhost:9999
        'tcp://localhost:x' | its port is not a number from 1 to 65535
            tcp://localhost:9999
        'tcp://::1:9999' | an IPv6 address stands in brackets
            tcp://[::1]:9999
        'tcp://[::1:9999' | its IPv6 address is not right
            tcp://[::1]:9999
        'tcp://me@localhost:9999' | it names a user
            tcp://localhost:9999
        'tcp://me@localhost:9999' | it names a user
            tcp://localhost:9999
        'tcp://localhost:9999/x' | it has a path ('/x')
            tcp://localhost:9999
        'tcp://localhost:9999?a=b' | it has a query ('?…')
            tcp://localhost:9999
        'tcp://localhost:9999#a' | it has a fragment ('#…')
            tcp://localhost:9999
        'tcp://a b:9999' | invalid domain character
            tcp://localhost:9999
        'unix://' | it names no socket
            unix:///run/user/1000/fugue.sock
        'unix:///' | it names no socket
            unix:///run/user/1000/fugue.sock
        'unix://run/fugue.sock' | its path is not absolute
            unix:///run/user/1000/fugue.sock
        'unix://me@host/x' | it names a user
            unix:///run/user/1000/fugue.sock
        'unix:///x?a' | it has a query ('?…')
            unix:///run/user/1000/fugue.sock
        'unix:///x#a' | it has a fragment ('#…')
            unix:///run/user/1000/fugue.sock
        ");
    }
}

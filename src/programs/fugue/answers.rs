//! What fugue's programs answer, and why a daemon does not.

use std::time::Duration;

use crate::model::fugue::FugueAddr;
use crate::programs::fugue::LIMIT;
use crate::programs::process::Output;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It worked and printed this.
    Said(String),
    /// The daemon could not be asked.
    Silent(Silence),
    /// The daemon refused, and said this.
    Refused(String),
}

/// Why a daemon gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody listens there.
    Refused,
    /// No socket at this path.
    Absent(String),
    /// It did not answer in time.
    Overdue,
    /// Something else listens there: what the program said of it.
    Foreign(String),
    /// Nobody knows the host.
    UnknownHost,
    /// What the program said.
    Other(String),
}

/// A session, as a daemon lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The daemon's own id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many clients look at it.
    pub attached: usize,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The verdict on a call. What could not be reached is told apart by the program's words: the exit code is the same.
pub fn answer(output: &Output) -> Reply {
    if output.timed_out {
        return Reply::Silent(Silence::Overdue);
    }
    if output.ok() {
        return Reply::Said(output.text());
    }
    let said = output.error_text();
    if let Some(path) = said.strip_prefix("Server not running at ") {
        return Reply::Silent(Silence::Absent(path.into()));
    }
    if let Some(why) = said.strip_prefix("Connection failed: ") {
        return Reply::Silent(silence(why));
    }
    if said.starts_with("Protocol") || said.starts_with("Connection closed") {
        return Reply::Silent(Silence::Foreign(said));
    }
    Reply::Refused(match output.signal {
        Some(signal) if said.is_empty() => format!("the program was ended by signal {signal}"),
        _ => said.strip_prefix("error: ").unwrap_or(&said).to_string(),
    })
}

fn silence(why: &str) -> Silence {
    let why = why.strip_prefix("Connection failed: ").unwrap_or(why);
    if why.contains("Connection refused") {
        return Silence::Refused;
    }
    if why.contains("failed to lookup address") {
        return Silence::UnknownHost;
    }
    if why.contains("Response timeout") {
        return Silence::Overdue;
    }
    // It connected: what listens there answered with something else, or hung up.
    if ["Failed to receive", "Protocol", "mismatch", "closed"].iter().any(|words| why.contains(words)) {
        return Silence::Foreign(why.into());
    }
    Silence::Other(why.into())
}

/// The rows of a list: id, clients, tags, name. Lines of another shape are none of ours.
pub fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut parts = line.splitn(4, '\t');
        let (id, attached, tags) = (parts.next()?, parts.next()?, parts.next()?);
        let name = parts.next()?;
        let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(Into::into).collect();
        Some(Row { id: id.into(), name: name.into(), attached: attached.parse().unwrap_or_default(), tags })
    };
    text.lines().filter_map(row).filter(|row| !row.id.is_empty()).collect()
}

impl Silence {
    /// In words, after the address: "connection refused".
    pub fn why(&self) -> String {
        match self {
            Silence::Refused => "connection refused".into(),
            Silence::Absent(path) => format!("no daemon listens at {path}"),
            Silence::Overdue => format!("no answer within {}", seconds(LIMIT)),
            Silence::Foreign(said) if other_version(said) => {
                format!("the daemon is of another version than fugue's program here ({said})")
            }
            Silence::Foreign(said) => format!("what listens there does not speak fugue's protocol ({said})"),
            Silence::UnknownHost => "unknown host".into(),
            Silence::Other(said) => said.clone(),
        }
    }

    /// What a person can try. `remote` is its name in the settings and `ssh` its login there, where there are any.
    pub fn hint(&self, addr: &str, remote: Option<&str>, ssh: Option<&str>) -> String {
        if matches!(self, Silence::Foreign(said) if other_version(said)) {
            return "install the same version of fugue here and over there, and restart the daemon".into();
        }
        let daemon = match FugueAddr::parse(addr) {
            Ok(FugueAddr::Tcp(host, port)) => return self.tcp_hint(&host, port, remote.zip(ssh)),
            Ok(FugueAddr::Unix(path)) => {
                format!("a daemon makes its socket when it starts: {}", path.display())
            }
            Err(_) => "is the daemon running? fugue-server".into(),
        };
        match self {
            Silence::Refused | Silence::Absent(_) => daemon,
            Silence::Foreign(_) => "is that the socket of a fugue daemon?".into(),
            _ => "is the daemon stuck? restart it: its agents end, and gt takes their work up again".into(),
        }
    }

    /// `tunnel`: the remote's name and its login, for a tunnel that gt keeps.
    fn tcp_hint(&self, host: &str, port: u16, tunnel: Option<(&str, &str)>) -> String {
        let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        let up = match tunnel {
            Some((remote, _)) => format!("is the tunnel up? gt remote tunnel up {remote}"),
            None => format!("is the tunnel up? ssh -N -L {port}:localhost:{port} USER@MACHINE"),
        };
        let listening =
            format!("is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:{port}");
        match self {
            Silence::Refused if here => format!("{up}; {listening}"),
            Silence::Refused => {
                format!("is the daemon listening there? fugue-server --listen-tcp {host}:{port}")
            }
            Silence::Foreign(_) if here => {
                format!("is {port} the port of the tunnel? {listening}")
            }
            Silence::Foreign(_) => format!("is {port} the port of the daemon? {listening}"),
            Silence::UnknownHost => format!("is the name right? getent hosts {host}"),
            _ if here => format!("the tunnel or the daemon is stuck: {up}; {listening}"),
            _ => format!("is {host} reachable? {listening}"),
        }
    }
}

/// Whether it is a fugue daemon all the same.
fn other_version(said: &str) -> bool {
    said.contains("ProtocolMismatch") || said.contains("Protocol version mismatch")
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// Text without what steers a terminal: escape sequences, and control characters but tab and newline. A daemon gives
/// what a program wrote, not what a screen shows.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => skip_sequence(&mut letters),
            '\t' | '\n' => plain.push(letter),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

/// Reads on to the end of an escape sequence whose ESC was read.
fn skip_sequence(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match letters.next() {
        // Control sequence: ends with a letter.
        Some('[') => {
            while let Some(letter) = letters.next_if(|letter| *letter != '\n') {
                if ('\u{40}'..='\u{7e}').contains(&letter) {
                    break;
                }
            }
        }
        // A command for the terminal, such as a title: ends with BEL or ESC \.
        Some(']' | 'P' | '^' | '_') => {
            while let Some(letter) = letters.next_if(|letter| *letter != '\n') {
                if letter == '\u{7}' {
                    break;
                }
                if letter == '\u{1b}' {
                    letters.next_if_eq(&'\\');
                    break;
                }
            }
        }
        // Two letters in all, or three with an intermediate one: a choice of letters.
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            letters.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(said: &str) -> Reply {
        answer(&Output::of(1, "", said))
    }

    #[test]
    fn a_silent_daemon_is_never_an_empty_one() {
        let why = |said: &str| match failed(said) {
            Reply::Silent(silence) => silence.why(),
            other => panic!("{said}: {other:?}"),
        };
        assert_eq!(
            why(
                "Connection failed: Failed to connect to 127.0.0.1:9977: Connection refused (os error 111)\n"
            ),
            "connection refused"
        );
        assert_eq!(why("Server not running at /tmp/none.sock\n"), "no daemon listens at /tmp/none.sock");
        assert_eq!(why("Connection failed: Missing port in TCP URL\n"), "Missing port in TCP URL");
        assert_eq!(
            why(
                "Connection failed: Failed to connect to x:1: failed to lookup address information: Name or service not known\n"
            ),
            "unknown host"
        );
        let http =
            "Connection failed: Failed to receive: Message too large: 1213486160 bytes (max 16777216)\n";
        assert!(
            why(http).starts_with("what listens there does not speak fugue's protocol (Failed to receive")
        );
        assert_eq!(failed(""), Reply::Refused(String::new()));
        assert_eq!(
            failed("error: Failed to create session: Session already exists: a\n"),
            Reply::Refused("Failed to create session: Session already exists: a".into())
        );
    }

    #[test]
    fn what_helps_depends_on_the_way_there() {
        let mut shown = String::new();
        let silences =
            [Silence::Refused, Silence::Overdue, Silence::Foreign("x".into()), Silence::UnknownHost];
        for silence in silences {
            let ways = [
                ("tcp://localhost:9999", Some("pc"), Some("me@pc")),
                ("tcp://localhost:9999", Some("pc"), None),
                ("tcp://pc:9999", None, None),
                ("unix:///run/f.sock", None, None),
                ("", None, None),
            ];
            for (addr, remote, ssh) in ways {
                shown += &format!("{} | {}\n", silence.why(), silence.hint(addr, remote, ssh));
            }
        }
        insta::assert_snapshot!(shown, @r#"
        connection refused | is the tunnel up? gt remote tunnel up pc; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        connection refused | is the tunnel up? ssh -N -L 9999:localhost:9999 USER@MACHINE; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        connection refused | is the daemon listening there? fugue-server --listen-tcp pc:9999
        connection refused | a daemon makes its socket when it starts: /run/f.sock
        connection refused | is the daemon running? fugue-server
        no answer within 2 s | the tunnel or the daemon is stuck: is the tunnel up? gt remote tunnel up pc; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        no answer within 2 s | the tunnel or the daemon is stuck: is the tunnel up? ssh -N -L 9999:localhost:9999 USER@MACHINE; is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        no answer within 2 s | is pc reachable? is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        no answer within 2 s | is the daemon stuck? restart it: its agents end, and gt takes their work up again
        no answer within 2 s | is the daemon stuck? restart it: its agents end, and gt takes their work up again
        what listens there does not speak fugue's protocol (x) | is 9999 the port of the tunnel? is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        what listens there does not speak fugue's protocol (x) | is 9999 the port of the tunnel? is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        what listens there does not speak fugue's protocol (x) | is 9999 the port of the daemon? is the daemon listening over there? fugue-server --listen-tcp 127.0.0.1:9999
        what listens there does not speak fugue's protocol (x) | is that the socket of a fugue daemon?
        what listens there does not speak fugue's protocol (x) | is that the socket of a fugue daemon?
        unknown host | is the name right? getent hosts localhost
        unknown host | is the name right? getent hosts localhost
        unknown host | is the name right? getent hosts pc
        unknown host | is the daemon stuck? restart it: its agents end, and gt takes their work up again
        unknown host | is the daemon stuck? restart it: its agents end, and gt takes their work up again
        "#);
    }

    #[test]
    fn a_list_is_read_by_its_tabs() {
        let text = "id-1\t0\tgt-i-1,gt-t-a\tgt-wyvern-Nux\nid-2\t1\t\todd\tname\nno row\n\t0\t\tx\n";
        let tags = vec!["gt-i-1".to_string(), "gt-t-a".to_string()];
        let first = Row { id: "id-1".into(), name: "gt-wyvern-Nux".into(), attached: 0, tags };
        let second = Row { id: "id-2".into(), name: "odd\tname".into(), attached: 1, tags: Vec::new() };
        assert_eq!(rows(text), [first, second]);
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        let screen =
            "two\u{1b}[2J\u{1b}[1;1Hafter\u{1b}[31mred\u{1b}[0m\r\n\u{1b}]0;title\u{7}x\u{1b}(By\tz\u{8}";
        assert_eq!(plain(screen), "twoafterred\nxy\tz");
        assert_eq!(plain("cut \u{1b}["), "cut ");
        assert_eq!(plain("\u{1b}]0;open\nnext"), "\nnext");
    }
}

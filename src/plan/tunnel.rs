//! A tunnel, decided: where it begins and ends, how long to wait between two attempts.

use std::path::Path;
use std::time::Duration;

use crate::base::failure::Failure;
use crate::config::schema::Remote;
use crate::model::fugue::FugueAddr;
use crate::model::tunnel::Tunnel;

impl Tunnel {
    /// The tunnel of a remote.
    ///
    /// # Errors
    /// A remote without `ssh` (its tunnel is the person's own) or without an address, and addresses that ssh cannot
    /// forward.
    pub fn of(name: &str, remote: &Remote) -> Result<Tunnel, Failure> {
        if remote.fugue_addr.is_empty() {
            return Err(Failure::new(format!("remotes.{name} has no fugue_addr"))
                .hint("write one like tcp://localhost:9999"));
        }
        let local = FugueAddr::parse(&remote.fugue_addr)?;
        let Some(ssh) = &remote.ssh else {
            let own = by_hand(name, remote).map(|line| format!("open it with: {line}; or "));
            return Err(Failure::new(format!("remotes.{name} has no ssh: its tunnel is your own")).hint(
                format!("{}let gt keep it: ssh = \"user@host\" in [remotes.{name}]", own.unwrap_or_default()),
            ));
        };
        if !is_here(&local) {
            return Err(Failure::new(format!(
                "remotes.{name} has ssh, but its fugue_addr {} is not on this machine: a tunnel begins here",
                remote.fugue_addr
            ))
            .hint("write the local end, like tcp://localhost:9999, or take ssh out and reach the daemon directly"));
        }
        let there = FugueAddr::parse(remote.listens.as_ref().unwrap_or(&remote.fugue_addr))?;
        can_be_forwarded(&local)?;
        can_be_forwarded(&there)?;
        Ok(Tunnel { name: name.into(), ssh: ssh.clone(), local, there })
    }
}

/// The line with which a person opens a remote's tunnel; nothing when none is needed.
pub fn by_hand(name: &str, remote: &Remote) -> Option<String> {
    let local = FugueAddr::parse(&remote.fugue_addr).ok().filter(is_here)?;
    let there = FugueAddr::parse(remote.listens.as_ref().unwrap_or(&remote.fugue_addr)).ok()?.forward();
    let local = match local {
        FugueAddr::Tcp(_, port) => port.to_string(),
        // A socket on this machine needs no tunnel, unless it is said to end elsewhere.
        FugueAddr::Unix(_) if remote.listens.is_none() && remote.ssh.is_none() => return None,
        FugueAddr::Unix(path) => path.display().to_string(),
    };
    Some(format!("ssh -N -L {local}:{there} {}", remote.ssh.as_deref().unwrap_or(name)))
}

/// Whether an address is one of this very machine, and of nobody else's reach.
fn is_here(address: &FugueAddr) -> bool {
    match address {
        FugueAddr::Unix(_) => true,
        FugueAddr::Tcp(host, _) => host == "localhost" || host.starts_with("127.") || host == "[::1]",
    }
}

/// ssh takes a path apart at `:` and fills `%` and `$` in.
fn can_be_forwarded(address: &FugueAddr) -> Result<(), Failure> {
    match address {
        FugueAddr::Unix(path) if odd(path) => {
            Err(Failure::new(format!("ssh cannot forward the socket {}", path.display()))
                .hint("choose a path without any of these: : % $ \\ [ ]"))
        }
        _ => Ok(()),
    }
}

fn odd(path: &Path) -> bool {
    path.to_string_lossy().contains([':', '%', '$', '\\', '[', ']'])
}

/// How long to wait before the next attempt, after so many that failed in a row: 1 s, 2 s, 4 s … 60 s.
pub fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(addr: &str, ssh: Option<&str>, listens: Option<&str>) -> Remote {
        Remote {
            fugue_addr: addr.into(),
            ssh: ssh.map(Into::into),
            listens: listens.map(Into::into),
            ..Remote::default()
        }
    }

    #[test]
    fn both_ends_can_be_ports_and_sockets() {
        let forward = |addr: &str, listens: Option<&str>| {
            let tunnel = Tunnel::of("pc", &remote(addr, Some("me@pc"), listens)).unwrap();
            (tunnel.forward(), tunnel.key())
        };
        let said = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(forward("tcp://localhost:9999", None), said("localhost:9999:localhost:9999", "tcp-9999"));
        assert_eq!(forward("tcp://[::1]:9", Some("tcp://10.0.0.5:8")), said("[::1]:9:10.0.0.5:8", "tcp-9"));
        assert_eq!(
            forward("tcp://127.0.0.1:9998", Some("unix:///run/fugue.sock")),
            said("127.0.0.1:9998:/run/fugue.sock", "tcp-9998")
        );
        assert_eq!(forward("unix:///tmp/a", None), said("/tmp/a:/tmp/a", "unix-55715d7b"));
    }

    #[test]
    fn what_cannot_be_a_tunnel_is_refused_with_what_helps() {
        let said = |remote: Remote| {
            let failure = Tunnel::of("pc", &remote).unwrap_err();
            format!("{}\n    {}\n", failure.message, failure.hint.unwrap())
        };
        let tcp = "tcp://localhost:9999";
        let shown: String = [
            remote(tcp, None, None),
            remote("tcp://pc:9999", None, None),
            remote("unix:///run/a", None, None),
            remote("unix:///run/a", None, Some(tcp)),
            remote("tcp://pc:9999", Some("pc"), None),
            remote(tcp, Some("pc"), Some("unix:///run/%h")),
            remote("", Some("pc"), None),
        ]
        .map(said)
        .concat();
        insta::assert_snapshot!(shown, @r#"
        remotes.pc has no ssh: its tunnel is your own
            open it with: ssh -N -L 9999:localhost:9999 pc; or let gt keep it: ssh = "user@host" in [remotes.pc]
        remotes.pc has no ssh: its tunnel is your own
            let gt keep it: ssh = "user@host" in [remotes.pc]
        remotes.pc has no ssh: its tunnel is your own
            let gt keep it: ssh = "user@host" in [remotes.pc]
        remotes.pc has no ssh: its tunnel is your own
            open it with: ssh -N -L /run/a:localhost:9999 pc; or let gt keep it: ssh = "user@host" in [remotes.pc]
        remotes.pc has ssh, but its fugue_addr tcp://pc:9999 is not on this machine: a tunnel begins here
            write the local end, like tcp://localhost:9999, or take ssh out and reach the daemon directly
        ssh cannot forward the socket /run/%h
            choose a path without any of these: : % $ \ [ ]
        remotes.pc has no fugue_addr
            write one like tcp://localhost:9999
        "#);
    }

    #[test]
    fn the_pauses_grow_to_a_minute() {
        let seconds: Vec<u64> = [0, 1, 2, 3, 6, 7, 8, 1000].map(|n| pause(n).as_secs()).into();
        assert_eq!(seconds, [1, 1, 2, 4, 32, 60, 60, 60]);
    }
}

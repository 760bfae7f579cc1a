//! ssh: the only file that runs it, and knows what it says.
//!
//! Host keys, identities and jumps are the person's own: nothing of their configuration is overridden but what makes a
//! tunnel one that can be kept. Nothing is ever asked on a terminal.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::quote::quote;
use crate::model::fugue::FugueAddr;
use crate::model::tunnel::Tunnel;
use crate::programs::process::Process;

/// The control socket in a tunnel's folder. ssh is given this name alone, and runs in the folder: a socket's path has
/// room for about 100 bytes, and a home can be deeper than that.
pub const CONTROL: &str = "control";

/// The options of a tunnel.
const OPTIONS: [&str; 9] = [
    "BatchMode=yes",
    "ControlMaster=yes",
    "ControlPath=control",
    "ControlPersist=no",
    "ExitOnForwardFailure=yes",
    // A machine that went silent is noticed after a minute.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ConnectTimeout=10",
    // What went wrong is read from what it says.
    "LogLevel=INFO",
];

/// Refuses to go on without ssh.
///
/// # Errors
/// As said, with what to do.
pub fn need() -> Result<()> {
    if which::which("ssh").is_err() {
        crate::fail!(
            "ssh is not installed or not on PATH";
            "install OpenSSH's client, then check with: ssh -V"
        );
    }
    Ok(())
}

/// The tunnel as a process that lasts, in the tunnel's folder. `unlink`: a socket that stands where the tunnel begins
/// is a leftover of ours.
pub fn tunnel(tunnel: &Tunnel, dir: &Path, unlink: bool) -> Process {
    let options = OPTIONS.iter().flat_map(|option| ["-o", option]);
    let unlink = if unlink { "StreamLocalBindUnlink=yes" } else { "StreamLocalBindUnlink=no" };
    Process::new("ssh")
        .args(["-N", "-T"])
        .args(options)
        .args(["-o", unlink])
        .args(["-L", &tunnel.forward()])
        .args(["--", &tunnel.ssh])
        .cwd(dir)
}

/// The tunnel as a person could open it.
pub fn shown(tunnel: &Tunnel) -> String {
    Process::new("ssh").args(["-N", "-L", &tunnel.forward(), &tunnel.ssh]).shown()
}

/// Whether the connection behind the control socket stands: asks the process that holds it.
pub fn stands(tunnel: &Tunnel, dir: &Path) -> bool {
    control(tunnel, dir, "check").is_some_and(|output| output.ok())
}

/// Ends the process that holds the control socket, if there is one.
pub fn exit(tunnel: &Tunnel, dir: &Path) {
    if dir.join(CONTROL).exists() {
        control(tunnel, dir, "exit");
    }
}

fn control(tunnel: &Tunnel, dir: &Path, word: &str) -> Option<super::process::Output> {
    Process::new("ssh")
        .args(["-o", "BatchMode=yes", "-o", "ControlPath=control", "-O", word, "--", &tunnel.ssh])
        .cwd(dir)
        .timeout(Duration::from_secs(5))
        .run()
        .ok()
}

/// What a line of ssh's is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    HostKey,
    Login,
    Forward,
    Connection,
}

/// ssh's words, and what they are about.
const WORDS: [(&str, About); 14] = [
    ("Host key verification failed", About::HostKey),
    ("host key is known", About::HostKey),
    ("Permission denied", About::Login),
    ("Too many authentication failures", About::Login),
    ("Address already in use", About::Forward),
    ("cannot listen to", About::Forward),
    ("Could not request local", About::Forward),
    ("Could not resolve", About::Connection),
    ("Connection refused", About::Connection),
    ("timed out", About::Connection),
    ("No route to host", About::Connection),
    ("unreachable", About::Connection),
    ("not responding", About::Connection),
    ("closed by remote host", About::Connection),
];

/// Why a tunnel did not come up, or went: from what ssh said, with what helps.
pub fn why(tunnel: &Tunnel, said: &str) -> Failure {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let about = |line: &str| WORDS.iter().find(|(word, _)| line.contains(word)).map(|(_, about)| *about);
    let by_hand = format!("ssh {}", quote(&tunnel.ssh));
    let failed =
        |what: &str| Failure::new(format!("ssh {}: {}", tunnel.ssh, what.trim_start_matches("ssh: ")));
    // The last counts: what comes before may be the machine's own greeting.
    match lines.iter().rev().find_map(|line| Some((*line, about(line)?))) {
        Some((_, About::HostKey)) if said.contains("HOST IDENTIFICATION HAS CHANGED") => {
            failed("the machine shows another host key than before")
                .hint(format!("find out why before you go on; ssh says more by hand: {by_hand}"))
        }
        Some((line, About::HostKey)) => {
            failed(line).hint(format!("meet the machine once by hand, and compare its key: {by_hand}"))
        }
        Some((line, About::Login)) => failed(line)
            .hint(format!("a key has to work without a question (ssh-add -l); try by hand: {by_hand}")),
        Some((_, About::Forward)) => taken(tunnel),
        Some((line, About::Connection)) => {
            failed(line).hint(format!("is the machine on, and its name right? try by hand: {by_hand}"))
        }
        None => failed(lines.last().unwrap_or(&"the connection ended without a word"))
            .hint(format!("try by hand: {by_hand}")),
    }
}

/// The place where the tunnel is to begin is somebody else's.
pub fn taken(tunnel: &Tunnel) -> Failure {
    let (what, look) = match &tunnel.local {
        FugueAddr::Unix(path) => {
            let path = path.display().to_string();
            (path.clone(), format!("lsof {}", quote(&path)))
        }
        FugueAddr::Tcp(_, port) => (format!("port {port}"), format!("lsof -i :{port}")),
    };
    let name = &tunnel.name;
    Failure::new(format!("{what} is in use by something else: the tunnel of {name} cannot begin there")).hint(format!(
        "see what it is with: {look}; a tunnel of your own is used as it is when [remotes.{name}] has no ssh"
    ))
}

/// Why what arrives at the tunnel is not taken at its other end; nothing when ssh did not say so.
pub fn not_taken(said: &str) -> Option<&str> {
    let line = said.lines().rev().find(|line| line.contains("open failed: "))?;
    line.split_once("open failed: ").map(|(_, why)| why.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pc() -> Tunnel {
        Tunnel {
            name: "pc".into(),
            ssh: "me@pc".into(),
            local: FugueAddr::Tcp("localhost".into(), 9999),
            there: FugueAddr::Tcp("localhost".into(), 9999),
        }
    }

    #[test]
    fn what_ssh_says_comes_with_what_helps() {
        let said = |text: &str| {
            let failure = why(&pc(), text);
            format!("{}\n    {}\n", failure.message, failure.hint.unwrap())
        };
        let shown: String = [
            "No ED25519 host key is known for pc and you have requested strict checking.\r\nHost key verification failed.\r\n",
            "@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
            "Welcome!\nme@pc: Permission denied (publickey).\n",
            "bind [127.0.0.1]:9999: Address already in use\nchannel_setup_fwd_listener_tcpip: cannot listen to port: 9999\nCould not request local forwarding.",
            "ssh: Could not resolve hostname pc: Name or service not known",
            "ssh: connect to host pc port 22: Connection refused",
            "Welcome. Permission denied to strangers.\nTimeout, server pc not responding.",
            "",
        ]
        .map(said)
        .concat();
        insta::assert_snapshot!(shown, @r#"
        ssh me@pc: Host key verification failed.
            meet the machine once by hand, and compare its key: ssh me@pc
        ssh me@pc: the machine shows another host key than before
            find out why before you go on; ssh says more by hand: ssh me@pc
        ssh me@pc: me@pc: Permission denied (publickey).
            a key has to work without a question (ssh-add -l); try by hand: ssh me@pc
        port 9999 is in use by something else: the tunnel of pc cannot begin there
            see what it is with: lsof -i :9999; a tunnel of your own is used as it is when [remotes.pc] has no ssh
        ssh me@pc: Could not resolve hostname pc: Name or service not known
            is the machine on, and its name right? try by hand: ssh me@pc
        ssh me@pc: connect to host pc port 22: Connection refused
            is the machine on, and its name right? try by hand: ssh me@pc
        ssh me@pc: Timeout, server pc not responding.
            is the machine on, and its name right? try by hand: ssh me@pc
        ssh me@pc: the connection ended without a word
            try by hand: ssh me@pc
        "#);
        assert_eq!(
            not_taken("channel 2: open failed: connect failed: Connection refused\r\n"),
            Some("connect failed: Connection refused")
        );
        assert_eq!(not_taken("hello"), None);
    }

    #[test]
    fn a_destination_is_never_an_option() {
        let odd = Tunnel { ssh: "-oProxyCommand=x".into(), ..pc() };
        let args = tunnel(&odd, Path::new("/s"), false).args;
        assert_eq!(args[args.len() - 2..], ["--", "-oProxyCommand=x"]);
    }
}

//! A real sshd on loopback, in the world's folder: its own keys, port and configuration. The world's `ssh` reads a
//! configuration of its own, in which `pc` is that machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use super::{World, wait_for};

/// A machine that can be reached through ssh: this one.
pub struct Sshd {
    /// The port it listens on.
    pub port: u16,
    child: Option<Child>,
}

impl Sshd {
    /// Makes keys and configuration, and starts it. The client knows the machine, and the machine the client.
    pub fn start(world: &World) -> Sshd {
        for key in ["hostkey", "client"] {
            let path = world.str(key);
            world.run("ssh-keygen", "", ["-q", "-t", "ed25519", "-N", "", "-f", &path]).ok();
        }
        std::fs::copy(world.path("client.pub"), world.path("authorized_keys")).unwrap();
        let port = free_port();
        let (dir, user) = (world.str(""), world.run("id", "", ["-un"]).ok().stdout);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}hostkey\nPidFile none\n\
             AuthorizedKeysFile {dir}authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin yes\n"
        );
        world.write("sshd_config", config);
        let config = format!(
            "Host pc\n HostName 127.0.0.1\n Port {port}\n User {user} IdentityFile {dir}client\n\
             \x20IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile {dir}known_hosts\n\
             \x20GlobalKnownHostsFile /dev/null\n"
        );
        world.write("ssh_config", config);
        let hostkey = world.read("hostkey.pub");
        world.write("known_hosts", format!("[127.0.0.1]:{port} {hostkey}"));
        // ssh takes the home of the system's list of users, not of the environment.
        let real = which::which("ssh").expect("ssh is missing: scripts/setup gets it");
        world.program("ssh", &format!("#!/bin/sh\nexec {} -F {dir}ssh_config \"$@\"\n", real.display()));
        let mut sshd = Sshd { port, child: None };
        sshd.again(world);
        sshd
    }

    /// Starts it after [`Sshd::kill`].
    pub fn again(&mut self, world: &World) {
        let program = ["/usr/sbin/sshd", "/usr/lib/ssh/sshd", "/usr/local/sbin/sshd"].map(PathBuf::from);
        let program = program.into_iter().find(|path| path.exists());
        let program =
            program.or_else(|| which::which("sshd").ok()).expect("sshd is missing: scripts/setup gets it");
        // Where root's sshd puts itself before anybody is known; a fresh machine has none.
        let _ = std::fs::create_dir("/run/sshd");
        let mut command = world.command(program, "");
        command.args(["-D", "-f", &world.str("sshd_config"), "-E", &world.str("sshd.log")]);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let port = self.port;
        wait_for("sshd", || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// Kills it, with every connection that it holds.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let mut pids = vec![child.id()];
        let listed = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let pairs: Vec<Vec<u32>> =
            listed.lines().map(|line| line.split_whitespace().flat_map(str::parse).collect()).collect();
        let mut seen = 0;
        while seen < pids.len() {
            let parent = pids[seen];
            pids.extend(pairs.iter().filter(|pair| pair[1] == parent).map(|pair| pair[0]));
            seen += 1;
        }
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        child.wait().unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Answers whatever arrives with itself, for as long as the test program runs.
pub fn echo(listener: TcpListener) {
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

/// The same on a socket.
pub fn echo_unix(listener: UnixListener) {
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

fn answer(mut stream: impl Read + Write + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let _ = stream.write_all(&buffer[..count]);
        }
    });
}

/// Whether what is sent to a port comes back.
pub fn echoes(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok_and(comes_back)
}

/// The same for a socket.
pub fn echoes_unix(path: &Path) -> bool {
    UnixStream::connect(path).is_ok_and(comes_back)
}

fn comes_back(mut stream: impl Read + Write) -> bool {
    let mut buffer = [0; 5];
    let said = stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut buffer));
    said.is_ok() && &buffer == b"hello"
}

//! The tests' fugue: daemon and clients in one program, which is the one it is called as. It answers as the recordings
//! of fugue 0.1.1 do (`tests/contracts/fugue-compat-0.1.1.jsonl`), keeps real processes on real terminals, and
//! listens on real sockets. Where fugue speaks its own protocol this speaks one of its own, framed in the same way.
//!
//! ```text
//! fugue-server [--listen-tcp HOST:PORT]   the daemon; also on $XDG_RUNTIME_DIR/fugue/fugue.sock
//! fugue-compat [--addr URL] new-session … tmux-like commands
//! fugue-client [--addr URL] new-pane …    the same in the words of the documents
//! fugue [--addr URL]                      interactive: lists the sessions until a line comes
//! ```

#[path = "stand_in/client.rs"]
mod client;
#[path = "stand_in/server.rs"]
mod server;
#[path = "stand_in/terminal.rs"]
mod terminal;
#[path = "stand_in/wire.rs"]
mod wire;

use std::path::{Path, PathBuf};

fn main() {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let name = Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let code = match name.as_str() {
        "fugue-server" => server::run(&words),
        "fugue-compat" => client::run(&words, client::Dialect::Compat),
        "fugue-client" => client::run(&words, client::Dialect::Client),
        "fugue" => client::show(&words),
        other => {
            eprintln!("{other}: call me fugue-server, fugue-compat, fugue-client or fugue");
            2
        }
    };
    std::process::exit(code);
}

/// Where a daemon listens when nobody says otherwise.
fn default_socket() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => Path::new(&dir).join("fugue/fugue.sock"),
        // Its owner's number is in the path.
        None => PathBuf::from(format!("/tmp/fugue-{}/fugue.sock", unsafe { libc::getuid() })),
    }
}

//! The daemon. After a restart its sessions come back under their names and ids, as login shells without tags.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::wire::{self, Stream};
use super::{default_socket, terminal};

struct Session {
    name: String,
    id: String,
    tags: Vec<String>,
    env: Vec<(String, String)>,
    terminal: File,
    pid: u32,
    written: Arc<Mutex<Vec<u8>>>,
}

type Sessions = Arc<Mutex<Vec<Session>>>;

/// Listens until it is killed.
pub fn run(words: &[String]) -> i32 {
    let sessions = Sessions::default();
    restore(&sessions);
    let socket = default_socket();
    let folder = socket.parent().unwrap_or(&socket);
    let _ = std::fs::create_dir_all(folder);
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket);
    let unix = match listener {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("Error: cannot listen on {}: {error}", socket.display());
            return 1;
        }
    };
    if let [flag, place] = words
        && flag == "--listen-tcp"
    {
        let tcp = match TcpListener::bind(place) {
            Ok(listener) => listener,
            Err(error) => {
                eprintln!("Error: cannot listen on {place}: {error}");
                return 1;
            }
        };
        let sessions = sessions.clone();
        std::thread::spawn(move || {
            tcp.incoming().flatten().for_each(|stream| serve_apart(stream, &sessions));
        });
    } else if !words.is_empty() {
        eprintln!("Error: only --listen-tcp HOST:PORT is understood");
        return 2;
    }
    unix.incoming().flatten().for_each(|stream| serve_apart(stream, &sessions));
    0
}

fn serve_apart(mut stream: impl Stream + Send + 'static, sessions: &Sessions) {
    let sessions = sessions.clone();
    std::thread::spawn(move || {
        let Ok(request) = wire::receive(&mut stream) else { return };
        let answer = answer(&request, &sessions).unwrap_or_else(|why| json!({ "error": why }));
        let _ = wire::send(&mut stream, &answer);
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn text(request: &Value, key: &str) -> String {
    request[key].as_str().unwrap_or_default().to_string()
}

fn answer(request: &Value, sessions: &Sessions) -> Result<Value, String> {
    let target = text(request, "target");
    let exact = target.strip_prefix('=').unwrap_or(&target);
    let mut open = lock(sessions);
    let named = |open: &[Session], name: &str| open.iter().position(|session| session.name == name);
    let pane = |open: &[Session]| named(open, exact).ok_or_else(|| format!("pane not found: {target}"));
    match text(request, "do").as_str() {
        "new" => {
            let name = match text(request, "name") {
                name if name.is_empty() => format!("session-{}", open.len()),
                name => name,
            };
            if named(&open, &name).is_some() {
                return Err(format!("error: Failed to create session: Session already exists: {name}"));
            }
            let tags = request["tags"].as_array().into_iter().flatten();
            let mut tags: Vec<String> = tags.filter_map(Value::as_str).map(str::to_string).collect();
            tags.sort();
            tags.dedup();
            let command = request["command"].as_str();
            let session = begin(&name, new_id(), tags, &text(request, "cwd"), command, sessions)?;
            open.push(session);
            save(&open);
            Ok(json!({ "name": name }))
        }
        "list" => {
            let rows = open.iter().map(|one| json!({ "name": one.name, "id": one.id, "tags": one.tags }));
            Ok(rows.collect())
        }
        "has" => Ok(json!(open.iter().any(|one| one.name == exact || one.id == exact))),
        "kill" => {
            let is_it = |one: &Session| one.name == target || one.id == target;
            let at = open.iter().position(is_it).ok_or_else(|| format!("session not found: {target}"))?;
            let session = open.remove(at);
            save(&open);
            hang_up(&session);
            Ok(Value::Null)
        }
        "type" => {
            let at = pane(&open)?;
            open[at]
                .terminal
                .write_all(text(request, "text").as_bytes())
                .map_err(|error| error.to_string())?;
            Ok(Value::Null)
        }
        "capture" => {
            let at = pane(&open)?;
            let written = lock(&open[at].written);
            let screen = String::from_utf8_lossy(&written).replace("\r\n", "\n");
            let lines: Vec<&str> = screen.trim_end_matches('\n').split('\n').collect();
            let count = usize::try_from(request["count"].as_u64().unwrap_or(100)).unwrap_or(1000).min(1000);
            Ok(json!(lines[lines.len().saturating_sub(count)..].join("\n")))
        }
        "set-env" => {
            let at = named(&open, exact).ok_or_else(|| format!("session not found: {target}"))?;
            open[at].env.push((text(request, "key"), text(request, "value")));
            Ok(Value::Null)
        }
        "show-env" => {
            let at = named(&open, exact).ok_or_else(|| format!("session not found: {target}"))?;
            Ok(open[at].env.iter().map(|(key, value)| format!("{key}={value}")).collect())
        }
        other => Err(format!("error: unknown request {other}")),
    }
}

/// Starts a session: its command through `sh -c`, or a login shell. A folder that is missing is no error.
fn begin(
    name: &str,
    id: String,
    tags: Vec<String>,
    cwd: &str,
    command: Option<&str>,
    sessions: &Sessions,
) -> Result<Session, String> {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into());
    let mut start = match command {
        Some(_) => Command::new("/bin/sh"),
        None => Command::new(&shell),
    };
    match command {
        Some(command) => start.args(["-c", command]),
        None => start.arg0("-sh"),
    };
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cwd = PathBuf::from(cwd);
    start.current_dir(if cwd.is_dir() { &cwd } else { &home }).env("TERM", "xterm-256color");
    let (mut child, terminal) = terminal::start(&mut start).map_err(|error| format!("error: {error}"))?;
    let written = Arc::new(Mutex::new(Vec::new()));
    let pid = child.id();
    let (mut reader, kept, sessions) =
        (terminal.try_clone().map_err(|error| error.to_string())?, written.clone(), sessions.clone());
    let own = id.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            lock(&kept).extend_from_slice(&buffer[..count]);
        }
        let _ = child.wait();
        let mut open = lock(&sessions);
        open.retain(|session| session.id != own);
        save(&open);
    });
    Ok(Session { name: name.into(), id, tags, env: Vec::new(), terminal, pid, written })
}

fn hang_up(session: &Session) {
    if let Ok(pid) = i32::try_from(session.pid) {
        // The group of a program that this daemon started and has not waited for while its terminal is open.
        unsafe { libc::kill(-pid, libc::SIGHUP) };
        unsafe { libc::kill(-pid, libc::SIGCONT) };
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
}

/// A random id in the form of a UUID.
fn new_id() -> String {
    let mut bytes = [0; 16];
    let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-4{}-a{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

fn state() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let settings = std::fs::read_to_string(home.join(".config/fugue/config.toml")).unwrap_or_default();
    let kept = !(settings.contains("[persistence]") && settings.contains("enabled = false"));
    kept.then(|| home.join(".local/share/.fugue/state.json"))
}

fn save(open: &[Session]) {
    let Some(path) = state() else { return };
    let rows: Value = open.iter().map(|one| json!({ "name": one.name, "id": one.id })).collect();
    let _ = path.parent().map(std::fs::create_dir_all);
    // Renamed into place: a kill between two writes leaves a whole file.
    let new = path.with_extension("new");
    let _ = std::fs::write(&new, rows.to_string()).and_then(|()| std::fs::rename(&new, &path));
}

fn restore(sessions: &Sessions) {
    let kept = state().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let rows: Vec<Value> = serde_json::from_str(&kept).unwrap_or_default();
    let mut open = lock(sessions);
    for row in rows {
        if let Ok(session) = begin(&text(&row, "name"), text(&row, "id"), Vec::new(), "", None, sessions) {
            open.push(session);
        }
    }
}

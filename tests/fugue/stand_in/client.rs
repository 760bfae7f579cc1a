//! The programs that ask a daemon: words in, one request, words out.

use std::io::Write;

use serde_json::{Value, json};

use super::wire;

/// Which words are understood.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Client,
    Compat,
}

/// How a call ended when not well: exit code, and what is said.
type Ended = (i32, String);

/// What fugue-compat 0.1.1 was recorded to say of itself.
const RECORDED: &str = include_str!("../../contracts/fugue-compat-0.1.1.jsonl");

const CLIENT_HELP: &str = "fugue-client [--addr URL] COMMAND\n\ncommands:\n  \
    new-pane --name NAME [--cwd DIR] [--tags A,B] [--] LINE\n  list-panes -F FORMAT\n  kill-pane -t PANE\n  \
    capture-pane -p [-N LINES] -t PANE\n  send-keys -t PANE [-l] [--] KEY...\n";

/// Runs one command.
pub fn run(words: &[String], dialect: Dialect) -> i32 {
    match command(words, dialect) {
        Ok(said) => {
            let _ = std::io::stdout().write_all(said.as_bytes());
            0
        }
        Err((code, said)) => {
            if !said.is_empty() {
                eprintln!("{said}");
            }
            code
        }
    }
}

/// The interactive program: shows the sessions, until a line or the end of the input comes.
pub fn show(words: &[String]) -> i32 {
    if words.iter().any(|word| word == "--help") {
        println!("Terminal UI client for fugue\n\nUsage: fugue [OPTIONS] [COMMAND]...");
        return 0;
    }
    let addr = words.iter().position(|word| word == "--addr").and_then(|at| words.get(at + 1));
    let listed = ask(addr.map(String::as_str), &json!({ "do": "list" }));
    match listed {
        Ok(rows) => {
            println!("Select Session");
            let names = rows.as_array().into_iter().flatten().filter_map(|row| row["name"].as_str());
            names.for_each(|name| println!("> {name}"));
            let _ = std::io::stdin().read_line(&mut String::new());
            0
        }
        Err((code, said)) => {
            eprintln!("Error: {said}");
            code
        }
    }
}

fn recorded(label: &str) -> String {
    let calls = RECORDED.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let call = calls.into_iter().find(|call| call["label"] == label).unwrap_or_default();
    call["stdout"].as_str().unwrap_or_default().to_string()
}

fn ask(addr: Option<&str>, request: &Value) -> Result<Value, Ended> {
    let mut stream = wire::connect(addr).map_err(|why| (1, why))?;
    let failed = |what: &str, why: String| (1, format!("Connection failed: Failed to {what}: {why}"));
    wire::send(&mut stream, request).map_err(|error| failed("send", error.to_string()))?;
    let answer = wire::receive(&mut stream).map_err(|why| failed("receive", why))?;
    match answer["error"].as_str() {
        Some(why) => Err((1, why.into())),
        None => Ok(answer),
    }
}

/// The words of one command, taken apart.
#[derive(Default)]
struct Parsed {
    options: Vec<(String, String)>,
    flags: Vec<String>,
    rest: Vec<String>,
}

impl Parsed {
    fn option(&self, names: [&str; 2]) -> Option<&str> {
        let found = self.options.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| value.as_str())
    }

    fn target(&self) -> &str {
        self.option(["-t", "--target"]).unwrap_or_default()
    }
}

/// Options that take a value, and what the usage line says of the command.
fn usage(command: &str, dialect: Dialect) -> Option<(&'static [&'static str], &'static str)> {
    const NEW: &[&str] = &["-s", "--name", "-c", "--cwd", "--tags"];
    const TARGET: &[&str] = &["-t", "--target"];
    const CAPTURE: &[&str] = &["-t", "--target", "-S", "-N"];
    const LIST: &[&str] = &["-t", "-F", "--format"];
    Some(match (command, dialect) {
        ("new-session", Dialect::Compat) | ("new-pane", Dialect::Client) => (NEW, "[OPTIONS] [COMMAND]..."),
        ("list-sessions" | "list-windows", Dialect::Compat) | ("list-panes", _) => (LIST, "[OPTIONS]"),
        ("has-session" | "kill-session" | "set-environment" | "show-environment", Dialect::Compat)
        | ("kill-pane", Dialect::Client) => (TARGET, "--target <TARGET>"),
        ("send-keys", _) => (TARGET, "[OPTIONS] <KEYS>..."),
        ("capture-pane", _) => (CAPTURE, "[OPTIONS]"),
        _ => return None,
    })
}

fn parse(command: &str, words: &[String], valued: &[&str], shape: &str) -> Result<Parsed, Ended> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    let unexpected = |word: &str| {
        let usage = format!("Usage: fugue-compat {command} {shape}");
        (
            2,
            format!(
                "error: unexpected argument '{word}' found\n\n{usage}\n\nFor more information, try '--help'."
            ),
        )
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" => {
                parsed.rest.extend(words.by_ref().cloned());
            }
            "-d" | "-p" | "-l" | "-a" | "--detached" | "--print" | "--literal" => {
                parsed.flags.push(word.clone())
            }
            word if valued.contains(&word) => match words.next() {
                Some(value) if !value.starts_with('-') => parsed.options.push((word.into(), value.clone())),
                Some(value) => return Err(unexpected(value)),
                None => {
                    return Err((
                        2,
                        format!("error: a value is required for '{word}' but none was supplied"),
                    ));
                }
            },
            word if word.starts_with("--") && word.contains('=') => {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                if !valued.contains(&name) {
                    return Err(unexpected(name));
                }
                parsed.options.push((name.into(), value.into()));
            }
            word if word.starts_with('-') && word.len() > 1 => return Err(unexpected(word)),
            word => parsed.rest.push(word.into()),
        }
    }
    Ok(parsed)
}

fn command(words: &[String], dialect: Dialect) -> Result<String, Ended> {
    let (addr, words) = match words {
        [flag, addr, rest @ ..] if flag == "--addr" => (Some(addr.clone()), rest),
        rest => (std::env::var("FUGUE_ADDR").ok().filter(|addr| !addr.is_empty()), rest),
    };
    let name = words.first().map(String::as_str).unwrap_or_default();
    match (name, dialect) {
        ("--help" | "-h", Dialect::Compat) => return Ok(recorded("help")),
        ("--version" | "-V", Dialect::Compat) => return Ok(recorded("version")),
        ("--help" | "-h", Dialect::Client) => return Ok(CLIENT_HELP.into()),
        ("--version" | "-V", Dialect::Client) => return Ok("fugue-client 0.0.0\n".into()),
        ("", Dialect::Client) => {
            std::process::exit(show(&addr.map_or(vec![], |addr| vec!["--addr".into(), addr])))
        }
        _ => {}
    }
    let Some((valued, shape)) = usage(name, dialect) else {
        let said = format!("error: unrecognized subcommand '{name}'");
        let usage = "Usage: fugue-compat [OPTIONS] <COMMAND>";
        return Err((2, format!("{said}\n\n{usage}\n\nFor more information, try '--help'.")));
    };
    let parsed = parse(name, &words[1..], valued, shape)?;
    let ask = |request: Value| ask(addr.as_deref(), &request);
    match name {
        "new-session" | "new-pane" => {
            ask(new(&parsed))?;
            Ok(String::new())
        }
        "list-sessions" => list(&ask(json!({ "do": "list" }))?, &parsed, "session"),
        "list-panes" if dialect == Dialect::Client => list(&ask(json!({ "do": "list" }))?, &parsed, "pane"),
        "list-panes" => Ok(lines(&ask(json!({ "do": "list" }))?, |name| format!("{name}:0.0: [80x24] \n"))),
        "list-windows" => Ok("0: 0 (1 panes)\n".into()),
        "has-session" => match ask(json!({ "do": "has", "target": parsed.target() }))? {
            Value::Bool(true) => Ok(String::new()),
            _ => Err((1, String::new())),
        },
        "kill-session" | "kill-pane" => {
            ask(json!({ "do": "kill", "target": parsed.target() }))?;
            Ok(String::new())
        }
        "send-keys" => {
            ask(json!({ "do": "type", "target": parsed.target(), "text": typed(&parsed) }))?;
            Ok(String::new())
        }
        "capture-pane" => {
            let count = parsed.option(["-N", "-N"]).and_then(|count| count.parse::<u64>().ok());
            let screen = ask(json!({ "do": "capture", "target": parsed.target(), "count": count }))?;
            Ok(screen.as_str().unwrap_or_default().into())
        }
        "set-environment" => {
            let [key, value] = parsed.rest.as_slice() else { return Err((2, "error: KEY VALUE".into())) };
            ask(json!({ "do": "set-env", "target": parsed.target(), "key": key, "value": value }))?;
            Ok(String::new())
        }
        _ => {
            let rows = ask(json!({ "do": "show-env", "target": parsed.target() }))?;
            let rows = rows.as_array().into_iter().flatten().filter_map(Value::as_str);
            Ok(rows.map(|row| format!("{row}\n")).collect())
        }
    }
}

fn new(parsed: &Parsed) -> Value {
    let tags = parsed.options.iter().filter(|(name, _)| name == "--tags");
    let tags: Vec<&str> = tags.flat_map(|(_, tags)| tags.split(',')).collect();
    let command = (!parsed.rest.is_empty()).then(|| parsed.rest.join(" "));
    json!({
        "do": "new",
        "name": parsed.option(["-s", "--name"]),
        "cwd": parsed.option(["-c", "--cwd"]),
        "tags": tags,
        "command": command,
    })
}

fn typed(parsed: &Parsed) -> String {
    if parsed.flags.iter().any(|flag| flag == "-l") {
        return parsed.rest.join(" ");
    }
    let key = |key: &String| match key.as_str() {
        "Enter" => "\r".to_string(),
        "Escape" => "\u{1b}".into(),
        "C-c" => "\u{3}".into(),
        "C-d" => "\u{4}".into(),
        other => other.into(),
    };
    parsed.rest.iter().map(key).collect()
}

fn lines(rows: &Value, line: impl Fn(&str) -> String) -> String {
    rows.as_array().into_iter().flatten().filter_map(|row| row["name"].as_str()).map(line).collect()
}

/// The list in a format of the caller's. No session at all: exit code 1 and not a word.
fn list(rows: &Value, parsed: &Parsed, kind: &str) -> Result<String, Ended> {
    let rows: Vec<&Value> = rows.as_array().into_iter().flatten().collect();
    if rows.is_empty() {
        return Err((1, String::new()));
    }
    let mut text = String::new();
    for row in rows {
        let value = |key: &str| row[key].as_str().unwrap_or_default();
        let tags: Vec<&str> =
            row["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let tags = tags.join(",");
        text += &match parsed.option(["-F", "--format"]) {
            Some(format) => format
                .replace(&format!("#{{{kind}_name}}"), value("name"))
                .replace(&format!("#{{{kind}_id}}"), value("id"))
                .replace(&format!("#{{{kind}_windows}}"), "1")
                .replace(&format!("#{{{kind}_attached}}"), "0")
                .replace(&format!("#{{{kind}_tags}}"), &tags),
            None if tags.is_empty() => format!("{}: 1 windows  {}", value("name"), value("id")),
            None => format!("{}: 1 windows  [{tags}] {}", value("name"), value("id")),
        };
        text.push('\n');
    }
    Ok(text)
}

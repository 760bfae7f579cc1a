//! What a hook of an agent's program is given: an event, of which gt takes what the agent does, and the id of its conversation.

use serde_json::Value;

use crate::base::terminal::one_line;
use crate::model::state::State;

/// The most characters that are kept of a text.
const LONGEST: usize = 200;

/// What an event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What the agent does from now on; nothing for an event that changes nothing.
    pub state: Option<State>,
    /// What it asks, or what keeps it.
    pub why: String,
    /// The command that it asks for; empty for anything else.
    pub command: String,
    /// Whether the conversation goes on after its text was cut down.
    pub compacted: bool,
    /// The conversation's id; empty when it is not told.
    pub conversation: String,
}

impl Event {
    /// Reads the payload of a hook. The programs name their events alike, or each by names of its own.
    pub fn read(payload: &str) -> Option<Event> {
        let payload: Value = serde_json::from_str(payload).ok()?;
        let text = |key: &str| payload[key].as_str().unwrap_or_default();
        let name = text("hook_event_name");
        let is_id = |id: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !id.starts_with('-') && id.len() <= 128 && id.chars().all(plain)
        };
        let compacted = name == "SessionStart" && text("source") == "compact";
        let (state, why) = match (name, text("notification_type")) {
            _ if compacted => (None, String::new()),
            ("SessionStart" | "Stop" | "AfterAgent" | "Interrupt", _) | ("Notification", "idle_prompt") => {
                (Some(State::Idle), String::new())
            }
            (
                "UserPromptSubmit" | "PreToolUse" | "PostToolUse" | "BeforeAgent" | "BeforeTool"
                | "AfterTool",
                _,
            ) => (Some(State::Working), String::new()),
            ("PermissionRequest", _) => (Some(State::Question), question(&payload)),
            ("Notification", "ToolPermission") => (Some(State::Question), asked(&payload["details"], "Tool")),
            ("StopFailure", _) => failure(&payload),
            _ => (None, String::new()),
        };
        let command = [&payload["tool_input"], &payload["details"]].map(|input| input["command"].as_str());
        let command = command.into_iter().flatten().next().filter(|_| state == Some(State::Question));
        Some(Event {
            name: cut(name),
            // One that is not shown whole is not kept.
            command: command.filter(|text| text.len() <= 4 * LONGEST).unwrap_or_default().into(),
            state,
            why,
            compacted,
            conversation: Some(text("session_id")).filter(is_id).unwrap_or_default().into(),
        })
    }
}

/// What a permission is asked for: the tool, and what it is to do.
fn question(payload: &Value) -> String {
    asked(&payload["tool_input"], payload["tool_name"].as_str().unwrap_or("Tool"))
}

fn asked(input: &Value, tool: &str) -> String {
    let known = ["command", "file_path", "filePath", "path", "url", "pattern", "question", "title"];
    let said = known.iter().find_map(|key| input[*key].as_str());
    match said.map(str::to_string).or_else(|| Some(input.to_string()).filter(|text| text != "null")) {
        Some(said) => cut(&format!("{tool}: {said}")),
        None => cut(tool),
    }
}

/// A turn that ended in an error of the model's server.
fn failure(payload: &Value) -> (Option<State>, String) {
    let kind = payload["error"].as_str().unwrap_or_default();
    let said = ["last_assistant_message", "error_details"].iter().find_map(|key| payload[*key].as_str());
    let state = if matches!(kind, "rate_limit" | "billing_error") { State::Limited } else { State::Offline };
    (Some(state), cut(said.unwrap_or(kind)))
}

/// One line without anything that acts in a terminal, and not too long.
fn cut(text: &str) -> String {
    let line = one_line(text.trim());
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/payloads/PROGRAM-EVENT.json`: what the hooks of the programs were given.
    #[test]
    fn every_real_payload_says_what_its_program_does() {
        let mut said = Vec::new();
        for file in std::fs::read_dir("tests/payloads").unwrap() {
            let file = file.unwrap().path();
            let event = Event::read(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert!(!event.conversation.is_empty(), "{}", file.display());
            let name = file.file_stem().unwrap().to_str().unwrap().to_string();
            said.push(
                format!("{name}: {} {}", event.state.map_or("-", State::as_str), event.why)
                    .trim()
                    .to_string(),
            );
        }
        said.sort();
        insta::assert_snapshot!(said.join("\n"), @r"
        claude-Notification.idle_prompt: idle
        claude-Notification.permission_prompt: -
        claude-PermissionRequest: question Bash: touch /home/user/proj-claude/x1
        claude-PostToolUse: working
        claude-PreCompact: -
        claude-SessionEnd: -
        claude-SessionStart: idle
        claude-Stop: idle
        claude-UserPromptSubmit: working
        codex-Interrupt: idle
        codex-PermissionRequest: question Bash: touch /home/user/esc1
        codex-PostToolUse: working
        codex-SessionStart: idle
        codex-Stop: idle
        codex-UserPromptSubmit: working
        gemini-AfterAgent: idle
        gemini-AfterTool: working
        gemini-BeforeAgent: working
        gemini-Notification.ToolPermission: question Tool: touch /home/user/proj-gemini/g1
        gemini-SessionEnd: -
        gemini-SessionStart: idle
        ");
    }

    #[test]
    fn a_payload_is_filtered_and_cut() {
        let read = |value: Value| Event::read(&value.to_string()).unwrap();
        let long = format!("a\n\u{1b}[2J{}", "x".repeat(500));
        let event = read(serde_json::json!({
            "hook_event_name": "PermissionRequest", "session_id": "--resume x",
            "tool_name": "Bash", "tool_input": { "command": long },
        }));
        assert_eq!((event.conversation.as_str(), event.why.chars().count()), ("", LONGEST + 1));
        assert!(event.why.starts_with("Bash: a \\x1b[2Jxx"), "{}", event.why);
        let failed = |error: &str| {
            read(serde_json::json!({
                "hook_event_name": "StopFailure", "error": error, "last_assistant_message": "resets 3pm",
            }))
        };
        assert_eq!(
            (failed("rate_limit").state, failed("server_error").state),
            (Some(State::Limited), Some(State::Offline))
        );
        assert_eq!(failed("rate_limit").why, "resets 3pm");
        let started = |source: &str| {
            let event = read(serde_json::json!({ "hook_event_name": "SessionStart", "source": source }));
            (event.state, event.compacted)
        };
        assert_eq!(started("compact"), (None, true));
        assert_eq!(started("resume"), (Some(State::Idle), false));
        assert_eq!(Event::read("no json"), None);
    }
}

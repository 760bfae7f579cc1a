//! Whether a file's values have sense: their types first, then what types cannot tell.

mod windows;

use std::collections::BTreeMap;

use anyhow::Result;
use figment::value::{Dict, Value};
use regex::Regex;

use super::layer::Layer;
use super::schema::{NotifySettings, PresetFile, RigSections, Runtime, ScreenPattern, Settings};
use crate::base::failure::Failure;
use crate::base::grammar::is_branch_name;
use crate::base::nearest::choices;
use crate::base::time::parse_duration;
use crate::config::{RoleSettings, arrays, errors, template};
use crate::model::address::{Role, is_polecat_name};
use crate::model::environment;
use crate::model::fugue::FugueAddr;
use crate::model::rules::is_prefix;

/// What a layer is to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// A settings file, or variables and flags about settings.
    Settings,
    /// A preset file, or variables and flags about roles.
    Preset,
    /// A rig's `config.json`.
    Rig,
}

/// A value at a path that makes no sense.
struct Fault {
    path: Vec<String>,
    message: String,
    hint: String,
}

enum Typed {
    Settings(Box<Settings>),
    Preset(Box<PresetFile>),
    Rig(Box<RigSections>),
}

/// Checks the types alone.
pub(super) fn types(kind: LayerKind, layer: &Layer) -> Result<(), Failure> {
    typed(kind, layer).map(|_| ())
}

/// Checks everything.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub(super) fn layer(kind: LayerKind, layer: &Layer) -> Result<()> {
    let mut faults = Faults(Vec::new());
    match typed(kind, layer)? {
        Typed::Settings(settings) => faults.settings(&settings),
        Typed::Preset(preset) => faults.preset(&preset, &layer.values),
        Typed::Rig(rig) => faults.rig(&rig),
    }
    faults.names(&layer.values);
    faults.controls(&layer.values);
    match faults.0.into_iter().next() {
        None => Ok(()),
        Some(Fault { path, message, hint }) => {
            let message = format!("{}: {message}", path.join("."));
            Err(errors::fault(&layer.origin, layer.text.as_deref(), &path, &message, &hint).into())
        }
    }
}

/// What is wrong with windows that more than one layer says, each rightly: key, message and hint.
pub(super) fn joined_windows(
    role: Role,
    windows: &[super::schema::WindowSettings],
) -> Option<(String, String, String)> {
    let mut faults = Faults(Vec::new());
    faults.windows(role.as_str(), windows);
    let fault = faults.0.into_iter().next()?;
    Some((fault.path[1..].join("."), fault.message, fault.hint))
}

fn typed(kind: LayerKind, layer: &Layer) -> Result<Typed, Failure> {
    let values = Value::from(arrays::alone(&layer.values));
    let typed = match kind {
        LayerKind::Settings => values.deserialize().map(|settings| Typed::Settings(Box::new(settings))),
        LayerKind::Preset => values.deserialize().map(|preset| Typed::Preset(Box::new(preset))),
        LayerKind::Rig => values.deserialize().map(|rig| Typed::Rig(Box::new(rig))),
    };
    typed.map_err(|error| errors::typed(&error, &layer.origin, layer.text.as_deref()))
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let path = path.iter().map(|step| (*step).to_string()).collect();
        self.0.push(Fault { path, message: message.into(), hint: hint.into() });
    }

    fn duration(&mut self, path: &[&str], text: &str) {
        if parse_duration(text).is_none() {
            self.add(path, format!("'{text}' is no time"), "write it like 90s, 5m, 2h or 1d");
        }
    }

    fn address(&mut self, path: &[&str], text: &str) {
        if let Err(failure) = FugueAddr::parse(text) {
            self.add(path, failure.message, failure.hint.unwrap_or_default());
        }
    }

    fn settings(&mut self, settings: &Settings) {
        self.merge(&settings.merge);
        self.worktree(&settings.worktree);
        self.permissions(&settings.permissions);
        let limits = &settings.limits;
        for (key, text) in [
            ("network", &limits.network),
            ("local", &limits.local),
            ("lock", &limits.lock),
            ("tmux", &limits.tmux),
        ] {
            self.duration(&["limits", key], text);
            if parse_duration(text).is_some_and(|time| time.is_zero()) {
                self.add(&["limits", key], "a limit is at least 1s", "");
            }
        }
        self.words(&["notify", "command"], &settings.notify.command);
        let quiet = &settings.notify.quiet;
        if !quiet.is_empty() && NotifySettings::hours(quiet).is_none() {
            let message = format!("'{quiet}' are no hours of a day");
            self.add(&["notify", "quiet"], message, "write them as 22:00-07:00");
        }
        for pattern in settings.session.environment.iter().filter(|pattern| !environment::is_pattern(pattern))
        {
            let message = format!("'{pattern}' is no pattern for names of variables");
            self.add(
                &["session", "environment"],
                message,
                "write NAME, PREFIX_*, or !NAME for one that does not pass",
            );
        }
        let prefix = settings.beads.prefix.as_str();
        if !is_prefix(prefix) {
            let hint = "a prefix is letters, digits, - and _, without the - before the rest of an id";
            self.add(&["beads", "prefix"], format!("{prefix:?} cannot be a prefix of ids"), hint);
        }
        for role in &settings.up.roles {
            if role == "polecat" {
                self.add(&["up", "roles"], "polecats are made by gt sling", "leave polecat out");
            } else if Role::parse(role).is_none() {
                let known = Role::ALL.into_iter().filter(|role| *role != Role::Polecat).map(Role::as_str);
                self.add(&["up", "roles"], format!("there is no role '{role}'"), choices(role, known));
            }
        }
        if let Some(socket) = settings
            .tmux
            .socket
            .as_deref()
            .filter(|name| name.is_empty() || (name.contains('/') && !name.starts_with('/')))
        {
            let hint = "a socket is a plain name, like gastown, which tmux keeps in its own folder, or an absolute path";
            self.add(&["tmux", "socket"], format!("'{socket}' is no name of a socket"), hint);
        }
        self.shared(&settings.agents, &settings.remotes, &settings.placement);
    }

    fn merge(&mut self, merge: &super::schema::MergeSettings) {
        self.duration(&["merge", "timeout"], &merge.timeout);
        if let Some(target) = merge.target.as_deref().filter(|name| !is_branch_name(name)) {
            self.add(
                &["merge", "target"],
                format!("{target:?} cannot be the name of a branch"),
                "write it like main",
            );
        }
        if merge.batch_size == 0 {
            self.add(&["merge", "batch_size"], "a batch holds at least 1 request", "");
        }
        for entry in &merge.test_env {
            if let Err(message) = super::passed::check(entry) {
                self.add(&["merge", "test_env"], message, "write NAME, BEGIN*, !NAME or NAME=VALUE");
            }
        }
    }

    fn worktree(&mut self, worktree: &super::schema::WorktreeSettings) {
        for (key, paths) in [("copy", &worktree.copy), ("link", &worktree.link)] {
            for (number, path) in paths.iter().enumerate() {
                if let Err(why) = super::brought::inside(path) {
                    let hint = "name files of the rig's clone mayor/rig, like .env or apps/*/.env";
                    self.add(&["worktree", key, &number.to_string()], why, hint);
                }
            }
        }
    }

    fn permissions(&mut self, permissions: &super::schema::PermissionSettings) {
        for command in permissions.allow.iter().filter(|command| !super::permissions::is_plain(command)) {
            let message = format!("'{command}' is more than how a command begins");
            let hint = "write its first words with one blank between them and without quotes: \"make test\"";
            self.add(&["permissions", "allow"], message, hint);
        }
    }

    fn rig(&mut self, rig: &RigSections) {
        self.permissions(&rig.permissions);
        self.merge(&rig.merge);
        self.worktree(&rig.worktree);
        if rig.max_workers == Some(0) {
            self.add(&["max_workers"], "must be at least 1", "");
        }
        if let Some(delay) = &rig.worker_spawn_delay {
            self.duration(&["worker_spawn_delay"], delay);
        }
    }

    fn preset(&mut self, preset: &PresetFile, values: &Dict) {
        for (role, settings) in preset.roles() {
            if values.contains_key(role.as_str()) {
                self.role(role.as_str(), settings);
            }
        }
        self.shared(&preset.agents, &preset.remotes, &preset.placement);
    }

    fn role(&mut self, role: &str, settings: &RoleSettings) {
        if let Some(address) = &settings.fugue_addr {
            self.address(&[role, "fugue_addr"], address);
        }
        if settings.max_workers == 0 {
            self.add(&[role, "max_workers"], "must be at least 1", "");
        }
        self.duration(&[role, "worker_spawn_delay"], &settings.worker_spawn_delay);
        for (number, name) in settings.names.iter().enumerate().filter(|(_, name)| !is_polecat_name(name)) {
            let hint = "a capital first, then letters, digits or '_', at most 32: like Nux";
            self.add(
                &[role, "names", &number.to_string()],
                format!("'{name}' is no name for a polecat"),
                hint,
            );
        }
        self.env(&[role], &settings.env);
        self.windows(role, &settings.windows);
    }

    fn env(&mut self, path: &[&str], env: &BTreeMap<String, String>) {
        for name in env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            self.add(&[path, &["env"]].concat(), format!("'{name}' is no name of a variable"), "");
        }
    }

    fn shared(
        &mut self,
        agents: &BTreeMap<String, Runtime>,
        remotes: &BTreeMap<String, super::schema::Remote>,
        placement: &BTreeMap<String, super::schema::Placement>,
    ) {
        for (name, runtime) in agents {
            self.runtime(name, runtime);
        }
        for (name, remote) in remotes.iter().filter(|(_, remote)| !remote.fugue_addr.is_empty()) {
            self.address(&["remotes", name, "fugue_addr"], &remote.fugue_addr);
        }
        for (name, remote) in remotes {
            if let Some(listens) = &remote.listens {
                self.address(&["remotes", name, "listens"], listens);
            }
            let wrong = |ssh: &&String| {
                ssh.is_empty()
                    || ssh.starts_with('-')
                    || ssh.contains(|c: char| c.is_whitespace() || c.is_control())
            };
            if let Some(ssh) = remote.ssh.as_ref().filter(wrong) {
                let hint = "write what you would give to ssh: user@host, or a Host of your ~/.ssh/config";
                self.add(&["remotes", name, "ssh"], format!("'{ssh}' is no destination for ssh"), hint);
            }
        }
        for (name, rule) in placement {
            if let Some(estimate) = &rule.when.min_estimate {
                self.duration(&["placement", name, "when", "min_estimate"], estimate);
            }
        }
        let names = agents.keys().map(|name| ("agents", name));
        let names = names.chain(remotes.keys().map(|name| ("remotes", name)));
        for (table, name) in names.chain(placement.keys().map(|name| ("placement", name))) {
            if !is_name(name) {
                self.add(&[table, name], "a name has letters, digits, '-' and '_'", "");
            }
        }
    }

    fn words(&mut self, path: &[&str], words: &[String]) {
        if let Some(name) = template::name_for_shell(words) {
            self.add(path, template::misplaced(name), template::right_form(name));
        }
    }

    fn runtime(&mut self, name: &str, runtime: &Runtime) {
        self.words(&["agents", name, "command"], &runtime.command);
        let screens = [
            ("question", &runtime.question),
            ("offline", &runtime.offline),
            ("busy", &runtime.busy),
            ("ready", &runtime.ready),
        ];
        for (key, screen) in screens {
            let Some(ScreenPattern { pattern, timeout }) = screen else { continue };
            if let Err(error) = Regex::new(pattern) {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.add(&["agents", name, key, "pattern"], format!("no regular expression: {why}"), "");
            }
            if let Some(timeout) = timeout {
                self.duration(&["agents", name, key, "timeout"], timeout);
            }
        }
        let confirm = runtime.submit.confirm.as_str();
        if !matches!(confirm, "" | "busy" | "ready") {
            let hint = choices(confirm, ["busy", "ready"].into_iter());
            self.add(&["agents", name, "submit", "confirm"], format!("cannot be '{confirm}'"), hint);
        }
    }

    /// `{{name}}` in roles and runtimes: the list of names is closed.
    fn names(&mut self, values: &Dict) {
        each_text(values, &mut Vec::new(), &mut |path, text| {
            if path[0] != "agents" && Role::parse(&path[0]).is_none() {
                return;
            }
            // Its names are of its own.
            if matches!(path, [_, _, allowed, each] if allowed == "allowed" && each == "each") {
                return;
            }
            if let Some(name) = template::unknown_name(text) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let hint = choices(name, template::NAMES.into_iter());
                self.add(&path, format!("unknown name '{{{{{name}}}}}'"), hint);
            } else {
                self.placed(path, text);
            }
        });
    }

    /// A name is no part of a text for a shell, and the title, which is anyone's text, no part of a word or a path.
    fn placed(&mut self, path: &[String], text: &str) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [.., "command"] => {
                if let Some(name) = template::misplaced_name(text) {
                    self.add(&path, template::misplaced(&name), template::right_form(&name));
                }
            }
            _ if !template::has_typed(text) => {}
            [.., "start_directory"] => self.add(&path, "a title names no folder", ""),
            ["agents", _, "command" | "resume", _] | ["agents", _, "edits" | "all", "words", _]
                if !template::is_typed(text) =>
            {
                let message = "{{title}} is a word of its own in a command: in a longer one it might be run";
                self.add(&path, message, "write \"{{title}}\" as one of the words, or use $GT_BEAD_TITLE");
            }
            _ => {}
        }
    }

    /// Of the texts only commands, values of variables, and what is read by a person may have more than one line.
    fn controls(&mut self, values: &Dict) {
        const LONG: [&str; 12] = [
            "command",
            "test_command",
            "setup",
            "words",
            "text",
            "each",
            "join",
            "resume",
            "env",
            "test_env",
            "description",
            "pattern",
        ];
        each_text(values, &mut Vec::new(), &mut |path, text| {
            let long = path.iter().any(|step| LONG.contains(&step.as_str()));
            let odd = |c: char| c == '\0' || (c.is_control() && !long);
            if text.contains(odd) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                self.add(&path, "a control character, such as a line break, is no part of it", "");
            }
        });
    }
}

/// Gives each text of a table with its path.
fn each_text(values: &Dict, path: &mut Vec<String>, take: &mut dyn FnMut(&[String], &str)) {
    fn each(value: &Value, path: &mut Vec<String>, take: &mut dyn FnMut(&[String], &str)) {
        match value {
            Value::String(_, text) => take(path, text),
            Value::Dict(_, dict) => each_text(dict, path, take),
            Value::Array(_, list) => {
                for (number, inner) in list.iter().enumerate() {
                    path.push(number.to_string());
                    each(inner, path, take);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    for (key, inner) in values {
        path.push(key.clone());
        each(inner, path, take);
        path.pop();
    }
}

/// Whether presets, runtimes, remotes and placement rules can be called so.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

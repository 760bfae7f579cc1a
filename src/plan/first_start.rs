//! What would stop an agent program when it is started for the first time: questions that it asks, a login that is missing,
//! settings that it cannot read. From the person's files, which gt changes only where that answers a question of the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::doctor::{CheckStatus, Finding, Thing};
use super::person_file::{self, KeyChange};

/// A file of the person's that an agent program reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonFile {
    /// What it is to the program.
    pub kind: FileKind,
    /// Where it is.
    pub path: PathBuf,
    /// Its text, `None` where it is not there; of a secret one nothing is read. Or why it cannot be read.
    pub text: Result<Option<String>, String>,
}

/// What a person's file is to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// What the program remembers: questions that were answered.
    State,
    /// What the person sets.
    Settings,
    /// The login. Only whether it is there counts.
    Login,
}

/// The files of a person that tell how a program starts. `var` gives the variables of its sessions.
pub fn files_of(
    program: &str,
    home: &Path,
    var: &dyn Fn(&str) -> Option<String>,
) -> Vec<(FileKind, PathBuf)> {
    use FileKind::{Login, Settings, State};
    let folder = |name: &str, default: &str| var(name).map_or_else(|| home.join(default), PathBuf::from);
    match program {
        "claude" => {
            let state = var("CLAUDE_CONFIG_DIR").map_or_else(|| home.to_path_buf(), PathBuf::from);
            let own = folder("CLAUDE_CONFIG_DIR", ".claude");
            let own = |name: &str| own.join(name);
            vec![
                (State, state.join(".claude.json")),
                (Settings, own("settings.json")),
                (Login, own(".credentials.json")),
            ]
        }
        "codex" => {
            let own = folder("CODEX_HOME", ".codex");
            vec![(Settings, own.join("config.toml")), (Login, own.join("auth.json"))]
        }
        "gemini" => {
            let own = folder("GEMINI_CLI_HOME", "").join(".gemini");
            vec![(Settings, own.join("settings.json"))]
        }
        "opencode" => {
            let own = folder("XDG_CONFIG_HOME", ".config").join("opencode");
            vec![(Settings, own.join("opencode.json")), (Settings, own.join("opencode.jsonc"))]
        }
        _ => Vec::new(),
    }
}

/// The clone whose folder agents of a rig work in, or beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigClone {
    /// The rig.
    pub rig: String,
    /// The clone.
    pub path: PathBuf,
    /// Whether the rig has agent settings that no person trusts yet.
    pub is_open: bool,
}

/// What is known of an agent program.
#[derive(Clone, Debug)]
pub struct ProgramFacts {
    /// Its name.
    pub program: String,
    /// Where it is; `None` where it is not installed.
    pub path: Option<PathBuf>,
    /// The roles that it is for; none of a program that is just there.
    pub roles: Vec<String>,
    /// Its version; `None` where it was not asked, or does not tell.
    pub version: Option<String>,
    /// The version that gt was checked with; empty when with none.
    pub checked: String,
    /// The person's files that it reads.
    pub files: Vec<PersonFile>,
    /// The variables that its sessions get.
    pub env: BTreeMap<String, String>,
    /// The clones that it is to work in.
    pub clones: Vec<RigClone>,
    /// Whether it starts as root with the permissions `all`.
    pub is_bold_root: bool,
}

/// Something in the way of a program, and what `--fix` would write for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// What it is.
    pub finding: Finding,
    /// The person's file that would be changed; empty when none.
    pub file: PathBuf,
    /// What would be written there.
    pub changes: Vec<KeyChange>,
}

impl Obstacle {
    fn new(message: String, hint: &str) -> Obstacle {
        let finding = Finding {
            thing: Thing::AgentProgram,
            status: CheckStatus::Fail,
            message,
            fixable: false,
            hint: Some(hint.to_string()).filter(|hint| !hint.is_empty()),
            looked_at: String::new(),
        };
        Obstacle { finding, file: PathBuf::new(), changes: Vec::new() }
    }

    fn about(mut self, file: &Path) -> Obstacle {
        self.finding.looked_at = file.display().to_string();
        self
    }

    fn fixed_by(mut self, file: &Path, keys: &[&str], value: Value) -> Obstacle {
        let keys = keys.iter().map(|key| (*key).to_string()).collect();
        self.finding.fixable = true;
        self.file = file.to_path_buf();
        self.changes = vec![KeyChange { keys, value }];
        self.about(file)
    }
}

/// What would stop a program. One that is not there is said by [`is_missing`] alone.
pub fn obstacles(facts: &ProgramFacts) -> Vec<Obstacle> {
    let found = match facts.program.as_str() {
        "claude" => claude(facts),
        "codex" => codex(facts),
        "gemini" => gemini(facts),
        _ => Ok(facts.unreadable().into_iter().collect()),
    };
    found.unwrap_or_else(|unreadable| vec![*unreadable])
}

/// A program that polecats need and that is not there.
pub fn is_missing(facts: &ProgramFacts) -> Option<Obstacle> {
    let needed = facts.path.is_none() && facts.roles.iter().any(|role| role == "polecat");
    let message = format!("{} is not installed, and polecats run it", facts.program);
    needed.then(|| Obstacle::new(message, "install it, or choose another: gt config set polecat.agent NAME"))
}

/// What is to be known of a program and stops nothing.
pub fn version_note(program: &str, version: &str, checked: &str) -> Option<String> {
    (!checked.is_empty() && version != checked)
        .then(|| format!("gt was checked with {program} {checked}, this is {version}: it is tried as it is"))
}

impl ProgramFacts {
    fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn file(&self, kind: FileKind) -> Option<&PersonFile> {
        self.files.iter().find(|file| file.kind == kind)
    }

    fn is_there(&self, kind: FileKind) -> bool {
        self.file(kind).is_some_and(|file| !matches!(file.text, Ok(None)))
    }

    /// A file in JSON; an empty object where it is not there.
    fn read(&self, kind: FileKind) -> Result<(PathBuf, Value), Box<Obstacle>> {
        let Some(file) = self.file(kind) else { return Ok((PathBuf::new(), json!({}))) };
        let text = file.text.as_ref().map(|text| text.as_deref().unwrap_or_default());
        let read = text.map_err(Clone::clone).and_then(person_file::parse);
        read.map(|value| (file.path.clone(), value)).map_err(|why| Box::new(self.broken(&file.path, &why)))
    }

    /// A file of the person's that the program cannot read either. It is left as it is.
    fn broken(&self, path: &Path, why: &str) -> Obstacle {
        let message = format!("{} cannot read {}: {why}", self.program, path.display());
        Obstacle::new(message, "mend it by hand: it is left as it is").about(path)
    }

    /// The first of its settings files in JSON that is not valid.
    fn unreadable(&self) -> Option<Obstacle> {
        self.files.iter().filter(|file| file.kind == FileKind::Settings).find_map(|file| {
            let text = file.text.as_ref().map(|text| text.as_deref().unwrap_or_default());
            let why = text.map_err(Clone::clone).and_then(person_file::parse).err()?;
            Some(self.broken(&file.path, &why))
        })
    }
}

fn text<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    person_file::at(value, keys).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn claude(facts: &ProgramFacts) -> Result<Vec<Obstacle>, Box<Obstacle>> {
    let (path, state) = facts.read(FileKind::State)?;
    let (_, settings) = facts.read(FileKind::Settings)?;
    let given = |name: &str| facts.var(name).or_else(|| text(&settings, &["env", name]));
    let token = given("ANTHROPIC_AUTH_TOKEN").or(given("CLAUDE_CODE_OAUTH_TOKEN"));
    let cloud = ["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"];
    let key = given("ANTHROPIC_API_KEY");
    let signed_in = token.or(key).is_some()
        || cloud.into_iter().any(|name| given(name).is_some())
        || text(&settings, &["apiKeyHelper"]).is_some()
        || state.get("oauthAccount").is_some_and(Value::is_object)
        || facts.is_there(FileKind::Login);
    let mut found = Vec::new();
    let begun = state.get("hasCompletedOnboarding") == Some(&json!(true));
    if !signed_in {
        let what =
            if begun { "is not signed in" } else { "was never started: it asks for a theme and a login" };
        found.push(Obstacle::new(format!("claude {what}"), "start it once by hand, and sign in: claude"));
    } else if !begun {
        let first = Obstacle::new("claude begins with its first screens (theme, login)".into(), "");
        found.push(first.fixed_by(&path, &["hasCompletedOnboarding"], json!(true)));
    }
    if let Some(key) = key.filter(|_| token.is_none()) {
        let start = key.char_indices().rev().nth(19).map_or(0, |(at, _)| at);
        let end = json!(key[start..]);
        let list = |name: &str| {
            let list = person_file::at(&state, &["customApiKeyResponses", name]).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        if list("rejected").contains(&end) {
            let message = "claude was told not to use ANTHROPIC_API_KEY".to_string();
            found.push(
                Obstacle::new(message, "allow it in claude: /config; or unset it where gt runs").about(&path),
            );
        } else if !list("approved").contains(&end) {
            let keys = ["customApiKeyResponses", "approved"];
            let approved = [list("approved"), vec![end]].concat();
            let asks = Obstacle::new("claude asks whether to use ANTHROPIC_API_KEY".into(), "");
            found.push(asks.fixed_by(&path, &keys, json!(approved)));
        }
    }
    for clone in facts.clones.iter().filter(|clone| !is_trusted(&state, &clone.path)) {
        let asks = Obstacle::new(format!("claude asks whether it may work in {}", clone.path.display()), "");
        let keys = ["projects", &clone.path.to_string_lossy(), "hasTrustDialogAccepted"];
        found.push(match clone.is_open {
            false => asks.fixed_by(&path, &keys, json!(true)),
            // What the repository would have it do was not looked at.
            true => Obstacle::new(
                asks.finding.message,
                &format!("first look at the rig's agent settings: gt rig trust {}", clone.rig),
            )
            .about(&path),
        });
    }
    if facts.is_bold_root && facts.var("IS_SANDBOX").is_none() {
        let message = "claude does not start as root with permissions = \"all\"".to_string();
        found.push(Obstacle::new(
            message,
            "run gt as another user; in a container of its own: export IS_SANDBOX=1",
        ));
    }
    Ok(found)
}

/// Whether Claude Code trusts a folder, or one above it.
fn is_trusted(state: &Value, folder: &Path) -> bool {
    folder.ancestors().any(|above| {
        let keys = ["projects", &above.to_string_lossy(), "hasTrustDialogAccepted"];
        person_file::at(state, &keys) == Some(&json!(true))
    })
}

fn codex(facts: &ProgramFacts) -> Result<Vec<Obstacle>, Box<Obstacle>> {
    let mut settings = toml::Table::new();
    if let Some(file) = facts.file(FileKind::Settings) {
        let text =
            file.text.clone().map_err(|why| Box::new(facts.broken(&file.path, &why)))?.unwrap_or_default();
        settings = text
            .parse()
            .map_err(|error: toml::de::Error| Box::new(facts.broken(&file.path, error.message())))?;
    }
    let text = |key: &str| settings.get(key).and_then(toml::Value::as_str);
    let provider = text("model_provider").and_then(|name| settings.get("model_providers")?.get(name));
    let has_key = |provider: &toml::Value| match provider.get("env_key").and_then(toml::Value::as_str) {
        Some(name) => facts.var(name).is_some(),
        None => provider.get("requires_openai_auth").and_then(toml::Value::as_bool) != Some(true),
    };
    // A keyring is not looked into.
    let keyring = text("cli_auth_credentials_store").is_some_and(|store| store != "file");
    if facts.is_there(FileKind::Login) || keyring || provider.is_some_and(has_key) {
        return Ok(Vec::new());
    }
    let name = provider.and_then(|provider| provider.get("env_key")?.as_str());
    let hint = match name {
        Some(name) => format!("set {name}, which its provider takes the key from, where gt runs"),
        None => "sign in once by hand: codex login".into(),
    };
    Ok(vec![Obstacle::new("codex is not signed in".into(), &hint)])
}

fn gemini(facts: &ProgramFacts) -> Result<Vec<Obstacle>, Box<Obstacle>> {
    let (path, settings) = facts.read(FileKind::Settings)?;
    let keys = ["security", "auth", "selectedType"];
    if text(&settings, &keys).or(text(&settings, &["selectedAuthType"])).is_some() {
        return Ok(Vec::new());
    }
    let asks = "gemini asks how to sign in".to_string();
    Ok(vec![match facts.var("GEMINI_API_KEY") {
        Some(_) => Obstacle::new(asks, "").fixed_by(&path, &keys, json!("gemini-api-key")),
        None => Obstacle::new(asks, "start it once by hand, and choose: gemini; or set GEMINI_API_KEY")
            .about(&path),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with the text of its files by the end of their names, and variables.
    fn facts(program: &str, files: &[(&str, &str)], env: &[(&str, &str)]) -> ProgramFacts {
        let read = |(kind, path): (FileKind, PathBuf)| {
            let text = files.iter().find(|(end, _)| path.ends_with(end)).map(|(_, text)| (*text).to_string());
            PersonFile { kind, path, text: Ok(text) }
        };
        let clone = |rig: &str, is_open| RigClone {
            rig: rig.into(),
            path: format!("/t/{rig}/mayor/rig").into(),
            is_open,
        };
        ProgramFacts {
            program: program.into(),
            path: Some("/bin/x".into()),
            roles: vec!["polecat".into()],
            version: None,
            checked: String::new(),
            files: files_of(program, Path::new("/h"), &|_| None).into_iter().map(read).collect(),
            env: env.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            clones: vec![clone("wyvern", false), clone("drake", true)],
            is_bold_root: false,
        }
    }

    /// What is found, a line each, with what would be written.
    fn said(facts: &ProgramFacts) -> String {
        let line = |one: Obstacle| {
            let change =
                one.changes.iter().map(|change| format!(" -> {} = {}", change.keys.join("."), change.value));
            let hint = one.finding.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}{hint}{}\n", one.finding.message, change.collect::<String>())
        };
        obstacles(facts).into_iter().map(line).collect()
    }

    #[test]
    fn what_stops_claude() {
        insta::assert_snapshot!(said(&facts("claude", &[], &[])), @r"
        claude was never started: it asks for a theme and a login (start it once by hand, and sign in: claude)
        claude asks whether it may work in /t/wyvern/mayor/rig -> projects./t/wyvern/mayor/rig.hasTrustDialogAccepted = true
        claude asks whether it may work in /t/drake/mayor/rig (first look at the rig's agent settings: gt rig trust drake)
        ");
        let key = [("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdefghij")];
        insta::assert_snapshot!(said(&facts("claude", &[(".claude.json", r#"{ "customApiKeyResponses": { "approved": ["x"] } }"#)], &key)), @r#"
        claude begins with its first screens (theme, login) -> hasCompletedOnboarding = true
        claude asks whether to use ANTHROPIC_API_KEY -> customApiKeyResponses.approved = ["x","0123456789abcdefghij"]
        claude asks whether it may work in /t/wyvern/mayor/rig -> projects./t/wyvern/mayor/rig.hasTrustDialogAccepted = true
        claude asks whether it may work in /t/drake/mayor/rig (first look at the rig's agent settings: gt rig trust drake)
        "#);
        let mut bold = facts(
            "claude",
            &[
                (".credentials.json", ""),
                (
                    ".claude.json",
                    r#"{ "hasCompletedOnboarding": true, "projects": { "/t": { "hasTrustDialogAccepted": true } } }"#,
                ),
            ],
            &[],
        );
        assert_eq!(said(&bold), "");
        bold.is_bold_root = true;
        insta::assert_snapshot!(said(&bold), @r#"claude does not start as root with permissions = "all" (run gt as another user; in a container of its own: export IS_SANDBOX=1)"#);
    }

    #[test]
    fn what_stops_the_others() {
        insta::assert_snapshot!(said(&facts("codex", &[], &[])), @"codex is not signed in (sign in once by hand: codex login)");
        let provider = "model_provider = \"own\"\n[model_providers.own]\nenv_key = \"OWN_KEY\"\n";
        insta::assert_snapshot!(said(&facts("codex", &[("config.toml", provider)], &[])), @"codex is not signed in (set OWN_KEY, which its provider takes the key from, where gt runs)");
        assert_eq!(said(&facts("codex", &[("config.toml", provider)], &[("OWN_KEY", "k")])), "");
        assert_eq!(said(&facts("codex", &[("auth.json", "")], &[])), "");
        insta::assert_snapshot!(said(&facts("gemini", &[], &[])), @"gemini asks how to sign in (start it once by hand, and choose: gemini; or set GEMINI_API_KEY)");
        insta::assert_snapshot!(said(&facts("gemini", &[], &[("GEMINI_API_KEY", "k")])), @r#"gemini asks how to sign in -> security.auth.selectedType = "gemini-api-key""#);
        let chosen = r#"{ /* mine */ "security": { "auth": { "selectedType": "oauth-personal" } } }"#;
        assert_eq!(said(&facts("gemini", &[("settings.json", chosen)], &[])), "");
        assert_eq!(said(&facts("opencode", &[("opencode.jsonc", "{ // mine\n}")], &[])), "");
        assert_eq!(said(&facts("pi", &[], &[])), "");
    }

    #[test]
    fn a_file_that_is_not_valid_is_said_and_nothing_is_written_to_it() {
        for (program, file) in [
            ("claude", ".claude.json"),
            ("claude", "settings.json"),
            ("codex", "config.toml"),
            ("gemini", "settings.json"),
            ("opencode", "opencode.json"),
        ] {
            let found = obstacles(&facts(program, &[(file, "{ \"a\": ")], &[]));
            assert!(
                found.len() == 1 && found[0].changes.is_empty() && !found[0].finding.fixable,
                "{found:?}"
            );
            assert!(found[0].finding.message.starts_with(&format!("{program} cannot read /h/")), "{found:?}");
        }
    }
}

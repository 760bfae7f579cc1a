//! systemctl and launchctl, the only file that runs them, and what their files look like: a deacon as a service of the person.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::fill;
use crate::model::environment::is_secret;
use crate::programs::process::{Limit, Process};

/// Who keeps services running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// systemd, the person's own units.
    Systemd,
    /// launchd, the person's own agents.
    Launchd,
}

/// A deacon that a manager is to keep running.
#[derive(Clone, Debug)]
pub struct DeaconService<'a> {
    /// The town's name.
    pub name: &'a str,
    /// The town's id, in names that a manager knows it by.
    pub id: &'a str,
    /// The town's root.
    pub town: &'a str,
    /// This program.
    pub gt: &'a str,
    /// Where the unit's variables stand.
    pub file: &'a str,
    /// The variables that it is given.
    pub environment: BTreeMap<String, String>,
}

/// Variables without which programs run otherwise than in the person's terminal; none is a secret.
const PLAIN: [&str; 9] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "SHELL",
    "TMPDIR",
    "TMUX_TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// Whether a deacon is given a variable without being asked for it.
pub fn is_given(name: &str) -> bool {
    PLAIN.contains(&name) || (name.starts_with("GASTOWN_") && !is_secret(name))
}

/// Whether agents that a service starts would miss a variable: keys of models, and what git signs in with.
pub fn is_missed(name: &str) -> bool {
    let of = ["ANTHROPIC_", "OPENAI_", "GEMINI_", "GOOGLE_", "AWS_", "AZURE_", "OPENROUTER_", "CODEX_"];
    let proxy = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];
    !is_given(name)
        && (name == "SSH_AUTH_SOCK"
            || name.ends_with("_API_KEY")
            || of.iter().any(|start| name.starts_with(start))
            || ["GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"].contains(&name)
            || proxy.contains(&name.to_ascii_uppercase().as_str()))
}

/// What a manager calls the deacon of a town, by the town's id.
pub fn label(manager: Manager, id: &str) -> String {
    match manager {
        Manager::Systemd => format!("gt-{id}.service"),
        Manager::Launchd => format!("gastown.{id}"),
    }
}

impl DeaconService<'_> {
    /// The file that tells a manager of it. No value in it may hold a control character.
    pub fn text(&self, manager: Manager) -> String {
        let words = [self.gt, "-C", self.town, "daemon", "run"];
        match manager {
            Manager::Systemd => {
                let line = words.map(unit_word).join(" ");
                let folder = self.town.replace('%', "%%");
                let file = self.file.replace('%', "%%");
                let values = [
                    ("name", self.name),
                    ("line", line.as_str()),
                    ("folder", folder.as_str()),
                    ("environment", file.as_str()),
                ];
                fill::known(include_str!("../../templates/deacon.service"), &values)
            }
            Manager::Launchd => {
                let word = |word: &str| format!("        <string>{}</string>\n", xml(word));
                let words: String = words.into_iter().map(word).collect();
                let one = |(name, value): (&String, &String)| {
                    format!("        <key>{}</key>\n        <string>{}</string>\n", xml(name), xml(value))
                };
                let environment: String = self.environment.iter().map(one).collect();
                let (name, folder, label) = (xml(self.name), xml(self.town), label(manager, self.id));
                let values = [
                    ("name", name.as_str()),
                    ("label", label.as_str()),
                    ("words", words.as_str()),
                    ("folder", folder.as_str()),
                    ("environment", environment.as_str()),
                ];
                fill::known(include_str!("../../templates/deacon.plist"), &values)
            }
        }
    }

    /// The file with the variables of a unit (`systemd.exec`, "EnvironmentFile").
    pub fn variables(&self) -> String {
        let quoted = |value: &str| {
            ['\\', '"', '$', '`']
                .iter()
                .fold(value.to_string(), |text, sign| text.replace(*sign, &format!("\\{sign}")))
        };
        self.environment.iter().map(|(name, value)| format!("{name}=\"{}\"\n", quoted(value))).collect()
    }
}

/// One word of a unit's command line (`systemd.service`, "Command lines").
fn unit_word(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{word}\"")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The manager of this machine.
///
/// # Errors
/// When there is none, with what to do without.
pub fn manager() -> Result<Manager> {
    let (manager, program) = if cfg!(target_os = "macos") {
        (Manager::Launchd, "launchctl")
    } else {
        (Manager::Systemd, "systemctl")
    };
    if which::which(program).is_err() {
        let hint =
            "start it when the machine starts: crontab -e, with a line @reboot gt -C TOWN daemon start";
        return Err(Failure::new(format!("{program} is not installed: no manager of services"))
            .hint(hint)
            .into());
    }
    Ok(manager)
}

/// Has the service of this name started now, and whenever the person's manager starts. `file` is the one that tells of it.
///
/// # Errors
/// What the manager said.
pub fn enable(manager: Manager, name: &str, file: &str) -> Result<()> {
    match manager {
        Manager::Systemd => {
            run(&["systemctl", "--user", "daemon-reload"])?;
            run(&["systemctl", "--user", "enable", "--now", name])
        }
        Manager::Launchd => run(&["launchctl", "bootstrap", &domain(), file]),
    }
}

/// Has it ended, and started no more.
///
/// # Errors
/// What the manager said.
pub fn disable(manager: Manager, name: &str) -> Result<()> {
    match manager {
        Manager::Systemd => run(&["systemctl", "--user", "disable", "--now", name]),
        Manager::Launchd => run(&["launchctl", "bootout", &format!("{}/{name}", domain())]),
    }
}

fn domain() -> String {
    format!("gui/{}", rustix::process::getuid().as_raw())
}

fn run(words: &[&str]) -> Result<()> {
    let line = words.join(" ");
    let output = Process::new(words[0]).args(&words[1..]).limit(Limit::Local(line.clone())).run()?;
    if output.ok() {
        return Ok(());
    }
    Err(Failure::new(format!("{line}: {}", output.error_text().trim()))
        .hint(format!("see why with: {line}"))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(town: &str) -> DeaconService<'_> {
        let environment = [("PATH", "/bin:/a b"), ("ODD", "a\\b\"$c`<&>")];
        DeaconService {
            name: "gt",
            id: "gt-1a2b",
            town,
            gt: "/usr/bin/gt",
            file: "/t/deacon.env",
            environment: environment.map(|(name, value)| (name.into(), value.into())).into_iter().collect(),
        }
    }

    #[test]
    fn a_unit_runs_the_deacon_of_this_town_and_leaves_agents_alone() {
        let text = service("/home/a b/50% $HOME \"q\"").text(Manager::Systemd);
        assert!(text.contains(
            "ExecStart=\"/usr/bin/gt\" \"-C\" \"/home/a b/50%% $$HOME \\\"q\\\"\" \"daemon\" \"run\"\n"
        ));
        assert!(text.contains("KillMode=process\n") && text.contains("EnvironmentFile=/t/deacon.env\n"));
        assert!(
            !text.contains("{{") && !text.contains("/bin:"),
            "values stand in a file of their own: {text}"
        );
        insta::assert_snapshot!(service("/t").variables(), @r#"
        ODD="a\\b\"\$c\`<&>"
        PATH="/bin:/a b"
        "#);
    }

    #[test]
    fn an_agent_of_launchd_holds_words_and_values_as_they_are() {
        let text = service("/home/<a>&b").text(Manager::Launchd);
        assert!(text.contains("<string>/home/&lt;a&gt;&amp;b</string>"), "{text}");
        assert!(text.contains("<key>ODD</key>\n        <string>a\\b\"$c`&lt;&amp;&gt;</string>"), "{text}");
        assert!(text.contains("<string>gastown.gt-1a2b</string>") && !text.contains("{{"), "{text}");
    }

    #[test]
    fn plain_variables_are_given_and_keys_are_asked_for() {
        for name in ["PATH", "LANG", "GASTOWN_TMUX_SOCKET"] {
            assert!(is_given(name) && !is_missed(name), "{name}");
        }
        for name in ["ANTHROPIC_API_KEY", "MY_API_KEY", "SSH_AUTH_SOCK", "https_proxy", "GH_TOKEN"] {
            assert!(!is_given(name) && is_missed(name), "{name}");
        }
        for name in ["EDITOR", "GT_ROLE", "GASTOWN_TOKEN", "PS1"] {
            assert!(!is_given(name) && !is_missed(name), "{name}");
        }
    }
}

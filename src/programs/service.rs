//! systemctl and launchctl, the only file that runs them, and what their files look like: a deacon as a service of the person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::base::failure::Failure;
use crate::base::fill;
use crate::base::folders::Folder;
use crate::model::environment::is_secret;
use crate::programs::process::Process;

/// How long a manager may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Who keeps services running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// systemd, the person's own units.
    Systemd,
    /// launchd, the person's own agents.
    Launchd,
}

impl Manager {
    /// The one that this system has, when it has one.
    pub const fn of_system() -> Manager {
        if cfg!(target_os = "macos") { Manager::Launchd } else { Manager::Systemd }
    }
}

/// What stands in each file that gt wrote.
pub const OURS: &str = "Written by `gt daemon install`";

/// The variables of a unit, in the town's folder.
pub const VARIABLES: &str = "mayor/deacon.env";

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

/// The file that tells a manager of the deacon of a town, by the town's id; `var` reads the environment. Nothing without a home.
pub fn file(manager: Manager, id: &str, var: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let label = label(manager, id);
    match manager {
        Manager::Systemd => Folder::Config.find(var).map(|dir| dir.join("systemd/user").join(label)),
        Manager::Launchd => {
            let agents = Path::new(&var("HOME")?).join("Library/LaunchAgents");
            Some(agents.join(format!("{label}.plist")))
        }
    }
}

/// The program that a file of [`DeaconService::text`] starts.
pub fn program_in(manager: Manager, text: &str) -> Option<String> {
    match manager {
        Manager::Systemd => {
            let mut signs = text.split_once("ExecStart=\"")?.1.chars();
            let mut program = String::new();
            loop {
                match signs.next()? {
                    '"' => return Some(program),
                    '\\' | '%' | '$' => program.push(signs.next()?),
                    sign => program.push(sign),
                }
            }
        }
        Manager::Launchd => {
            let words = text.split_once("<key>ProgramArguments</key>")?.1;
            let word = words.split_once("<string>")?.1.split_once("</string>")?.0;
            Some(word.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        }
    }
}

/// The names of the variables that a service is given: from the file of [`DeaconService::variables`], or for launchd of
/// [`DeaconService::text`].
pub fn names_in(manager: Manager, text: &str) -> Vec<String> {
    let names: Vec<&str> = match manager {
        Manager::Systemd => text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect(),
        Manager::Launchd => {
            let keys = text.split_once("<key>EnvironmentVariables</key>").map_or("", |(_, after)| after);
            let keys = keys.split_once("</dict>").map_or("", |(keys, _)| keys);
            keys.split("<key>").skip(1).filter_map(|key| Some(key.split_once("</key>")?.0)).collect()
        }
    };
    names.into_iter().map(Into::into).collect()
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
    let manager = Manager::of_system();
    let program = if manager == Manager::Launchd { "launchctl" } else { "systemctl" };
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
    let output = Process::new(words[0]).args(&words[1..]).timeout(PATIENCE).run()?;
    if output.ok() {
        return Ok(());
    }
    Err(Failure::new(format!("{line}: {}", output.error_text().trim()))
        .hint("without it, a line of crontab -e starts it with the machine: @reboot gt -C TOWN daemon start")
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
    fn what_a_service_starts_and_gives_is_read_back() {
        for gt in ["/usr/bin/gt", "/a b/50% $HOME \"q\" \\ <&>/gt"] {
            let own = DeaconService { gt, ..service("/t") };
            for manager in [Manager::Systemd, Manager::Launchd] {
                let text = own.text(manager);
                assert_eq!(program_in(manager, &text).as_deref(), Some(gt), "{text}");
                let variables = if manager == Manager::Systemd { own.variables() } else { text };
                assert_eq!(names_in(manager, &variables), ["ODD", "PATH"]);
                assert_eq!((program_in(manager, ""), names_in(manager, "")), (None, vec![]));
            }
        }
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

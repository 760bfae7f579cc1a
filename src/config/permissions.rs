//! What the permissions of a role come to: the runtime's words for them, and the commands that its agents run without asking.

use super::schema::{AllowedForm, CommandSetting, Permissions};
use super::{Runtime, template};

/// Whether a text can begin a command in the settings of every program, and is the same in each: words, and nothing that acts in
/// a shell, in JSON or in a pattern.
pub fn is_plain(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._/@:+=,-".contains(c))
    };
    !text.starts_with('-') && text.split(' ').all(word)
}

/// The commands of a text for `sh -c`, one by one: those parts that can be told without a shell.
pub fn parts(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(BETWEEN).map(|part| part.split_whitespace().collect::<Vec<_>>());
    parts.map(|words| words.join(" ")).filter(|part| is_plain(part))
}

/// All commands of a text for `sh -c`; nothing where one of them is more than plain words.
pub fn all_parts(text: &str) -> Option<Vec<String>> {
    let found: Vec<String> = parts(text).collect();
    let blank = |part: &&str| !part.trim().is_empty();
    (!found.is_empty() && found.len() == text.split(BETWEEN).filter(blank).count()).then_some(found)
}

/// What stands between commands.
const BETWEEN: [char; 4] = [';', '\n', '&', '|'];

/// How the commands begin that agents run without asking: the list, and what the rig tests and prepares its worktrees with.
pub fn allowed(
    list: Vec<String>,
    test: Option<CommandSetting>,
    setup: Option<CommandSetting>,
) -> Vec<String> {
    let mut all = list;
    for command in [test, setup].into_iter().flatten() {
        let found: Vec<String> = match command {
            CommandSetting::Text(text) => parts(&text).collect(),
            CommandSetting::Words(words) => {
                Some(words.join(" ")).filter(|text| is_plain(text)).into_iter().collect()
            }
        };
        all.extend(found);
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|command| is_plain(command) && seen.insert(command.clone()));
    all
}

/// Whether one of the commands that may begin so is this one.
pub fn covers(allowed: &[String], command: &str) -> bool {
    let begins = |own: &String| {
        command.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    allowed.iter().any(begins)
}

/// What `{{allowed}}` stands for.
pub fn filled(form: Option<&AllowedForm>, allowed: &[String]) -> String {
    let Some(AllowedForm { each, join }) = form else { return String::new() };
    let one = |command: &String| {
        let words = serde_json::Value::from(command.split(' ').collect::<Vec<_>>()).to_string();
        each.replace("{{words}}", &words).replace("{{command}}", command)
    };
    allowed.iter().map(one).collect::<Vec<_>>().join(join)
}

/// Puts what a level adds beside words into the runtime: environment, and files as they will be written.
pub(super) fn apply(asked: Permissions, runtime: &mut Runtime, allowed: &[String]) {
    let Some(level) = runtime.level(asked).cloned() else { return };
    runtime.env.extend(level.env);
    let form = runtime.allowed.clone();
    runtime.files.extend(level.files.into_iter().map(|mut file| {
        let fill = |name: &str| match name {
            "allowed" => Ok(filled(form.as_ref(), allowed)),
            other => Err(other.to_string()),
        };
        file.text = template::fill(&file.text, &fill).unwrap_or(file.text);
        file
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_commands_are_allowed() {
        let text = "cargo fmt --check && cargo test\nsh -c 'rm x'; make  test | tee log; $X; \"y\"; -v";
        assert_eq!(
            parts(text).collect::<Vec<_>>(),
            ["cargo fmt --check", "cargo test", "make test", "tee log"]
        );
        let test = Some(CommandSetting::Text("make test".into()));
        let setup = Some(CommandSetting::Words(vec!["npm".into(), "ci".into()]));
        let all = allowed(vec!["gt prime".into(), "make test".into(), "a'b".into()], test, setup);
        assert_eq!(all, ["gt prime", "make test", "npm ci"]);
        assert!(covers(&all, "make test") && covers(&all, "gt prime --json") && !covers(&all, "gt primes"));
    }

    #[test]
    fn every_program_has_them_in_its_form() {
        let allowed = ["git add".to_string(), "gt".to_string()];
        let form = |each: &str, join: &str| AllowedForm { each: each.into(), join: join.into() };
        assert_eq!(filled(Some(&form("Bash({{command}}:*)", ",")), &allowed), "Bash(git add:*),Bash(gt:*)");
        assert_eq!(filled(Some(&form("p={{words}}", "\n")), &allowed), "p=[\"git\",\"add\"]\np=[\"gt\"]");
        assert_eq!(filled(None, &allowed), "");
    }
}

//! How a project's tests may be run, from the files at its top: a proposal for `merge.test_command`.

use std::collections::BTreeMap;

/// The files whose text matters; of all others the name is enough.
pub const READ: [&str; 4] = ["Makefile", "GNUmakefile", "makefile", "package.json"];

/// A test command for a project with these files at its top, by name, with the text of those in [`READ`]. Nothing of what
/// the files say becomes a part of the command.
pub fn test_command(files: &BTreeMap<String, String>) -> Option<&'static str> {
    let has = |name: &str| files.contains_key(name);
    let text = |name: &str| files.get(name).map(String::as_str).unwrap_or_default();
    let makefiles = ["GNUmakefile", "makefile", "Makefile"];
    let first = makefiles.into_iter().find(|name| has(name));
    if first.is_some_and(|name| has_target(text(name), "test")) {
        return Some("make test");
    }
    let by_file = |known: &[(&str, &'static str)]| {
        known.iter().find(|(name, _)| has(name)).map(|(_, command)| *command)
    };
    by_file(&[("Cargo.toml", "cargo test"), ("go.mod", "go test ./...")])
        .or_else(|| has_test_script(text("package.json")).then(|| node(&has)))
        .or_else(|| {
            by_file(&[
                ("pytest.ini", "python3 -m pytest"),
                ("pyproject.toml", "python3 -m pytest"),
                ("gradlew", "./gradlew test"),
                ("pom.xml", "mvn -q test"),
                ("mix.exs", "mix test"),
            ])
        })
}

fn node(has: &dyn Fn(&str) -> bool) -> &'static str {
    if has("pnpm-lock.yaml") {
        "pnpm install --frozen-lockfile && pnpm test"
    } else if has("yarn.lock") {
        "yarn install && yarn test"
    } else if has("bun.lock") || has("bun.lockb") {
        "bun install && bun run test"
    } else if has("package-lock.json") {
        "npm ci && npm test"
    } else {
        "npm install && npm test"
    }
}

/// Whether a Makefile has a rule for a target of its own.
fn has_target(text: &str, target: &str) -> bool {
    text.lines().filter(|line| !line.starts_with(['\t', ' ', '#'])).any(|line| {
        let (targets, rest) = line.split_once(':').unwrap_or_default();
        !rest.starts_with('=') && targets.split_whitespace().any(|own| own == target)
    })
}

/// Whether `scripts.test` is there, and not what `npm init` writes.
fn has_test_script(text: &str) -> bool {
    let package: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    package["scripts"]["test"]
        .as_str()
        .is_some_and(|script| !script.is_empty() && !script.contains("no test specified"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(files: &[(&str, &str)]) -> Option<&'static str> {
        test_command(&files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect())
    }

    #[test]
    fn a_command_is_proposed_from_the_files_at_the_top() {
        let npm = r#"{"scripts": {"test": "vitest"}}"#;
        let none = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
        for (files, wanted) in [
            (&[("Cargo.toml", "")][..], Some("cargo test")),
            (&[("Cargo.toml", ""), ("Makefile", "all test: x\n\tcargo test\n")], Some("make test")),
            (
                &[("Cargo.toml", ""), ("Makefile", "test := x\n# test: no\n\ttest: no\nbuild: test\n")],
                Some("cargo test"),
            ),
            (&[("go.mod", "")], Some("go test ./...")),
            (&[("package.json", npm)], Some("npm install && npm test")),
            (&[("package.json", npm), ("package-lock.json", "")], Some("npm ci && npm test")),
            (&[("package.json", npm), ("yarn.lock", "")], Some("yarn install && yarn test")),
            (
                &[("package.json", npm), ("pnpm-lock.yaml", "")],
                Some("pnpm install --frozen-lockfile && pnpm test"),
            ),
            (&[("package.json", none)], None),
            (&[("package.json", "no JSON")], None),
            (&[("package.json", none), ("pyproject.toml", "")], Some("python3 -m pytest")),
            (&[("README.md", "")], None),
        ] {
            assert_eq!(proposed(files), wanted, "{files:?}");
        }
    }
}

//! `gt config set`: one key of one file, and the rest of that file as it stands.

use std::path::{Path, PathBuf};

use anyhow::Result;
use figment::value::{Dict, Value};
use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::Sources;
use super::errors::{self, spans};
use super::explain::{keys, no_key, shown};
use super::layer::Layer;
use super::origin::Origin;
use super::sources::{RIG_POLECAT, RIG_SECTIONS, toml_layer};
use super::{RoleSettings, Settings, env, presets, schema};
use crate::base::failure::Failure;
use crate::base::files;
use crate::model::address::Role;

/// A change of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    /// The whole key, as `gt config explain` takes it.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// The new value; nothing when the key is removed.
    pub value: Option<Value>,
    /// What it is to hold; nothing when the file says so already.
    pub text: Option<String>,
}

/// The change that sets a key, or with no value removes it, in the file of the highest of user, town and rig that the
/// sources name. Nothing is written.
///
/// # Errors
/// A key that there is not, with the nearest one, or that the file cannot hold; a value of the wrong type, or without
/// sense; a file that is broken, or would be; and settings that could not be read any more.
pub fn change(sources: &Sources, key: &str, value: Option<&str>) -> Result<FileChange> {
    let key = if RIG_POLECAT.contains(&key) { format!("polecat.{key}") } else { key.to_string() };
    let steps: Vec<String> = key.split('.').map(str::to_string).collect();
    let role = Role::parse(&steps[0]);
    known(&key, &steps, role)?;
    let (path, inside) = file(sources, &key, &steps, role)?;
    let value = value.map(|text| read(&path, &steps, text)).transpose()?;
    // As it is under the lock, whatever was read before.
    let before = files::text(&path)?;
    let text = edited(&path, before.as_deref().unwrap_or_default(), &inside, value.as_ref())?;
    if before.as_ref().is_some_and(|before| *before == text) || (before.is_none() && value.is_none()) {
        return Ok(FileChange { key, path, value, text: None });
    }
    let after = Sources { instead: Some((path.clone(), text.clone())), ..sources.clone() };
    let whole = || -> Result<()> {
        let origin = Origin::New(path.clone());
        if path.extension().is_some_and(|ext| ext == "toml") {
            toml_layer(origin, text.clone(), Some(kind_of(role)), &after)?;
        }
        // What is wrong elsewhere, and was before, stands in the way of no change here.
        if super::settings(sources).is_ok() {
            super::settings(&after)?;
        }
        for role in Role::ALL {
            if super::role(sources, role, &[], None).is_ok() {
                super::role(&after, role, &[], None)?;
            }
        }
        if presets::check_settings(sources).is_ok() {
            presets::check_settings(&after)?;
        }
        Ok(())
    };
    whole()?;
    Ok(FileChange { key, path, value, text: Some(text) })
}

fn kind_of(role: Option<Role>) -> super::check::LayerKind {
    if role.is_some() { super::check::LayerKind::Preset } else { super::check::LayerKind::Settings }
}

/// Tables with keys of a person's own choice.
const OPEN: [&str; 3] = ["agents", "remotes", "placement"];

fn known(key: &str, steps: &[String], role: Option<Role>) -> Result<()> {
    let open = match role {
        Some(_) => steps.len() > 2 && ["env", "windows"].contains(&steps[1].as_str()),
        None => steps.len() > 2 && OPEN.contains(&steps[0].as_str()),
    };
    if open {
        return Ok(());
    }
    let settings = Value::serialize(Settings::default())?;
    let of_role = Value::serialize(RoleSettings::default())?;
    let mut all: Vec<String> = keys(settings, &[]).filter(|key| !OPEN.contains(&key.as_str())).collect();
    let own: Vec<String> = keys(of_role, &schema::ROLE_UNSET).collect();
    // Polecats first: what is typed without a role is most often theirs.
    let polecat_first = std::iter::once(Role::Polecat).chain(Role::ALL);
    all.extend(polecat_first.flat_map(|role| own.iter().map(move |key| format!("{role}.{key}"))));
    if all.iter().any(|own| own == key) {
        return Ok(());
    }
    if all.iter().any(|own| own.starts_with(&format!("{key}."))) || OPEN.contains(&steps[0].as_str()) {
        return Err(Failure::usage(format!("{key} is a table"))
            .hint("set one key of it; see them with: gt config show, gt preset explain ROLE")
            .into());
    }
    Err(no_key(key, all.iter().map(String::as_str)).into())
}

/// The file that holds a key, and where in it.
fn file(
    sources: &Sources,
    key: &str,
    steps: &[String],
    role: Option<Role>,
) -> Result<(PathBuf, Vec<String>)> {
    if let Some((dir, name)) = &sources.rig {
        let config = dir.join("config.json");
        match role {
            Some(Role::Polecat) if steps.len() == 2 && RIG_POLECAT.contains(&steps[1].as_str()) => {
                return Ok((config, steps[1..].to_vec()));
            }
            Some(_) => {}
            None if RIG_SECTIONS.contains(&steps[0].as_str()) => return Ok((config, steps.to_vec())),
            None => {
                return Err(Failure::usage(format!(
                    "{key} is said for the whole town, not for the rig {name}"
                ))
                .hint(format!("leave --rig {name} out"))
                .into());
            }
        }
    }
    if let Some(role) = role {
        let folder = sources.preset_folders().pop().ok_or_else(homeless)?;
        return Ok((folder.join(format!("{role}.toml")), steps.to_vec()));
    }
    let socket = sources.town.as_ref().map(|town| town.join("config/tmux-socket"));
    if let Some(path) = socket.filter(|path| key == "tmux.socket" && path.exists()) {
        return Ok((path, Vec::new()));
    }
    let path = match (&sources.town, &sources.user) {
        (Some(town), _) => town.join("config/town.toml"),
        (None, Some(user)) => user.join("config.toml"),
        (None, None) => return Err(homeless().into()),
    };
    Ok((path, steps.to_vec()))
}

fn homeless() -> Failure {
    Failure::new("there is no folder for settings of your own").hint("set HOME or XDG_CONFIG_HOME")
}

/// What was typed, as the key's type takes it.
fn read(path: &Path, steps: &[String], text: &str) -> Result<Value> {
    let layer: Layer = env::layer(Origin::New(path.into()), steps, text)?;
    let value = Value::from(layer.values).find(&steps.join(".")).unwrap_or_else(|| Value::from(text));
    if value.as_dict().is_some() {
        return Err(Failure::usage(format!("{} is a table", steps.join(".")))
            .hint("set one key of it at a time")
            .into());
    }
    Ok(value)
}

/// The text of a file with a key set or, with no value, removed.
fn edited(path: &Path, text: &str, inside: &[String], value: Option<&Value>) -> Result<String> {
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("toml") => in_toml(path, text, inside, value),
        Some("json") => in_json(path, text, inside, value),
        _ => {
            let line = value.and_then(Value::as_str).map(|name| format!("{name}\n")).unwrap_or_default();
            Ok(if line.trim() == text.trim() { text.into() } else { line })
        }
    }
}

fn in_json(path: &Path, text: &str, inside: &[String], value: Option<&Value>) -> Result<String> {
    let before: crate::base::files::Object =
        serde_json::from_str(text).map_err(|error| errors::json(&error, path))?;
    let mut object = before.clone();
    let mut table = &mut object;
    for step in &inside[..inside.len() - 1] {
        let inner = table.entry(step).or_insert_with(|| serde_json::json!({}));
        if inner.is_null() {
            *inner = serde_json::json!({});
        }
        let Some(inner) = inner.as_object_mut() else { return Err(no_table(path, inside)) };
        table = inner;
    }
    let last = &inside[inside.len() - 1];
    match value {
        Some(value) => drop(table.insert(last.clone(), serde_json::to_value(value)?)),
        None if table.contains_key(last) => drop(table.shift_remove(last)),
        None => return Ok(text.into()),
    }
    Ok(if object == before { text.into() } else { serde_json::to_string_pretty(&object)? + "\n" })
}

fn in_toml(path: &Path, text: &str, inside: &[String], value: Option<&Value>) -> Result<String> {
    let old: Dict =
        toml::from_str(text).map_err(|error| errors::syntax(&error, &Origin::File(path.into()), text))?;
    let old = Value::from(old).find(&inside.join("."));
    let (new, old) = (value.map(shown), old.as_ref().map(shown));
    if new == old {
        return Ok(text.into());
    }
    // In place, so that not a byte changes beside it.
    if let (Some(new), Some((_, span))) = (&new, spans(text, inside)) {
        let mut text = text.to_string();
        text.replace_range(span, new);
        return Ok(text);
    }
    let mut document: DocumentMut = text.parse().map_err(anyhow::Error::new)?;
    let (last, tables) = inside.split_last().unwrap_or((&inside[0], &[]));
    let Some(new) = new else {
        let mut table: &mut dyn TableLike = document.as_table_mut();
        let mut inline = false;
        for step in tables {
            let Some(item) = table.get_mut(step) else { return Ok(text.into()) };
            inline |= item.is_inline_table();
            let Some(inner) = item.as_table_like_mut() else { return Err(no_table(path, inside)) };
            table = inner;
        }
        return match spans(text, inside) {
            // With its line, and without the comment above it: that may be about more.
            Some((key, value)) if !inline => {
                let start = text[..key.start].rfind('\n').map_or(0, |newline| newline + 1);
                let end = text[value.end..].find('\n').map_or(text.len(), |line| value.end + line + 1);
                Ok(without_header(&format!("{}{}", &text[..start], &text[end..]), &tables.join(".")))
            }
            Some(_) => {
                table.remove(last);
                Ok(document.to_string())
            }
            None => Err(no_value(path, inside)),
        };
    };
    if old.is_some() {
        return Err(no_value(path, inside));
    }
    // Comments at the end of the file stay above what is new there.
    let trailing = document.trailing().as_str().unwrap_or_default().to_string();
    let top = tables.first().is_some_and(|step| !document.contains_key(step));
    if top {
        document.set_trailing("");
    }
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, step) in tables.iter().enumerate() {
        if !table.contains_key(step) {
            let mut inner = Table::new();
            inner.set_implicit(true);
            if top && depth + 1 == tables.len() {
                let blank = if text.is_empty() || trailing.ends_with("\n\n") { "" } else { "\n" };
                inner.decor_mut().set_prefix(format!("{trailing}{blank}"));
            }
            table.insert(step, Item::Table(inner));
        }
        let inner = table.get_mut(step).and_then(Item::as_table_like_mut);
        let Some(inner) = inner else { return Err(no_table(path, inside)) };
        table = inner;
    }
    let value: toml_edit::Value = new.parse().map_err(anyhow::Error::new)?;
    table.insert(last, Item::Value(value));
    Ok(document.to_string())
}

/// The text without the header of a table that has nothing below it, not even a comment.
fn without_header(text: &str, table: &str) -> String {
    let header = format!("[{table}]");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let Some(at) = lines.iter().position(|line| line.trim() == header) else { return text.into() };
    let below = lines[at + 1..].iter().map(|line| line.trim()).find(|line| !line.is_empty());
    if below.is_some_and(|line| !line.starts_with('[')) {
        return text.into();
    }
    let blank = lines[..at].last().is_some_and(|line| line.trim().is_empty());
    [&lines[..at - usize::from(blank)], &lines[at + 1..]].concat().concat()
}

fn no_table(path: &Path, inside: &[String]) -> anyhow::Error {
    let table = inside[..inside.len() - 1].join(".");
    let message = format!("cannot set {} in {}: {table} is no table there", inside.join("."), path.display());
    Failure::new(message).hint("mend the file by hand").into()
}

fn no_value(path: &Path, inside: &[String]) -> anyhow::Error {
    let message =
        format!("cannot change {} in {}: tables are written there", inside.join("."), path.display());
    Failure::new(message).hint("change them in the file").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str, key: &str, value: Option<&str>) -> String {
        let inside: Vec<String> = key.split('.').map(String::from).collect();
        let value = value.map(|text| text.parse().unwrap());
        match edited(Path::new("a.toml"), text, &inside, value.as_ref()) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn a_file_keeps_its_comments_and_its_other_keys() {
        let file = "# mine\n[merge] # how\nretries = 1   # once\n\n# [up]\n# roles = []\n";
        insta::assert_snapshot!(toml(file, "merge.retries", Some("2")), @r"
        # mine
        [merge] # how
        retries = 2   # once

        # [up]
        # roles = []
        ");
        insta::assert_snapshot!(toml(file, "merge.strategy", Some("squash")), @r#"
        # mine
        [merge] # how
        retries = 1   # once
        strategy = "squash"

        # [up]
        # roles = []
        "#);
        insta::assert_snapshot!(toml(file, "agents.own.command", Some("[sh]")), @r#"
        # mine
        [merge] # how
        retries = 1   # once

        # [up]
        # roles = []

        [agents.own]
        command = ["sh"]
        "#);
        assert_eq!(toml(file, "merge.retries", Some("1")), file);
        assert_eq!(toml(file, "merge.timeout", None), file);
        insta::assert_snapshot!(toml(file, "merge.retries", None), @r"
        # mine
        [merge] # how

        # [up]
        # roles = []
        ");
    }

    #[test]
    fn what_was_set_and_removed_leaves_nothing() {
        for file in ["", "# only this\n", "[up]\nroles = []\n", "[up]\nroles = []\n\n# end\n"] {
            let set = toml(file, "merge.retries", Some("2"));
            assert!(set.contains("[merge]\nretries = 2\n"), "{set}");
            assert_eq!(toml(&set, "merge.retries", None), file);
        }
    }

    #[test]
    fn inline_tables_and_dotted_keys_are_changed_where_they_stand() {
        let file = "merge = { retries = 1, strategy = \"merge\" }\nup.roles = []\n";
        assert_eq!(
            toml(file, "merge.strategy", Some("squash")),
            "merge = { retries = 1, strategy = \"squash\" }\nup.roles = []\n"
        );
        assert_eq!(
            toml(file, "merge.timeout", Some("5m")),
            "merge = { retries = 1, strategy = \"merge\" , timeout = \"5m\" }\nup.roles = []\n"
        );
        assert_eq!(toml(file, "merge.retries", None), "merge = { strategy = \"merge\" }\nup.roles = []\n");
        assert_eq!(toml(file, "up.roles", None), "merge = { retries = 1, strategy = \"merge\" }\n");
        let windows = "[[polecat.windows]]\nname = \"work\"\n";
        for value in [Some("[]"), None] {
            assert!(
                toml(windows, "polecat.windows", value).starts_with("error: cannot change polecat.windows")
            );
        }
        assert!(
            toml("merge = 1\n", "merge.retries", Some("1")).starts_with("error: cannot set merge.retries")
        );
    }

    #[test]
    fn json_keeps_its_order_and_the_keys_of_others() {
        let set = |text: &str, key: &str, value: Option<Value>| {
            let inside: Vec<String> = key.split('.').map(String::from).collect();
            edited(Path::new("config.json"), text, &inside, value.as_ref()).unwrap()
        };
        let file = "{\"z\": {\"own\": 1.50}, \"merge\": {\"target\": \"main\", \"x\": null}, \"a\": 1}";
        insta::assert_snapshot!(set(file, "merge.retries", Some(Value::from(2))), @r#"
        {
          "z": {
            "own": 1.5
          },
          "merge": {
            "target": "main",
            "x": null,
            "retries": 2
          },
          "a": 1
        }
        "#);
        assert_eq!(set(file, "merge.target", Some(Value::from("main"))), file);
        assert_eq!(set(file, "merge.timeout", None), file);
        assert_eq!(set("{\"merge\":null}", "merge.retries", Some(Value::from(2))).lines().count(), 5);
        assert_eq!(
            set("{\"b\":1,\"max_workers\":2,\"a\":3}", "max_workers", None),
            "{\n  \"b\": 1,\n  \"a\": 3\n}\n"
        );
    }
}

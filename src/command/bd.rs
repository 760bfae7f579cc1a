//! `gt bd`: the embedded store in bd's words. A store made by the real bd gets the words as they are.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser;
use serde_json::{Map, Value, json};

use super::{Ctx, print};
use crate::beads::embedded::Embedded;
use crate::beads::{self, Bead, Change, Filter, Guard, Kind, NewBead, Patch, Store, Written, words};
use crate::cli::bd::{
    Bd, BdCommand, BdGlobal, Close, CommentAdd, CommentsCommand, Config, Create, Dep, Import, Init, Label,
    LabelWords, List, Raw, Ready, Texts, Update,
};
use crate::failure::{Exit, Failure};
use crate::report::bd as report;

/// Runs it. Errors are said in bd's way, and always end with 1, as bd's do.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(ctx: &Ctx, args: Raw) -> Result<Exit> {
    let mut given = args.words;
    given.extend(ctx.global.json.then(|| OsString::from("--json")));
    given.extend(ctx.global.quiet.then(|| OsString::from("--quiet")));
    let dir = find_store(ctx);
    if let (Some(dir), false) = (&dir, given.first().is_some_and(|word| word == "init"))
        && beads::kind_of(dir).is_ok_and(|kind| kind == Kind::Bd)
    {
        return crate::programs::bd::pass_through(&given, dir);
    }
    let bd = match Bd::try_parse_from(std::iter::once(OsString::from("bd")).chain(given)) {
        Ok(bd) => bd,
        Err(error) => {
            let _ = error.print();
            return Ok(if error.use_stderr() { Exit::Failed } else { Exit::Done });
        }
    };
    let run = Run { ctx, global: bd.global, dir };
    match run.command(bd.command) {
        Ok(exit) => Ok(exit),
        Err(error) => {
            run.complain(&error);
            Ok(Exit::Failed)
        }
    }
}

/// The `.beads` folder meant: BEADS_DIR, else the nearest one upwards. In a rig it is the rig's, whatever a worktree
/// in it brings along from its repository.
fn find_store(ctx: &Ctx) -> Option<PathBuf> {
    if ctx.global.dir.is_none()
        && let Some(dir) = ctx.var("BEADS_DIR")
    {
        return Some(ctx.dir.join(dir));
    }
    let here = ctx.dir.canonicalize().unwrap_or_else(|_| ctx.dir.clone());
    let in_rig = here.ancestors().any(is_rig);
    here.ancestors()
        .filter(|dir| !in_rig || is_rig(dir) || dir.join(".beads").join(beads::EMBEDDED_FILE).is_file())
        .map(|dir| dir.join(".beads"))
        .find(|dir| beads::kind_of(dir).is_ok())
}

fn is_rig(dir: &Path) -> bool {
    dir.join("config.json").is_file()
        && dir.parent().is_some_and(|town| town.join("mayor/town.json").is_file())
        && dir.join(".beads").is_dir()
}

struct Run<'a> {
    ctx: &'a Ctx,
    global: BdGlobal,
    dir: Option<PathBuf>,
}

impl Run<'_> {
    fn command(&self, command: BdCommand) -> Result<Exit> {
        match command {
            BdCommand::Init(args) => self.init(args)?,
            BdCommand::Sync(_) => self
                .say("nothing to sync: everyone works on the same store\n", json!({ "status": "shared" }))?,
            BdCommand::Prime(_) => print(report::GUIDE)?,
            BdCommand::Create(args) => self.create(*args)?,
            BdCommand::Ready(args) => self.ready(args)?,
            BdCommand::List(args) => self.list(args)?,
            BdCommand::Show(args) => return self.show(&args.ids),
            BdCommand::Update(args) => self.update(*args)?,
            BdCommand::Close(args) => self.close(args)?,
            BdCommand::Reopen(args) => self.reopen(args)?,
            BdCommand::Dep(args) => self.dep(args)?,
            BdCommand::Label(args) => self.label(args)?,
            BdCommand::Comments(args) => match (args.add, args.id) {
                (Some(CommentsCommand::Add(add)), _) => self.comment(add)?,
                (None, id) => self.comments(&id.unwrap_or_default())?,
            },
            BdCommand::Comment(args) => self.comment(args)?,
            BdCommand::Stats => self.stats()?,
            BdCommand::Export(args) => self.export(args.output)?,
            BdCommand::Import(args) => self.import(args)?,
            BdCommand::Config(args) => self.config(args)?,
            BdCommand::Where => {
                self.store()?;
                let dir = self.dir.clone().unwrap_or_default().display().to_string();
                self.say(&format!("{dir}\n"), json!({ "path": dir }))?;
            }
        }
        Ok(Exit::Done)
    }

    fn complain(&self, error: &anyhow::Error) {
        let hint = error.downcast_ref::<Failure>().and_then(|failure| failure.hint.as_deref());
        if self.global.json {
            let mut object = json!({ "error": format!("{error:#}"), "schema_version": 1 });
            if let Some(hint) = hint {
                object["hint"] = hint.into();
            }
            eprintln!("{object:#}");
        } else {
            eprintln!("Error: {error:#}");
            if let Some(hint) = hint {
                eprintln!("hint: {hint}");
            }
        }
    }

    fn actor(&self) -> String {
        let named = self.global.actor.as_deref();
        let names = ["BD_ACTOR", "BEADS_ACTOR", "USER", "LOGNAME"];
        named.or_else(|| names.iter().find_map(|name| self.ctx.var(name))).unwrap_or("overseer").to_string()
    }

    fn store(&self) -> Result<Embedded> {
        match &self.dir {
            Some(dir) => {
                beads::kind_of(dir)?;
                Embedded::open(dir, "", &self.actor())
            }
            None => Err(Failure::new("no beads database found")
                .hint("go into a town or a rig, name a store with BEADS_DIR, or make one with: gt bd init")
                .into()),
        }
    }

    /// Prints the text, or with `--json` the record.
    fn say(&self, text: &str, record: Value) -> Result<()> {
        if self.global.json {
            print(&format!("{:#}\n", report::record(record)))
        } else if self.global.quiet {
            Ok(())
        } else {
            print(text)
        }
    }

    /// Prints beads after a change: an array, or a line each.
    fn changed(&self, store: &Embedded, ids: &[String], word: &str) -> Result<()> {
        let found = store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?;
        let found: Vec<&Bead> =
            ids.iter().filter_map(|id| found.iter().find(|bead| bead.id == *id)).collect();
        if self.global.json {
            return print(&format!("{:#}\n", Value::from_iter(found.into_iter().map(report::plain))));
        }
        if self.global.quiet {
            return Ok(());
        }
        print(&found.iter().map(|bead| format!("{word} {}: {}\n", bead.id, bead.title)).collect::<String>())
    }

    fn one(&self, store: &Embedded, id: &str) -> Result<Bead> {
        let found = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new(format!("no issue found matching \"{id}\"")).into())
    }

    fn init(&self, args: Init) -> Result<()> {
        let prefix = match args.prefix {
            Some(prefix) => prefix.trim_end_matches('-').to_string(),
            None => {
                let name = self.ctx.dir.file_name().map(|name| name.to_string_lossy().to_lowercase());
                name.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect()
            }
        };
        let dir = self.ctx.dir.join(".beads");
        if beads::kind_of(&dir).is_ok() {
            crate::fail!("there is a store in {} already", dir.display(); "look into it with: gt bd list");
        }
        Embedded::create(&dir, &prefix)?;
        let text = format!("made a store in {}; its ids begin with {prefix}-\n", dir.display());
        self.say(&text, json!({ "path": dir.display().to_string(), "prefix": prefix }))
    }

    fn create(&self, args: Create) -> Result<()> {
        let store = self.store()?;
        let texts = args.texts;
        let metadata = self.metadata(&texts)?.unwrap_or_default();
        let new = NewBead {
            id: args.id,
            title: args.title.or(args.title_flag).unwrap_or_default(),
            description: self.description(&texts)?.unwrap_or_default(),
            issue_type: args.issue_type,
            priority: Some(args.priority),
            assignee: args.assignee,
            labels: args.labels,
            parent: args.parent,
            dependencies: args.deps.iter().map(|dep| edge(dep)).collect(),
            design: texts.design.unwrap_or_default(),
            acceptance_criteria: texts.acceptance.unwrap_or_default(),
            notes: texts.notes.unwrap_or_default(),
            estimated_minutes: texts.estimate,
            external_ref: texts.external_ref,
            metadata,
        };
        let made = store.write(&[], &[Change::Create(Box::new(new))])?;
        let Written::Done(ids) = made else { crate::fail!("the bead was not made") };
        let bead = self.one(&store, ids.first().map_or("", String::as_str))?;
        if self.global.json {
            print(&format!("{:#}\n", report::record(report::plain(&bead))))
        } else if args.silent || self.global.quiet {
            print(&format!("{}\n", bead.id))
        } else {
            print(&format!("created {}: {}\n", bead.id, bead.title))
        }
    }

    fn description(&self, texts: &Texts) -> Result<Option<String>> {
        match (&texts.description, &texts.body_file, texts.stdin) {
            (_, Some(file), _) => self.read(file).map(Some),
            (_, _, true) => self.read(Path::new("-")).map(Some),
            (text, ..) => Ok(text.clone()),
        }
    }

    fn metadata(&self, texts: &Texts) -> Result<Option<Map<String, Value>>> {
        let Some(text) = &texts.metadata else { return Ok(None) };
        let text = match text.strip_prefix('@') {
            Some(file) => self.read(Path::new(file))?,
            None => text.clone(),
        };
        let values = serde_json::from_str(&text);
        values
            .map(Some)
            .map_err(|error| Failure::usage(format!("--metadata is no JSON object: {error}")).into())
    }

    /// A file's text; `-` is standard input.
    fn read(&self, file: &Path) -> Result<String> {
        let read = if file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(self.ctx.dir.join(file))
        };
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())).into())
    }

    fn ready(&self, args: Ready) -> Result<()> {
        let store = self.store()?;
        if let Some(parent) = &args.parent {
            self.one(&store, parent)?;
        }
        let fits = |bead: &Bead| {
            args.assignee.as_ref().is_none_or(|name| bead.assignee.as_ref() == Some(name))
                && !(args.unassigned && bead.assignee.is_some())
                && args.priority.is_none_or(|priority| bead.priority == priority)
                && args.issue_type.as_ref().is_none_or(|name| bead.issue_type == *name)
                && args.label.iter().all(|label| bead.has_label(label))
        };
        let narrowed = args.assignee.is_some()
            || args.unassigned
            || args.priority.is_some()
            || args.issue_type.is_some()
            || !args.label.is_empty();
        let limit = (args.limit > 0 && !narrowed).then_some(args.limit + 1);
        let mut found = store.ready(args.parent.as_deref(), limit)?;
        found.retain(fits);
        self.beads(&store, found, args.limit, "nothing is ready")
    }

    fn list(&self, args: List) -> Result<()> {
        let store = self.store()?;
        let filter = Filter {
            ids: args.id,
            statuses: args.status.into_iter().filter(|status| status != "all").collect(),
            types: args.issue_type,
            assignee: args.assignee,
            labels: args.label,
            parent: args.parent,
            all: args.all,
            limit: (args.limit > 0 && args.priority.is_none()).then_some(args.limit + 1),
        };
        let mut found = store.list(&filter)?;
        found.retain(|bead| args.priority.is_none_or(|priority| bead.priority == priority));
        self.beads(&store, found, args.limit, "no beads")
    }

    /// Prints beads, `limit` at most (0: all), and says so when there are more.
    fn beads(&self, store: &Embedded, mut found: Vec<Bead>, limit: usize, none: &str) -> Result<()> {
        let more = limit > 0 && found.len() > limit;
        if more {
            found.truncate(limit);
        }
        if self.global.json {
            let dependents = store.dependents(found.iter().map(|bead| bead.id.as_str()))?;
            let values = found.iter().map(|bead| report::listed(bead, &dependents));
            return print(&format!("{:#}\n", Value::from_iter(values)));
        }
        if found.is_empty() && !self.global.quiet {
            eprintln!("{none}");
        }
        print(&report::lines(&found))?;
        if more && !self.global.quiet {
            eprintln!("{limit} shown, there are more: --limit 0 shows all");
        }
        Ok(())
    }

    fn show(&self, ids: &[String]) -> Result<Exit> {
        let store = self.store()?;
        let found = store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?;
        let missing: Vec<&String> =
            ids.iter().filter(|id| !found.iter().any(|bead| bead.id == **id)).collect();
        for id in &missing {
            eprintln!("Error fetching {id}: no issue found matching \"{id}\"");
        }
        if found.is_empty() {
            if self.global.json {
                let error = json!({ "error": "no issues found matching the provided IDs" });
                print(&format!("{:#}\n", report::record(error)))?;
            }
            return Ok(Exit::Failed);
        }
        let targets = found.iter().flat_map(|bead| &bead.dependencies).map(|edge| edge.depends_on_id.clone());
        let targets: Vec<String> = targets.collect();
        let others = match targets.is_empty() {
            true => Vec::new(),
            false => store.list(&Filter { ids: targets, ..Filter::default() })?,
        };
        let asked = ids.iter().filter_map(|id| found.iter().find(|bead| bead.id == *id));
        if self.global.json {
            let dependents = store.dependents(ids.iter().map(String::as_str))?;
            let values = asked.map(|bead| report::shown(bead, &others, &dependents));
            print(&format!("{:#}\n", Value::from_iter(values)))?;
        } else {
            print(&asked.map(|bead| report::page(bead, &others)).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed })
    }

    fn update(&self, args: Update) -> Result<()> {
        let store = self.store()?;
        let texts = &args.texts;
        let mut patch = Patch {
            status: args.status,
            assignee: args.assignee.map(|name| Some(name).filter(|name| !name.is_empty())),
            title: args.title,
            description: self.description(texts)?,
            design: texts.design.clone(),
            acceptance_criteria: texts.acceptance.clone(),
            notes: texts.notes.clone(),
            append_notes: args.append_notes,
            priority: args.priority,
            issue_type: args.issue_type,
            estimated_minutes: texts.estimate,
            external_ref: texts.external_ref.clone(),
            add_labels: args.add_label,
            remove_labels: args.remove_label,
            metadata: self.metadata(texts)?.unwrap_or_default(),
        };
        if args.claim {
            patch.status.get_or_insert(words::IN_PROGRESS.into());
            let actor = self.actor();
            patch.assignee.get_or_insert(Some(actor.clone()));
            claim(&store, &args.ids, &actor, &patch)?;
        } else if patch == Patch::default() {
            return Err(Failure::usage("nothing to change was named")
                .hint("see what can be: bd update --help")
                .into());
        } else {
            store.write(&[], &updates(&args.ids, &patch))?;
        }
        self.changed(&store, &args.ids, "updated")
    }

    fn close(&self, args: Close) -> Result<()> {
        let store = self.store()?;
        let reason = args.reason.unwrap_or_else(|| "Closed".into());
        let ids = args.beads.ids;
        let changes: Vec<Change> = ids.iter().map(|id| Change::Close(id.clone(), reason.clone())).collect();
        store.write(&[], &changes)?;
        self.changed(&store, &ids, "closed")
    }

    fn reopen(&self, args: Close) -> Result<()> {
        let store = self.store()?;
        let ids = args.beads.ids;
        let mut changes = updates(&ids, &Patch { status: Some(words::OPEN.into()), ..Patch::default() });
        if let Some(reason) = &args.reason {
            changes.extend(ids.iter().map(|id| Change::Comment(id.clone(), format!("reopened: {reason}"))));
        }
        store.write(&[], &changes)?;
        self.changed(&store, &ids, "reopened")
    }

    fn dep(&self, args: Dep) -> Result<()> {
        let store = self.store()?;
        match args {
            Dep::Add(args) => {
                store.write(&[], &[Change::Depend(args.id.clone(), args.on.clone(), args.kind.clone())])?;
                let record = json!({ "issue_id": args.id, "depends_on_id": args.on, "status": "added", "type": args.kind });
                self.say(&format!("{} depends on {} ({})\n", args.id, args.on, args.kind), record)
            }
            Dep::Remove(args) => {
                if !store.undepend(&args.id, &args.on)? {
                    crate::fail!("{} does not depend on {}", args.id, args.on; "see: bd show {}", args.id);
                }
                let record = json!({ "issue_id": args.id, "depends_on_id": args.on, "status": "removed" });
                self.say(&format!("{} no longer depends on {}\n", args.id, args.on), record)
            }
            Dep::List { id } => {
                let bead = self.one(&store, &id)?;
                if self.global.json {
                    return print(&format!("{:#}\n", json!(bead.dependencies)));
                }
                let line = |edge: &beads::Dependency| format!("{}  {}\n", edge.depends_on_id, edge.kind);
                print(&bead.dependencies.iter().map(line).collect::<String>())
            }
        }
    }

    fn label(&self, args: Label) -> Result<()> {
        let store = self.store()?;
        let (LabelWords { words: mut ids }, adds) = match args {
            Label::Add(words) => (words, true),
            Label::Remove(words) => (words, false),
            Label::List { id } => {
                let labels = self.one(&store, &id)?.labels;
                if self.global.json {
                    return print(&format!("{:#}\n", json!(labels)));
                }
                return print(&labels.iter().map(|label| format!("{label}\n")).collect::<String>());
            }
        };
        let label = ids.pop().unwrap_or_default();
        let (add_labels, remove_labels) =
            if adds { (vec![label.clone()], vec![]) } else { (vec![], vec![label.clone()]) };
        store.write(&[], &updates(&ids, &Patch { add_labels, remove_labels, ..Patch::default() }))?;
        let status = if adds { "added" } else { "removed" };
        if self.global.json {
            let one = |id: &String| json!({ "issue_id": id, "label": label, "status": status });
            return print(&format!("{:#}\n", Value::from_iter(ids.iter().map(one))));
        }
        self.changed(&store, &ids, &format!("{status} {label}:"))
    }

    fn comment(&self, args: CommentAdd) -> Result<()> {
        let store = self.store()?;
        let text = match (&args.file, args.text) {
            (Some(file), _) => self.read(file)?,
            (None, text) => text.unwrap_or_default(),
        };
        store.write(&[], &[Change::Comment(args.id.clone(), text.clone())])?;
        let bead = self.one(&store, &args.id)?;
        let own = bead.comments.iter().rev().find(|comment| comment.text == text);
        self.say(&format!("commented on {}\n", args.id), json!(own))
    }

    fn comments(&self, id: &str) -> Result<()> {
        let bead = self.one(&self.store()?, id)?;
        if self.global.json {
            return print(&format!("{:#}\n", json!(bead.comments)));
        }
        print(report::comments(&bead).trim_start_matches('\n'))
    }

    fn stats(&self) -> Result<()> {
        let store = self.store()?;
        let found = store.list(&Filter { all: true, ..Filter::default() })?;
        let work: Vec<&Bead> = found
            .iter()
            .filter(|bead| bead.issue_type != words::MESSAGE && bead.issue_type != words::MERGE_REQUEST)
            .collect();
        let of = |status: &str| work.iter().filter(|bead| bead.status == status).count();
        let ready = store.ready(None, None)?.len();
        let (open, hooked, doing, closed) =
            (of(words::OPEN), of(words::HOOKED), of(words::IN_PROGRESS), of(words::CLOSED));
        let text = format!(
            "{} beads: {open} open ({ready} ready), {hooked} hooked, {doing} in progress, {closed} closed\n",
            work.len()
        );
        let summary = json!({ "total_issues": work.len(), "open_issues": open, "ready_issues": ready,
            "hooked_issues": hooked, "in_progress_issues": doing, "closed_issues": closed });
        self.say(&text, json!({ "summary": summary }))
    }

    fn export(&self, output: Option<PathBuf>) -> Result<()> {
        let text = self.store()?.export()?;
        let Some(output) = output else { return print(&text) };
        let path = self.ctx.dir.join(output);
        let folder = path.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        let count = text.lines().count();
        self.say(&format!("{count} beads written to {}\n", path.display()), json!({ "exported": count }))
    }

    fn import(&self, args: Import) -> Result<()> {
        let store = self.store()?;
        let text = self.read(&args.file.or(args.input).unwrap_or_else(|| "-".into()))?;
        let (added, changed) = store.import(&text)?;
        let text = format!("{added} beads added, {changed} changed\n");
        self.say(&text, json!({ "created": added, "updated": changed }))
    }

    fn config(&self, args: Config) -> Result<()> {
        let store = self.store()?;
        match args {
            Config::Get { key } => {
                let value = store.config(&key)?.unwrap_or_default();
                let text = format!("{value}\n");
                if self.global.json {
                    return self.say(&text, json!({ "key": key, "value": value }));
                }
                print(&text)
            }
            Config::Set { key, .. } if key == "prefix" => {
                crate::fail!("the prefix of a store is set when it is made"; "see: gt bd init --help")
            }
            Config::Set { key, value } => {
                store.set_config(&key, &value)?;
                self.say(&format!("Set {key} = {value}\n"), json!({ "key": key, "value": value }))
            }
        }
    }
}

fn updates(ids: &[String], patch: &Patch) -> Vec<Change> {
    ids.iter().map(|id| Change::Update(id.clone(), Box::new(patch.clone()))).collect()
}

/// `ID` (blocks) or `TYPE:ID`.
fn edge(text: &str) -> (String, String) {
    match text.split_once(':') {
        Some((kind, id)) => (id.trim().into(), kind.trim().into()),
        None => (text.trim().into(), "blocks".into()),
    }
}

/// Takes beads for `actor` if nobody has them; what is the actor's already stays so.
fn claim(store: &Embedded, ids: &[String], actor: &str, patch: &Patch) -> Result<()> {
    let mut guards: Vec<Guard> = ids
        .iter()
        .map(|id| Guard {
            id: id.clone(),
            statuses: vec![words::OPEN.into()],
            assignee: Some(None),
            ..Guard::default()
        })
        .collect();
    // Each round either writes or finds one more bead to be the actor's own.
    for _ in 0..=ids.len() {
        match store.write(&guards, &updates(ids, patch))? {
            Written::Done(_) => return Ok(()),
            Written::Refused(guard, None) => crate::fail!("no issue found matching \"{}\"", guard.id),
            Written::Refused(guard, Some(found)) => {
                let own = found.assignee.as_deref() == Some(actor) && !found.is_closed();
                match guards.iter_mut().find(|own| own.id == guard.id) {
                    Some(kept) if own && kept.assignee == Some(None) => {
                        kept.assignee = Some(Some(actor.into()));
                        kept.statuses.clear();
                    }
                    _ => return Err(refusal(&found)),
                }
            }
        }
    }
    crate::fail!("the beads changed hands meanwhile"; "look again with: bd show {}", ids.join(" "))
}

fn refusal(found: &Bead) -> anyhow::Error {
    let message = match &found.assignee {
        Some(name) => format!("{}: issue already claimed by {name}", found.id),
        None => format!("{} is {}, not open", found.id, found.status),
    };
    Failure::new(message).hint("see what is free with: bd ready").into()
}

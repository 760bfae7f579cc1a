//! Changing beads: create, update, close, reopen, dependencies, labels, comments.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{BdRun, print, print_value};
use crate::base::failure::Failure;
use crate::beads::embedded::Embedded;
use crate::beads::{Change, Filter, Guard, Store, Written};
use crate::cli::bd::{CloseArgs, CommentAdd, Create, Dep, Label, LabelWords, Texts, Update};
use crate::model::bead::{Bead, Dependency, NewBead, Patch};
use crate::model::words;
use crate::report::bd as report;
use crate::town::ended::{self, Word};

impl BdRun<'_> {
    pub(super) fn create(&self, args: Create) -> Result<()> {
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
            signed: false,
        };
        let made = store.write(&[], &[Change::Create(Box::new(new))])?;
        let Written::Done(ids) = made else { crate::fail!("the bead was not made") };
        let bead = self.one(&store, ids.first().map_or("", String::as_str))?;
        if self.global.json {
            print_value(&report::record(report::plain(&bead)))
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

    pub(super) fn update(&self, args: Update) -> Result<()> {
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
            let actor = &self.stores.actor;
            patch.assignee.get_or_insert(Some(actor.clone()));
            claim(&store, &args.ids, actor, &patch)?;
        } else if patch == Patch::default() {
            return Err(Failure::usage("nothing to change was named")
                .hint("see what can be: bd update --help")
                .into());
        } else {
            store.write(&[], &updates(&args.ids, &patch))?;
        }
        self.changed(&store, &args.ids, "updated")
    }

    pub(super) fn close(&self, args: CloseArgs) -> Result<()> {
        let store = self.store()?;
        let reason = args.reason.unwrap_or_else(|| "Closed".into());
        let ids = args.beads.ids;
        let changes: Vec<Change> = ids.iter().map(|id| Change::Close(id.clone(), reason.clone())).collect();
        store.write(&[], &changes)?;
        self.changed(&store, &ids, "closed")
    }

    pub(super) fn reopen(&self, args: CloseArgs) -> Result<()> {
        let store = self.store()?;
        let ids = args.beads.ids;
        let mut changes = updates(&ids, &Patch { status: Some(words::OPEN.into()), ..Patch::default() });
        if let Some(reason) = &args.reason {
            changes.extend(ids.iter().map(|id| Change::Comment(id.clone(), format!("reopened: {reason}"))));
        }
        store.write(&[], &changes)?;
        self.changed(&store, &ids, "reopened")
    }

    pub(super) fn dep(&self, args: Dep) -> Result<()> {
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
                    return print_value(&json!(bead.dependencies));
                }
                let line = |edge: &Dependency| format!("{}  {}\n", edge.depends_on_id, edge.kind);
                print(&bead.dependencies.iter().map(line).collect::<String>())
            }
        }
    }

    pub(super) fn label(&self, args: Label) -> Result<()> {
        let store = self.store()?;
        let (LabelWords { words: mut ids }, adds) = match args {
            Label::Add(words) => (words, true),
            Label::Remove(words) => (words, false),
            Label::List { id } => {
                let labels = self.one(&store, &id)?.labels;
                if self.global.json {
                    return print_value(&json!(labels));
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
            return print_value(&Value::from_iter(ids.iter().map(one)));
        }
        self.changed(&store, &ids, &format!("{status} {label}:"))
    }

    pub(super) fn comment(&self, args: CommentAdd) -> Result<()> {
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

    /// Prints beads after a change: an array, or a line each.
    fn changed(&self, store: &Embedded, ids: &[String], word: &str) -> Result<()> {
        let found = store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?;
        let found: Vec<&Bead> =
            ids.iter().filter_map(|id| found.iter().find(|bead| bead.id == *id)).collect();
        self.note_ended(&found)?;
        if self.global.json {
            return self.print_beads(found.into_iter().map(report::plain));
        }
        if self.global.quiet {
            return Ok(());
        }
        print(&found.iter().map(|bead| format!("{word} {}: {}\n", bead.id, bead.title)).collect::<String>())
    }
}

impl BdRun<'_> {
    /// Writes down which requests are over, as everything does that takes one out of the queue.
    fn note_ended(&self, changed: &[&Bead]) -> Result<()> {
        let over = changed.iter().filter(|bead| bead.is_request() && bead.is_closed());
        match self.ctx.locate() {
            Ok(town) => ended::note(&town.root, Word::Ended, over.map(|bead| bead.id.as_str())),
            Err(_) => Ok(()),
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

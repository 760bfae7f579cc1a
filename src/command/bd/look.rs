//! Looking at beads: ready, list, show, comments, stats.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Run, print, print_value};
use crate::beads::embedded::Embedded;
use crate::beads::{Bead, Filter, Store, words};
use crate::cli::bd::{List, Ready};
use crate::failure::{Exit, Failure};
use crate::report::bd as report;
use crate::work::around;

impl Run<'_> {
    pub(super) fn ready(&self, args: Ready) -> Result<()> {
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

    pub(super) fn list(&self, args: List) -> Result<()> {
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
    pub(super) fn beads(
        &self,
        store: &Embedded,
        mut found: Vec<Bead>,
        limit: usize,
        none: &str,
    ) -> Result<()> {
        let more = limit > 0 && found.len() > limit;
        if more {
            found.truncate(limit);
        }
        if self.global.json {
            let dependents = store.dependents(found.iter().map(|bead| bead.id.as_str()))?;
            let values = found.iter().map(|bead| report::listed(bead, &dependents));
            return print_value(&Value::from_iter(values));
        }
        if found.is_empty() && !self.global.quiet {
            crate::command::tell(none);
        }
        print(&report::lines(&found))?;
        if more && !self.global.quiet {
            crate::command::tell(&format!("{limit} shown, there are more: --limit 0 shows all"));
        }
        Ok(())
    }

    pub(super) fn show(&self, ids: &[String]) -> Result<Exit> {
        let store = self.store()?;
        let found = store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?;
        let missing: Vec<&String> =
            ids.iter().filter(|id| !found.iter().any(|bead| bead.id == **id)).collect();
        for id in &missing {
            crate::command::tell(&format!("Error fetching {id}: no issue found matching \"{id}\""));
            if let Some(hint) = around::did_you_mean(&store, id).filter(|_| !self.global.json) {
                crate::command::tell(&format!("hint: {hint}"));
            }
        }
        if found.is_empty() {
            if self.global.json {
                let error = json!({ "error": "no issues found matching the provided IDs" });
                print_value(&report::record(error))?;
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
            print_value(&Value::from_iter(values))?;
        } else {
            print(&asked.map(|bead| report::page(bead, &others)).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed })
    }

    pub(super) fn comments(&self, id: &str) -> Result<()> {
        let bead = self.one(&self.store()?, id)?;
        if self.global.json {
            return print_value(&json!(bead.comments));
        }
        print(report::comments(&bead).trim_start_matches('\n'))
    }

    pub(super) fn stats(&self) -> Result<()> {
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

    pub(super) fn one(&self, store: &Embedded, id: &str) -> Result<Bead> {
        let found = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?;
        found.into_iter().next().ok_or_else(|| {
            let none = Failure::new(format!("no issue found matching \"{id}\""));
            Failure { hint: around::did_you_mean(store, id), ..none }.into()
        })
    }
}

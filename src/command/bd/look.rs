//! Looking at beads: ready, list, show, comments, stats.

use anyhow::Result;
use serde_json::json;

use super::{BdRun, print, print_value};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal::{Stream, Text};
use crate::beads::embedded::Embedded;
use crate::beads::{Filter, Store};
use crate::cli::bd::{List, Ready};
use crate::model::bead::Bead;
use crate::model::words;
use crate::report::bd as report;
use crate::work::observe::around;

/// A list under way.
struct Printed<'a> {
    run: &'a BdRun<'a>,
    store: &'a Embedded,
    widths: [usize; 3],
    out: Stream,
    count: usize,
}

impl<'a> Printed<'a> {
    fn new(run: &'a BdRun<'a>, store: &'a Embedded, widths: [usize; 3]) -> Printed<'a> {
        Printed { run, store, widths, out: Stream::new(), count: 0 }
    }

    /// Prints one bead; false when nobody reads any more.
    fn take(&mut self, bead: &Bead) -> Result<bool> {
        self.count += 1;
        if !self.run.global.json {
            return self.out.print(report::line(bead, self.widths));
        }
        let value = report::listed(bead, self.store.dependents(&bead.id)?.0);
        // As it stands in an array that is printed whole.
        let before = if self.count == 1 { "[\n  " } else { ",\n  " };
        self.out.print(Text::json(&format!("{before}{}", format!("{value:#}").replace('\n', "\n  "))))
    }

    /// Ends it: with `none` when there was nothing, and a word when only the first so many were printed.
    fn end(mut self, none: &str, limit: Option<usize>) -> Result<()> {
        if self.run.global.json {
            self.out.print(if self.count == 0 { "[]\n" } else { "\n]\n" })?;
            return self.out.end();
        }
        self.out.end()?;
        if self.count == 0 && !self.run.global.quiet {
            crate::command::tell(none);
        }
        if let Some(limit) = limit.filter(|_| !self.run.global.quiet) {
            crate::command::tell(&format!("{limit} shown, there are more: --limit 0 shows all"));
        }
        Ok(())
    }
}

impl BdRun<'_> {
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
        self.some(&store, found, args.limit, "nothing is ready")
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
            priority: args.priority,
            all: args.all,
            foreign: false,
            limit: (args.limit > 0).then_some(args.limit + 1),
        };
        if args.limit == 0 {
            // However many there are, no more than one is held at a time.
            let mut list = Printed::new(self, &store, store.widths(&filter)?);
            store.each(&filter, |bead| list.take(&bead))?;
            return list.end("no beads", None);
        }
        self.some(&store, store.list(&filter)?, args.limit, "no beads")
    }

    /// Prints beads, `limit` at most (0: all), and says so when there are more.
    fn some(&self, store: &Embedded, mut found: Vec<Bead>, limit: usize, none: &str) -> Result<()> {
        let more = limit > 0 && found.len() > limit;
        if more {
            found.truncate(limit);
        }
        let mut list = Printed::new(self, store, report::widths(&found));
        for bead in &found {
            list.take(bead)?;
        }
        list.end(none, more.then_some(limit))
    }

    pub(super) fn show(&self, ids: &[String]) -> Result<Exit> {
        let store = self.store()?;
        let found = store.list(&Filter { ids: ids.to_vec(), ..Filter::default() })?;
        let missing: Vec<&String> =
            ids.iter().filter(|id| !found.iter().any(|bead| bead.id == **id)).collect();
        for id in &missing {
            crate::command::tell(&format!("Error fetching {id}: no issue found matching \"{id}\""));
            if let Some(hint) = around::did_you_mean(&*store, id).filter(|_| !self.global.json) {
                crate::command::tell(&format!("hint: {hint}"));
            }
        }
        if found.is_empty() {
            if self.global.json && self.all.borrow().is_none() {
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
            let shown = |bead: &Bead| Ok(report::shown(bead, &others, store.dependents(&bead.id)?.1));
            self.print_beads(asked.map(shown).collect::<Result<Vec<_>>>()?)?;
        } else {
            print(&asked.map(|bead| report::page(bead, &others)).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed })
    }

    pub(super) fn comments(&self, id: &str) -> Result<()> {
        let bead = self.one(&*self.store()?, id)?;
        if self.global.json {
            return print_value(&json!(bead.comments));
        }
        print(report::comments(&bead).trim_start_matches('\n'))
    }

    pub(super) fn stats(&self) -> Result<()> {
        let store = self.store()?;
        let (statuses, ready) = store.counts()?;
        let of = |status: &str| statuses.get(status).copied().unwrap_or_default();
        let all: usize = statuses.values().sum();
        let (open, hooked, doing, closed) =
            (of(words::OPEN), of(words::HOOKED), of(words::IN_PROGRESS), of(words::CLOSED));
        let text = format!(
            "{all} beads: {open} open ({ready} ready), {hooked} hooked, {doing} in progress, {closed} closed\n"
        );
        let summary = json!({ "total_issues": all, "open_issues": open, "ready_issues": ready,
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

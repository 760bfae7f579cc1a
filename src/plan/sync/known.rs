//! Stores that do not give back all they were given: bd 1.0 keeps whole seconds, 0.46 drops what an import says of the
//! reason of closing, none keeps a field of a version that it does not know. That nobody has changed.

use std::collections::BTreeMap;

use super::bead::canonical;
use crate::base::time::same_moment;
use crate::model::bead::{Bead, Comment, Dependency};

/// Puts back into `own` what the store cannot keep of `base`, what this town last had in step.
pub fn as_known(own: &mut [Bead], base: &[Bead]) {
    let base: BTreeMap<&str, &Bead> = base.iter().map(|bead| (bead.id.as_str(), bead)).collect();
    for bead in own {
        if let Some(base) =
            base.get(bead.id.as_str()).filter(|base| same_moment(&base.created_at, &bead.created_at))
        {
            restore(bead, base);
        }
    }
}

fn restore(own: &mut Bead, base: &Bead) {
    // Nobody changes these, but a bead that bd writes over another keeps what that one had.
    own.created_at.clone_from(&base.created_at);
    own.created_by.clone_from(&base.created_by);
    if same_moment(&own.updated_at, &base.updated_at) {
        own.updated_at.clone_from(&base.updated_at);
    }
    for (own, base) in [(&mut own.started_at, &base.started_at), (&mut own.closed_at, &base.closed_at)] {
        if own.as_deref().zip(base.as_deref()).is_some_and(|(own, base)| same_moment(own, base)) {
            own.clone_from(base);
        }
    }
    if own.status == base.status && own.close_reason.is_empty() {
        own.close_reason.clone_from(&base.close_reason);
        own.closed_at.clone_from(&base.closed_at);
    }
    if own.started_at.is_none() {
        own.started_at.clone_from(&base.started_at);
    }
    if own.estimated_minutes.is_none() {
        own.estimated_minutes = base.estimated_minutes;
    }
    if own.external_ref.is_none() {
        own.external_ref.clone_from(&base.external_ref);
    }
    for (key, value) in &base.extra {
        own.extra.entry(key).or_insert_with(|| value.clone());
    }
    edges(own, base);
    comments(own, base);
    // Before 1.0 a bead that is taken in gets the time of that.
    let same = Bead { updated_at: base.updated_at.clone(), ..own.clone() };
    if canonical(same.clone()) == canonical(base.clone()) {
        *own = same;
    }
}

/// When and by whom an edge was made is not always told.
fn edges(own: &mut Bead, base: &Bead) {
    let same = |one: &Dependency, other: &Dependency| {
        one.depends_on_id == other.depends_on_id && one.kind == other.kind
    };
    for edge in &mut own.dependencies {
        if let Some(known) = base.dependencies.iter().find(|known| same(edge, known)) {
            edge.clone_from(known);
        }
    }
}

/// Comments are never taken away; their ids are the store's own.
fn comments(own: &mut Bead, base: &Bead) {
    let same = |one: &Comment, other: &Comment| {
        one.author == other.author
            && one.text == other.text
            && same_moment(&one.created_at, &other.created_at)
    };
    let mut new = std::mem::take(&mut own.comments);
    for known in &base.comments {
        if let Some(at) = new.iter().position(|comment| same(comment, known)) {
            new.remove(at);
        }
    }
    own.comments = base.comments.iter().cloned().chain(new).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bead() -> Bead {
        let mut bead = Bead {
            id: "wy-a".into(),
            title: "title".into(),
            status: "closed".into(),
            close_reason: "merged as abc".into(),
            closed_at: Some("2026-01-01T02:00:00.25Z".into()),
            created_at: "2026-01-01T00:00:00.5Z".into(),
            updated_at: "2026-01-01T02:00:00.25Z".into(),
            estimated_minutes: Some(5),
            ..Bead::default()
        };
        bead.extra.insert("spec_id".into(), json!("x"));
        bead.comments.push(Comment {
            id: json!("long"),
            author: "ann".into(),
            text: "said".into(),
            created_at: "2026-01-01T01:00:00.75Z".into(),
            ..Comment::default()
        });
        bead
    }

    #[test]
    fn what_a_store_cannot_keep_is_no_change() {
        let base = bead();
        let mut own = bead();
        own.created_at = "2026-01-01T00:00:01Z".into();
        own.updated_at = "2026-03-03T00:00:00Z".into();
        own.closed_at = Some("2026-03-03T00:00:00Z".into());
        own.close_reason.clear();
        own.estimated_minutes = None;
        own.extra.clear();
        (own.comments[0].id, own.comments[0].created_at) = (json!(7), "2026-01-01T01:00:00Z".into());
        let mut all = [own];
        as_known(&mut all, std::slice::from_ref(&base));
        assert_eq!(canonical(all[0].clone()), canonical(base));
    }

    #[test]
    fn what_was_changed_stays_changed() {
        let base = bead();
        let mut own = bead();
        (own.title, own.status, own.close_reason) = ("new".into(), "open".into(), String::new());
        own.closed_at = None;
        own.updated_at = "2026-03-03T00:00:00Z".into();
        own.comments.push(Comment { text: "more".into(), ..own.comments[0].clone() });
        let mut all = [own.clone()];
        as_known(&mut all, &[base]);
        assert_eq!(all[0], own);
    }
}

//! What is on an agent's hook, and all that it needs to begin. No processes.

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::base::{files, fill};
use crate::beads::{Filter, Store};
use crate::model::address::{Address, Role};
use crate::model::bead::Bead;
use crate::model::refs::Branch;
use crate::model::words;
use crate::town::{self, Town};
use crate::work::agent::own_prompts;
use crate::work::polecat::worktree;
use crate::work::talk::mail;

/// An agent's hook.
#[derive(Clone, Debug, Serialize)]
pub struct Hook {
    /// Whose.
    pub address: String,
    /// What is on it: the bead being worked on, best first.
    pub beads: Vec<Bead>,
}

/// Reads a hook. Work that waits in the merge queue is not on it.
///
/// # Errors
/// When the rig is unknown or its store cannot be read.
pub fn hook(town: &Town, of: &Address) -> Result<Hook> {
    let store = match of.rig() {
        Some(rig) => town.rig(rig)?.store(of)?,
        None => town.store(of)?,
    };
    hook_in(store.as_ref(), of)
}

fn hook_in(store: &dyn Store, of: &Address) -> Result<Hook> {
    let filter = Filter { statuses: held(), assignee: Some(of.to_string()), ..Filter::default() };
    let mut beads = store.list(&filter)?;
    beads.retain(is_hooked);
    Ok(Hook { address: of.to_string(), beads: beads.into_iter().map(withheld).collect() })
}

/// A bead whose words others changed says nothing to an agent until the person has read it.
fn withheld(bead: Bead) -> Bead {
    if !bead.foreign {
        return bead;
    }
    let said = "Others changed what this bead says, and it is not shown here. Go on with what you know of it, or stop \
                and ask the person to read it: ";
    Bead {
        title: "(changed by others)".into(),
        description: format!("{said}gt mail send overseer -s 'please adopt {0}' -m 'gt adopt {0}'", bead.id),
        design: String::new(),
        acceptance_criteria: String::new(),
        notes: String::new(),
        comments: Vec::new(),
        dependencies: Vec::new(),
        labels: Vec::new(),
        issue_type: "task".into(),
        ..bead
    }
}

fn held() -> Vec<String> {
    vec![words::HOOKED.into(), words::IN_PROGRESS.into()]
}

/// Whether a bead is work that its assignee has on the hook.
pub(super) fn is_hooked(bead: &Bead) -> bool {
    held().contains(&bead.status) && bead.is_work() && !bead.has_label(words::LABEL_SUBMITTED)
}

/// What is on a hook, and the mail of its owner: one call for each store of the real bd.
fn hook_and_mail(town: &Town, of: &Address) -> Result<(Option<Bead>, Vec<Bead>)> {
    let inbox = mail::inbox(of);
    let (mut hooked, mut mails) = (None, Vec::new());
    for (number, store) in mail::stores_of(town, of)?.iter().enumerate() {
        // Work is in the first: the rig's, or the town's for who belongs to none.
        if number > 0 {
            mails.extend(store.list(&inbox)?);
        } else if store.is_dear() {
            let statuses = held().into_iter().chain(inbox.statuses.clone()).collect();
            let own = Filter { all: true, statuses, assignee: inbox.assignee.clone(), ..Filter::default() };
            let (letters, work): (Vec<Bead>, Vec<Bead>) =
                store.list(&own)?.into_iter().partition(|bead| bead.is_mail());
            mails.extend(letters.into_iter().filter(|bead| inbox.statuses.contains(&bead.status)));
            hooked = work.into_iter().find(is_hooked).map(withheld);
        } else {
            hooked = hook_in(store.as_ref(), of)?.beads.into_iter().next();
            mails.extend(store.list(&inbox)?);
        }
    }
    // What others wrote is not for a model until a person adopts it.
    mails.retain(|mail| !mail.foreign);
    Ok((hooked, mails))
}

/// Everything an agent needs to begin.
#[derive(Clone, Debug, Serialize)]
pub struct Prime {
    /// Who it is.
    pub address: String,
    /// What it is for: text.
    pub role: String,
    /// Its bead.
    pub bead: Option<Bead>,
    /// How many mails it has not read.
    pub unread: usize,
    /// Those mails, the newest first; not the handoff note.
    pub mail: Vec<UnreadMail>,
    /// The note its last session left.
    pub handoff: Option<Note>,
    /// What to do now, one step a line.
    pub next: Vec<String>,
    /// The command that shows all of the bead.
    #[serde(skip)]
    pub bead_command: String,
}

/// A mail that was not read yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadMail {
    /// Its id.
    pub id: String,
    /// The address of its sender.
    pub from: String,
    /// Its subject.
    pub subject: String,
}

/// A handoff note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The mail's id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// How the subject of a handoff note begins.
pub const HANDOFF: &str = "handoff: ";

/// Gathers it.
///
/// # Errors
/// As [`hook`]; a prompt of the town or the rig that cannot be read, or has an unknown placeholder.
pub fn prime(town: &Town, of: &Address) -> Result<Prime> {
    let (bead, mut mails) = hook_and_mail(town, of)?;
    mails.retain(|mail| !mail::is_read(mail));
    mails.sort_by(|a, b| mail::sent(b).cmp(mail::sent(a)));
    let unread = mails.len();
    let own = of.to_string();
    let note = mails.iter().position(|mail| mail.title.starts_with(HANDOFF) && mail::sender(mail) == own);
    let handoff = note.map(|number| mails.remove(number)).map(|mail| Note {
        id: mail.id,
        subject: mail.title,
        text: mail.description,
    });
    let mail = mails.iter().map(|mail| UnreadMail {
        id: mail.id.clone(),
        from: mail::sender(mail).into(),
        subject: mail.title.clone(),
    });
    Ok(Prime {
        role: role_text(town, of, bead.as_ref())?,
        next: next_steps(of, bead.as_ref(), unread, handoff.as_ref()),
        bead_command: bead.as_ref().map(|bead| format!("gt bd show {}", bead.id)).unwrap_or_default(),
        address: own,
        bead,
        unread,
        mail: mail.collect(),
        handoff,
    })
}

fn next_steps(of: &Address, bead: Option<&Bead>, unread: usize, handoff: Option<&Note>) -> Vec<String> {
    let mut next = Vec::new();
    if let Some(note) = handoff {
        next.push(format!("go on where the handoff note says; then: gt mail read {}", note.id));
    }
    if unread > usize::from(handoff.is_some()) {
        next.push("read your mail: gt mail inbox --unread".into());
    }
    match (of.role(), bead) {
        (Some(Role::Polecat), Some(bead)) => {
            if bead.status == words::HOOKED {
                next.push(format!("say that you began: gt bd update {} --status in_progress", bead.id));
            }
            next.push(format!("do {}, in this worktree, and commit it", bead.id));
            next.push("hand it over and end: gt done --exit".into());
        }
        (Some(Role::Polecat), None) => {
            next.push("nothing is on your hook: end with `gt handoff`, or ask the witness by mail".into());
        }
        (_, Some(bead)) => next.push(format!("go on with {}: gt bd show {}", bead.id, bead.id)),
        (_, None) => next.push("see what is there: gt status".into()),
    }
    next
}

fn role_text(town: &Town, of: &Address, bead: Option<&Bead>) -> Result<String> {
    let Some(role) = of.role() else {
        return Ok(format!("You are the Overseer of the town {}.\n", town.name));
    };
    let rig = of.rig().and_then(|name| town.rig(name).ok());
    let place = town::home(town, rig.as_ref(), of);
    let branch = bead.zip(rig.as_ref()).map(|(bead, rig)| {
        // Without a process: of one without its worktree the new name is told.
        let own = worktree::branch_at(rig, of.name()).filter(|own| own.bead == bead.id);
        own.unwrap_or_else(|| Branch::new(&rig.town, of.name(), &bead.into())).to_string()
    });
    let values = [
        ("town", &*town.name),
        ("rig", of.rig().unwrap_or_default()),
        ("role", role.as_str()),
        ("agent", of.name()),
        ("address", &of.to_string()),
        ("bead", bead.map_or("BEAD", |bead| &bead.id)),
        ("branch", &branch.unwrap_or_default()),
        ("worktree", &place.to_string_lossy()),
    ];
    let roots = rig.iter().map(|rig| &rig.root).chain([&town.root]);
    let own = roots.map(|root| own_prompts::folder(root).join(format!("{}.md", role.as_str())));
    let Some(file) = own.into_iter().find(|file| file.exists()) else {
        return Ok(fill::known(template(role), &values));
    };
    fill::each(&files::read(&file)?, |name, _, _| match values.iter().find(|(own, _)| *own == name) {
        Some((_, value)) => Ok(Some((*value).to_string())),
        None => {
            let known: Vec<String> = values.iter().map(|(own, _)| format!("{{{{{own}}}}}")).collect();
            Err(Failure::new(format!("{}: unknown placeholder '{{{{{name}}}}}'", file.display()))
                .hint(format!("a prompt can have {}", known.join(", ")))
                .into())
        }
    })
}

fn template(role: Role) -> &'static str {
    match role {
        Role::Mayor => include_str!("../../../templates/CLAUDE.md"),
        Role::Deacon => include_str!("../../../templates/deacon.md"),
        Role::Witness => include_str!("../../../templates/witness.md"),
        Role::Refinery => include_str!("../../../templates/refinery.md"),
        Role::Polecat => include_str!("../../../templates/polecat.md"),
        Role::Crew => include_str!("../../../templates/crew.md"),
        Role::Plugin => "You are the plugin {{agent}} of the rig {{rig}}: your mail says what is wanted.\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bead::{Comment, Dependency};
    use crate::work::agent::prompt::{self, PromptStart};
    use crate::work::fixture::Fixture;

    #[test]
    fn a_bead_that_others_changed_says_nothing_of_theirs() {
        let theirs = || "theirs".to_string();
        let bead = Bead {
            foreign: true,
            title: theirs(),
            description: theirs(),
            design: theirs(),
            acceptance_criteria: theirs(),
            notes: theirs(),
            labels: vec![theirs()],
            issue_type: theirs(),
            comments: vec![Comment { text: theirs(), ..Comment::default() }],
            dependencies: vec![Dependency { depends_on_id: theirs(), ..Dependency::default() }],
            ..Bead::default()
        };
        assert!(!serde_json::to_string(&withheld(bead)).unwrap().contains("theirs"));
    }

    #[test]
    fn prompts_of_the_rig_come_before_those_of_the_town() {
        let fixture = Fixture::new();
        let polecat = Address::parse(&fixture.address("Nux")).unwrap();
        let role = |of: &Address| prime(&fixture.town, of).map(|prime| prime.role);
        let write = |root: &std::path::Path, name: &str, text: &str| {
            let dir = root.join("config/prompts");
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(name), text).unwrap();
        };
        assert!(role(&polecat).unwrap().starts_with("# Polecat wyvern/Nux\n"));
        write(&fixture.town.root, "polecat.md", "{{role}} {{agent}} of {{town}}");
        write(&fixture.town.root, "mayor.md", "Plan for {{twon}}.");
        assert_eq!(role(&polecat).unwrap(), "polecat Nux of town");
        write(&fixture.rig.root, "polecat.md", "{{address}} on {{bead}}");
        let bead = fixture.bead("a {{rig}}", "hooked", Some("wyvern/Nux"), &[]);
        assert_eq!(role(&polecat).unwrap(), format!("wyvern/Nux on {bead}"));
        let failed = role(&Address::Mayor).unwrap_err();
        let file = fixture.town.root.join("config/prompts/mayor.md");
        assert_eq!(failed.to_string(), format!("{}: unknown placeholder '{{{{twon}}}}'", file.display()));
    }

    /// What agents are told by the program itself; what `gt prime` adds to it is checked with the hints of all of gt.
    #[test]
    fn every_command_that_a_prompt_names_is_one_that_gt_takes() {
        let nux = Address::Polecat("wyvern".into(), "Nux".into());
        let hooked = Bead { id: "wy-1".into(), status: words::HOOKED.into(), ..Bead::default() };
        let note = Note { id: "wy-9".into(), subject: String::new(), text: String::new() };
        let foreign = withheld(Bead { foreign: true, ..hooked.clone() });
        let mut texts: Vec<String> = Role::ALL.map(template).map(String::from).to_vec();
        texts.push(include_str!("../../../templates/polecat-elsewhere.md").into());
        texts.extend([crate::work::agent::roles::PROMPT.into(), foreign.description]);
        let start = PromptStart {
            again: true,
            conflicts: vec!["a".into()],
            replayed: true,
            ..PromptStart::default()
        };
        texts.extend(
            [prompt::polecat, prompt::polecat_over_there, prompt::polecat_without_gt]
                .map(|of| of(&nux, &hooked, &start)),
        );
        for (of, bead) in
            [(&nux, Some(&hooked)), (&nux, None), (&Address::Mayor, Some(&hooked)), (&Address::Mayor, None)]
        {
            texts.extend(next_steps(of, bead, 2, Some(&note)));
        }
        let (mut wrong, mut count) = (Vec::new(), 0);
        for text in &texts {
            let (found, failed) = own_prompts::wrong_commands(text);
            count += found;
            wrong.extend(failed);
        }
        assert_eq!(wrong, Vec::new());
        assert!(count > 40, "only {count} commands were found: is the search broken?");
    }
}

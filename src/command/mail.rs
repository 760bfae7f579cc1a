//! `gt mail`.

use std::io::Read;

use anyhow::{Context, Result};

use super::{Ctx, print, print_json};
use crate::base::failure::{Exit, Failure, Failures};
use crate::base::terminal;
use crate::base::time;
use crate::beads::{Change, Filter, Written};
use crate::cli::talk::{Mail, MailCommand};
use crate::model::address::Address;
use crate::model::bead::{Bead, Patch};
use crate::model::words;
use crate::report;
use crate::town::{Rig, Town, away};
use crate::work::observe::own;
use crate::work::polecat::names;
use crate::work::talk::mail;

/// Reads and sends mail.
///
/// # Errors
/// An address that nobody has, an unknown mail, or a store that cannot be read or written.
pub fn run(ctx: &Ctx, args: Mail) -> Result<Exit> {
    let town = ctx.town()?;
    match args.command {
        MailCommand::Inbox { address, unread } => inbox(ctx, &town, address.as_deref(), unread),
        MailCommand::Read { id } => read(ctx, &town, &id),
        MailCommand::Send { address, subject, message, stdin, dry } => {
            let to = ctx.agent(&town, &address)?;
            mail::check(&town, &to)?;
            let body = if stdin { from_stdin()? } else { message.unwrap_or_default() };
            send(ctx, &town, &to, &MailDraft { subject, body, dry: dry.dry_run })
        }
    }
}

fn inbox(ctx: &Ctx, town: &Town, address: Option<&str>, unread: bool) -> Result<Exit> {
    let of = super::hook::whose(ctx, town, address)?;
    let mut mails: Vec<Bead> = Vec::new();
    for store in mail::stores_of(town, &of)? {
        mails.extend(store.list(&mail::inbox(&of))?);
    }
    mails.retain(|one| !unread || !mail::is_read(one));
    mails.sort_by(|a, b| mail::sent(b).cmp(mail::sent(a)));
    let all = mails.len();
    // What an agent reads goes to a model.
    mails.retain(|one| !one.foreign || ctx.is_person());
    if all > mails.len() {
        ctx.note(&report::mail::hidden(all - mails.len()));
    }
    let messages: Vec<report::mail::Message> = mails.iter().map(report::mail::Message::of).collect();
    if ctx.global.json {
        print_json("messages", &messages)?;
    } else if messages.is_empty() {
        ctx.note(&format!("no {}mail for {of}", if unread { "unread " } else { "" }));
    } else {
        terminal::print(report::mail::list(&messages, &time::now()))?;
    }
    Ok(Exit::Done)
}

fn read(ctx: &Ctx, town: &Town, id: &str) -> Result<Exit> {
    let me = own::who(town, &ctx.dir, &ctx.me()?);
    let mut failures = Failures::default();
    let (own, others): (Vec<Rig>, Vec<Rig>) =
        town.rigs(&mut failures)?.into_iter().partition(|rig| rig.owns(id));
    let look = |rig: Option<&Rig>| -> Result<_> {
        let store = match rig {
            Some(rig) => rig.store(&me)?,
            None => town.store(&me)?,
        };
        let found = store.list(&Filter { ids: vec![id.into()], ..Filter::default() })?.pop();
        Ok(found.filter(|bead| bead.is_mail()).map(|bead| (store, bead)))
    };
    // The store whose prefix it has is asked first; then the town's.
    for rig in own.iter().map(Some).chain([None]).chain(others.iter().map(Some)) {
        let Some((store, bead)) = failures.keep(look(rig)).flatten() else { continue };
        if bead.foreign && !ctx.is_person() {
            return Err(Failure::new(format!("{id} is from outside this town"))
                .hint(format!("the person reads it, and may adopt it: gt adopt {id}"))
                .into());
        }
        let message = report::mail::Message::of(&bead);
        if ctx.global.json {
            print_json("messages", &[&message])?;
        } else {
            print(&report::mail::whole(&message))?;
        }
        // Only who it is for marks it as read: a look at somebody else's mail changes nothing.
        if bead.assignee.as_deref() == Some(&me.to_string()) && !mail::is_read(&bead) {
            let patch = Patch { add_labels: vec![words::LABEL_READ.into()], ..Patch::default() };
            store.write(&[], &[Change::Update(bead.id, Box::new(patch))])?;
        }
        return Ok(Exit::Done);
    }
    failures.beside(Err(Failure::new(format!("no mail {id}")).hint("see yours with: gt mail inbox").into()))
}

/// A mail to be sent.
struct MailDraft {
    subject: String,
    body: String,
    dry: bool,
}

fn send(ctx: &Ctx, town: &Town, to: &Address, letter: &MailDraft) -> Result<Exit> {
    if !is_there(town, to)? {
        let rig = to.rig().unwrap_or_default();
        return Err(Failure::new(format!("there is no {to}"))
            .hint(format!("see who is there with: gt polecats {rig}"))
            .into());
    }
    let from = own::who(town, &ctx.dir, &ctx.me()?);
    let new = mail::message(&from, to, &letter.subject, &letter.body);
    if letter.dry {
        let plan = serde_json::json!({ "to": to.to_string(), "subject": new.title });
        return super::would(ctx, &plan, &format!("send to {to}: {}", new.title));
    }
    match mail::store_for(town, &from, to)?.write(&[], &[Change::Create(Box::new(new))])? {
        Written::Done(ids) => {
            let id = ids.into_iter().next().unwrap_or_default();
            if ctx.global.json {
                print_json("sent", &serde_json::json!({ "id": id, "to": to.to_string() }))?;
            } else {
                print(&format!("{id}  to {to}\n"))?;
            }
            Ok(Exit::Done)
        }
        Written::Refused(..) => crate::fail!("the mail to {to} was not written"),
    }
}

/// Whether a polecat is there, or is remembered; who resolves an address looks for the others.
fn is_there(town: &Town, address: &Address) -> Result<bool> {
    let Address::Polecat(rig, name) = address else { return Ok(true) };
    let rig = town.rig(rig)?;
    Ok(names::holder(&rig, name).is_some()
        || rig.polecat_dir(name).exists()
        || away::read(town)?.contains_key(&address.to_string()))
}

fn from_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

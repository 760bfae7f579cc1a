//! `gt answer`.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, print, print_json, roles};
use crate::base::failure::Exit;
use crate::cli::talk::AnswerArgs;
use crate::config::{self, Permissions};
use crate::work::talk::answer;

/// Shows what an agent asks, or answers it.
///
/// # Errors
/// An agent that asks nothing, a question that changed, an answer that it does not take.
pub fn run(ctx: &Ctx, args: AnswerArgs) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let address = ctx.agent(&sight.town, &args.address)?;
    let session = roles::session_of(&sight, &address)?;
    let rig = address.rig().map(|name| sight.town.rig(name)).transpose()?;
    let agents = ctx.settings(&sight.town, rig.as_ref())?.agents;
    let (asked, runtime) = answer::asked(&sight.town, sight.mux.as_ref(), session, &agents)?;
    let Some(given) = &args.answer else {
        if ctx.global.json {
            print_json("question", &asked)?;
        } else {
            print(&format!("{}answer with: {}\n", shown(&asked), asked.answer))?;
        }
        return Ok(Exit::Done);
    };
    if args.question.as_ref().is_some_and(|id| *id != asked.id) {
        crate::fail!("{address} asks something else now: {}", asked.question; "answer with: {}", asked.answer);
    }
    let (keys, words) = asked.keys(given, runtime)?;
    let keep = if args.always { asked.to_keep()? } else { Vec::new() };
    let rig = rig.filter(|_| args.always);
    if args.always && rig.is_none() {
        crate::fail!(
            "--always keeps a permission for a rig, and {address} belongs to none";
            "add how the command begins with: gt config set permissions.allow COMMAND"
        );
    }
    if !ctx.global.json {
        ctx.note(shown(&asked).trim_end());
    }
    let taken = asked.answer(sight.mux.as_ref(), &keys, runtime)?;
    let mut kept = Vec::new();
    if let Some(rig) = rig.filter(|_| taken) {
        let sources = ctx.sources(&sight.town, Some(&rig));
        let role = address.role().unwrap_or(crate::model::address::Role::Polecat);
        let role = config::role(&sources, role, &[], None)?;
        kept = answer::keep(&rig, &sources, &role.allowed, keep)?;
        if role.permissions() != Permissions::Edits {
            let level = role.permissions().as_str();
            ctx.note(&format!(
                "it counts with permissions = \"edits\", and the {} of {} have \"{level}\"",
                role.role, rig.name
            ));
        }
    }
    answer::log(&sight.town, &asked, &words, taken, &kept)?;
    if ctx.global.json {
        print_json("answer", &json!({ "question": asked, "answer": words, "taken": taken, "kept": kept }))?;
    } else if taken {
        print(&format!("{address}: {words}\n"))?;
        kept.iter().for_each(|command| {
            ctx.note(&format!(
                "{} runs without asking from its next start: {command}",
                address.rig().unwrap_or_default()
            ))
        });
    }
    if !taken {
        ctx.note(&format!("{address} still asks the same; go there with: gt attach {address}"));
    }
    Ok(if taken { Exit::Done } else { Exit::Unconfirmed })
}

/// The question, its command and its answers, a line each.
fn shown(asked: &answer::OpenQuestion) -> String {
    let command = if asked.command.is_empty() { String::new() } else { format!("  {}\n", asked.command) };
    let answers: String = asked.answers.iter().map(|one| format!("  {one}\n")).collect();
    let question = asked.question.split(" [1. ").next().unwrap_or_default();
    format!("{} asks: {question}\n{command}{answers}", asked.address)
}

//! Which remotes there are, and how their daemons answer.

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::hint_of;
use crate::config::schema::{self, Remote, Settings};
use crate::config::{Sources, env};
use crate::model::fugue::FugueAddr;
use crate::programs::fugue::{Fugue, Listing, Row};
use crate::town::{Town, away};

/// Every remote, by name: those of the settings, the address that a variable names, and where sessions of this town
/// still are. Nobody is asked.
///
/// # Errors
/// An address that is none, or records that cannot be read.
pub fn all(town: &Town, sources: &Sources, settings: &Settings) -> Result<Vec<RemoteLine>> {
    let mut lines: Vec<RemoteLine> =
        settings.remotes.iter().map(|(name, remote)| RemoteLine::of(name, remote)).collect();
    if let Some((variable, address)) = env::fugue_addr(sources) {
        FugueAddr::parse(address)?;
        if !lines.iter().any(|line| line.fugue_addr == address) {
            lines.push(RemoteLine::unnamed(address, variable));
        }
    }
    for (address, record) in away::read(town)? {
        match lines.iter_mut().find(|line| line.fugue_addr == record.fugue_addr) {
            Some(line) => line.agents.push(address),
            None => {
                let mut line = RemoteLine::unnamed(&record.fugue_addr, "mayor/remote.json");
                line.name = record.remote;
                line.agents.push(address);
                lines.push(line);
            }
        }
    }
    Ok(lines)
}

/// Asks every daemon, all at the same time, one process each. One that is silent is part of the answer.
///
/// # Errors
/// When the town's own file cannot be read.
pub fn ask(town: &Town, program: &schema::FugueSettings, lines: Vec<RemoteLine>) -> Result<Vec<Asked>> {
    let mark = format!("gt-t-{}", away::town_id(town)?);
    // Without a remote there is nothing to look for either.
    let fugue = if lines.is_empty() {
        None
    } else {
        Some(Fugue::find(program.program.as_deref(), program.dialect.known()))
    };
    let begin = |line: &RemoteLine| -> Option<Listing> {
        let named = !line.fugue_addr.is_empty() || line.from != "settings";
        fugue.as_ref()?.as_ref().ok().filter(|_| named).map(|fugue| fugue.at(&line.fugue_addr).begin_list())
    };
    let begun: Vec<Option<Listing>> = lines.iter().map(begin).collect();
    let finish = |(line, listing): (RemoteLine, Option<Listing>)| {
        let asked = Asked { line, ..Asked::default() };
        match (listing, &fugue) {
            (Some(listing), _) => answered(asked, listing, &mark),
            (None, Some(Err(error))) => {
                Asked { error: Some(format!("{error:#}")), hint: hint_of(error), ..asked }
            }
            (None, _) => Asked { error: Some("it has no fugue_addr".into()), ..asked },
        }
    };
    Ok(lines.into_iter().zip(begun).map(finish).collect())
}

fn answered(asked: Asked, listing: Listing, mark: &str) -> Asked {
    match listing.wait() {
        Ok((Ok(rows), took)) => {
            let own = |row: &&Row| row.tags.iter().any(|tag| tag == mark);
            let ours = rows.iter().filter(own).count();
            let latency_ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
            Asked {
                reachable: true,
                sessions: Some(ours),
                others: Some(rows.len() - ours),
                latency_ms: Some(latency_ms),
                ..asked
            }
        }
        Ok((Err(silence), _)) => {
            let RemoteLine { name, fugue_addr, ssh, .. } = &asked.line;
            let hint = match &asked.line.listens {
                // Its port here says nothing of the one over there.
                Some(listens) if ssh.is_some() => {
                    format!(
                        "is the tunnel up? gt remote tunnel up {name}; is the daemon listening over there, at {listens}?"
                    )
                }
                _ => silence.hint(fugue_addr, Some(name), ssh.as_deref()),
            };
            Asked { error: Some(silence.why()), hint: Some(hint), ..asked }
        }
        Err(error) => Asked { error: Some(format!("{error:#}")), hint: hint_of(&error), ..asked },
    }
}

/// One remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoteLine {
    /// Its name; its address when it has none.
    pub name: String,
    /// The daemon's address.
    pub fugue_addr: String,
    /// What it is good for.
    pub tags: Vec<String>,
    /// Most sessions there; no limit when absent.
    pub max_workers: Option<usize>,
    /// For the tunnel that gt keeps.
    pub ssh: Option<String>,
    /// Where the daemon listens over there, when that is not its address.
    pub listens: Option<String>,
    /// Where the town is over there; the same path as here when absent.
    pub town: Option<String>,
    /// What names it: `settings`, a variable, or `mayor/remote.json`, the town's record of sessions elsewhere.
    pub from: String,
    /// The agents of this town that the records say are there.
    pub agents: Vec<String>,
}

impl RemoteLine {
    /// A remote of the settings.
    pub fn of(name: &str, remote: &Remote) -> RemoteLine {
        RemoteLine {
            name: name.into(),
            fugue_addr: remote.fugue_addr.clone(),
            tags: remote.tags.clone(),
            max_workers: remote.max_workers,
            ssh: remote.ssh.clone(),
            listens: remote.listens.clone(),
            town: remote.town.clone(),
            from: "settings".into(),
            agents: Vec::new(),
        }
    }

    /// An address without a name, and what names it.
    pub fn unnamed(address: &str, from: &str) -> RemoteLine {
        RemoteLine {
            name: address.into(),
            fugue_addr: address.into(),
            from: from.into(),
            ..RemoteLine::default()
        }
    }
}

/// A remote, and how its daemon answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Asked {
    /// The remote.
    #[serde(flatten)]
    pub line: RemoteLine,
    /// Whether it answered.
    pub reachable: bool,
    /// Why not.
    pub error: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// This town's sessions there.
    pub sessions: Option<usize>,
    /// Everybody else's.
    pub others: Option<usize>,
    /// How long the answer took, with the program that asked for it: milliseconds.
    pub latency_ms: Option<f64>,
    /// Its tunnel, where gt keeps one.
    pub tunnel: Option<super::tunnel::TunnelLine>,
}

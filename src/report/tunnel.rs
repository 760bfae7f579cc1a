//! Tunnels, as `gt remote tunnel` shows them.

use super::text::{Cell, Color, Screen};
use crate::base::failure::Failure;
use crate::base::terminal::Text;
use crate::base::time;
use crate::config::schema::Remote;
use crate::model::fugue::FugueAddr;
use crate::model::tunnel::Tunnel;
use crate::plan::tunnel::by_hand;
use crate::work::remote::tunnel::{Opened, Phase, TunnelLine, TunnelState};

impl TunnelLine {
    /// One that gt keeps, or would.
    pub fn kept(tunnel: &Tunnel, kept: Option<&TunnelState>) -> TunnelLine {
        let line = TunnelLine {
            name: tunnel.name.clone(),
            state: Phase::Ended.as_str(),
            local: tunnel.local.to_string(),
            there: Some(tunnel.there.to_string()),
            ssh: Some(tunnel.ssh.clone()),
            ..TunnelLine::default()
        };
        let Some(kept) = kept else { return line };
        let runs = kept.phase != Phase::Ended;
        TunnelLine {
            state: kept.phase.as_str(),
            since: Some(kept.since.clone()),
            error: kept.error.clone().or_else(|| kept.nobody.as_ref().map(|why| at_far_end(tunnel, why))),
            hint: kept.hint.clone().or_else(|| kept.nobody.as_ref().map(|_| daemon(&tunnel.there))),
            attempts: kept.attempt,
            pid: kept.keeper.as_ref().filter(|_| runs).map(|keeper| keeper.pid),
            ..line
        }
    }

    /// One that is not gt's to keep.
    pub fn not_kept(name: &str, remote: &Remote, why: &Failure) -> TunnelLine {
        let own = remote.ssh.is_none();
        let line = by_hand(name, remote);
        TunnelLine {
            name: name.into(),
            state: if own { "own" } else { Phase::Ended.as_str() },
            local: remote.fugue_addr.clone(),
            ssh: remote.ssh.clone(),
            error: (!own).then(|| why.message.clone()),
            hint: if own { line } else { why.hint.clone() },
            ..TunnelLine::default()
        }
    }
}

/// As a table, with the errors under it.
pub fn table(lines: &[TunnelLine], screen: &Screen) -> Text {
    let now = time::now();
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            let color = match (line.state, &line.error) {
                ("up", None) => Color::Good,
                ("up" | "opening", _) => Color::Waiting,
                ("failing", _) => Color::Bad,
                _ => Color::Dim,
            };
            let age = line.since.as_deref().and_then(|since| time::seconds_between(since, &now));
            vec![
                line.name.as_str().into(),
                Cell::new(color, line.state),
                age.map(time::short_age).unwrap_or_else(|| "-".into()).into(),
                line.local.as_str().into(),
                line.ssh.clone().unwrap_or_else(|| "-".into()).into(),
            ]
        })
        .collect();
    let mut text = screen.table(&["NAME", "TUNNEL", "SINCE", "BEGINS", "SSH"], &rows, 4);
    for line in lines {
        // Whole, however long: they say what to do.
        if let Some(error) = &line.error {
            text.push(format!("{}: {error}\n", line.name));
        }
        if let Some(hint) = &line.hint {
            let what = if line.state == "own" { "your own: " } else { "hint: " };
            text.push(format!("{}: {what}{hint}\n", line.name));
        }
    }
    text
}

/// A tunnel that was opened, as a line.
pub fn opened(opened: &Opened) -> String {
    let Tunnel { name, ssh, local, .. } = &opened.tunnel;
    if opened.already {
        return format!("{name}: is up already, {local} to {ssh}\n");
    }
    format!("{name}: up, {local} to {ssh}\n")
}

/// What is to be said of a tunnel at whose far end nobody is.
pub fn nobody(opened: &Opened) -> Option<String> {
    let why = opened.nobody.as_ref()?;
    let tunnel = &opened.tunnel;
    Some(format!("{}: {}\nhint: {}", tunnel.name, at_far_end(tunnel, why), daemon(&tunnel.there)))
}

fn at_far_end(tunnel: &Tunnel, why: &str) -> String {
    format!("the tunnel works, but nobody takes what arrives at {} over there: {why}", tunnel.there)
}

/// How the daemon is started where it is missing.
fn daemon(there: &FugueAddr) -> String {
    match there {
        FugueAddr::Tcp(_, port) => {
            format!("start the daemon over there: fugue-server --listen-tcp 127.0.0.1:{port}")
        }
        FugueAddr::Unix(_) => "start the daemon over there: fugue-server".into(),
    }
}

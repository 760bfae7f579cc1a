//! What a session is to have, as the program of tmux takes it.

use std::path::Path;

use anyhow::Result;

use crate::base::failure::Failure;
use crate::model::windows::{CELLS, Size, resizes};
use crate::mux::{Runs, Spec, WantedPane, Window};
use crate::programs::tmux;

pub(super) fn wanted_pane(
    spec: &Spec,
    (window, place): (usize, usize),
    pane: &WantedPane,
) -> Result<tmux::NewPane> {
    let cwd = pane.cwd.as_ref().unwrap_or(&spec.cwd);
    Ok(tmux::NewPane {
        mark: format!("{window}.{place} {}", pane.asked()),
        argv: match &pane.runs {
            Runs::Agent => spec.start_line(),
            Runs::Shell(text) => spec.clean_line(&["sh", "-c", text]),
            Runs::Person => Vec::new(),
        },
        cwd: cwd.to_str().ok_or_else(|| not_text(cwd))?.into(),
        env: pane.env.clone(),
        agent: pane.runs == Runs::Agent,
        focus: pane.focus,
    })
}

pub(super) fn wanted_window(spec: &Spec, number: usize, window: &Window) -> Result<tmux::NewWindow> {
    let sizes: Vec<Option<Size>> =
        window.panes.iter().map(|pane| pane.size.as_deref().and_then(Size::parse)).collect();
    let panes = window.panes.iter().enumerate().map(|(place, pane)| wanted_pane(spec, (number, place), pane));
    Ok(tmux::NewWindow {
        name: window.name.clone(),
        mark: format!("{number} {}", window.asked()),
        resizes: resizes(window.layout.as_deref(), &sizes, CELLS),
        layout: window.layout.clone(),
        focus: window.focus,
        panes: panes.collect::<Result<_>>()?,
    })
}

pub(super) fn not_text(folder: &Path) -> Failure {
    Failure::new(format!("cannot start in {}: the path is not UTF-8", folder.display()))
}

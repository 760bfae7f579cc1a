//! What doctor found, in the form of source document 004.

use super::text::{Color, Screen};
use crate::base::terminal::Text;
use crate::plan::doctor::{CheckStatus, Finding};
use crate::work::setup::doctor::Report;

/// How much is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// Only what failed.
    pub quiet: bool,
    /// Also what was looked at.
    pub verbose: bool,
    /// `--fix`.
    pub fix: bool,
    /// `--fix --dry-run`.
    pub dry_run: bool,
}

impl Report {
    /// As a person reads it. `path` is the town's root as the person writes it.
    pub fn text(&self, path: &str, screen: &Screen, detail: Detail) -> Text {
        let shown = |checks: &[Finding]| -> Text {
            let wanted = |finding: &&Finding| !detail.quiet || finding.status == CheckStatus::Fail;
            checks.iter().filter(wanted).map(|finding| line(finding, screen, detail)).collect()
        };
        let mut sections = Vec::new();
        let town = shown(&self.checks);
        if !detail.quiet || !town.is_empty() {
            sections.push(Text::from(format!("Workspace: {path}\n\n")).then(town));
        }
        for rig in &self.rigs {
            let checks = shown(&rig.checks);
            if !detail.quiet || !checks.is_empty() {
                sections.push(Text::from(format!("Rig: {}\n", rig.name)).then(checks));
            }
        }
        if !detail.quiet || self.found > self.fixed {
            sections.push(self.summary(detail).into());
        }
        let parted = |(number, section): (usize, Text)| match number {
            0 => section,
            _ => Text::from("\n").then(section),
        };
        sections.into_iter().enumerate().map(parted).collect()
    }

    fn summary(&self, detail: Detail) -> String {
        let mut text = format!("Issues: {} found, {} fixed\n", self.found, self.fixed);
        let all = self.checks.iter().chain(self.rigs.iter().flat_map(|rig| &rig.checks));
        let fixable = |finding: &Finding| finding.status == CheckStatus::Fail && finding.fixable;
        let how = if detail.dry_run { "without --dry-run" } else { "with --fix" };
        // What was tried and failed says itself what helps.
        if (!detail.fix || detail.dry_run) && all.into_iter().any(fixable) {
            text.push_str(&format!("Run {how} to auto-repair\n"));
        }
        text
    }
}

fn line(finding: &Finding, screen: &Screen, detail: Detail) -> Text {
    let good = finding.status != CheckStatus::Fail;
    let symbol = match (good, screen.unicode) {
        (true, true) => "✓",
        (false, true) => "✗",
        (true, false) => "ok",
        (false, false) => "x ",
    };
    let symbol = screen.paint(if good { Color::Good } else { Color::Bad }, symbol);
    let after = match finding.status {
        CheckStatus::Fixed => " (fixed)",
        CheckStatus::Fail if finding.fixable && detail.dry_run => " (would be fixed)",
        _ => "",
    };
    let mut text = symbol.then(format!(" {}{after}\n", finding.message));
    if let Some(hint) = finding.hint.as_ref().filter(|_| finding.status == CheckStatus::Fail) {
        text.push(format!("    {hint}\n"));
    }
    if detail.verbose && !finding.looked_at.is_empty() {
        text.push(format!("    looked at {}\n", finding.looked_at));
    }
    text
}

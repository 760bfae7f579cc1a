//! What doctor found, in the form of source document 004.

use super::text::{Color, Screen};
use crate::base::terminal::Text;
use crate::plan::doctor::{CheckStatus, Finding};
use crate::work::setup::doctor::Report;
use crate::work::setup::doctor::agents::ProgramReport;

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
        let all: Vec<&Finding> =
            self.checks.iter().chain(self.rigs.iter().flat_map(|rig| &rig.checks)).collect();
        summary(&all, detail)
    }
}

/// What was found of agent programs.
pub fn programs(programs: &[ProgramReport], screen: &Screen, detail: Detail) -> Text {
    let one = |program: &ProgramReport| -> Text {
        let whose = if program.roles.is_empty() { "not used here".into() } else { program.roles.join(", ") };
        let version = program.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let mut text = Text::from(format!("Agent: {}{version} ({whose})\n", program.program));
        if program.checks.is_empty() && !program.roles.is_empty() {
            text.push(
                screen
                    .paint(Color::Good, if screen.unicode { "✓" } else { "ok" })
                    .then(" begins by itself\n"),
            );
        }
        program.checks.iter().for_each(|finding| text.push(line(finding, screen, detail)));
        program.notes.iter().for_each(|note| text.push(format!("    {note}\n")));
        text.then("\n")
    };
    let wanted = |program: &&ProgramReport| !detail.quiet || !program.checks.is_empty();
    let all: Vec<&Finding> = programs.iter().flat_map(|program| &program.checks).collect();
    programs.iter().filter(wanted).map(one).collect::<Text>().then(summary(&all, detail))
}

fn summary(all: &[&Finding], detail: Detail) -> String {
    let count = |status: CheckStatus| all.iter().filter(|finding| finding.status == status).count();
    let (fixed, failed) = (count(CheckStatus::Fixed), count(CheckStatus::Fail));
    let mut text = format!("Issues: {} found, {fixed} fixed\n", fixed + failed);
    let fixable = |finding: &&&Finding| finding.status == CheckStatus::Fail && finding.fixable;
    let how = if detail.dry_run { "without --dry-run" } else { "with --fix" };
    // What was tried and failed says itself what helps.
    if (!detail.fix || detail.dry_run) && all.iter().any(|finding| fixable(&finding)) {
        text.push_str(&format!("Run {how} to auto-repair\n"));
    }
    text
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

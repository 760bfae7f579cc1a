//! What a look prints, and how it is read.

use super::text::{from_name, from_one_line, spaceless, unformatted};

/// One pane, as `list-panes` told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneRow {
    /// Process id of the server.
    pub server: i32,
    /// The server's version, `3.3a`.
    pub version: String,
    /// `$7`
    pub session: String,
    /// The session's name.
    pub name: String,
    /// Seconds since 1970.
    pub created: i64,
    /// When something was last written to the window: seconds since 1970.
    pub activity: i64,
    /// Clients that look at the session.
    pub attached: usize,
    /// `%9`
    pub pane: String,
    /// The process in the pane.
    pub pid: i32,
    /// The pane's program has ended.
    pub dead: bool,
    /// Exit code of a dead pane, when tmux knows it.
    pub exit: Option<i32>,
    /// Signal that ended it, when tmux knows it.
    pub signal: Option<i32>,
    /// The agent whose own pane this is.
    pub agent: Option<PaneMark>,
    /// What says that gt made the session.
    pub own: Option<Own>,
    /// What gt marked it with when a preset asked for it.
    pub mark: String,
    /// The marks, in the order of [`MARKS`].
    pub marks: [String; MARKS.len()],
    /// Whether they are the pane's own, and not its session's or everybody's.
    pub alone: bool,
    /// The program in front.
    pub command: String,
    /// What a close look tells besides.
    pub close: Option<PaneDetail>,
}

/// The mark of an agent's pane, the pane option `@gt`. It goes where the pane goes. It holds the pane's own id and process:
/// a copy on another pane, an inherited one, and one of a pane that a person gave another program are no marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneMark {
    /// Its session's instance.
    pub instance: String,
    /// Its address.
    pub address: String,
    /// Its role.
    pub role: String,
    /// Its bead.
    pub bead: String,
    /// Its town.
    pub town: String,
}

impl PaneMark {
    /// The mark as a format that tmux expands for the pane.
    pub fn format(&self) -> String {
        let words = [&self.instance, &self.address, &self.role, &self.bead, &self.town];
        let words = words.map(|word| unformatted(&spaceless(word)));
        format!("#{{pane_id}} #{{pane_pid}} {}", words.join(" "))
    }

    /// Reads the mark of a pane.
    pub fn parse(text: &str, pane: &str, pid: i32) -> Option<PaneMark> {
        let mut words = text.split(' ');
        if words.next()? != pane || words.next()?.parse() != Ok(pid) {
            return None;
        }
        let mut next = || words.next().map(from_one_line);
        Some(PaneMark { instance: next()?, address: next()?, role: next()?, bead: next()?, town: next()? })
    }
}

/// The session option `@gt_own`: the session's own id, its instance, and whether it has an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Its instance.
    pub instance: String,
    /// It shows windows alone, without an agent.
    pub alone: bool,
}

impl Own {
    /// The mark as a format that tmux expands for the session.
    pub fn format(&self) -> String {
        let instance = unformatted(&spaceless(&self.instance));
        format!("#{{session_id}} {instance} {}", if self.alone { "alone" } else { "agent" })
    }

    /// Reads the mark of a session.
    pub fn parse(text: &str, session: &str) -> Option<Own> {
        let mut words = text.split(' ');
        if words.next()? != session {
            return None;
        }
        Some(Own { instance: from_one_line(words.next()?), alone: words.next()? == "alone" })
    }
}

/// A pane and its window, as a close look told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneDetail {
    /// `@5`
    pub window: String,
    /// The window's number in its session.
    pub index: usize,
    /// Whether it is the session's current window.
    pub window_active: bool,
    /// The window's columns and rows.
    pub window_size: (usize, usize),
    /// The pane's number in its window.
    pub pane_index: usize,
    /// Whether the pane has the focus of its window.
    pub active: bool,
    /// The pane's columns and rows.
    pub size: (usize, usize),
    /// What gt marked the window with.
    pub window_mark: String,
    /// The window's layout string.
    pub layout: String,
    /// The window's name.
    pub window_name: String,
    /// What the pane was started with.
    pub start_command: String,
    /// Where its program is now.
    pub path: String,
}

/// Names of the marks: session options `@gt_NAME`.
pub const MARKS: [&str; 9] =
    ["town", "address", "role", "state", "bead", "since", "instance", "preset", "hash"];

/// What every line of a look begins with: the rest of a line torn by somebody's text does not.
pub(super) const LINE: &str = "gt-pane";

/// What a line of a close look begins with.
const LINE_CLOSE: &str = "gt-pane-close";

/// What every look asks for.
const FIELDS: [&str; 14] = [
    "pid",
    "version",
    "session_id",
    "session_created",
    "window_activity",
    "session_attached",
    "pane_id",
    "pane_pid",
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    "@gt",
    "@gt_own",
    "@gt_pane",
];

/// What a close look asks for besides.
const CLOSE: [&str; 11] = [
    "window_id",
    "window_index",
    "window_active",
    "window_width",
    "window_height",
    "pane_index",
    "pane_active",
    "pane_width",
    "pane_height",
    "window_layout",
    "@gt_window",
];

/// The same, what anyone may have typed.
const CLOSE_TEXT: [&str; 3] = ["window_name", "pane_start_command", "pane_current_path"];

/// Numbers first, text after, what anyone may have typed last.
pub fn look_format(close: bool) -> String {
    let marks: Vec<String> = MARKS.iter().map(|mark| format!("@gt_{mark}")).collect();
    let mut fields = FIELDS.to_vec();
    if close {
        fields.extend(CLOSE);
    }
    fields.extend(marks.iter().map(String::as_str));
    fields.push("session_name");
    if close {
        fields.extend(CLOSE_TEXT);
    }
    fields.push("pane_current_command");
    let fields = fields.iter().map(|field| format!("#{{{field}}}"));
    let first = if close { LINE_CLOSE } else { LINE };
    std::iter::once(first.to_string()).chain(fields).collect::<Vec<_>>().join("\t")
}

/// Reads what [`look_format`] printed; a line that is not of that form is the rest of a torn one.
pub fn read_rows(text: &str) -> Vec<PaneRow> {
    text.lines().filter_map(read_row).collect()
}

fn read_row(line: &str) -> Option<PaneRow> {
    let (first, rest) = line.split_once('\t')?;
    let close = match first {
        LINE => false,
        LINE_CLOSE => true,
        _ => return None,
    };
    let more = if close { CLOSE.len() + CLOSE_TEXT.len() } else { 0 };
    let mut fields = rest.splitn(FIELDS.len() + MARKS.len() + 2 + more, '\t');
    let mut next = || fields.next();
    let mut row = PaneRow {
        server: next()?.parse().ok()?,
        version: next()?.into(),
        session: next()?.into(),
        created: next()?.parse().unwrap_or_default(),
        activity: next()?.parse().unwrap_or_default(),
        attached: next()?.parse().unwrap_or_default(),
        pane: next()?.into(),
        pid: next()?.parse().unwrap_or_default(),
        dead: next()? == "1",
        exit: next()?.parse().ok(),
        signal: next()?.parse().ok(),
        ..PaneRow::default()
    };
    row.agent = PaneMark::parse(next()?, &row.pane, row.pid);
    row.own = Own::parse(next()?, &row.session);
    row.mark = own_mark(next()?, &row.pane).unwrap_or_default().into();
    if close {
        let mut close = read_close(&mut next)?;
        close.window_mark = own_mark(next()?, &close.window).unwrap_or_default().into();
        row.close = Some(close);
    }
    for mark in &mut row.marks {
        let text = next()?;
        let own = own_mark(text, &row.pane);
        row.alone |= own.is_some();
        *mark = from_one_line(own.unwrap_or(text));
    }
    row.name = next()?.into();
    if let Some(close) = &mut row.close {
        close.window_name = from_name(next()?);
        close.start_command = next()?.into();
        close.path = next()?.into();
    }
    row.command = next()?.into();
    Some(row)
}

fn read_close<'t>(next: &mut dyn FnMut() -> Option<&'t str>) -> Option<PaneDetail> {
    let number = |text: Option<&str>| text?.parse::<usize>().ok();
    Some(PaneDetail {
        window: next()?.into(),
        index: number(next())?,
        window_active: next()? == "1",
        window_size: (number(next())?, number(next())?),
        pane_index: number(next())?,
        active: next()? == "1",
        size: (number(next())?, number(next())?),
        layout: next()?.into(),
        ..PaneDetail::default()
    })
}

/// What stands in a mark after the id of what it marks; nothing in one that another pane or window has, or all of them.
fn own_mark<'t>(mark: &'t str, id: &str) -> Option<&'t str> {
    mark.strip_prefix(id)?.strip_prefix(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_only_itself() {
        let marks = "\t".repeat(MARKS.len());
        let good = format!(
            "gt-pane\t1\t3.3a\t$1\t5\t6\t0\t%1\t7\t1\t0\t\t%1 7 ab wyvern/Nux polecat  /t\\x20u\t$1 ab agent\t{marks}\tname\tsh"
        );
        let rows = read_rows(&format!("{good}\nodd\n{good}\tx"));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].exit, rows[0].signal, rows[0].dead), (Some(0), None, true));
        assert_eq!(rows[1].command, "sh\tx");
        let agent = rows[0].agent.clone().unwrap();
        assert_eq!(
            (agent.address.as_str(), agent.bead.as_str(), agent.town.as_str()),
            ("wyvern/Nux", "", "/t u")
        );
        assert_eq!(rows[0].own, Some(Own { instance: "ab".into(), alone: false }));
        let close = format!(
            "gt-pane-close\t1\t3.3a\t$1\t5\t6\t0\t%1\t7\t1\t0\t\t%9 7 ab a b c d\t$1 ab alone\t%1 0.1 ab\t@4\t1\t1\t200\t50\t1\t0\t99\t25\tl\t@4 0 cd{marks}\t\
             name\twindow\tsleep\t/\tsh"
        );
        let row = read_rows(&close).remove(0);
        let seen = row.close.unwrap();
        assert_eq!((row.mark.as_str(), row.command.as_str()), ("0.1 ab", "sh"));
        assert!(row.own.as_ref().unwrap().alone && row.agent.is_none(), "the mark of another pane");
        assert_eq!((seen.window.as_str(), seen.window_size, seen.size), ("@4", (200, 50), (99, 25)));
        assert_eq!((seen.window_mark.as_str(), seen.path.as_str()), ("0 cd", "/"));
    }

    #[test]
    fn a_mark_counts_only_where_it_names_its_own_pane_and_program() {
        let agent = PaneMark {
            instance: "ab12".into(),
            address: "wyvern/Nux".into(),
            role: "polecat".into(),
            bead: "wy-1".into(),
            town: "/a town/#{x},\\x20".into(),
        };
        let shown =
            agent.format().replace("#{pane_id}", "%9").replace("#{pane_pid}", "77").replace("##", "#");
        assert_eq!(PaneMark::parse(&shown, "%9", 77), Some(agent));
        assert_eq!(PaneMark::parse(&shown, "%8", 77), None);
        assert_eq!(PaneMark::parse(&shown, "%9", 78), None);
        assert_eq!(PaneMark::parse("", "%9", 77), None);
        let own = Own { instance: "ab12".into(), alone: false };
        let shown = own.format().replace("#{session_id}", "$3");
        assert_eq!((Own::parse(&shown, "$3"), Own::parse(&shown, "$4")), (Some(own), None));
    }
}

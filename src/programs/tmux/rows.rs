//! What a look prints, and how it is read.

use super::text::from_one_line;

/// One pane, as `list-panes` told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
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
    /// This is the agent's own pane.
    pub agent: bool,
    /// Its session is one of windows alone, without an agent.
    pub alone: bool,
    /// What gt marked it with when a preset asked for it.
    pub mark: String,
    /// The marks, in the order of [`MARKS`].
    pub marks: [String; MARKS.len()],
    /// The program in front.
    pub command: String,
    /// What a close look tells besides.
    pub close: Option<Close>,
}

/// A pane and its window, as a close look told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
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
const LINE: &str = "gt-pane";

/// What a line of a close look begins with.
const LINE_CLOSE: &str = "gt-pane-close";

/// What every look asks for.
const FIELDS: [&str; 13] = [
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
    "@gt_agent",
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
pub fn read_rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(read_row).collect()
}

fn read_row(line: &str) -> Option<Row> {
    let (first, rest) = line.split_once('\t')?;
    let close = match first {
        LINE => false,
        LINE_CLOSE => true,
        _ => return None,
    };
    let more = if close { CLOSE.len() + CLOSE_TEXT.len() } else { 0 };
    let mut fields = rest.splitn(FIELDS.len() + MARKS.len() + 2 + more, '\t');
    let mut next = || fields.next();
    let mut row = Row {
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
        ..Row::default()
    };
    let agent = next()?;
    (row.agent, row.alone) = (agent == "1", agent == "0");
    row.mark = next()?.into();
    if close {
        row.close = Some(read_close(&mut next)?);
    }
    for mark in &mut row.marks {
        *mark = from_one_line(next()?);
    }
    row.name = next()?.into();
    if let Some(close) = &mut row.close {
        close.window_name = next()?.into();
        close.start_command = next()?.into();
        close.path = next()?.into();
    }
    row.command = next()?.into();
    Some(row)
}

fn read_close<'t>(next: &mut dyn FnMut() -> Option<&'t str>) -> Option<Close> {
    let number = |text: Option<&str>| text?.parse::<usize>().ok();
    Some(Close {
        window: next()?.into(),
        index: number(next())?,
        window_active: next()? == "1",
        window_size: (number(next())?, number(next())?),
        pane_index: number(next())?,
        active: next()? == "1",
        size: (number(next())?, number(next())?),
        layout: next()?.into(),
        window_mark: next()?.into(),
        ..Close::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_only_itself() {
        let marks = "\t".repeat(MARKS.len());
        let good = format!("gt-pane\t1\t3.3a\t$1\t5\t6\t0\t%1\t7\t1\t0\t\t1\t{marks}\tname\tsh");
        let rows = read_rows(&format!("{good}\nodd\n{good}\tx"));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].exit, rows[0].signal, rows[0].dead), (Some(0), None, true));
        assert_eq!(rows[1].command, "sh\tx");
        let close = format!(
            "gt-pane-close\t1\t3.3a\t$1\t5\t6\t0\t%1\t7\t1\t0\t\t0\t0.1 ab\t@4\t1\t1\t200\t50\t1\t0\t99\t25\tl\t0 cd{marks}\t\
             name\twindow\tsleep\t/\tsh"
        );
        let row = read_rows(&close).remove(0);
        let seen = row.close.unwrap();
        assert_eq!((row.alone, row.mark.as_str(), row.command.as_str()), (true, "0.1 ab", "sh"));
        assert_eq!((seen.window.as_str(), seen.window_size, seen.size), ("@4", (200, 50), (99, 25)));
        assert_eq!((seen.window_mark.as_str(), seen.path.as_str()), ("0 cd", "/"));
    }
}

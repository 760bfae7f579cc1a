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
    /// The marks, in the order of [`MARKS`].
    pub marks: [String; MARKS.len()],
    /// The program in front.
    pub command: String,
}

/// Names of the marks: session options `@gt_NAME`.
pub const MARKS: [&str; 9] =
    ["town", "address", "role", "state", "bead", "since", "instance", "preset", "hash"];

/// What every line of a look begins with: the rest of a line torn by somebody's text does not.
const LINE: &str = "gt-pane";

/// Numbers first, text after, what anyone may have typed last.
pub fn look_format() -> String {
    let fields = [
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
    ];
    let marks = MARKS.iter().map(|mark| format!("#{{@gt_{mark}}}"));
    let fields = fields.iter().map(|field| format!("#{{{field}}}")).chain(marks);
    let text = ["#{session_name}".to_string(), "#{pane_current_command}".to_string()];
    let all: Vec<String> = std::iter::once(LINE.to_string()).chain(fields).chain(text).collect();
    all.join("\t")
}

/// Reads what [`look_format`] printed; a line that is not of that form is the rest of a torn one.
pub fn read_rows(text: &str) -> Vec<Row> {
    text.lines().filter_map(read_row).collect()
}

fn read_row(line: &str) -> Option<Row> {
    let mut fields = line.strip_prefix(LINE)?.strip_prefix('\t')?.splitn(14 + MARKS.len(), '\t');
    let mut next = || fields.next();
    Some(Row {
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
        agent: next()? == "1",
        marks: {
            let mut marks: [String; MARKS.len()] = Default::default();
            for mark in &mut marks {
                *mark = from_one_line(next()?);
            }
            marks
        },
        name: next()?.into(),
        command: next()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_only_itself() {
        let marks = "\t".repeat(MARKS.len());
        let good = format!("gt-pane\t1\t3.3a\t$1\t5\t6\t0\t%1\t7\t1\t0\t\t1{marks}\tname\tsh");
        let rows = read_rows(&format!("{good}\nodd\n{good}\tx"));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].exit, rows[0].signal, rows[0].dead), (Some(0), None, true));
        assert_eq!(rows[1].command, "sh\tx");
    }
}

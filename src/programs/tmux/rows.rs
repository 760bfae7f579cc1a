//! What a look prints, and how it is read.

use crate::model::ids::{BeadId, InstanceId};

use super::text::{from_name, from_one_line, spaceless, unformatted};

/// How closely a look goes: what is not needed costs the server time with every pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Sessions and panes, with what gt marked them with.
    #[default]
    Marks,
    /// And the program in front, and when something was last written.
    Programs,
    /// And what a session was made of, and its windows.
    Windows,
    /// All of that, where each pane is, what it was started with, and how large all is.
    Places,
}

impl Depth {
    fn programs(self) -> bool {
        matches!(self, Depth::Programs | Depth::Places)
    }

    fn windows(self) -> bool {
        matches!(self, Depth::Windows | Depth::Places)
    }
}

/// All panes of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSight {
    /// Process id of the server.
    pub server: i32,
    /// Its version, `3.3a`.
    pub version: String,
    /// Every pane.
    pub rows: Vec<PaneRow>,
}

/// One pane, as `list-panes` told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneRow {
    /// `$7`
    pub session: String,
    /// The session's name.
    pub name: String,
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
    /// What the session's agent does: nothing where gt did not make it.
    pub state: StateMark,
    /// The same of an agent without a session, as its pane says it.
    pub alone: Option<StateMark>,
    /// What the session was made of, with [`Depth::Windows`].
    pub hash: String,
    /// When something was last written to the window: seconds since 1970. With [`Depth::Programs`].
    pub activity: i64,
    /// The program in front, with [`Depth::Programs`].
    pub command: String,
    /// What gt marked the pane with when a preset asked for it, with [`Depth::Windows`].
    pub mark: String,
    /// Its window, with [`Depth::Windows`].
    pub close: Option<PaneDetail>,
}

/// Who an agent is: what never changes. The mark of its pane, the pane option `@gt`, goes where the pane goes. It holds the
/// pane's own id and process: a copy on another pane, an inherited one, and one of a pane that a person gave another program
/// are no marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneMark {
    /// Its session's instance.
    pub instance: InstanceId,
    /// Its address.
    pub address: String,
    /// Its role.
    pub role: String,
    /// Its bead.
    pub bead: BeadId,
    /// Its town.
    pub town: String,
    /// The presets that made it.
    pub preset: String,
    /// When its session was made: seconds since 1970.
    pub created: i64,
    /// The mark is of an earlier version, and does not hold those two.
    pub earlier: bool,
}

/// Words for a format.
fn words<const N: usize>(words: [&str; N]) -> String {
    words.map(|word| unformatted(&spaceless(word))).join(" ")
}

impl PaneMark {
    /// The mark as a format that tmux expands for the pane.
    pub fn format(&self) -> String {
        format!("#{{pane_id}} #{{pane_pid}} {} {}", words([&self.instance]), self.rest())
    }

    fn rest(&self) -> String {
        let PaneMark { address, role, bead, town, preset, .. } = self;
        format!("{} #{{session_created}}", words([address, role, bead, town, preset]))
    }

    /// Reads the mark of a pane.
    pub fn parse(text: &str, pane: &str, pid: i32) -> Option<PaneMark> {
        let mut words = own_mark(text, pane)?.split(' ');
        if words.next()?.parse() != Ok(pid) {
            return None;
        }
        let instance = from_one_line(words.next()?).parse().ok()?;
        PaneMark::after(instance, &mut words)
    }

    fn after<'t>(instance: InstanceId, words: &mut impl Iterator<Item = &'t str>) -> Option<PaneMark> {
        let mut next = || words.next().map(from_one_line);
        let (address, role, bead, town) = (next()?, next()?, next()?, next()?);
        let bead = bead.parse().ok()?;
        let agent = PaneMark { instance, address, role, bead, town, ..PaneMark::default() };
        Some(match next() {
            Some(preset) => PaneMark { preset, created: next()?.parse().ok()?, ..agent },
            None => PaneMark { earlier: true, ..agent },
        })
    }
}

/// The session option `@gt_own`: the session's own id, whether it has an agent, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// It shows windows alone, without an agent.
    pub alone: bool,
    /// Whose.
    pub agent: PaneMark,
}

impl Own {
    /// The mark as a format that tmux expands for the session.
    pub fn format(&self) -> String {
        let kind = if self.alone { "alone" } else { "agent" };
        format!("#{{session_id}} {} {kind} {}", words([&self.agent.instance]), self.agent.rest())
    }

    /// Reads the mark of a session. One of an earlier version ends after the kind.
    pub fn parse(text: &str, session: &str) -> Option<Own> {
        let mut words = own_mark(text, session)?.split(' ');
        let instance: InstanceId = from_one_line(words.next()?).parse().ok()?;
        let alone = words.next()? == "alone";
        let earlier = || PaneMark { instance: instance.clone(), earlier: true, ..PaneMark::default() };
        let agent = PaneMark::after(instance.clone(), &mut words).unwrap_or_else(earlier);
        Some(Own { alone, agent })
    }
}

/// What an agent does, the option `@gt_state`: the id of the session or pane that it stands on, the state, since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateMark {
    /// `working`, `waiting` …
    pub state: String,
    /// RFC 3339, UTC.
    pub since: String,
}

impl StateMark {
    /// The mark of a session or pane; `id` may be a format.
    pub fn format(id: &str, state: &str, since: &str) -> String {
        format!("{id} {}", words([state, since]))
    }

    fn parse(text: &str, id: &str) -> Option<StateMark> {
        let (state, since) = own_mark(text, id).map(|own| own.split_once(' ').unwrap_or((own, "")))?;
        Some(StateMark { state: from_one_line(state), since: from_one_line(since) })
    }
}

/// A window; with [`Depth::Places`] how it and its panes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneDetail {
    /// `@5`
    pub window: String,
    /// The window's number in its session.
    pub index: usize,
    /// What gt marked the window with.
    pub window_mark: String,
    /// The window's name.
    pub window_name: String,
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
    /// The window's layout string.
    pub layout: String,
    /// What the pane was started with.
    pub start_command: String,
    /// Where its program is now.
    pub path: String,
}

/// Marks of earlier versions: session options `@gt_NAME`, each of which had one value. Those of an agent alone were its
/// pane's, and began with its id.
const EARLIER: [&str; 9] =
    ["town", "address", "role", "state", "bead", "since", "instance", "preset", "hash"];

/// What every line of a look begins with: the rest of a line torn by somebody's text does not.
pub(super) const LINE: &str = "gt-pane";

/// What the line about the server begins with.
pub(super) const SERVER: &str = "gt-server";

/// What a look asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LookForm {
    pub depth: Depth,
    /// Also for marks of earlier versions.
    pub earlier: bool,
}

/// What every look asks for, then what each level does besides. Numbers first, text after, what anyone may have typed last.
const FIELDS: [&str; 8] = [
    "#{session_id}",
    "#{session_attached}",
    "#{pane_id}",
    "#{pane_pid}",
    "#{?pane_dead,#{pane_dead_status} #{pane_dead_signal},}",
    "#{@gt}",
    "#{@gt_own}",
    "#{@gt_state}",
];
const WINDOWS: [&str; 5] = ["#{window_id}", "#{window_index}", "#{@gt_window}", "#{@gt_pane}", "#{@gt_hash}"];
const PLACES: [&str; 8] = [
    "#{window_active}",
    "#{window_width}",
    "#{window_height}",
    "#{pane_index}",
    "#{pane_active}",
    "#{pane_width}",
    "#{pane_height}",
    "#{window_layout}",
];

impl LookForm {
    /// What a line holds.
    pub(super) fn fields(self) -> Vec<String> {
        let depth = self.depth;
        let mut fields: Vec<String> = FIELDS.map(String::from).to_vec();
        if depth.programs() {
            fields.push("#{window_activity}".into());
        }
        if depth.windows() {
            fields.extend(WINDOWS.map(String::from));
        }
        if depth == Depth::Places {
            fields.extend(PLACES.map(String::from));
        }
        if self.earlier {
            fields.push("#{session_created}".into());
            fields.extend(EARLIER.map(|mark| format!("#{{@gt_{mark}}}")));
        }
        fields.push("#{session_name}".into());
        if depth.windows() {
            fields.push("#{window_name}".into());
        }
        if depth == Depth::Places {
            fields.extend(["#{pane_start_command}", "#{pane_current_path}"].map(String::from));
        }
        if depth.programs() {
            fields.push("#{pane_current_command}".into());
        }
        fields
    }

    /// The same as a format.
    pub(super) fn format(self) -> String {
        format!("{LINE}\t{}", self.fields().join("\t"))
    }

    /// Reads what was printed; a line that is not of that form is the rest of a torn one.
    pub(super) fn read(self, text: &str) -> ServerSight {
        let count = self.fields().len();
        let mut sight = ServerSight::default();
        for line in text.lines() {
            match line.split_once('\t') {
                Some((LINE, rest)) => sight.rows.extend(self.read_row(rest.splitn(count, '\t'))),
                Some((SERVER, rest)) if sight.rows.is_empty() => {
                    let (server, version) = rest.split_once('\t').unwrap_or_default();
                    (sight.server, sight.version) = (server.parse().unwrap_or_default(), version.into());
                }
                _ => {}
            }
        }
        sight
    }

    fn read_row<'t>(self, mut fields: impl Iterator<Item = &'t str>) -> Option<PaneRow> {
        let depth = self.depth;
        let mut next = || fields.next();
        let mut row = PaneRow {
            session: next()?.into(),
            attached: next()?.parse().unwrap_or_default(),
            pane: next()?.into(),
            pid: next()?.parse().unwrap_or_default(),
            ..PaneRow::default()
        };
        let ended = next()?.split_once(' ');
        row.dead = ended.is_some();
        (row.exit, row.signal) =
            ended.map(|(exit, signal)| (exit.parse().ok(), signal.parse().ok())).unwrap_or_default();
        row.agent = PaneMark::parse(next()?, &row.pane, row.pid);
        row.own = Own::parse(next()?, &row.session);
        let state = next()?;
        row.alone = StateMark::parse(state, &row.pane);
        row.state = row.own.as_ref().and_then(|_| StateMark::parse(state, &row.session)).unwrap_or_default();
        if depth.programs() {
            row.activity = next()?.parse().unwrap_or_default();
        }
        let mut close = PaneDetail::default();
        if depth.windows() {
            (close.window, close.index) = (next()?.into(), next()?.parse().ok()?);
            close.window_mark = own_mark(next()?, &close.window).unwrap_or_default().into();
            row.mark = own_mark(next()?, &row.pane).unwrap_or_default().into();
            row.hash = own_mark(next()?, &row.session).map(from_one_line).unwrap_or_default();
        }
        if depth == Depth::Places {
            let mut number = || next()?.parse::<usize>().ok();
            close.window_active = number()? == 1;
            close.window_size = (number()?, number()?);
            close.pane_index = number()?;
            close.active = number()? == 1;
            close.size = (number()?, number()?);
            close.layout = next()?.into();
        }
        if self.earlier {
            read_earlier(&mut row, &mut next)?;
        }
        row.name = next()?.into();
        if depth.windows() {
            close.window_name = from_name(next()?);
        }
        if depth == Depth::Places {
            (close.start_command, close.path) = (next()?.into(), next()?.into());
        }
        if depth.programs() {
            row.command = next()?.into();
        }
        row.close = depth.windows().then_some(close);
        Some(row)
    }
}

impl PaneRow {
    /// Whether its marks are of an earlier version, which [`LookForm::earlier`] reads.
    pub(super) fn is_earlier(&self) -> bool {
        let own = self.own.as_ref().map(|own| &own.agent);
        own.into_iter().chain(&self.agent).any(|agent| agent.earlier)
    }
}

/// Reads marks of an earlier version, of whatever has no others.
fn read_earlier<'t>(row: &mut PaneRow, next: &mut impl FnMut() -> Option<&'t str>) -> Option<()> {
    let created = next()?.parse().unwrap_or_default();
    let mut marks: [&str; EARLIER.len()] = [""; EARLIER.len()];
    for mark in &mut marks {
        *mark = next()?;
    }
    let of_pane = marks.map(|mark| own_mark(mark, &row.pane).map(from_one_line));
    if let Some(agent) = row.agent.as_mut().filter(|agent| agent.earlier) {
        agent.created = created;
        let is_alone = of_pane.iter().any(Option::is_some);
        let [_, _, _, state, _, since, _, preset, hash] = of_pane.map(Option::unwrap_or_default);
        if is_alone {
            (agent.preset, row.hash) = (preset, hash);
            row.alone = Some(StateMark { state, since });
        }
    }
    let Some(own) = row.own.as_mut().filter(|own| own.agent.earlier) else { return Some(()) };
    let [town, address, role, state, bead, since, _, preset, hash] = marks.map(from_one_line);
    let instance = std::mem::take(&mut own.agent.instance);
    let bead = bead.parse().unwrap_or_default();
    own.agent = PaneMark { instance, address, role, bead, town, preset, created, earlier: true };
    // What was changed since has the form of today.
    if row.state == StateMark::default() {
        row.state = StateMark { state, since };
    }
    if row.hash.is_empty() {
        row.hash = hash;
    }
    Some(())
}

/// What stands in a mark after the id of what it marks; nothing in one that another has, or all of them.
fn own_mark<'t>(mark: &'t str, id: &str) -> Option<&'t str> {
    mark.strip_prefix(id)?.strip_prefix(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nux() -> PaneMark {
        PaneMark {
            instance: "ab12".into(),
            address: "wyvern/Nux".into(),
            role: "polecat".into(),
            bead: "wy-1".into(),
            town: "/a town/#{x},\\x20".into(),
            preset: "polecat,mine".into(),
            created: 5,
            earlier: false,
        }
    }

    /// A format as tmux expands it.
    fn shown(format: &str) -> String {
        let ids = [
            ("#{pane_id}", "%9"),
            ("#{pane_pid}", "77"),
            ("#{session_id}", "$3"),
            ("#{session_created}", "5"),
        ];
        ids.iter()
            .fold(format.to_string(), |text, (name, value)| text.replace(name, value))
            .replace("##", "#")
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let form = LookForm { depth: Depth::Programs, earlier: false };
        let own = Own { alone: false, agent: nux() };
        let marks =
            [nux().format(), own.format(), StateMark::format("$3", "working", "2026")].map(|own| shown(&own));
        let good = format!("gt-pane\t$3\t1\t%9\t77\t0 \t{}\t6\tname\tsh", marks.join("\t"));
        let sight = form.read(&format!("gt-server\t1\t3.3a\n{good}\nodd\n{good}\tx"));
        assert_eq!((sight.server, sight.version.as_str(), sight.rows.len()), (1, "3.3a", 2));
        let [row, torn] = &sight.rows[..] else { panic!() };
        assert_eq!((row.exit, row.signal, row.dead, row.attached, row.activity), (Some(0), None, true, 1, 6));
        assert_eq!((torn.command.as_str(), row.name.as_str()), ("sh\tx", "name"));
        assert_eq!((row.agent.clone(), row.own.clone()), (Some(nux()), Some(own)));
        assert_eq!(
            (row.state.state.as_str(), row.state.since.as_str(), &row.alone),
            ("working", "2026", &None)
        );

        let form = LookForm { depth: Depth::Places, earlier: false };
        let close = "gt-pane\t$3\t0\t%1\t7\t\t%9 7 ab a b c d\t$3 ab alone\t%1 ended x\t6\t@4\t1\t@4 0 cd\t%1 0.1 ab\t$9 h\t\
             1\t200\t50\t1\t0\t99\t25\tl\tname\twindow\tsleep\t/\tsh";
        let row = form.read(close).rows.remove(0);
        let seen = row.close.clone().unwrap();
        assert_eq!((row.mark.as_str(), row.command.as_str(), row.hash.as_str()), ("0.1 ab", "sh", ""));
        assert!(row.own.as_ref().unwrap().alone && row.agent.is_none(), "the mark of another pane");
        assert!(row.is_earlier() && !row.dead && row.state == StateMark::default(), "{row:?}");
        assert_eq!(row.alone.unwrap().state, "ended");
        assert_eq!((seen.window.as_str(), seen.window_size, seen.size), ("@4", (200, 50), (99, 25)));
        assert_eq!((seen.window_mark.as_str(), seen.path.as_str()), ("0 cd", "/"));
    }

    #[test]
    fn a_mark_counts_only_where_it_names_its_own_pane_and_program() {
        let mark = shown(&nux().format());
        assert_eq!(PaneMark::parse(&mark, "%9", 77), Some(nux()));
        assert_eq!(PaneMark::parse(&mark, "%8", 77), None);
        assert_eq!(PaneMark::parse(&mark, "%9", 78), None);
        assert_eq!(PaneMark::parse("", "%9", 77), None);
        let own = Own { alone: true, agent: nux() };
        let mark = shown(&own.format());
        assert_eq!((Own::parse(&mark, "$3"), Own::parse(&mark, "$4")), (Some(own), None));
        assert_eq!(StateMark::parse("$3 pending shutdown", "$4"), None);
    }

    #[test]
    fn marks_of_earlier_versions_are_read_where_there_are_no_others() {
        let earlier = |session: &[(&str, &str)], agent: &str, state: &str| {
            let value = |name: &str| session.iter().find(|own| own.0 == name).map_or("", |own| own.1);
            let marks = EARLIER.map(value).join("\t");
            let form = LookForm { depth: Depth::Windows, earlier: true };
            let line = format!(
                "gt-pane\t$3\t0\t%9\t77\t\t%9 77 {agent}\t$3 ab12 agent\t{state}\t@4\t0\t\t\t\t5\t{marks}\tname\twindow"
            );
            form.read(&line).rows.remove(0)
        };
        let whose = "ab12 wyvern/Nux polecat wy-1 /t\\x20u";
        let of_session = [
            ("town", "/t u"),
            ("address", "wyvern/Nux"),
            ("role", "polecat"),
            ("state", "working"),
            ("bead", "wy-1"),
            ("since", "2026"),
            ("preset", "polecat"),
            ("hash", "1.2 A up"),
        ];
        let row = earlier(&of_session, whose, "working");
        let own = row.own.unwrap().agent;
        assert_eq!((own.town.as_str(), own.preset.as_str(), own.created), ("/t u", "polecat", 5));
        assert_eq!(own.instance, "ab12");
        assert_eq!(
            (row.state.state.as_str(), row.state.since.as_str(), row.hash.as_str()),
            ("working", "2026", "1.2 A up")
        );
        assert_eq!(row.agent.map(|agent| (agent.bead, agent.created)), Some(("wy-1".into(), 5)));
        // What this version says of it counts.
        let row = earlier(&of_session, whose, "$3 waiting 2027");
        assert_eq!((row.state.state.as_str(), row.state.since.as_str()), ("waiting", "2027"));
        // An agent without its session: what its own pane says.
        let row = earlier(&[("state", "%9 ended"), ("since", "%9 2027"), ("preset", "x")], whose, "%9 ended");
        assert_eq!(row.alone, Some(StateMark { state: "ended".into(), since: "2027".into() }));
    }
}

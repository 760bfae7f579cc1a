//! Windows and panes as commands of tmux.
//!
//! Ids are not known while a batch is written. Every pane is made at the side of the one made before it, which is the
//! active one then; so `=NAME:` always means the pane made last. Earlier ones are named by their index, with
//! `pane-base-index` set to 0 meanwhile. Not as `.-2`: tmux 3.3 counts that from the pane that the caller's terminal is
//! in, wherever that is.

use std::borrow::Cow;

use tmux_interface::{TmuxCommand, TmuxCommands};

use super::text::{self, unformatted, word};
use crate::model::environment::PASSED;
use crate::model::windows::{Axis, DEFAULT, PaneShare, Resize, Size};
use crate::programs::tmux::text::as_text;
use crate::programs::tmux::{PaneMark, windows};

/// A window to make.
#[derive(Clone, Debug, Default)]
pub struct NewWindow {
    /// Its name; tmux's choice when empty.
    pub name: String,
    /// Its mark, `@gt_window`.
    pub mark: String,
    /// A name of tmux's or a layout string; one pane above the other when absent.
    pub layout: Option<String>,
    /// What follows the layout.
    pub resizes: Vec<Resize>,
    /// Whether it is shown first.
    pub focus: bool,
    /// Its panes, at least one.
    pub panes: Vec<NewPane>,
}

/// A pane to make.
#[derive(Clone, Debug, Default)]
pub struct NewPane {
    /// Its mark, `@gt_pane`.
    pub mark: String,
    /// The program and its words; the person's own shell when empty.
    pub argv: Vec<String>,
    /// Where it starts; must exist.
    pub cwd: String,
    /// Its environment, over the session's.
    pub env: Vec<(String, String)>,
    /// Whether it is the agent's own.
    pub agent: bool,
    /// Whether it has the focus of its window.
    pub focus: bool,
}

/// Hooks of a person's that could open more or go elsewhere, between one pane of ours and the next.
pub const HOOKS: [&str; 2] = ["after-new-window", "after-split-window"];

/// Our hooks of a session that notice a person's own sizes.
pub const SIZE_HOOKS: [&str; 2] = ["after-resize-pane", "after-select-layout"];

const ON_END_HOOK: &str = r##"exec env -u GT_TOWN_ROOT /bin/sh -c 'cd /; eval "${GT_ON_END-$(tmux show-options -pqv -t "#{hook_pane}" @gt_on_end)}" </dev/null >/dev/null 2>&1; :'"##;

/// The number of the agent's pane, counted over all windows.
pub fn agents_place(windows: &[NewWindow]) -> Option<usize> {
    windows.iter().flat_map(|window| &window.panes).position(|pane| pane.agent)
}

/// Where a batch that had made so many panes stopped, as a person would say it.
pub fn place(windows: &[NewWindow], made: usize, why: &str) -> String {
    // A layout is set once its panes are there; all else is refused before a pane is.
    let layout = why.contains("layout");
    let mut before = 0;
    for (number, window) in windows.iter().enumerate() {
        let after = before + window.panes.len();
        let named = match window.name.as_str() {
            "" => format!("window {}", number + 1),
            name => format!("window '{name}'"),
        };
        if layout && made <= after {
            return format!("{named}: {why}");
        }
        if made < after {
            return format!("{named}, pane {}: {why}", made - before + 1);
        }
        before = after;
    }
    why.to_string()
}

/// One environment over another.
pub fn joined(below: &[(String, String)], over: &[(String, String)]) -> Vec<(String, String)> {
    let free = below.iter().filter(|(key, _)| !over.iter().any(|(own, _)| own == key));
    free.chain(over).cloned().collect()
}

/// A command from its words, which stand as they are.
pub fn command(name: &'static str, words: &[&str]) -> TmuxCommand<'static> {
    let mut command = TmuxCommand::with_name(name);
    for word in words {
        command.push_param((*word).to_string());
    }
    command
}

/// Everything after the session's first pane: its marks, then window for window, at last what has the focus.
/// `session` is the session as a target, `=NAME:`.
pub fn build(session: &str, wanted: &NewTmuxSession) -> TmuxCommands<'static> {
    let (env, windows) = (wanted.env, wanted.windows);
    let mut batch = TmuxCommands::new();
    let lonely = windows.iter().map(|window| window.panes.len()).sum::<usize>() == 1;
    if !lonely {
        for name in HOOKS {
            batch.push(command("set-hook", &["-t", session, name, ""]));
        }
        // Where a person's hook opened more beside the first pane already.
        batch.push(command("select-window", &["-t", &format!("{session}^")]));
        batch.push(command("select-pane", &["-t", &format!("{session}^.{{top-left}}")]));
    }
    for (number, window) in windows.iter().enumerate() {
        if let Some(first) = window.panes.first().filter(|_| number > 0) {
            batch.push(new_window(&["-t", session], env, window, first));
        }
        let first = first_pane(session);
        batch.push_cmds(fill(if lonely { &first } else { session }, env, window, Some(wanted)));
    }
    let last = windows.len().saturating_sub(1);
    let shown = windows.iter().position(|window| window.focus);
    match shown.or(windows.iter().position(|window| window.panes.iter().any(|pane| pane.agent))).unwrap_or(0)
    {
        0 if last > 0 => batch.push(command("select-window", &["-t", &format!("{session}^")])),
        shown if shown < last => {
            batch.push(command("select-window", &["-t", &format!("{session}-{}", last - shown)]));
        }
        _ => {}
    }
    if !lonely {
        for name in HOOKS {
            batch.push(command("set-hook", &["-u", "-t", session, name]));
        }
    }
    batch
}

/// A window with its first pane.
pub fn new_window(
    at: &[&str],
    env: &[(String, String)],
    window: &NewWindow,
    pane: &NewPane,
) -> TmuxCommand<'static> {
    let mut new = command("new-window", at);
    if !window.name.is_empty() {
        new.push_param("-n").push_param(text::name(&window.name));
    }
    push_pane(&mut new, env, pane);
    new
}

/// A pane beside another.
pub fn split(at: &[&str], env: &[(String, String)], pane: &NewPane) -> TmuxCommand<'static> {
    let mut split = command("split-window", at);
    push_pane(&mut split, env, pane);
    split
}

fn push_pane(command: &mut TmuxCommand<'static>, env: &[(String, String)], pane: &NewPane) {
    command.push_param("-P").push_param("-F").push_param("#{pane_id}\t#{pane_pid}");
    command.push_param("-c").push_param(word(&unformatted(&pane.cwd)));
    push_start(command, env, pane);
}

/// The environment of a pane, all of it: what its session has may be from another command. Then its program.
pub fn push_start(command: &mut TmuxCommand<'static>, env: &[(String, String)], pane: &NewPane) {
    let env = joined(env, &pane.env);
    for (key, value) in env.iter().chain([&passed(&env)]) {
        command.push_param("-e").push_param(word(&format!("{key}={value}")));
    }
    push_program(command, &env, &pane.argv);
}

/// What tells the programs of a pane which variables they were given.
pub fn passed(env: &[(String, String)]) -> (String, String) {
    let names: Vec<&str> = env.iter().map(|(key, _)| key.as_str()).collect();
    (PASSED.into(), names.join(" "))
}

/// A window whose first pane was just made: marks, the other panes, layout, sizes, focus.
pub fn fill(
    target: &str,
    env: &[(String, String)],
    window: &NewWindow,
    wanted: Option<&NewTmuxSession>,
) -> TmuxCommands<'static> {
    let mut batch = TmuxCommands::new();
    batch.push(mark_window(target, &window.mark));
    let last = window.panes.len().saturating_sub(1);
    for (number, pane) in window.panes.iter().enumerate() {
        if number > 0 {
            batch.push(split(&["-t", target], env, pane));
        }
        batch.push_cmds(settle(target, pane, wanted));
        if number > 0 && number < last {
            // Halves of halves are soon too small to be split.
            batch.push(command("select-layout", &["-t", target, "tiled"]));
        }
    }
    if last > 0 {
        let of_index = |pane: usize| format!("{target}.{pane}");
        let panes = &window.panes;
        let focus = panes.iter().position(|pane| pane.focus).or(panes.iter().position(|pane| pane.agent));
        batch.push(command("set-option", &["-w", "-t", target, "pane-base-index", "0"]));
        batch.push_cmds(arrange(target, window.layout.as_deref(), &window.resizes, &of_index));
        batch.push(command("select-pane", &["-t", &of_index(focus.unwrap_or(0))]));
        batch.push(command("set-option", &["-w", "-u", "-t", target, "pane-base-index"]));
    }
    batch
}

/// The marks of a pane that was just made. The last screen of a program stays to be read, and the pane in its place;
/// a person's own shell that they leave is gone.
pub fn settle(target: &str, pane: &NewPane, wanted: Option<&NewTmuxSession>) -> TmuxCommands<'static> {
    let mut batch = TmuxCommands::new().add_command(mark_pane(target, &pane.mark));
    if let Some(wanted) = wanted.filter(|_| pane.agent) {
        batch.push_cmds(settle_agent(target, wanted));
    } else if !pane.argv.is_empty() {
        batch.push(command("set-option", &["-p", "-t", target, "remain-on-exit", "on"]));
    }
    batch
}

/// Marks a window of ours. The mark names the window itself: an inherited or a global option of that name is none.
pub fn mark_window(target: &str, mark: &str) -> TmuxCommand<'static> {
    let mark = format!("#{{window_id}} {mark}");
    command("set-option", &["-w", "-F", "-t", target, "@gt_window", &mark])
}

/// The value of a mark of a session, as a format: it names the session.
pub fn of_session(value: &str) -> String {
    format!("#{{session_id}} {}", unformatted(&text::one_line(value)))
}

/// The same for a pane.
pub fn mark_pane(target: &str, mark: &str) -> TmuxCommand<'static> {
    command("set-option", &["-p", "-F", "-t", target, "@gt_pane", &format!("#{{pane_id}} {mark}")])
}

/// The pane that a session begins with, where a person's hook opened more. `session` is `=NAME:`.
pub fn first_pane(session: &str) -> String {
    format!("{session}^.{{top-left}}")
}

/// What makes a pane the agent's own, all of it on the pane, so that it goes where the pane goes.
pub fn settle_agent(target: &str, wanted: &NewTmuxSession) -> TmuxCommands<'static> {
    let option = |words: &[&str]| command("set-option", &[&["-p", "-t", target], words].concat());
    let mut batch = TmuxCommands::new()
        .add_command(option(&["remain-on-exit", "on"]))
        .add_command(option(&["-F", "@gt_agent", "#{pane_id}"]))
        .add_command(option(&["-F", "@gt", &word(&wanted.agent.format())]));
    if !wanted.on_end.is_empty() {
        batch.push(option(&["@gt_on_end", &word(wanted.on_end)]));
        batch.push(command("set-hook", &["-p", "-t", target, "pane-died", &end_hook()]));
    }
    batch
}

/// Layout and sizes; `pane` is how a pane is named as a target.
pub fn arrange(
    target: &str,
    layout: Option<&str>,
    resizes: &[Resize],
    pane: &dyn Fn(usize) -> String,
) -> TmuxCommands<'static> {
    let layout = layout.unwrap_or(DEFAULT);
    let mut batch = TmuxCommands::new().add_command(command("select-layout", &["-t", target, layout]));
    for resize in resizes {
        let axis = if resize.axis == Axis::X { "-x" } else { "-y" };
        batch.push(command("resize-pane", &["-t", &pane(resize.pane), axis, &resize.cells.to_string()]));
    }
    batch.push_cmds(keep_sizes(target, resizes));
    batch
}

/// Has tmux set the sizes again whenever the window has another one, because it takes cells from all panes alike. It does
/// so without a process, and no more once a person has resized a pane or chosen a layout, opened or closed a pane, or
/// zoomed one.
fn keep_sizes(target: &str, resizes: &[Resize]) -> TmuxCommands<'static> {
    let mut batch = TmuxCommands::new();
    batch.push(command("set-hook", &["-u", "-w", "-t", target, "window-resized"]));
    let is_relative = |resize: &Resize| resize.part != PaneShare::Own(Size::Cells(resize.cells));
    if !resizes.iter().any(is_relative) {
        return batch;
    }
    let forget = "set-hook -u -w window-resized";
    let unless_zoomed = format!("if-shell -F '#{{hook_flag_Z}}' '' '{forget}'");
    for (name, run) in SIZE_HOOKS.into_iter().zip([unless_zoomed.as_str(), forget]) {
        batch.push(command("set-hook", &["-t", target, name, run]));
    }
    let again = |resize: &Resize| {
        let (axis, all) = match resize.axis {
            Axis::X => ("-x", "#{window_width}"),
            Axis::Y => ("-y", "#{window_height}"),
        };
        let pane = format!("#{{window_id}}.#{{e|+|:#{{pane-base-index}},{}}}", resize.pane);
        format!("resize-pane -t {pane} {axis} {}", cells(resize.part, all))
    };
    let again: Vec<String> = resizes.iter().map(again).collect();
    let whole = "#{==:#{window_panes},#{@gt_panes}}";
    let so = format!("#{{&&:{whole},#{{?window_zoomed_flag,0,1}}}}");
    let run = format!("run-shell -C \"#{{?{so},{},}}\"", again.join(" ; "));
    batch.push(command("set-option", &["-w", "-F", "-t", target, "@gt_panes", "#{window_panes}"]));
    batch.push(command("set-hook", &["-w", "-t", target, "window-resized", &run]));
    batch
}

/// A part of a window as tmux works it out; at least one cell.
fn cells(part: PaneShare, all: &str) -> String {
    let of = |operator: &str, one: &str, other: &str| format!("#{{e|{operator}|:{one},{other}}}");
    let percent = |percent: usize| {
        let hundredths = of("+", &of("*", all, &percent.to_string()), "50");
        of("/", &hundredths, "100")
    };
    let cells = match part {
        PaneShare::Own(Size::Cells(cells)) => return cells.to_string(),
        PaneShare::Own(Size::Percent(own)) => percent(own),
        PaneShare::Rest { percent: given, cells, among } => {
            let left = of("-", &of("-", all, &percent(given)), &cells.to_string());
            of("/", &left, &among.to_string())
        }
    };
    format!("#{{?{},{cells},1}}", of(">", &cells, "1"))
}

/// A session to make.
#[derive(Clone, Debug, Default)]
pub struct NewTmuxSession<'a> {
    /// Its name, without `.` and `:`.
    pub name: &'a str,
    /// Its window's name, when it has one window with the agent.
    pub window: &'a str,
    /// Where the program starts; must exist.
    pub cwd: &'a str,
    /// The environment.
    pub env: &'a [(String, String)],
    /// The program and its words.
    pub argv: &'a [String],
    /// Whose it is.
    pub agent: PaneMark,
    /// What its agent does, and since when.
    pub state: (&'a str, &'a str),
    /// What it is made of.
    pub hash: &'a str,
    /// A text for `sh` that is run when the agent's program ends; none when empty.
    pub on_end: &'a str,
    /// Its windows; one with the agent when empty.
    pub windows: &'a [NewWindow],
}

impl NewTmuxSession<'_> {
    /// Whether an agent runs in it.
    pub(super) fn has_agent(&self) -> bool {
        self.windows.is_empty() || windows::agents_place(self.windows).is_some()
    }
}

/// What runs [`NewTmuxSession::on_end`], as a hook of a pane.
pub fn end_hook() -> String {
    format!("run-shell -b {}", as_text(ON_END_HOOK))
}

/// Several words run without a shell; `env` says it readably when the program is missing. PATH is said again here: a
/// program gets that of whoever calls tmux, and the session's own only in windows that a person opens. Without words
/// it is the person's own shell.
pub fn push_program(command: &mut TmuxCommand, env: &[(String, String)], argv: &[String]) {
    if argv.is_empty() {
        return;
    }
    command.push_param("--").push_param("env");
    for (_, path) in env.iter().filter(|(key, _)| key == "PATH") {
        command.push_param(word(&format!("PATH={path}")));
    }
    for argument in argv {
        command.push_param::<Cow<'_, str>>(word(argument).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_where_it_was() {
        let window = |name: &str, panes: usize| NewWindow {
            name: name.into(),
            panes: vec![NewPane::default(); panes],
            ..NewWindow::default()
        };
        let windows = [window("logs", 2), window("", 3)];
        assert_eq!(
            place(&windows, 1, "no space for new pane"),
            "window 'logs', pane 2: no space for new pane"
        );
        assert_eq!(place(&windows, 2, "no space for new pane"), "window 2, pane 1: no space for new pane");
        assert_eq!(place(&windows, 4, "fork failed"), "window 2, pane 3: fork failed");
        assert_eq!(place(&windows, 2, "invalid layout: x"), "window 'logs': invalid layout: x");
        assert_eq!(place(&windows, 5, "invalid layout: x"), "window 2: invalid layout: x");
        assert_eq!(place(&windows, 5, "anything"), "anything");
        assert_eq!(place(&[], 1, "anything"), "anything");
    }
}

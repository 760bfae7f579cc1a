//! What an agent's screen says: whether it asks a person something, works, or takes text. Pure.

use anyhow::Result;
use regex::Regex;

use crate::base::failure::Failure;
use crate::base::hash::fnv32;
use crate::base::terminal::one_line;
use crate::config::Runtime;
use crate::config::schema::ScreenPattern;
use crate::model::state::State;

/// How many lines from the bottom count: agents draw their prompt and state there, and what they said before must
/// not be taken for it.
const BOTTOM: usize = 16;

/// The most characters of a question that are told.
const LONGEST: usize = 300;

/// What a screen was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It asks a person something: nothing may be typed.
    Question,
    /// It cannot reach its model, and tries again.
    Offline,
    /// It works.
    Busy,
    /// It takes text.
    Ready,
    /// None of its patterns is there.
    Other,
}

impl Reading {
    /// The state of an agent whose screen reads so.
    pub const fn state(self) -> Option<State> {
        match self {
            Reading::Question => Some(State::Question),
            Reading::Offline => Some(State::Offline),
            Reading::Busy => Some(State::Working),
            Reading::Ready => Some(State::Idle),
            Reading::Other => None,
        }
    }

    /// The key of the pattern that fits.
    pub const fn pattern(self) -> &'static str {
        match self {
            Reading::Question => "question",
            Reading::Offline => "offline",
            Reading::Busy => "busy",
            Reading::Ready => "ready",
            Reading::Other => "none",
        }
    }
}

/// A runtime's patterns.
#[derive(Clone, Debug)]
pub struct Patterns {
    question: Option<Regex>,
    offline: Option<Regex>,
    busy: Option<Regex>,
    ready: Option<Regex>,
}

impl Patterns {
    /// The patterns of a runtime.
    ///
    /// # Errors
    /// One that is no regular expression.
    pub fn of(runtime: &Runtime) -> Result<Patterns> {
        Ok(Patterns {
            question: compile("question", runtime.question.as_ref())?,
            offline: compile("offline", runtime.offline.as_ref())?,
            busy: compile("busy", runtime.busy.as_ref())?,
            ready: compile("ready", runtime.ready.as_ref())?,
        })
    }

    /// Whether the screen can show that text is taken.
    pub fn tell_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Reads the bottom lines of a screen: a question counts first, then offline, busy, ready.
    pub fn read(&self, screen: &str) -> Reading {
        let lines: Vec<&str> = screen.lines().map(|line| line.trim_end_matches(' ')).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.trim().is_empty()).collect();
        let bottom = lines[lines.len().saturating_sub(BOTTOM)..].join("\n");
        // An empty prompt (`^> `) is made of a blank at the end of its line.
        let padded = bottom.replace('\n', " \n") + " ";
        let shows = |pattern: &Option<Regex>| {
            pattern.as_ref().is_some_and(|regex| regex.is_match(&bottom) || regex.is_match(&padded))
        };
        if shows(&self.question) {
            Reading::Question
        } else if shows(&self.offline) {
            Reading::Offline
        } else if shows(&self.busy) {
            Reading::Busy
        } else if shows(&self.ready) {
            Reading::Ready
        } else {
            Reading::Other
        }
    }
}

/// What a screen asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The question and the answers that have a number, in one line.
    pub text: String,
    /// Those answers.
    pub answers: Vec<(u8, String)>,
    /// All that is said of it, line by line.
    about: Vec<String>,
}

/// The most lines that say something of a question.
const ABOUT: usize = 40;

impl Question {
    /// Reads a screen that asks something.
    pub fn read(screen: &str) -> Question {
        let frame = |c: char| c.is_whitespace() || "│┃╭╰─❯›●△>".contains(c);
        let raw: Vec<&str> = screen.lines().filter(|line| !line.trim_matches(frame).is_empty()).collect();
        let lines: Vec<&str> = raw.iter().map(|line| line.trim_matches(frame)).collect();
        let bottom = &lines[lines.len().saturating_sub(BOTTOM)..];
        let answer = |line: &str| {
            let (number, text) = line.split_once(". ")?;
            Some((number.parse::<u8>().ok().filter(|number| *number < 10)?, text.trim().to_string()))
        };
        let first = bottom.iter().rposition(|line| answer(line).is_some_and(|(number, _)| number == 1));
        let answers = |below: &[&str]| below.iter().filter_map(|line| answer(line)).collect::<Vec<_>>();
        let (asked, answers) = match first {
            Some(first) => {
                let (above, below) = bottom.split_at(first);
                let asked = above.iter().rev().find(|line| line.contains('?')).or(above.last());
                (asked.copied().unwrap_or_default().to_string(), answers(below))
            }
            None => (bottom[bottom.len().saturating_sub(3)..].join(" / "), Vec::new()),
        };
        let shown: Vec<String> = answers.iter().map(|(number, text)| format!("{number}. {text}")).collect();
        let text = if shown.is_empty() { asked } else { format!("{asked} [{}]", shown.join(" / ")) };
        // A rule, or the top of a box, is above all that is said.
        let all: Vec<&str> = screen.lines().collect();
        let is_rule = |line: &&str| line.trim_start().starts_with(['─', '╭']);
        let top = all.iter().rposition(is_rule).map_or(0, |at| at + 1);
        let about = all[top..].iter().filter(|line| !line.trim_matches(frame).is_empty());
        let about: Vec<String> = about.map(|line| still(line)).collect();
        Question {
            text: plain(&text),
            answers: answers.into_iter().map(|(number, text)| (number, plain(&text))).collect(),
            about: about[about.len().saturating_sub(ABOUT)..].to_vec(),
        }
    }

    /// What tells it from any other question, of this agent and of others.
    pub fn id(&self, instance: &str) -> String {
        format!(
            "{:08x}",
            fnv32(self.about.iter().flat_map(|line| line.bytes().chain([0])).chain(instance.bytes()))
        )
    }

    /// Whether a command stands there, however its lines are broken.
    pub fn mentions(&self, command: &str) -> bool {
        let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let start: String = bare(command).chars().take(ABOUT).collect();
        !start.is_empty() && bare(&self.about.join("")).contains(&start)
    }

    /// The number of an answer: a number that is there, `yes` or `no`.
    pub fn number(&self, answer: &str) -> Option<u8> {
        let begins = |words: &[&str]| {
            let mut fitting =
                self.answers.iter().filter(|(_, text)| words.iter().any(|word| text.starts_with(word)));
            fitting.next().map(|(number, _)| *number)
        };
        match answer {
            "yes" => begins(&["Yes", "Allow", "Trust"]),
            "no" => begins(&["No", "Don't", "Don’t", "Reject", "Back"]),
            number => self.answers.iter().map(|(own, _)| *own).find(|own| own.to_string() == number),
        }
    }
}

/// A line without what moves while nothing changes: spinners at its ends, seconds that go by.
fn still(line: &str) -> String {
    let is_time = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.strip_suffix(['s', 'm', 'h'])
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let line = line.trim_matches(|c: char| !c.is_alphanumeric());
    line.split_whitespace().filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ")
}

/// One line of limited length, without anything that acts in a terminal.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    one_line(&words.join(" ")).chars().take(LONGEST).collect()
}

fn compile(key: &str, screen: Option<&ScreenPattern>) -> Result<Option<Regex>> {
    let Some(screen) = screen else { return Ok(None) };
    let regex = Regex::new(&format!("(?m:{})", screen.pattern))
        .map_err(|error| Failure::new(format!("the runtime's pattern '{key}' cannot be used: {error}")))?;
    Ok(Some(regex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns() -> Patterns {
        let screen = |pattern: &str| Some(ScreenPattern { pattern: pattern.into(), timeout: None });
        let runtime = Runtime {
            question: screen("Do you want"),
            busy: screen("esc to interrupt"),
            ready: screen("^> "),
            ..Runtime::default()
        };
        Patterns::of(&runtime).unwrap()
    }

    #[test]
    fn a_question_counts_before_everything_else() {
        let patterns = patterns();
        assert_eq!(patterns.read("> \nesc to interrupt\nDo you want to go on?"), Reading::Question);
        assert_eq!(patterns.read("> \n* esc to interrupt"), Reading::Busy);
        assert_eq!(patterns.read("hello\n>\n\n\n"), Reading::Ready);
        assert_eq!(patterns.read("starting"), Reading::Other);
        assert_eq!(patterns.read(""), Reading::Other);
    }

    #[test]
    fn every_real_question_is_told_with_its_answers() {
        let asks = |(_, state, _, _): &(String, String, String, String)| state.starts_with("question.");
        let mut told: Vec<String> = screens()
            .into_iter()
            .filter(asks)
            .map(|(runtime, state, _, screen)| {
                format!("{runtime} {}: {}", &state[9..], Question::read(&screen).text)
            })
            .collect();
        told.sort();
        insta::assert_snapshot!(told.join("\n"), @r"
        aider permission.txt: Tokens: 2.6k sent, 10 received. Cost: $0.0067 message, $0.03 session. / touch a1 / Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:
        aider start-2.txt: Repo-map: using 4096 tokens, auto refresh / https://aider.chat/HISTORY.html#release-notes / Would you like to see what's new in this version? (Y)es/(N)o [Yes]:
        aider start.txt: You can skip this check with --no-gitignore / Add .aider* to .gitignore (recommended)? (Y)es/(N)o [Yes]:
        claude api-key.txt: Do you want to use this API key? [1. Yes / 2. No (recommended)]
        claude bypass-dialog.txt: https://code.claude.com/docs/en/security [1. No, exit / 2. Yes, I accept]
        claude permission-gt.txt: Do you want to proceed? [1. Yes / 2. Yes, and don’t ask again for: gt prime * / 3. No]
        claude permission.txt: Do you want to proceed? [1. Yes / 2. Yes, and always allow access to proj-claude/ from this project / 3. No]
        claude trust.txt: Quick safety check: Is this a project you created or one you trust? (Like your own code, a well-known open source project, or work from your team). If not, take a moment to review what's in this [1. Yes, I trust this folder / 2. No, exit]
        codex hooks-untrusted.txt: Hooks can run outside the sandbox after you trust them. [1. Review hooks / 2. Trust all and continue / 3. Continue without trusting (hooks won't run)]
        codex permission.txt: Reason: May I touch a file outside? [1. Yes, proceed (y) / 2. Yes, and don't ask again for commands that start with `touch /home/user/esc1` (p) / 3. No, and tell Codex what to do differently (esc)]
        codex sign-in.txt: Choose how you want to use Codex. [1. Sign in with ChatGPT / 2. Sign in with Device Code / 3. Sign in another way]
        codex trust.txt: Trust this folder? Codex can read, edit, and run files here, subject to your permission settings. Folder settings can run code automatically, even without a model request. Continue only if you [1. Trust and continue / 2. Back to Agent Command Center]
        copilot trust.txt: Do you trust the files in this folder? [1. Yes / 2. Yes, and remember this folder for future sessions / 3. No (Esc)]
        gemini permission.txt: Allow execution of [Shell]? [1. Allow once / 2. Allow for this session / 3. No, suggest changes (esc)]
        gemini sign-in.txt: How would you like to authenticate for this project? [1. Sign in with Google / 2. Use Gemini API Key / 3. Vertex AI]
        gemini trust.txt: Do you trust the files in this folder? [1. Trust folder (proj-gemini) / 2. Trust parent folder (agents) / 3. Don't trust]
        opencode permission.txt: /home/user/proj-opencode:main / Allow once Allow always Reject ctrl+f fullscreen ⇆ select enter confirm / • OpenCode 1.18.33
        ");
    }

    #[test]
    fn a_question_has_an_id_of_its_own_while_spinners_turn() {
        let screen = |command: &str, spin: &str, last: &str| {
            let time = spin.len();
            format!(
                "old {spin}\n────\n $ {command}\n {spin} Running ({time}s)\n Proceed?\n ❯ 1. Yes\n   2. Yes, always\n   3. {last}\n"
            )
        };
        let id = |screen: &str, instance: &str| Question::read(screen).id(instance);
        let own = screen("make all", "*", "No");
        assert_eq!(id(&own, "one"), id(&screen("make all", "**", "No"), "one"));
        for (other, instance) in [
            (&own, "two"),
            (&screen("make rest", "*", "No"), "one"),
            (&screen("make all", "*", "Never"), "one"),
        ] {
            assert_ne!(id(&own, "one"), id(other, instance), "{other}");
        }
        let read = Question::read(&own);
        assert!(read.mentions("make all") && !read.mentions("make rest") && !read.mentions(""));
        let numbers = ["yes", "no", "2", "4", "maybe"].map(|answer| read.number(answer));
        assert_eq!(numbers, [Some(1), Some(3), Some(2), None, None]);
        let exit = Question::read("Really?\n 1. No, exit\n 2. Yes, I accept\n");
        assert_eq!((exit.number("yes"), exit.number("no")), (Some(2), Some(1)));
    }

    #[test]
    fn what_scrolled_up_does_not_count() {
        let old = format!("Do you want to?\n{}> ", "line\n".repeat(20));
        assert_eq!(patterns().read(&old), Reading::Ready);
    }

    /// `tests/screens/RUNTIME/STATE.WHAT.txt`: the title, then the bottom of a screen as the program drew it in tmux.
    fn screens() -> Vec<(String, String, String, String)> {
        let mut screens = Vec::new();
        for dir in std::fs::read_dir("tests/screens").unwrap() {
            let dir = dir.unwrap().path();
            for file in std::fs::read_dir(&dir).unwrap() {
                let file = file.unwrap().path();
                let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_string();
                let (state, text) = (name(&file), std::fs::read_to_string(&file).unwrap());
                let (title, screen) = text.split_once('\n').unwrap();
                screens.push((name(&dir), state, title.to_string(), screen.to_string()));
            }
        }
        assert!(screens.len() > 50, "{}", screens.len());
        screens
    }

    fn built_in(runtime: &str) -> Patterns {
        let agents = crate::config::settings(&crate::config::Sources::default()).unwrap().agents;
        Patterns::of(&agents[runtime]).unwrap()
    }

    #[test]
    fn every_real_screen_gives_its_state() {
        let read =
            |runtime: &str, screen: &str| format!("{:?}", built_in(runtime).read(screen)).to_lowercase();
        let wrong = |(runtime, state, _, screen): (String, String, String, String)| {
            let read = read(&runtime, &screen);
            (!state.starts_with(&format!("{read}."))).then(|| format!("{runtime}/{state}: {read}"))
        };
        let wrong: Vec<String> = screens().into_iter().filter_map(wrong).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// An agent that prints another screen, a file of these tests say, is as ready as before.
    #[test]
    fn a_screen_that_an_agent_shows_changes_nothing() {
        let lines = |screen: &str| -> Vec<String> {
            screen.lines().filter(|line| !line.trim().is_empty()).map(str::to_string).collect()
        };
        let screens = screens();
        for (runtime, state, _, screen) in
            screens.iter().filter(|(_, state, ..)| state.starts_with("ready.done"))
        {
            // Its prompt and what is below: it draws those, whatever else is shown.
            let (patterns, own) = (built_in(runtime), lines(screen));
            let first =
                (0..own.len()).rev().find(|at| patterns.read(&own[*at..].join("\n")) == Reading::Ready);
            let prompt = &own[first.unwrap()..];
            for (_, shown_as, _, shown) in screens.iter().filter(|(of, ..)| of == runtime) {
                let text = lines(shown).into_iter().map(|line| format!("  {line}"));
                let screen = text.chain(prompt.iter().cloned()).collect::<Vec<_>>().join("\n");
                assert_eq!(
                    patterns.read(&screen),
                    Reading::Ready,
                    "{runtime}/{state} below {shown_as}\n{screen}"
                );
            }
        }
    }
}

//! The merge queue's decisions: who comes first, and which request of a batch breaks the tests.

use std::collections::BTreeMap;

use crate::base::time;
use crate::beads::request::Request;

/// Waiting this long, in seconds, weighs as much as one step of priority: so nothing waits for ever behind work that
/// keeps arriving above it.
pub const AGE_STEP: i64 = 4 * 60 * 60;

/// Sorts requests: priority before age, and age raises priority by one step each [`AGE_STEP`]. The order depends on
/// the requests alone, so two looks at one queue agree.
pub fn order(requests: &mut [Request]) {
    requests.sort_by_cached_key(|request| {
        (rank(request.priority, &request.created), request.created.clone(), request.id.clone())
    });
}

/// Where something of this priority, which waits since then, stands in a queue: the least first, in microseconds. A time that
/// cannot be read counts as the oldest: what has it is looked at, not forgotten.
pub fn rank(priority: u8, since: &str) -> i64 {
    time::micros_since_epoch(since).unwrap_or(0) + i64::from(priority) * AGE_STEP * 1_000_000
}

/// Splits requests into those that count and those that a later request for the same branch replaced: each with the
/// id of its successor.
pub fn superseded(requests: Vec<Request>) -> (Vec<Request>, Vec<(Request, String)>) {
    let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
    for request in &requests {
        let key = (request.created.clone(), request.id.clone());
        let known = newest.entry(request.branch.clone()).or_insert_with(|| key.clone());
        *known = key.max(known.clone());
    }
    let (mut current, mut old) = (Vec::new(), Vec::new());
    for request in requests {
        match newest.get(&request.branch) {
            Some((_, id)) if *id != request.id => old.push((request, id.clone())),
            _ => current.push(request),
        }
    }
    (current, old)
}

/// What decides whether a request is merged without a person's consent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A person typed the command that merges.
    pub by_person: bool,
    /// There is a test command.
    pub tested: bool,
    /// `merge.auto`
    pub auto: bool,
    /// `merge.approve = "person"`
    pub always: bool,
}

/// Why a request waits for a person's consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// It changes these agent settings.
    Settings(Vec<String>),
    /// Every request does.
    Always,
    /// Nothing would test it.
    Tests,
}

impl Rules {
    /// Why a request needs a consent; `changed` are the agent settings that it changes.
    pub fn needs(&self, changed: &[String]) -> Option<Needs> {
        if !changed.is_empty() {
            Some(Needs::Settings(changed.to_vec()))
        } else if self.always {
            Some(Needs::Always)
        } else if self.by_person || self.tested || self.auto {
            None
        } else {
            Some(Needs::Tests)
        }
    }
}

impl Needs {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Needs::Settings(paths) => format!("it changes agent settings: {}", super::trust::shown(paths)),
            Needs::Always => "merge.approve is \"person\"".into(),
            Needs::Tests => "there is no merge.test_command, and merge.auto is not true".into(),
        }
    }
}

/// What is to be done next with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Test the first so many members together, folded in order onto the target.
    Test(usize),
    /// The member at this place breaks the tests: everything before it is green, with it they are red.
    Guilty(usize),
    /// The first so many, which are all that are left, are green as a whole (none: nothing is left).
    Land(usize),
}

/// The search for the guilty of one batch. Members are counted from the front; one that is taken out shifts those
/// after it. With one guilty of n it takes at most 1 + 2⌈log2 n⌉ tests.
#[derive(Clone, Debug)]
pub struct Halving {
    members: usize,
    /// The longest front that is known to be green; the bare target counts as green.
    green: usize,
    /// The shortest front that is known to be red.
    red: Option<usize>,
}

impl Halving {
    /// A batch of so many members, nothing tested yet.
    pub fn new(members: usize) -> Halving {
        Halving { members, green: 0, red: None }
    }

    /// The next question or the answer.
    pub fn ask(&self) -> NextStep {
        match self.red {
            _ if self.green == self.members => NextStep::Land(self.members),
            None => NextStep::Test(self.members),
            Some(red) if red == self.green + 1 => NextStep::Guilty(self.green),
            Some(red) => NextStep::Test(self.green.midpoint(red)),
        }
    }

    /// Says how the test of the first `front` members went.
    pub fn tested(&mut self, front: usize, is_green: bool) {
        if is_green {
            self.green = self.green.max(front);
        } else {
            self.red = Some(front);
        }
    }

    /// Takes out a member: a guilty one, or one that no longer fits behind what is left before it. What is known of
    /// the front before it stays true; of the rest nothing is known.
    pub fn take_out(&mut self, place: usize) {
        self.members = self.members.saturating_sub(1);
        self.green = self.green.min(place);
        self.red = None;
    }
}

/// What a run of the tests says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They passed.
    Green,
    /// They failed.
    Red,
    /// They could not be run: that says nothing about the work.
    CouldNotRun,
}

/// How a test command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The time limit ended it.
    pub timed_out: bool,
    /// It was run by `sh`, which reports the death of a program as 128 and the signal's number.
    pub by_shell: bool,
}

/// Reads it. `cannot_run` are the exit codes that the rig names.
pub fn verdict(ended: Ended, cannot_run: &[i32]) -> Verdict {
    match ended.code {
        _ if ended.timed_out => Verdict::CouldNotRun,
        None => Verdict::CouldNotRun,
        Some(code) if cannot_run.contains(&code) => Verdict::CouldNotRun,
        Some(129..=159) if ended.by_shell => Verdict::CouldNotRun,
        Some(0) => Verdict::Green,
        Some(_) => Verdict::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(id: &str, priority: u8, created: &str) -> Request {
        Request {
            id: id.into(),
            branch: format!("polecat/{id}"),
            priority,
            created: created.into(),
            ..Request::default()
        }
    }

    fn ids(requests: &[Request]) -> Vec<&str> {
        requests.iter().map(|request| request.id.as_str()).collect()
    }

    #[test]
    fn times_are_compared_as_times_and_not_as_texts() {
        let mut queue = vec![
            request("late", 2, "2026-01-01T00:00:00.1Z"),
            request("early", 2, "2026-01-01T00:00:00.099999Z"),
        ];
        order(&mut queue);
        assert_eq!(ids(&queue), ["early", "late"]);
        assert!(rank(2, "2026-01-01T00:00:00.12Z") < rank(2, "2026-01-01T00:00:00.123Z"));
    }

    #[test]
    fn priority_comes_before_age_until_age_outweighs_it() {
        let mut queue = vec![
            request("old-low", 3, "2026-01-01T00:00:00Z"),
            request("new-high", 1, "2026-01-01T07:59:00Z"),
            request("later-high", 1, "2026-01-01T08:01:00Z"),
            request("same-age", 1, "2026-01-01T07:59:00Z"),
        ];
        order(&mut queue);
        assert_eq!(ids(&queue), ["new-high", "same-age", "old-low", "later-high"]);
    }

    #[test]
    fn what_merges_by_itself_is_tested_and_changes_no_agent_settings() {
        let agent = Rules::default();
        let person = Rules { by_person: true, ..agent };
        let settings = [".claude/settings.json".to_string()];
        assert_eq!(agent.needs(&[]), Some(Needs::Tests));
        for rules in [person, Rules { tested: true, ..agent }, Rules { auto: true, ..agent }] {
            assert_eq!(rules.needs(&[]), None);
            assert_eq!(rules.needs(&settings), Some(Needs::Settings(settings.to_vec())));
            assert_eq!(Rules { always: true, ..rules }.needs(&[]), Some(Needs::Always));
        }
    }

    #[test]
    fn what_says_nothing_about_the_work_is_neither_green_nor_red() {
        let plain = |code| Ended { code: Some(code), ..Ended::default() };
        let shell = |code| Ended { by_shell: true, ..plain(code) };
        for (ended, wanted) in [
            (plain(0), Verdict::Green),
            (plain(1), Verdict::Red),
            (plain(127), Verdict::CouldNotRun),
            (plain(75), Verdict::CouldNotRun),
            (plain(137), Verdict::Red),
            (shell(137), Verdict::CouldNotRun),
            (shell(101), Verdict::Red),
            (Ended::default(), Verdict::CouldNotRun),
            (Ended { timed_out: true, ..plain(0) }, Verdict::CouldNotRun),
        ] {
            assert_eq!(verdict(ended, &[75, 126, 127]), wanted, "{ended:?}");
        }
    }

    #[test]
    fn the_last_request_for_a_branch_counts() {
        let mut again = request("wy-2", 2, "2026-01-01T00:00:01Z");
        again.branch = "polecat/wy-1".into();
        let first = request("wy-1", 2, "2026-01-01T00:00:00Z");
        let other = request("wy-3", 2, "2026-01-01T00:00:00Z");
        let (current, old) = superseded(vec![first.clone(), again.clone(), other.clone()]);
        assert_eq!(current, [again, other]);
        assert_eq!(old, [(first, "wy-2".into())]);
    }

    /// Plays a whole batch: (landed, set aside, runs). `guilty` members make every front that holds them red.
    fn play(guilty: &[bool]) -> (Vec<usize>, Vec<usize>, usize) {
        let mut members: Vec<usize> = (0..guilty.len()).collect();
        let (mut aside, mut runs) = (Vec::new(), 0);
        let mut green_fronts: Vec<Vec<usize>> = vec![Vec::new()];
        let mut search = Halving::new(members.len());
        loop {
            match search.ask() {
                NextStep::Test(front) => {
                    runs += 1;
                    let is_green = !members[..front].iter().any(|member| guilty[*member]);
                    if is_green {
                        green_fronts.push(members[..front].to_vec());
                    }
                    search.tested(front, is_green);
                }
                NextStep::Guilty(place) => {
                    aside.push(members.remove(place));
                    search.take_out(place);
                }
                NextStep::Land(front) => {
                    assert_eq!(front, members.len());
                    assert!(green_fronts.contains(&members), "{members:?} was not green as a whole");
                    return (members, aside, runs);
                }
            }
        }
    }

    fn log2_up(n: usize) -> usize {
        n.next_power_of_two().trailing_zeros() as usize
    }

    #[test]
    fn one_guilty_is_found_within_the_bound_wherever_it_is() {
        for n in 1..=64 {
            for place in 0..n {
                let guilty: Vec<bool> = (0..n).map(|member| member == place).collect();
                let (landed, aside, runs) = play(&guilty);
                assert_eq!(aside, [place]);
                assert_eq!(landed.len(), n - 1);
                assert!(runs <= 1 + 2 * log2_up(n), "{runs} runs for {place} of {n}");
            }
        }
    }

    proptest! {
        #[test]
        fn everything_green_lands_and_every_guilty_is_set_aside(guilty in prop::collection::vec(any::<bool>(), 0..40)) {
            let (landed, mut aside, runs) = play(&guilty);
            aside.sort_unstable();
            let wanted = |is: bool| (0..guilty.len()).filter(|member| guilty[*member] == is).collect::<Vec<_>>();
            prop_assert_eq!(landed, wanted(false));
            prop_assert_eq!(&aside, &wanted(true));
            prop_assert!(runs <= 1 + aside.len() * (log2_up(guilty.len().max(1)) + 1));
        }

        #[test]
        fn whatever_the_tests_say_the_search_ends_and_lands_only_what_was_green(
            answers in prop::collection::vec(any::<bool>(), 1..400), n in 1usize..20,
        ) {
            let mut members: Vec<usize> = (0..n).collect();
            let mut greens: Vec<Vec<usize>> = vec![Vec::new()];
            let mut search = Halving::new(n);
            let mut answers = answers.into_iter().cycle();
            let mut runs = 0;
            loop {
                match search.ask() {
                    NextStep::Test(front) => {
                        runs += 1;
                        prop_assert!(runs <= n * n + n);
                        let is_green = answers.next().unwrap();
                        if is_green { greens.push(members[..front].to_vec()); }
                        search.tested(front, is_green);
                    }
                    NextStep::Guilty(place) => { members.remove(place); search.take_out(place); }
                    NextStep::Land(_) => break,
                }
            }
            prop_assert!(greens.contains(&members));
        }

        #[test]
        fn nothing_starves(waiting in 0u8..=4, arrivals in prop::collection::vec((0u8..=4, 0i64..1_000_000), 0..50)) {
            let at = |seconds: i64| jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap().to_string();
            let mut queue: Vec<Request> =
                arrivals.iter().enumerate().map(|(n, (p, t))| request(&format!("a{n}"), *p, &at(*t))).collect();
            queue.push(request("waits", waiting, &at(0)));
            order(&mut queue);
            let before = queue.iter().take_while(|request| request.id != "waits");
            let limit = i64::from(waiting) * AGE_STEP;
            for request in before {
                let arrived = crate::base::time::seconds_since_epoch(&request.created).unwrap() - 1_800_000_000;
                prop_assert!(arrived <= limit, "{} came {arrived}s later and goes first", request.id);
            }
        }
    }
}

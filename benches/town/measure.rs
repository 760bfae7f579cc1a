//! One run of a program: how long it took, and its peak memory as the kernel tells it.

use std::process::{Command, Stdio};
use std::time::Instant;

/// What a run, or the median of several, came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figure {
    /// From its start to its end.
    pub millis: f64,
    /// The largest resident set of it and of what it ran and waited for.
    pub mebibytes: f64,
}

/// Runs it once. A program that fails has no figure: its failure ends the benchmark.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it")]
pub fn run(command: &mut Command) -> Figure {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut said = String::new();
    if let Some(pipe) = &mut child.stderr {
        let _ = std::io::Read::read_to_string(pipe, &mut said);
    }
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: both pointers are valid for the call; a zeroed rusage is a rusage. The child is waited for here and
    // nowhere else.
    let usage = unsafe {
        assert_eq!(libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()), pid, "{command:?}");
        usage.assume_init()
    };
    let millis = began.elapsed().as_secs_f64() * 1000.0;
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{command:?} failed: {said}");
    // Kilobytes, but on macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    Figure { millis, mebibytes: usage.ru_maxrss as f64 / unit }
}

/// Runs two programs in turns, after one run each that does not count; gives their medians.
pub fn alternate(
    times: usize,
    mut first: impl FnMut() -> Command,
    mut second: impl FnMut() -> Command,
) -> (Figure, Figure) {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for turn in 0..=times {
        let (a, b) = (run(&mut first()), run(&mut second()));
        if turn > 0 {
            one.push(a);
            other.push(b);
        }
    }
    (median_of(one), median_of(other))
}

/// The median of each value.
pub fn median_of(figures: Vec<Figure>) -> Figure {
    let median = |value: fn(&Figure) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figure { millis: median(|figure| figure.millis), mebibytes: median(|figure| figure.mebibytes) }
}

//! `gt`: parse, run, print the error and its hint, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gastown::command::main()
}

//! Which hook of a project made git fail: git's own trace of the programs that it starts tells, its words do not.

use anyhow::Result;
use serde_json::Value;

use super::Git;
use crate::base::limits;
use crate::programs::{Output, Process};

/// Runs git, and gives the hook that failed, when git failed and one did.
pub(super) fn run(process: &Process) -> Result<(Output, Option<String>)> {
    // Without room for the trace a failure is told without the name of a hook.
    let Ok(trace) = tempfile::NamedTempFile::new() else { return Ok((process.run()?, None)) };
    let output = process.clone().env("GIT_TRACE2_EVENT", trace.path()).run()?;
    if output.ok() {
        return Ok((output, None));
    }
    let text = std::fs::read_to_string(trace.path()).unwrap_or_default();
    Ok((output, failed_hook(&text)))
}

/// What a hook said, on one line: git's own last word about it is left out.
pub(super) fn words(output: &Output, hook: &str) -> String {
    let said = output.error_text();
    let lines = said.lines().map(str::trim);
    let own = lines.filter(|line| !line.is_empty() && !line.starts_with("error: failed to push some refs"));
    let own: Vec<&str> = own.collect();
    let end = own[own.len().saturating_sub(10)..].join("; ");
    if end.is_empty() {
        format!("the hook {hook} refused it")
    } else {
        format!("the hook {hook} refused it: {end}")
    }
}

impl Git {
    /// Runs git. A `post-checkout` hook that fails comes after a complete checkout: it is named, and git has not failed. In a
    /// submodule git goes on with no other one, so there it has.
    pub(super) fn finish(process: &Process) -> Result<Output> {
        let is = |names: &[&str]| process.args.iter().any(|word| names.iter().any(|own| word == own));
        if !is(&["worktree", "checkout", "clone", "submodule"]) {
            return process.run();
        }
        let (output, hook) = run(process)?;
        if hook.as_deref() != Some("post-checkout") {
            return Ok(output);
        }
        let how = output.code.map_or("a signal".into(), |code| format!("exit code {code}"));
        let said = output.error_text().lines().last().map(|line| format!(": {line}")).unwrap_or_default();
        if is(&["submodule"]) {
            limits::warn("the hook post-checkout failed after the checkout of a submodule");
            return Ok(output);
        }
        limits::warn(&format!("the hook post-checkout failed after the checkout, with {how}{said}"));
        Ok(Output { code: Some(0), signal: None, ..output })
    }
}

/// Reads git's trace: the hook of the outermost git whose end was not 0.
fn failed_hook(trace: &str) -> Option<String> {
    let events: Vec<Value> = trace.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |kind: &'static str| events.iter().filter(move |event| event["event"] == kind);
    let failed = of("child_exit").filter(|event| event["code"] != 0).filter_map(|exit| {
        let start = of("child_start").find(|start| {
            start["sid"] == exit["sid"]
                && start["child_id"] == exit["child_id"]
                && start["child_class"] == "hook"
        })?;
        // A hook may run git, which has hooks.
        let depth = exit["sid"].as_str()?.split('/').count();
        Some((depth, start["hook_name"].as_str()?.to_string()))
    });
    failed.min_by_key(|(depth, _)| *depth).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_that_failed_is_the_outermost_one() {
        let trace = r#"{"event":"child_start","sid":"a","child_id":0,"child_class":"transport/file"}
{"event":"child_start","sid":"a","child_id":1,"child_class":"hook","hook_name":"pre-push"}
{"event":"child_start","sid":"a/b","child_id":1,"child_class":"hook","hook_name":"pre-commit"}
{"event":"child_exit","sid":"a/b","child_id":1,"code":1}
{"event":"child_exit","sid":"a","child_id":1,"code":3}
{"event":"child_exit","sid":"a","child_id":0,"code":1}
cut short"#;
        assert_eq!(failed_hook(trace).as_deref(), Some("pre-push"));
        assert_eq!(failed_hook(&trace.replace("\"code\":3", "\"code\":0")).as_deref(), Some("pre-commit"));
        assert_eq!(failed_hook(""), None);
    }
}

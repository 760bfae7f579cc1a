//! The beads of the demo: ten real ones, small enough that a script does each, and the repository they are about.

/// One bead of the demo.
pub struct DemoBead {
    /// Its title, also its commit's.
    pub title: &'static str,
    /// 0 (first) to 4.
    pub priority: &'static str,
    /// What is wanted.
    pub about: &'static str,
    /// The script that does it.
    pub script: &'static str,
}

impl DemoBead {
    /// What a person would have written as the bead's description.
    pub fn description(&self) -> String {
        format!("{}\n\n```sh\n{}\n```\n", self.about, self.script.trim())
    }
}

/// The places in [`BEADS`] of the two that touch the same lines: both start at once, from the same commit.
pub const TWINS: [usize; 2] = [0, 1];

/// The place of the bead whose polecat is killed in the middle of its work.
pub const CRASH: usize = 2;

/// The place of the bead whose change fails the rig's test command.
pub const RED: usize = 3;

/// The most polecats at once, as a rig has it when nothing says otherwise: the other beads wait.
#[cfg(test)]
pub const PLACES: usize = 4;

/// The rig's test command.
pub const TEST: &str = "sh scripts/check-tree";

/// The ten. The first four start at once, the others when there is a place.
pub const BEADS: [DemoBead; 10] = [
    DemoBead {
        title: "Changelog: the scripts are listed",
        priority: "0",
        about: "The first line under Unreleased.",
        script: NOTE_LIST,
    },
    DemoBead {
        title: "Changelog: the list is checked",
        priority: "0",
        about: "The first line under Unreleased.",
        script: NOTE_CHECK,
    },
    DemoBead {
        title: "Count the lines of the sources",
        priority: "0",
        about: "How many there are, in docs/lines.md. It takes its time.",
        script: LONG,
    },
    DemoBead {
        title: "Trace the start of the program",
        priority: "1",
        about: "A debugging macro in main: what the rig's test command forbids.",
        script: TRACE,
    },
    DemoBead {
        title: "List the scripts in docs/scripts.md",
        priority: "2",
        about: "One line a script: its name, and what its first comment says.",
        script: LIST,
    },
    DemoBead {
        title: "Check that the list of scripts is whole",
        priority: "2",
        about: "A script that fails when one is missing from the list.",
        script: CHECK,
    },
    DemoBead {
        title: "Link the list of scripts from the README",
        priority: "3",
        about: "The last line of the README.",
        script: "printf '\\nThe scripts: [docs/scripts.md](docs/scripts.md).\\n' >> README.md",
    },
    DemoBead {
        title: "One style for every editor",
        priority: "3",
        about: "An .editorconfig: UTF-8, and a newline at the end of every file.",
        script: "printf '[*]\\ncharset = utf-8\\ninsert_final_newline = true\\n' > .editorconfig",
    },
    DemoBead {
        title: "Say who wrote it",
        priority: "4",
        about: "AUTHORS, from the history.",
        script: "git log --format=%an | sort -u > AUTHORS",
    },
    DemoBead {
        title: "Leave what a build makes out of git",
        priority: "4",
        about: "*.log and *.tmp in .gitignore.",
        script: "printf '*.log\\n*.tmp\\n' >> .gitignore",
    },
];

/// The file in the git directory of its worktree that tells that [`CRASH`] is in the middle of its work. Who goes on there
/// finds it, and waits no more.
pub const MARK: &str = "demo-begun";

const LONG: &str = r##"
mark=$(git rev-parse --absolute-git-dir)/demo-begun
if [ ! -e "$mark" ]; then
    : > "$mark"
    sleep 60
fi
mkdir -p docs
printf '%s lines\n' "$(cat src/*.rs | wc -l | tr -d ' ')" > docs/lines.md
"##;

const LIST: &str = r##"
mkdir -p docs
{
    printf '# Scripts\n\n'
    for script in scripts/*; do
        printf -- '- `%s`: %s\n' "$script" "$(sed -n '2s/^# //p' "$script")"
    done
} > docs/scripts.md
"##;

const CHECK: &str = r##"
cat > scripts/check-list <<'END'
#!/bin/sh
# Every script is in docs/scripts.md.
set -eu
cd "$(dirname "$0")/.."
for script in scripts/*; do
    grep -q "$script" docs/scripts.md || { echo "$script is not listed" >&2; exit 1; }
done
END
chmod +x scripts/check-list
"##;

/// Both write under the same heading. A twin that is set aside is done again on what its brother left.
macro_rules! note {
    ($line:literal) => {
        concat!(
            r##"
awk '{ print } /^## Unreleased/ && !done++ { print ""; print "- "##,
            $line,
            r##"" }' CHANGELOG.md > CHANGELOG.new
mv CHANGELOG.new CHANGELOG.md
"##
        )
    };
}

const NOTE_LIST: &str = note!("What each script does is in docs/scripts.md.");
const NOTE_CHECK: &str = note!("A script that nobody listed is noticed.");

/// In two pieces, so that this file does not hold what it forbids.
const TRACE: &str = concat!(
    r##"
awk '{ print } /^fn main/ { print "    "##,
    "dbg",
    r##"!(\"start\");" }' src/main.rs > main.new
mv main.new src/main.rs
"##
);

/// The files of the repository that `gt demo` makes: path, executable, text.
pub const REPOSITORY: [(&str, bool, &str); 5] = [
    ("README.md", false, "# sprout\n\nSays hello.\n"),
    ("CHANGELOG.md", false, "# Changes\n\n## Unreleased\n\n- It says hello.\n"),
    ("src/main.rs", false, "fn main() {\n    println!(\"hello\");\n}\n"),
    ("scripts/check-tree", true, CHECK_TREE),
    (
        "scripts/run",
        true,
        "#!/bin/sh\n# Builds it and runs it.\nrustc -o /tmp/sprout src/main.rs && exec /tmp/sprout\n",
    ),
];

const CHECK_TREE: &str =
    concat!("#!/bin/sh\n# No debugging macro is left in the sources.\n! grep -rn '", "dbg", "!' src\n");

//! The epic of the demo: six real beads, small enough that a script does each, and the repository they are about.

/// One bead of the epic.
pub struct DemoBead {
    /// Its title, also its commit's.
    pub title: &'static str,
    /// 0 (first) to 4.
    pub priority: &'static str,
    /// The piece it waits for, by its place in [`EPIC`].
    pub after: Option<usize>,
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

/// The place in [`EPIC`] of the bead whose change fails the rig's test command.
pub const RED: usize = 5;

/// The places of the two that touch the same lines.
pub const TWINS: [usize; 2] = [3, 4];

/// The rig's test command.
pub const TEST: &str = "sh scripts/check-tree";

/// The epic's title.
pub const TITLE: &str = "Scripts that explain themselves";

/// The six beads. Two wait for the first, two touch the same lines of the changelog, the last breaks the test.
pub const EPIC: [DemoBead; 6] = [
    DemoBead {
        title: "List the scripts in docs/scripts.md",
        priority: "1",
        after: None,
        about: "One line a script: its name, and what its first comment says.",
        script: LIST,
    },
    DemoBead {
        title: "Link the list of scripts from the README",
        priority: "2",
        after: Some(0),
        about: "The last line of the README.",
        script: "test -f docs/scripts.md\nprintf '\\nThe scripts: [docs/scripts.md](docs/scripts.md).\\n' >> README.md",
    },
    DemoBead {
        title: "Check that the list of scripts is whole",
        priority: "2",
        after: Some(0),
        about: "A script that fails when one is missing from the list.",
        script: CHECK,
    },
    DemoBead {
        title: "Changelog: the scripts are listed",
        priority: "1",
        after: None,
        about: "The first line under Unreleased.",
        script: NOTE_LIST,
    },
    DemoBead {
        title: "Changelog: the list is checked",
        priority: "2",
        after: None,
        about: "The first line under Unreleased.",
        script: NOTE_CHECK,
    },
    DemoBead {
        title: "Trace the start of the program",
        priority: "2",
        after: None,
        about: "A debugging macro in main: what the rig's test command forbids.",
        script: TRACE,
    },
];

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
printf -- '- `scripts/check-list`: Every script is in docs/scripts.md.\n' >> docs/scripts.md
sh scripts/check-list
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

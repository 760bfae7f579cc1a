//! A bd for a test: a recorded one or a real one, each call of it kept.

use std::path::{Path, PathBuf};

use gastown::beads::bd::Bd;
use gastown::beads::{Change, Filter, Store, Written};
use gastown::model::bead::NewBead;
use gastown::programs::bd::{Program, Version};
use serde_json::{Value, json};

use crate::common::World;

/// Where recordings are kept.
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bd/recordings");

/// Answers the n-th call as it was recorded, if it has the same words.
const REPLAY: &str = r#"#!/bin/sh
dir='@LOG@'
n=$(($(cat "$dir/count" 2>/dev/null || echo 0) + 1)); echo $n > "$dir/count"
printf '%s\n' "$@" > "$dir/$n.words"
cat > "$dir/$n.in"
if ! cmp -s "$dir/$n.wanted" "$dir/$n.words"; then
  echo "call $n is not the recorded one" >&2; exit 97
fi
if [ "$1 $2" = 'init --prefix' ]; then mkdir .beads; echo '{}' > .beads/metadata.json; fi
cat "$dir/$n.out"; cat "$dir/$n.err" >&2
exit "$(cat "$dir/$n.code")"
"#;

/// Runs the real bd, apart from its user's own files, and keeps what it was asked and what it said.
const REAL: &str = r#"#!/bin/sh
dir='@LOG@'
n=$(($(cat "$dir/count" 2>/dev/null || echo 0) + 1)); echo $n > "$dir/count"
printf '%s\n' "$@" > "$dir/$n.words"
cat > "$dir/$n.in"
HOME='@HOME@' GIT_CONFIG_NOSYSTEM=1 '@REAL@' "$@" < "$dir/$n.in" > "$dir/$n.out" 2> "$dir/$n.err"
code=$?; echo $code > "$dir/$n.code"
cat "$dir/$n.out"; cat "$dir/$n.err" >&2
exit $code
"#;

/// A bd with an empty store, prefix `wy`, in `repo/.beads`.
pub struct Shop {
    pub world: World,
    pub program: Program,
    seen: std::cell::Cell<usize>,
    recorded: Vec<Value>,
    name: String,
    real: bool,
}

/// Runs the test with each bd there is.
#[track_caller]
pub fn with_each_bd(name: &str, test: impl Fn(&Shop)) {
    let shops = match std::env::var_os("GT_TEST_BD_BIN").map(PathBuf::from) {
        Some(path) => vec![Shop::real(name, &if path.is_dir() { path.join("bd") } else { path })],
        None => ["bd-0.46.0", "bd-1.0.5"].map(|line| Shop::replay(name, line)).into(),
    };
    for shop in shops {
        test(&shop);
        shop.finish();
    }
}

impl Shop {
    fn real(name: &str, path: &Path) -> Shop {
        let world = World::new();
        let script = REAL
            .replace("@REAL@", path.canonicalize().unwrap().to_str().unwrap())
            .replace("@HOME@", &world.str("home"));
        Shop::with(world, name, &script, Vec::new(), true)
    }

    fn replay(name: &str, line: &str) -> Shop {
        let path = Path::new(RECORDINGS).join(line).join(format!("{name}.jsonl"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let recorded = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Shop::with(World::new(), name, REPLAY, recorded, false)
    }

    fn with(world: World, name: &str, script: &str, recorded: Vec<Value>, real: bool) -> Shop {
        let log = world.path("log");
        std::fs::create_dir(&log).unwrap();
        for (index, call) in recorded.iter().enumerate() {
            let put = |kind: &str, text: &str| {
                std::fs::write(log.join(format!("{}.{kind}", index + 1)), text).unwrap();
            };
            let words = call["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
            put("wanted", &words.map(|word| format!("{word}\n")).collect::<String>());
            put("out", call["stdout"].as_str().unwrap());
            put("err", call["stderr"].as_str().unwrap());
            put("code", &call["code"].to_string());
        }
        world.program("bd", &script.replace("@LOG@", log.to_str().unwrap()));
        std::fs::create_dir(world.path("repo")).unwrap();
        world.git("repo", ["init", "-q"]);
        world.git("repo", ["commit", "-q", "--allow-empty", "-m", "first"]);
        world.write("repo/.git/info/exclude", ".beads\n");
        let program = Program::probe(&world.path("bin/bd")).unwrap();
        Shop { world, program, seen: 1.into(), recorded, name: name.into(), real }
    }

    /// Makes the store and opens it.
    pub fn store(&self) -> Bd {
        Bd::create_with(&self.program, &self.world.path("repo/.beads"), "wy").unwrap();
        let store = self.open("wyvern/Nux");
        self.calls();
        store
    }

    /// Opens the store as somebody.
    pub fn open(&self, actor: &str) -> Bd {
        Bd::with(self.program.clone(), &self.world.path("repo/.beads"), actor).unwrap()
    }

    /// Whether it is bd 1.0 or later.
    pub fn whole(&self) -> bool {
        self.program.version >= Version(1, 0, 0)
    }

    /// The calls since last asked: the first word of each.
    pub fn calls(&self) -> Vec<String> {
        let count: usize = self.world.read("log/count").trim().parse().unwrap();
        let first = |n| self.world.read(format!("log/{n}.words")).lines().next().unwrap().to_string();
        (self.seen.replace(count) + 1..=count).map(first).collect()
    }

    /// Asserts on the calls since last asked, by line of bd.
    #[track_caller]
    pub fn made_calls(&self, whole: &[&str], before: &[&str]) {
        assert_eq!(self.calls(), if self.whole() { whole } else { before }, "bd {}", self.program.version);
    }

    /// What bd itself calls ready.
    pub fn own_ready(&self) -> Vec<String> {
        let output =
            self.program.call(&self.world.path("repo/.beads"), "test", ["ready", "--json"]).run().unwrap();
        gastown::beads::bd::parse(&output.text()).unwrap().into_iter().map(|bead| bead.id).collect()
    }

    fn finish(&self) {
        let count: usize = self.world.read("log/count").trim().parse().unwrap();
        let lines = (1..=count).map(|n| {
            let read = |kind: &str| {
                self.world.read(format!("log/{n}.{kind}")).replace(&self.world.str(""), "/world/")
            };
            let words = read("words");
            json!({
                "words": words.strip_suffix('\n').unwrap().split('\n').collect::<Vec<_>>(),
                "stdin": read("in"), "stdout": read("out"), "stderr": read("err"),
                "code": read("code").trim().parse::<i32>().unwrap(),
            })
        });
        if !self.real {
            assert_eq!(count, self.recorded.len(), "fewer calls than were recorded");
            for (now, then) in lines.zip(&self.recorded) {
                assert_eq!(timeless(&now["stdin"]), timeless(&then["stdin"]), "{}", now["words"]);
            }
        } else if std::env::var_os("GT_TEST_BD_RECORD").is_some() {
            let dir = Path::new(RECORDINGS).join(format!("bd-{}", self.program.version));
            std::fs::create_dir_all(&dir).unwrap();
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            std::fs::write(dir.join(format!("{}.jsonl", self.name)), text).unwrap();
        }
    }
}

/// The text with every time the same.
fn timeless(text: &Value) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    time.replace_all(text.as_str().unwrap(), "TIME").into_owned()
}

/// Makes beads; gives their ids.
#[track_caller]
pub fn create(store: &dyn Store, new: NewBead) -> String {
    done(store.write(&[], &[Change::Create(Box::new(new))]).unwrap()).remove(0)
}

/// A new bead with a title.
pub fn titled(title: &str) -> NewBead {
    NewBead { title: title.into(), ..NewBead::default() }
}

/// The ids a write made.
#[track_caller]
pub fn done(written: Written) -> Vec<String> {
    match written {
        Written::Done(ids) => ids,
        Written::Refused(guard, bead) => panic!("refused: {guard:?} {bead:?}"),
    }
}

/// One bead.
#[track_caller]
pub fn get(store: &dyn Store, id: &str) -> gastown::model::bead::Bead {
    let filter = Filter { ids: vec![id.into()], ..Filter::default() };
    store.list(&filter).unwrap().pop().unwrap_or_else(|| panic!("no {id}"))
}

/// The titles that match, in order.
#[track_caller]
pub fn titles(store: &dyn Store, filter: Filter) -> Vec<String> {
    store.list(&filter).unwrap().into_iter().map(|bead| bead.title).collect()
}

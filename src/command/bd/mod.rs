//! `gt bd`: the embedded store in bd's words. A store made by the real bd gets the words as they are, but for `export`
//! and `import` in the forms gt has: those lose nothing whatever the version (comments, mail, metadata).

mod change;
mod look;
mod route;

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};

use super::{Ctx, print};
use crate::base::failure::{Exit, Failure};
use crate::base::terminal::{self, Stream, Text};
use crate::beads::embedded::Embedded;
use crate::beads::{self, ImportOrigin, Imported, Store, StoreKind};
use crate::cli::bd::{BdArgs, BdCommand, BdGlobal, CommentsCommand, Config, Import, Init, Raw};
use crate::report::bd as report;
use crate::town::discover::read_rig_prefixes;
use route::Stores;

/// Runs it. Errors are said in bd's way, and always end with 1, as bd's do.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(ctx: &Ctx, args: Raw) -> Result<Exit> {
    let mut given = args.words;
    given.extend(ctx.global.json.then(|| OsString::from("--json")));
    given.extend(ctx.global.quiet.then(|| OsString::from("--quiet")));
    let first = given.first().and_then(|word| word.to_str()).unwrap_or_default().to_string();
    let parse = |words: &[OsString]| {
        BdArgs::try_parse_from(std::iter::once(OsString::from("bd")).chain(words.iter().cloned()))
    };
    let parsed = parse(&given);
    let (mut ids, actor) = match &parsed {
        Ok(bd) => (route::ids(&bd.command), bd.global.actor.as_deref()),
        Err(_) => (route::first_word(&given), None),
    };
    if !parsed.as_ref().is_ok_and(|bd| route::is_of_several(&bd.command)) {
        ids.truncate(1);
    }
    let stores = Stores::new(ctx, find_store(ctx), actor_of(ctx, actor));
    let parts = stores.split(&ids);
    let several = parts.len() > 1;
    let mut all = parsed.as_ref().is_ok_and(|bd| several && bd.global.json).then(Vec::new);
    let mut exit = Exit::Done;
    for (dir, own) in parts {
        let mut words = given.clone();
        if several {
            let others: Vec<String> = ids.iter().filter(|id| !own.contains(id)).cloned().collect();
            words = route::without(&given, &others);
        }
        let parsed = parse(&words);
        if let Some(dir) = dir.as_ref().filter(|_| first != "init")
            && beads::kind_of(dir).is_ok_and(|kind| kind == StoreKind::Bd)
            && !(["export", "import"].contains(&first.as_str()) && parsed.is_ok())
        {
            if !several {
                return crate::programs::bd::pass_through(&words, dir);
            }
            if crate::programs::bd::ask(&words, dir, all.as_mut())? != 0 {
                exit = Exit::Failed;
            }
            continue;
        }
        let bd = match parsed {
            Ok(bd) => bd,
            Err(error) if lacks_dry_run(&error) => {
                let said = format!("Error: bd {first} has no --dry-run; nothing was changed");
                terminal::tell(said + "\nhint: look before you write with: gt bd show ID, gt bd list");
                return Ok(Exit::Failed);
            }
            Err(error) => {
                super::usage(&error);
                return Ok(if error.use_stderr() { Exit::Failed } else { Exit::Done });
            }
        };
        let run = BdRun { ctx, global: bd.global, stores: &stores, dir, all: RefCell::new(all.take()) };
        match run.command(bd.command) {
            Ok(Exit::Done) => {
                // Whoever looks after the rig says what keeps an export from being made.
                if ["create", "update", "close", "import"].contains(&first.as_str())
                    && let Some(place) = run.dir.as_ref().and_then(|dir| dir.parent())
                {
                    let _ = crate::work::setup::exports::keep(place, &Default::default());
                }
            }
            Ok(failed) => exit = failed,
            Err(error) => {
                run.complain(&error);
                exit = Exit::Failed;
            }
        }
        all = run.all.into_inner();
    }
    all.map_or(Ok(()), |all| print_value(&Value::Array(all)))?;
    Ok(exit)
}

/// Whether `--dry-run` is what a command does not know: clap would advise to pass it as a title or an id.
fn lacks_dry_run(error: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue};
    let unknown = error.get(ContextKind::InvalidArg);
    error.kind() == clap::error::ErrorKind::UnknownArgument
        && unknown == Some(&ContextValue::String("--dry-run".into()))
}

/// Who acts: as named, else as the environment says.
fn actor_of(ctx: &Ctx, named: Option<&str>) -> String {
    let names = ["BD_ACTOR", "BEADS_ACTOR", "USER", "LOGNAME"];
    named.or_else(|| names.iter().find_map(|name| ctx.var(name))).unwrap_or("overseer").to_string()
}

/// Prints JSON in bd's form.
fn print_value(value: &Value) -> Result<()> {
    terminal::print(Text::json(&format!("{value:#}\n")))
}

/// The `.beads` folder meant: BEADS_DIR, else the nearest one upwards. In a rig it is the rig's, whatever a worktree
/// in it brings along from its repository.
fn find_store(ctx: &Ctx) -> Option<PathBuf> {
    if ctx.global.dir.is_none()
        && let Some(dir) = ctx.var("BEADS_DIR")
    {
        return Some(ctx.dir.join(dir));
    }
    let here = ctx.dir.canonicalize().unwrap_or_else(|_| ctx.dir.clone());
    if !here.ancestors().any(is_town)
        && let Ok(Some(own)) = ctx.checkout()
    {
        return Some(own.found.root.join(&own.rig).join(".beads"));
    }
    let rig = here.ancestors().find(|dir| is_rig(dir));
    here.ancestors()
        // The town's store is not the rig's, also when the rig's is lost.
        .take_while(|dir| rig.is_none_or(|rig| dir.starts_with(rig)))
        .filter(|dir| rig.is_none() || is_rig(dir) || dir.join(".beads").join(beads::EMBEDDED_FILE).is_file())
        .map(|dir| dir.join(".beads"))
        .find(|dir| beads::kind_of(dir).is_ok())
}

fn is_town(dir: &Path) -> bool {
    dir.join(crate::town::discover::IDENTITY).is_file()
}

fn is_rig(dir: &Path) -> bool {
    dir.join("config.json").is_file() && dir.parent().is_some_and(is_town)
}

/// The `beads.prefixes` of the rig that a store belongs to.
fn prefixes_of(dir: &Path) -> Result<Vec<String>> {
    // The folder of a rig is known by `BEADS_DIR`, or by the clone that the store stands in.
    let real = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let rig = dir.ancestors().chain(real.ancestors()).find(|dir| is_rig(dir));
    rig.map_or_else(|| Ok(Vec::new()), |rig| read_rig_prefixes(&rig.join("config.json")))
}

struct BdRun<'a> {
    ctx: &'a Ctx,
    global: BdGlobal,
    stores: &'a Stores<'a>,
    dir: Option<PathBuf>,
    /// Beads to be printed as JSON with those of other stores.
    all: RefCell<Option<Vec<Value>>>,
}

impl BdRun<'_> {
    fn command(&self, command: BdCommand) -> Result<Exit> {
        match command {
            BdCommand::Init(args) => self.init(args)?,
            BdCommand::Sync(_) => self
                .say("nothing to sync: everyone works on the same store\n", json!({ "status": "shared" }))?,
            BdCommand::Prime(_) => print(report::GUIDE)?,
            BdCommand::Create(args) => self.create(*args)?,
            BdCommand::Ready(args) => self.ready(args)?,
            BdCommand::List(args) => self.list(args)?,
            BdCommand::Show(args) => return self.show(&args.ids),
            BdCommand::Update(args) => self.update(*args)?,
            BdCommand::Close(args) => self.close(args)?,
            BdCommand::Reopen(args) => self.reopen(args)?,
            BdCommand::Dep(args) => self.dep(args)?,
            BdCommand::Label(args) => self.label(args)?,
            BdCommand::Comments(args) => match (args.add, args.id) {
                (Some(CommentsCommand::Add(add)), _) => self.comment(add)?,
                (None, id) => self.comments(&id.unwrap_or_default())?,
            },
            BdCommand::Comment(args) => self.comment(args)?,
            BdCommand::Stats => self.stats()?,
            BdCommand::Export(args) => self.export(args.output)?,
            BdCommand::Import(args) => self.import(args)?,
            BdCommand::Config(args) => self.config(args)?,
            BdCommand::Where => {
                self.store()?;
                let dir = self.dir.clone().unwrap_or_default().display().to_string();
                self.say(&format!("{dir}\n"), json!({ "path": dir }))?;
            }
        }
        Ok(Exit::Done)
    }

    fn complain(&self, error: &anyhow::Error) {
        let hint = crate::base::failure::hint_of(error);
        if self.global.json {
            let mut object = json!({ "error": format!("{error:#}"), "schema_version": 1 });
            if let Some(hint) = hint {
                object["hint"] = hint.into();
            }
            terminal::tell(Text::json(&format!("{object:#}")));
        } else {
            super::tell(&format!("Error: {error:#}"));
            if let Some(hint) = hint {
                super::tell(&format!("hint: {hint}"));
            }
        }
    }

    fn store(&self) -> Result<Rc<Embedded>> {
        match &self.dir {
            Some(dir) => self.stores.open(dir),
            None if self.ctx.dir.ancestors().any(|dir| is_town(dir) || is_rig(dir)) => {
                Err(Failure::new("no beads database found")
                    .hint("look at the town with: gt doctor --fix")
                    .into())
            }
            None => Err(Failure::new("no beads database found")
                .hint("go into a town or a rig, name a store with BEADS_DIR, or make one with: gt bd init")
                .into()),
        }
    }

    /// The store of either kind.
    fn any_store(&self) -> Result<Rc<dyn Store>> {
        match &self.dir {
            Some(dir) if beads::kind_of(dir)? == StoreKind::Bd => {
                let store = beads::bd::Bd::open(dir, &prefixes_of(dir)?, &self.stores.actor)?;
                Ok(Rc::new(store.knowing(self.stores.secret()?)))
            }
            _ => Ok(self.store()?),
        }
    }

    /// Prints beads as JSON, or keeps them for when those of the other stores are there.
    fn print_beads(&self, beads: impl IntoIterator<Item = Value>) -> Result<()> {
        match self.all.borrow_mut().as_mut() {
            Some(all) => {
                all.extend(beads);
                Ok(())
            }
            None => print_value(&Value::from_iter(beads)),
        }
    }

    /// Prints the text, or with `--json` the record.
    fn say(&self, text: &str, record: Value) -> Result<()> {
        if self.global.json {
            print_value(&report::record(record))
        } else if self.global.quiet {
            Ok(())
        } else {
            print(text)
        }
    }

    fn init(&self, args: Init) -> Result<()> {
        let prefix = match args.prefix {
            Some(prefix) => prefix.trim_end_matches('-').to_string(),
            None => {
                let name = self.ctx.dir.file_name().map(|name| name.to_string_lossy().to_lowercase());
                name.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect()
            }
        };
        let dir = self.ctx.dir.join(".beads");
        if beads::kind_of(&dir).is_ok() {
            crate::fail!("there is a store in {} already", dir.display(); "look into it with: gt bd list");
        }
        // A store that was exported is lost, and its beads can be had back.
        if !crate::work::setup::exports::sources(&self.ctx.dir, &mut Vec::new())?.is_empty() {
            crate::fail!("the store of {} is gone", self.ctx.dir.display(); "restore it: gt doctor --fix");
        }
        Embedded::create(&dir, &prefix)?;
        let text = format!("made a store in {}; its ids begin with {prefix}-\n", dir.display());
        self.say(&text, json!({ "path": dir.display().to_string(), "prefix": prefix }))
    }

    /// A file's text; `-` is standard input.
    /// A file to be read bit by bit. What comes in on standard input is on the disk before a store is locked for it.
    fn open(&self, file: &Path) -> Result<File> {
        let open = || {
            if file != Path::new("-") {
                return File::open(self.ctx.dir.join(file));
            }
            let mut copy = tempfile::tempfile()?;
            std::io::copy(&mut std::io::stdin(), &mut copy)?;
            copy.rewind()?;
            Ok(copy)
        };
        open().map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())).into())
    }

    fn read(&self, file: &Path) -> Result<String> {
        let read = if file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(self.ctx.dir.join(file))
        };
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())).into())
    }

    fn export(&self, output: Option<PathBuf>) -> Result<()> {
        let store = self.any_store()?;
        let Some(output) = output else {
            let mut out = Stream::new();
            store.export_lines(&mut |line| out.print(Text::json(&format!("{line}\n"))))?;
            return out.end();
        };
        let path = self.ctx.dir.join(output);
        let folder = path.parent().unwrap_or(Path::new("."));
        let failed =
            |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
        let mut file = BufWriter::new(tempfile::NamedTempFile::new_in(folder).map_err(failed)?);
        let mut count = 0;
        store.export_lines(&mut |line| {
            count += 1;
            writeln!(file, "{line}").map_err(failed)?;
            Ok(true)
        })?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        self.say(
            &format!("{} written to {}\n", crate::base::grammar::count(count, "bead"), path.display()),
            json!({ "exported": count }),
        )
    }

    fn import(&self, args: Import) -> Result<()> {
        let store = self.any_store()?;
        let file = args.file.or(args.input).unwrap_or_else(|| "-".into());
        if args.trust {
            self.ctx.person_only("gt bd import --trust")?;
        }
        // Outside of towns nothing acts on beads.
        let own = args.trust || self.ctx.locate().is_err();
        let origin = if own { ImportOrigin::Own } else { ImportOrigin::Foreign };
        let mut input = BufReader::new(self.open(&file)?);
        let Imported { added, changed, foreign, left_out } = store.import(&mut input, origin)?;
        let mut text = format!("{} added, {changed} changed\n", crate::base::grammar::count(added, "bead"));
        if !left_out.is_empty() {
            text.push_str(&format!(
                "left out, as requests to be merged: {}; a request is made with: gt done; gt mq add RIG NAME\n",
                left_out.join(", ")
            ));
        }
        if !foreign.is_empty() {
            text.push_str(&format!(
                "{} foreign, not started until you say so: see them with: gt adopt; trust all of a file with: gt bd import --trust\n",
                crate::work::setup::sync::are(foreign.len())
            ));
        }
        let record =
            json!({ "created": added, "updated": changed, "foreign": foreign, "left_out": left_out });
        self.say(&text, record)
    }

    fn config(&self, args: Config) -> Result<()> {
        let store = self.store()?;
        match args {
            Config::Get { key } => {
                let value = store.config(&key)?.unwrap_or_default();
                let text = format!("{value}\n");
                if self.global.json {
                    return self.say(&text, json!({ "key": key, "value": value }));
                }
                print(&text)
            }
            Config::Set { key, .. } if key == "prefix" => {
                crate::fail!("the prefix of a store is set when it is made"; "see: gt bd init --help")
            }
            Config::Set { key, value } => {
                store.set_config(&key, &value)?;
                self.say(&format!("Set {key} = {value}\n"), json!({ "key": key, "value": value }))
            }
        }
    }
}

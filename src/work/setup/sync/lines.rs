//! The file of a branch, as a sync reads and writes it: on the disk, a bead at a time.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use anyhow::Result;

use crate::beads::jsonl;
use crate::model::bead::Bead;
use crate::plan::sync::canonical;
use crate::programs::git::sync::Blob;

/// Where a line stands in a file, and how long it is.
type At = (u64, usize);

/// The beads of a file, by id, in whatever order they stand in it.
#[derive(Debug, Default)]
pub struct Lines {
    blob: Blob,
    beads: Vec<(Box<str>, At)>,
    /// Lines that are no beads: bd's, of a kind that gt does not know, and those that cannot be read.
    others: Vec<At>,
    /// The lines that cannot be read.
    pub bad: BadLines,
    /// An id stands there more than once.
    pub repeats: bool,
}

/// Lines of a file that cannot be read.
#[derive(Debug, Default)]
pub struct BadLines {
    count: usize,
    /// By number, with why.
    first: Vec<String>,
    /// The ids that they name: what the branch has of these beads is not known.
    ids: BTreeSet<String>,
}

impl BadLines {
    /// How many are named.
    const NAMED: usize = 5;

    /// The first few, and how many more.
    pub fn named(&self) -> Vec<String> {
        let more = self.count - self.first.len();
        self.first.iter().cloned().chain((more > 0).then(|| format!("and {more} more"))).collect()
    }

    fn add(&mut self, line: &jsonl::JsonLine<'_>, error: &anyhow::Error) {
        self.count += 1;
        if self.first.len() < Self::NAMED {
            self.first.push(format!("line {}: {error:#}", line.number));
        }
        let value: serde_json::Value = serde_json::from_slice(line.bytes).unwrap_or_default();
        self.ids.extend(value["id"].as_str().map(String::from));
    }
}

impl Lines {
    /// Reads a file through, and remembers where its beads stand. A line that cannot be read stays as it is.
    ///
    /// # Errors
    /// The first line, by number, where none is one of bd's.
    pub fn of(blob: Blob) -> Result<Lines> {
        let mut lines = Lines { blob, ..Lines::default() };
        jsonl::lines(lines.blob.reader(), |line| {
            let at = (line.start, line.bytes.len());
            match &line.bead {
                Ok(Some(bead)) => lines.beads.push((bead.id.as_str().into(), at)),
                Ok(None) => lines.others.push(at),
                Err(error) => {
                    lines.bad.add(&line, error);
                    lines.others.push(at);
                }
            }
            Ok(())
        })?;
        if lines.beads.is_empty() && lines.bad.count > 0 && lines.bad.count == lines.others.len() {
            crate::fail!("{}", lines.bad.first.join("; "));
        }
        lines.beads.sort();
        lines.repeats = lines.beads.windows(2).any(|two| two[0].0 == two[1].0);
        Ok(lines)
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.beads.iter().map(|(id, _)| id.as_ref())
    }

    /// Whether a line that cannot be read names this id, and no other line has it.
    pub fn hides(&self, id: &str) -> bool {
        self.bad.ids.contains(id) && self.at(id).is_none()
    }

    fn at(&self, id: &str) -> Option<At> {
        let found = self.beads.binary_search_by(|(own, _)| own.as_ref().cmp(id)).ok()?;
        Some(self.beads[found].1)
    }

    /// The bead of this id.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub fn bead(&self, id: &str) -> Result<Option<Bead>> {
        self.at(id).map_or(Ok(None), |at| self.read(at))
    }

    /// All of them.
    ///
    /// # Errors
    /// When they cannot be read again.
    pub fn all(&self) -> Result<Vec<Bead>> {
        self.beads.iter().filter_map(|(_, at)| self.read(*at).transpose()).collect()
    }

    fn read(&self, (start, length): At) -> Result<Option<Bead>> {
        jsonl::parse_bytes(&self.blob.bytes_at(start, length)?)
    }
}

/// The beads as the branch is to have them, by id. What it has so already is not written down again.
pub struct Draft {
    /// The beads that it has not.
    new: BufWriter<File>,
    length: u64,
    beads: Vec<DraftLine>,
    dependents: HashMap<String, usize>,
}

/// Where a bead of a draft stands.
enum DraftLine {
    /// On the branch.
    There(At),
    /// In the draft's own file.
    New(At),
}

impl Draft {
    /// An empty one, in this file.
    pub fn new(file: File) -> Draft {
        Draft { new: BufWriter::new(file), length: 0, beads: Vec::new(), dependents: HashMap::new() }
    }

    /// Adds a bead; `there` is the branch, when it has the bead so already.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn add(&mut self, bead: &Bead, there: Option<&Lines>) -> Result<()> {
        for target in bead.blockers() {
            *self.dependents.entry(target.into()).or_default() += 1;
        }
        if let Some(at) = there.and_then(|there| there.at(&bead.id)) {
            self.beads.push(DraftLine::There(at));
            return Ok(());
        }
        let line = jsonl::line(bead, 0);
        self.new.write_all(line.as_bytes())?;
        self.beads.push(DraftLine::New((self.length, line.len())));
        self.length += line.len() as u64;
        Ok(())
    }

    /// Writes the file of the branch, with the lines there that are no beads.
    ///
    /// # Errors
    /// When a line cannot be read again or the disk does not take it.
    pub fn write(&mut self, there: &Lines, out: &mut dyn Write) -> Result<()> {
        self.new.flush()?;
        for line in &self.beads {
            let bead = match line {
                DraftLine::There(at) => there.read(*at)?,
                DraftLine::New((start, length)) => {
                    let mut bytes = vec![0; *length];
                    self.new.get_ref().read_exact_at(&mut bytes, *start)?;
                    jsonl::parse_bytes(&bytes)?
                }
            };
            if let Some(bead) = bead.map(canonical) {
                let dependents = self.dependents.get(&bead.id).copied().unwrap_or(0);
                writeln!(out, "{}", jsonl::line(&bead, dependents))?;
            }
        }
        for (start, length) in &there.others {
            out.write_all(&there.blob.bytes_at(*start, *length)?)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Lines> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(text.as_bytes(), 0).unwrap();
        Lines::of(Blob::whole(file.into()).unwrap())
    }

    fn line(id: &str, waits_for: &str) -> String {
        let edge = serde_json::json!([{ "issue_id": id, "depends_on_id": waits_for, "type": "blocks" }]);
        let time = "2026-01-01T00:00:00Z";
        let bead = serde_json::json!({
            "id": id, "title": "\u{fc}ber", "created_at": time, "updated_at": time, "dependencies": edge,
        });
        format!("{bead}\n")
    }

    #[test]
    fn beads_are_found_by_id_in_whatever_order_they_stand() {
        let text = line("wy-b", "wy-a") + "\n{\"_type\":\"memory\",\"x\":1}\r\n" + &line("wy-a", "wy-c");
        let there = lines(&text).unwrap();
        assert_eq!(there.ids().collect::<Vec<_>>(), ["wy-a", "wy-b"]);
        assert_eq!(there.bead("wy-b").unwrap().unwrap().title, "\u{fc}ber");
        assert!(there.bead("wy-c").unwrap().is_none() && !there.repeats);
        assert_eq!(there.all().unwrap().len(), 2);
        let twice = lines(&(text.clone() + &line("wy-b", "wy-c"))).unwrap();
        assert!(twice.repeats);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_kept() {
        let bad = "{\"id\":\"wy-x\",\"priority\":9}\n<<<<<<<\n";
        assert!(lines(bad).unwrap_err().to_string().starts_with("line 1: "));
        let there = lines(&format!("{}{bad}", line("wy-a", "wy-c"))).unwrap();
        assert!(there.hides("wy-x") && !there.hides("wy-a"));
        assert_eq!((there.bad.count, there.bad.first.len()), (2, 2));
        assert!(there.bad.first[1].starts_with("line 3: no JSON object: "), "{:?}", there.bad);
        let mut out = Vec::new();
        Draft::new(tempfile::tempfile().unwrap()).write(&there, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), bad);
    }

    #[test]
    fn a_draft_is_written_as_if_it_had_been_held_whole() {
        let there = lines(&(line("wy-b", "wy-a") + "{\"_type\":\"memory\",\"x\":1}\n")).unwrap();
        let of = |text: &str| jsonl::parse(text).unwrap().remove(0);
        let (a, b) = (of(&line("wy-a", "wy-c")), of(&line("wy-b", "wy-a")));
        let mut draft = Draft::new(tempfile::tempfile().unwrap());
        draft.add(&a, None).unwrap();
        draft.add(&b, Some(&there)).unwrap();
        assert_eq!(draft.length, jsonl::line(&a, 0).len() as u64, "what the branch has is not copied");
        let mut out = Vec::new();
        draft.write(&there, &mut out).unwrap();
        let whole = jsonl::render(&[a, b]) + "{\"_type\":\"memory\",\"x\":1}\n";
        assert_eq!(String::from_utf8(out).unwrap(), whole);
    }
}

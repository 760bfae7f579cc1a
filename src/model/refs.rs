//! Names of the branches and refs that gt makes at origin: printed and read here alone. Towns share an origin, and a rig may
//! have one name in all of them, so each name holds the id of its town ([`crate::town::Town::id`]). Names that earlier versions
//! made hold none: such a ref is a town's own only when a record of that town says so.

use std::fmt;

use crate::base::grammar::is_instance;
use crate::model::address::{is_polecat_name, is_rig_name};
use crate::model::ids::{BeadId, InstanceId};

/// Where branches are.
pub const HEADS: &str = "refs/heads/";

/// What a clone knows of the branches of origin.
pub const TRACKED: &str = "refs/remotes/origin/";

/// First part of the name of every polecat's branch.
pub const POLECAT: &str = "polecat/";

/// Where the branches of polecats are.
pub const POLECATS: &str = "refs/heads/polecat/";

/// What a clone knows of those of origin.
pub const MIRRORED: &str = "refs/remotes/origin/polecat/";

/// The recovery refs of a clone, then `<Name>/<instance>`.
pub const RECOVERY: &str = "refs/gt/recovery/";

/// A polecat's branch: `polecat/<town>/<Name>-<bead>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The town's id; empty in names that earlier versions made.
    pub town: String,
    /// The polecat's name.
    pub name: String,
    /// The bead's id.
    pub bead: BeadId,
}

impl Branch {
    /// The branch of a polecat of this town.
    pub fn new(town: &str, name: &str, bead: &BeadId) -> Branch {
        Branch { town: town.into(), name: name.into(), bead: bead.clone() }
    }

    /// How the branches of a polecat are called, for a person to read.
    pub fn form(town: &str, name: &str) -> Branch {
        Branch::new(town, name, &BeadId::parse("BEAD").unwrap_or_default())
    }

    /// Reads the name of a branch, without `refs/heads/`. `None`: no polecat's.
    pub fn parse(text: &str) -> Option<Branch> {
        let rest = text.strip_prefix(POLECAT)?;
        let (town, rest) = match rest.split_once('/') {
            Some((town, rest)) => (Some(town).filter(|town| !town.is_empty())?, rest),
            None => ("", rest),
        };
        let (name, bead) = rest.split_once('-')?;
        let (bead, sound) = (BeadId::parse(bead)?, town.is_empty() || is_instance(town));
        (sound && is_polecat_name(name)).then(|| Branch::new(town, name, &bead))
    }

    /// Reads a full ref, of a branch or of what a clone knows of origin's.
    pub fn of_ref(full: &str) -> Option<Branch> {
        Branch::parse(full.strip_prefix(HEADS).or_else(|| full.strip_prefix(TRACKED))?)
    }

    /// Whether the name is not another town's.
    pub fn may_be_of(&self, town: &str) -> bool {
        self.is_old() || self.town == town
    }

    /// Whether an earlier version made the name, which does not tell whose it is.
    pub fn is_old(&self) -> bool {
        self.town.is_empty()
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Branch { town, name, bead } = self;
        let gap = if self.is_old() { "" } else { "/" };
        write!(f, "{POLECAT}{town}{gap}{name}-{bead}")
    }
}

/// A recovery ref of a clone: `refs/gt/recovery/<Name>/<instance>`, or `<instance>.<what>` for what is beside the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRef {
    /// The polecat's name.
    pub name: String,
    /// The instance of its session.
    pub instance: InstanceId,
    /// A branch, a stash, a repository inside; empty for the last commit.
    pub what: String,
}

impl RecoveryRef {
    /// The ref of an instance's last commit.
    pub fn new(name: &str, instance: &InstanceId) -> RecoveryRef {
        RecoveryRef { name: name.into(), instance: instance.into(), what: String::new() }
    }

    /// Where those of a name are: a prefix that ends with `/`.
    pub fn all_of(name: &str) -> String {
        format!("{RECOVERY}{name}/")
    }

    /// Reads a full name.
    pub fn parse(full: &str) -> Option<RecoveryRef> {
        let (name, rest) = full.strip_prefix(RECOVERY)?.split_once('/')?;
        let (instance, what) = rest.split_once('.').unwrap_or((rest, ""));
        Some(RecoveryRef { what: what.into(), ..RecoveryRef::new(name, &InstanceId::parse(instance)?) })
    }

    /// Whether the ref of that name was kept of the same instance.
    pub fn goes_with(&self, full: &str) -> bool {
        RecoveryRef::parse(full).is_some_and(|one| (&one.name, &one.instance) == (&self.name, &self.instance))
    }
}

impl fmt::Display for RecoveryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecoveryRef { name, instance, what } = self;
        write!(f, "{RECOVERY}{name}/{instance}{}{what}", if what.is_empty() { "" } else { "." })
    }
}

/// What a ref carries between a town and other machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentKind {
    /// A completion record.
    Done,
    /// Commits of an earlier attempt, for a start.
    Start,
}

impl SentKind {
    fn word(self) -> &'static str {
        match self {
            SentKind::Done => "done",
            SentKind::Start => "start",
        }
    }
}

/// A ref at origin that is about one polecat: `refs/gt/<town>/<kind>/<rig>/<Name>/<instance>`; on a server that takes branches
/// only `refs/heads/gt-<kind>/<town>/<rig>/<Name>-<instance>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it carries.
    pub kind: SentKind,
    /// The town's id; empty in names that earlier versions made.
    pub town: String,
    /// The rig.
    pub rig: String,
    /// The polecat's name.
    pub name: String,
    /// The instance of its session.
    pub instance: InstanceId,
}

impl Sent {
    /// Its ref.
    pub fn full(&self) -> String {
        let Sent { kind, town, rig, name, instance } = self;
        format!("refs/gt/{}{}/{rig}/{name}/{instance}", part(town), kind.word())
    }

    /// The same as a branch: a full name too.
    pub fn branch(&self) -> String {
        let Sent { kind, town, rig, name, instance } = self;
        format!("{HEADS}gt-{}/{}{rig}/{name}-{instance}", kind.word(), part(town))
    }

    /// Reads a full name, in either form. `None`: none of gt's.
    pub fn parse(kind: SentKind, full: &str) -> Option<Sent> {
        let word = kind.word();
        let (town, rig, name, instance) = if let Some(rest) = full.strip_prefix("refs/gt/") {
            let (town, rest) = match rest.strip_prefix(word).and_then(|rest| rest.strip_prefix('/')) {
                Some(rest) => ("", rest),
                None => {
                    let (town, rest) = rest.split_once('/')?;
                    (town, rest.strip_prefix(word)?.strip_prefix('/')?)
                }
            };
            let mut parts = rest.splitn(3, '/');
            (town, parts.next()?, parts.next()?, parts.next()?)
        } else {
            let rest =
                full.strip_prefix(HEADS)?.strip_prefix("gt-")?.strip_prefix(word)?.strip_prefix('/')?;
            let (rest, last) = rest.rsplit_once('/')?;
            let (town, rig) = rest.split_once('/').unwrap_or(("", rest));
            let (name, instance) = last.split_once('-')?;
            (town, rig, name, instance)
        };
        let (instance, sound) = (InstanceId::parse(instance)?, is_rig_name(rig) && is_polecat_name(name));
        let sound = sound && (town.is_empty() || is_instance(town));
        let [town, rig, name] = [town, rig, name].map(String::from);
        let sent = Sent { kind, town, rig, name, instance };
        (sound && [sent.full(), sent.branch()].contains(&full.to_string())).then_some(sent)
    }

    /// Where those of a rig are: prefixes that end with `/`, the form as a branch second.
    pub fn places(kind: SentKind, town: &str, rig: &str) -> [String; 2] {
        let word = kind.word();
        [format!("refs/gt/{}{word}/{rig}/", part(town)), format!("{HEADS}gt-{word}/{}{rig}/", part(town))]
    }
}

/// The part of a name that is the town's.
fn part(town: &str) -> String {
    if town.is_empty() { String::new() } else { format!("{town}/") }
}

/// What takes the place of [`RECOVERY`] at origin, for what another machine kept.
pub fn recovery_at_origin(town: &str) -> String {
    format!("refs/gt/{}recovery/", part(town))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_branch_names_town_polecat_and_bead() {
        for (text, town, name, bead) in [
            ("polecat/gt-1a2b/Nux-wy-a.2", "gt-1a2b", "Nux", "wy-a.2"),
            ("polecat/Nux-wy-1", "", "Nux", "wy-1"),
            ("polecat/Nux-wy/Toast-wy-1", "Nux-wy", "Toast", "wy-1"),
        ] {
            let branch = Branch::parse(text).unwrap();
            assert_eq!(branch, Branch::new(town, name, &bead.into()));
            assert_eq!(branch.to_string(), text);
            for under in [HEADS, TRACKED] {
                assert_eq!(Branch::of_ref(&format!("{under}{text}")), Some(branch.clone()));
            }
        }
        for other in
            ["main", "polecat", "polecat/Nux", "polecat/nux-1", "polecat/a/b/Nux-1", "polecat//Nux-1"]
        {
            assert_eq!(Branch::parse(other), None, "{other}");
        }
        assert_eq!(Branch::of_ref("refs/gt/home/polecat/Nux-wy-1"), None);
        for odd in [
            "polecat/Nux-wy\u{202e}1",
            "polecat/Nux-$(x)",
            "polecat/a b/Nux-wy-1",
            "polecat/-x/Nux-wy-1",
            "polecat/Nux--x",
        ] {
            assert_eq!(Branch::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_name_with_an_id_is_one_towns_and_one_without_may_be_anyones() {
        let branch = Branch::new("gt-1a2b", "Nux", &"wy-1".into());
        assert!(branch.may_be_of("gt-1a2b") && !branch.may_be_of("gt-3c4d") && !branch.may_be_of(""));
        let old = Branch::parse("polecat/Nux-wy-1").unwrap();
        assert!(old.is_old() && old.may_be_of("gt-1a2b"));
    }

    #[test]
    fn both_forms_of_a_ref_name_the_same_polecat() {
        let of = |town: &str| Sent {
            kind: SentKind::Done,
            town: town.into(),
            rig: "wyvern".into(),
            name: "Nux".into(),
            instance: "i1".into(),
        };
        for (full, town) in [
            ("refs/gt/gt-1a2b/done/wyvern/Nux/i1", "gt-1a2b"),
            ("refs/heads/gt-done/gt-1a2b/wyvern/Nux-i1", "gt-1a2b"),
            ("refs/gt/done/wyvern/Nux/i1", ""),
            ("refs/heads/gt-done/wyvern/Nux-i1", ""),
        ] {
            let sent = Sent::parse(SentKind::Done, full).unwrap();
            assert_eq!(sent, of(town));
            assert!([sent.full(), sent.branch()].contains(&full.into()), "{full}");
            let [refs, branches] = Sent::places(SentKind::Done, town, "wyvern");
            assert!(full.starts_with(&refs) || full.starts_with(&branches), "{full}");
        }
        for other in [
            "refs/gt/done/wyvern/Nux",
            "refs/gt/done/wyvern/Nux/",
            "refs/gt/done/wyvern/Nux/a/b",
            "refs/gt/done/wyvern/nux/i1",
            "refs/gt/done/../Nux/i1",
            "refs/gt/a/b/done/wyvern/Nux/i1",
            "refs/gt/gt-1a2b/start/wyvern/Nux/i1",
            "refs/heads/gt-done/wyvern/Nux",
            "refs/heads/gt-done/a/b/wyvern/Nux-i1",
            "refs/heads/polecat/Nux-wy-1",
            "refs/x/refs/gt/done/wyvern/Nux/i1",
        ] {
            assert_eq!(Sent::parse(SentKind::Done, other), None, "{other}");
        }
    }

    #[test]
    fn two_towns_of_one_origin_and_one_rig_name_share_no_ref() {
        let sent = |kind, town: &str| Sent {
            kind,
            town: town.into(),
            rig: "wyvern".into(),
            name: "Nux".into(),
            instance: "i1".into(),
        };
        for kind in [SentKind::Done, SentKind::Start] {
            let theirs = sent(kind, "gt-3c4d");
            for name in [theirs.full(), theirs.branch()] {
                assert!(!Sent::places(kind, "gt-1a2b", "wyvern").iter().any(|place| name.starts_with(place)));
                assert_ne!(Sent::parse(kind, &name), Some(sent(kind, "gt-1a2b")));
            }
        }
        assert_ne!(recovery_at_origin("gt-1a2b"), recovery_at_origin("gt-3c4d"));
    }

    #[test]
    fn a_recovery_ref_names_polecat_instance_and_what_it_is() {
        for text in ["refs/gt/recovery/Nux/i1", "refs/gt/recovery/Nux/i1.heads/a.b"] {
            let own = RecoveryRef::parse(text).unwrap();
            assert_eq!(
                (own.to_string().as_str(), own.name.as_str(), own.instance.as_str()),
                (text, "Nux", "i1")
            );
            assert!(
                RecoveryRef::new("Nux", &"i1".into()).goes_with(text)
                    && !RecoveryRef::new("Nux", &"i12".into()).goes_with(text)
            );
            assert!(text.starts_with(&RecoveryRef::all_of("Nux")));
        }
        assert_eq!(RecoveryRef::parse("refs/heads/polecat/Nux-wy-1"), None);
    }

    #[test]
    fn what_another_machine_keeps_has_the_towns_id_at_origin() {
        assert_eq!(recovery_at_origin("gt-1a2b"), "refs/gt/gt-1a2b/recovery/");
        assert_eq!(recovery_at_origin(""), RECOVERY);
    }

    proptest! {
        #[test]
        fn what_is_read_prints_as_it_was(text in "(polecat/)?([a-zA-Z0-9-]{0,6}/)?[A-Za-z]{1,3}-[a-z0-9.-]{0,6}") {
            if let Some(branch) = Branch::parse(&text) {
                prop_assert_eq!(branch.to_string(), text);
            }
        }
    }
}

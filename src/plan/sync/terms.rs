//! What of others counts in this town: what they say of its requests, its labels and its agents does not.

use super::BeadMap;
use super::address::{self, home};
use crate::base::proof::Secret;
use crate::beads::foreign::{in_hand, marked_as, own_agent, plain, same_words, stand_as};
use crate::beads::proven;
use crate::model::bead::Bead;

/// On which terms a town takes in what others put on the branch.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The town's name on the branch.
    pub town: &'a str,
    /// The town's secret; none before anything was proven.
    pub secret: Option<&'a Secret>,
    /// Beads of others, and gt's labels on them, count as this town's (`sync.trust`). Requests never do.
    pub trust: bool,
}

impl Terms<'_> {
    /// Whether this town made a request as it is.
    pub fn proves(&self, bead: &Bead) -> bool {
        self.secret.is_some_and(|secret| proven::holds(secret, &home(bead, self.town)))
    }

    /// The bead as the branch has it. A request that this town did not make names a worker of its own town, or of none.
    pub fn abroad(&self, bead: &Bead) -> Bead {
        let sent = address::abroad(bead, self.town);
        match bead.is_request() && !self.proves(bead) {
            true => Bead { metadata: bead.metadata.clone(), ..sent },
            false => sent,
        }
    }

    /// Proves a request of this town anew, which has changed with the bead that it names.
    pub fn prove(&self, bead: &mut Bead) {
        if let Some(secret) = self.secret.filter(|_| !self.proves(bead)) {
            let proof = proven::of(secret, &bead.id, &home(bead, self.town).metadata);
            bead.metadata.insert(proven::META_PROOF.into(), proof.into());
        }
    }

    /// Beads of the branch as they are taken: without what only this town says.
    pub fn taken(&self, theirs: BeadMap, own: &BeadMap) -> BeadMap {
        let taken = |(id, bead): (String, Bead)| {
            let own = own.get(&id).filter(|own| super::ids::same_birth(own, &bead));
            let bead = match self.trust {
                true => self.unqualified(bead, own),
                false => plain(bead, own, |address| self.is_ours(address)),
            };
            (id, super::canonical(bead))
        };
        theirs.into_iter().map(taken).collect()
    }

    /// With trust only what no town writes is refused: an agent's address without its town.
    fn unqualified(&self, bead: Bead, own: Option<&Bead>) -> Bead {
        let bare = bead.assignee.as_deref().is_some_and(|address| own_agent(address).is_some());
        if bare { plain(bead, own, |address| own_agent(address).is_some()) } else { bead }
    }

    fn is_ours(&self, address: &str) -> bool {
        own_agent(&address::at_home(address, self.town)).is_some()
    }

    /// Whether the branch gives a bead to an agent of another town.
    fn is_theirs(&self, there: &Bead) -> bool {
        let away = |address: &str| address.split_once(':').is_some_and(|(_, rest)| own_agent(rest).is_some());
        there.is_begun() && there.assignee.as_deref().is_some_and(|who| away(who) && !self.is_ours(who))
    }

    /// A bead as the branch gets it: gt's own labels and metadata stay at home, and those that others put there stay there.
    /// Where an agent there and one here have the same bead, each town keeps to its own.
    pub fn given(&self, bead: Bead, there: Option<&Bead>) -> Bead {
        if self.trust {
            return bead;
        }
        let kept = there.filter(|there| self.is_theirs(there) && self.in_hand(&bead));
        let mut given = marked_as(bead, there);
        if let Some(there) = kept {
            stand_as(&mut given, there);
        }
        given
    }

    /// Whether this town alone says how a bead of its own stands.
    pub fn in_hand(&self, own: &Bead) -> bool {
        !self.trust && in_hand(own, |address| self.is_ours(address))
    }

    /// Whether a bead that comes in waits to be adopted: it is new here, or says something else than before.
    pub fn is_foreign(&self, here: &Bead, before: Option<&Bead>) -> bool {
        !self.trust && !here.is_request() && before.is_none_or(|own| !same_words(own, here))
    }
}

/// A proven request stays as this town has it, whatever others say of it. What they remark on it is kept.
pub fn as_own(own: &Bead, merged: Bead) -> Bead {
    Bead { comments: merged.comments, ..own.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sync::address::abroad;

    #[test]
    fn a_proof_counts_in_the_form_that_the_bead_has_at_home() {
        let secret = Secret::new([3; 32]);
        let terms = Terms { town: "pc-1a2b", secret: Some(&secret), trust: false };
        let mut request = Bead { id: "wy-r".into(), issue_type: "merge-request".into(), ..Bead::default() };
        request.metadata.insert("worker".into(), "wyvern/Nux".into());
        let proof = proven::of(&secret, "wy-r", &request.metadata);
        request.metadata.insert("proof".into(), proof.into());
        let mut sent = abroad(&request, "pc-1a2b");
        assert!(terms.proves(&sent) && !Terms { town: "other", ..terms }.proves(&sent));
        sent.metadata.insert("bead".into(), "wy-2".into());
        assert!(!terms.proves(&sent));
        terms.prove(&mut sent);
        assert!(terms.proves(&sent) && proven::holds(&secret, &home(&sent, "pc-1a2b")));
        assert!(!Terms { secret: None, ..terms }.proves(&sent));
    }
}

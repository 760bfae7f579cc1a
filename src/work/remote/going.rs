//! Those on other machines whose records say that they are leaving: they are ended as soon as their machines answer.

use anyhow::Result;
use serde::Serialize;

use super::leave::{LeaveResult, leave};
use crate::model::address::{Address, polecat_of};
use crate::model::ids::InstanceId;
use crate::mux::{Mux, Snapshot};
use crate::town::Town;
use crate::town::away::{self, Record, Records};
use crate::work::observe::scene::Scene;
use crate::work::polecat::ending::{End, end_polecat};

/// What became of one that is leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its address.
    pub address: String,
    /// The machine it was on.
    pub remote: String,
    /// Its instance.
    pub instance: InstanceId,
    /// Nothing of it is left there.
    pub ended: bool,
    /// Why something is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What was kept of it, here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
}

impl Gone {
    fn new(address: &str, record: &Record) -> Gone {
        let (remote, instance) = (record.remote.clone(), record.instance.clone());
        Gone { address: address.into(), remote, instance, ..Gone::default() }
    }
}

/// The records of polecats of a rig that are leaving.
pub fn polecats<'a>(records: &'a Records, rig: &'a str) -> impl Iterator<Item = (String, &'a Record)> {
    let leaving = records.iter().filter(|(_, record)| record.leaving);
    leaving.filter_map(move |(address, record)| Some((polecat_of(rig, address)?, record)))
}

/// What [`end_polecats`] would end.
pub fn planned(records: &Records, rig: &str) -> Vec<Gone> {
    polecats(records, rig).map(|(name, record)| Gone::new(&format!("{rig}/{name}"), record)).collect()
}

/// Ends a rig's polecats that are leaving. What keeps one is part of the answer.
pub fn end_polecats(scene: &Scene<'_>) -> Vec<Gone> {
    let records = scene.records();
    polecats(records, scene.rig_name()).map(|(name, record)| end_one(scene, &name, record)).collect()
}

fn end_one(scene: &Scene<'_>, name: &str, record: &Record) -> Gone {
    let mut gone = Gone::new(&scene.address_of(name), record);
    if scene.is_silent(&record.fugue_addr) {
        gone.why = format!("{} does not answer", record.remote);
        return gone;
    }
    let own = scene.record(name).is_some_and(|own| own.instance == record.instance);
    let ended = if own {
        end_polecat(scene, name, false).map(|end| match end {
            End::Done(kept) => Ok(kept.main),
            End::Waits(why) => Err(why),
            End::Dirty(files) => Err(format!("its place here has files in no commit: {}", files.join(", "))),
        })
    } else {
        // Its name has passed on: only what is over there is its own.
        leave(scene, name, record, scene.session_with(&record.instance)).map(|left| match left {
            LeaveResult::Gone(recovery) => Ok(recovery),
            LeaveResult::Waits(why) => Err(why),
        })
    };
    match ended {
        Ok(Ok(recovery)) => Gone { ended: true, recovery, ..gone },
        Ok(Err(why)) => Gone { why, ..gone },
        Err(error) => Gone { why: format!("{error:#}"), ..gone },
    }
}

/// Ends sessions of roles that are leaving: whoever started one lost sight of its machine meanwhile.
///
/// # Errors
/// When the records cannot be read. What keeps one from its end is part of the answer.
pub fn end_roles(town: &Town, mux: &dyn Mux, snapshot: &Snapshot) -> Result<Vec<Gone>> {
    let mut all = Vec::new();
    for (address, record) in away::read(town)?.iter().filter(is_leaving_role) {
        let mut gone = Gone::new(address, record);
        if snapshot.away.daemons.iter().any(|one| one.fugue_addr == record.fugue_addr && one.silent.is_some())
        {
            gone.why = format!("{} does not answer", record.remote);
        } else {
            let own = |session: &&crate::mux::Session| session.marks.instance == record.instance;
            let sessions: Vec<&str> =
                snapshot.ours(&town.mark()).filter(own).map(|session| session.id.as_str()).collect();
            match mux.stop(&sessions).and_then(|()| away::forget(town, address, &record.instance)) {
                Ok(()) => gone.ended = true,
                Err(error) => gone.why = format!("{error:#}"),
            }
        }
        all.push(gone);
    }
    Ok(all)
}

/// Whether a role's record says that it is leaving.
pub fn has_roles(records: &Records) -> bool {
    records.iter().any(|one| is_leaving_role(&one))
}

fn is_leaving_role((address, record): &(&String, &Record)) -> bool {
    record.leaving && !Address::parse(address).is_ok_and(|own| own.is_polecat())
}

//! A tunnel: where it begins and ends.

use serde::{Deserialize, Serialize};

use crate::base::hash::fnv32;
use crate::model::fugue::FugueAddr;

/// A tunnel that gt keeps: what arrives at `local` here comes out at `there`, on the machine behind `ssh`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The remote's name.
    pub name: String,
    /// The destination, as the person would give it to ssh.
    pub ssh: String,
    /// Where it begins: an address of fugue on this machine.
    pub local: FugueAddr,
    /// Where it ends: an address of fugue as the other machine sees it.
    pub there: FugueAddr,
}

impl Tunnel {
    /// What tells it from the other tunnels of this machine: only one can begin at a place.
    pub fn key(&self) -> String {
        match &self.local {
            FugueAddr::Tcp(_, port) => format!("tcp-{port}"),
            unix @ FugueAddr::Unix(_) => format!("unix-{:08x}", fnv32(unix.to_string().into_bytes())),
        }
    }

    /// ssh's word for it, after `-L`.
    pub fn forward(&self) -> String {
        format!("{}:{}", self.local.forward(), self.there.forward())
    }

    /// Whether two of them carry the same to the same place, whatever their remotes are called.
    pub fn same_way(&self, other: &Tunnel) -> bool {
        (&self.ssh, &self.local, &self.there) == (&other.ssh, &other.local, &other.there)
    }
}

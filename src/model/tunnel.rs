//! A tunnel: where it begins and ends.

use serde::{Deserialize, Serialize};

use crate::base::hash::fnv32;
use crate::model::fugue::{self, FugueAddr};

/// A tunnel that gt keeps: what arrives at `local` here comes out at `there`, on the machine behind `ssh`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The remote's name.
    pub name: String,
    /// The destination, as the person would give it to ssh.
    pub ssh: String,
    /// Where it begins: an address of fugue on this machine.
    pub local: String,
    /// Where it ends: an address of fugue as the other machine sees it.
    pub there: String,
}

impl Tunnel {
    /// What tells it from the other tunnels of this machine: only one can begin at a place.
    pub fn key(&self) -> String {
        match fugue::parse(&self.local) {
            Ok(FugueAddr::Tcp(_, port)) => format!("tcp-{port}"),
            _ => format!("unix-{:08x}", fnv32(self.local.bytes())),
        }
    }

    /// ssh's word for it, after `-L`.
    pub fn forward(&self) -> String {
        format!("{}:{}", end(&self.local), end(&self.there))
    }

    /// Whether two of them carry the same to the same place, whatever their remotes are called.
    pub fn same_way(&self, other: &Tunnel) -> bool {
        (&self.ssh, &self.local, &self.there) == (&other.ssh, &other.local, &other.there)
    }
}

/// An address as a half of ssh's `-L`.
pub fn end(address: &str) -> String {
    match fugue::parse(address) {
        Ok(FugueAddr::Tcp(host, port)) => format!("{host}:{port}"),
        Ok(FugueAddr::Unix(path)) => path.display().to_string(),
        Err(_) => address.into(),
    }
}

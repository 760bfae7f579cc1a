//! Where something is to run, as it was said by hand.

use anyhow::Result;

use crate::base::failure::{Exit, Failure};
use crate::cli::elsewhere::{self as cli, Elsewhere};
use crate::model::fugue::FugueAddr;
use crate::plan::choose::{Fallback, PlaceFlags, PlacementWish};

/// What was said by hand about where something runs; `trial` when it is only to be said what would be done.
///
/// # Errors
/// An address that is none, or an empty name or tag: exit code 2.
pub fn wish(said: &Elsewhere, fallback: Option<cli::FallbackArg>, trial: bool) -> Result<PlacementWish> {
    let hand = match said {
        Elsewhere { local: true, .. } => PlaceFlags::Local,
        Elsewhere { remote: Some(name), .. } if !name.contains("://") => PlaceFlags::Remote(name.clone()),
        Elsewhere { remote: Some(address), .. } | Elsewhere { fugue_addr: Some(address), .. } => {
            FugueAddr::parse(address).map_err(|wrong| Failure { exit: Exit::Usage, ..wrong })?;
            PlaceFlags::Address(address.clone())
        }
        Elsewhere { tag, .. } if !tag.is_empty() => PlaceFlags::Tags(tag.clone()),
        _ => PlaceFlags::Nothing,
    };
    let fallback = fallback.map(|fallback| match fallback {
        cli::FallbackArg::Wait => Fallback::Wait,
        cli::FallbackArg::Local => Fallback::Local,
        cli::FallbackArg::Fail => Fallback::Fail,
    });
    Ok(PlacementWish { hand, fallback, trial })
}

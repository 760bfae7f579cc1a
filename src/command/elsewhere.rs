//! Where something is to run, as it was said by hand.

use anyhow::Result;

use crate::base::failure::{Exit, Failure};
use crate::cli::elsewhere::{self as cli, Elsewhere};
use crate::model::fugue;
use crate::plan::choose::{Fallback, Hand, Wish};

/// What was said by hand about where something runs; `trial` when it is only to be said what would be done.
///
/// # Errors
/// An address that is none, or an empty name or tag: exit code 2.
pub fn wish(said: &Elsewhere, fallback: Option<cli::Fallback>, trial: bool) -> Result<Wish> {
    let hand = match said {
        Elsewhere { local: true, .. } => Hand::Local,
        Elsewhere { remote: Some(name), .. } if !name.contains("://") => Hand::Remote(name.clone()),
        Elsewhere { remote: Some(address), .. } | Elsewhere { fugue_addr: Some(address), .. } => {
            fugue::parse(address).map_err(|wrong| Failure { exit: Exit::Usage, ..wrong })?;
            Hand::Address(address.clone())
        }
        Elsewhere { tag, .. } if !tag.is_empty() => Hand::Tags(tag.clone()),
        _ => Hand::Nothing,
    };
    let fallback = fallback.map(|fallback| match fallback {
        cli::Fallback::Wait => Fallback::Wait,
        cli::Fallback::Local => Fallback::Local,
        cli::Fallback::Fail => Fallback::Fail,
    });
    Ok(Wish { hand, fallback, trial })
}

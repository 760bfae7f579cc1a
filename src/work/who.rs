//! Who is meant by what a person typed: an address, or a polecat's bare name where one rig only has it.

use anyhow::Result;

use crate::address::{Address, is_polecat_name};
use crate::failure::Failure;
use crate::town::Town;

/// The address that is meant.
///
/// # Errors
/// What is no address; a bare name that no rig has, or several; a rig the town does not have.
pub fn resolve(town: &Town, text: &str) -> Result<Address> {
    if !is_polecat_name(text) {
        let address = Address::parse(text)?;
        if let Some(rig) = address.rig() {
            town.rig(rig)?;
        }
        return Ok(address);
    }
    // What a rig's configuration says does not matter here.
    let has = |rig: &String| {
        let polecats = town.root.join(rig).join("polecats");
        polecats.join(".names").join(text).exists() || polecats.join(text).is_dir()
    };
    let rigs: Vec<String> = town.rig_names()?.into_iter().filter(has).collect();
    match rigs.as_slice() {
        [rig] => Ok(Address::Polecat(rig.clone(), text.into())),
        [] => Err(Failure::new(format!("no polecat is named {text}"))
            .hint("see who is there with: gt agents")
            .into()),
        several => {
            let forms: Vec<String> = several.iter().map(|rig| format!("{rig}/{text}")).collect();
            Err(Failure::usage(format!("several rigs have a polecat named {text}"))
                .hint(format!("say which: {}", forms.join(", ")))
                .into())
        }
    }
}

//! `gt capture`.

use anyhow::Result;
use serde_json::json;

use super::{Ctx, roles};
use crate::base::failure::Exit;
use crate::cli::sessions::Capture;

/// Prints the last lines of an agent's screen, wherever it runs; of one that has ended its last ones.
///
/// # Errors
/// When it has no session, or that cannot be known.
pub fn run(ctx: &Ctx, args: Capture) -> Result<Exit> {
    let sight = roles::Sight::take(ctx)?;
    let address = ctx.agent(&sight.town, &args.address)?;
    let session = roles::session_of(&sight, &address)?;
    let pane = session.panes.first().map_or("", |pane| pane.id.as_str());
    let text = sight.mux.capture(pane, usize::from(args.lines))?;
    if ctx.global.json {
        let alive = session.alive();
        let record = json!({ "address": address, "session": session.name, "alive": alive, "screen": text });
        super::print_json("capture", &record)?;
    } else {
        super::print(&format!("{text}\n"))?;
    }
    Ok(Exit::Done)
}

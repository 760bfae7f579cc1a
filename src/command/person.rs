//! What the person alone decides, in one place: an agent that runs it (`GT_ROLE` is set) is refused, and told whom to ask. It keeps
//! agents to their work; it is no wall, since they run as the same user.

use super::Ctx;
use crate::base::failure::Failure;
use crate::cli::Command;
use crate::cli::daemon::DaemonCommand;
use crate::cli::queue::QueueCommand;
use crate::cli::remote::RemoteCommand;
use crate::cli::sessions::SessionCommand;
use crate::cli::town::{ConfigCommand, RigCommand};
use crate::cli::work::PolecatCommand;

/// Refuses to an agent a command that is the person's.
///
/// # Errors
/// As said.
pub fn check(ctx: &Ctx, command: &Command) -> Result<(), Failure> {
    if ctx.is_person() {
        return Ok(());
    }
    verb(command, ctx.var("GT_ADDRESS").unwrap_or_default()).map_or(Ok(()), |what| ctx.person_only(&what))
}

/// The command, when it is the person's: consent to what others wrote or did, settings and permissions, and the end of other
/// agents than `own`. What shows only what would be done is anyone's.
fn verb(command: &Command, own: &str) -> Option<String> {
    use Command as C;
    let is = |is: bool, what: &str| is.then(|| what.to_string());
    match command {
        C::Answer(_) => Some("gt answer".into()),
        C::Adopt(args) => is(args.all || !args.ids.is_empty(), "gt adopt"),
        C::MergeQueue(args) => match &args.command {
            QueueCommand::Approve { dry, .. } => is(!dry.dry_run, "gt mq approve"),
            _ => None,
        },
        C::Land(args) => is(args.force, "gt land --force").or(is(args.skip_tests, "gt land --skip-tests")),
        C::Remote(args) => match &args.command {
            RemoteCommand::Sync { adopt, .. } => is(adopt.is_some(), "gt remote sync --adopt"),
            _ => None,
        },
        C::Rig(args) => match &args.command {
            RigCommand::Add { trust, .. } => is(*trust, "gt rig add --trust"),
            RigCommand::Trust { dry, .. } => is(!dry.dry_run, "gt rig trust"),
            RigCommand::Remove { dry, .. } => is(!dry.dry_run, "gt rig remove"),
            RigCommand::List => None,
        },
        C::Config(args) => match &args.command {
            ConfigCommand::Set { key, .. } => Some(format!("gt config set {key}")),
            _ => None,
        },
        C::Sling(args) => is(args.how.permissions.is_some(), "gt sling --permissions"),
        C::Spawn(args) => is(args.how.permissions.is_some(), "gt spawn --permissions"),
        C::Doctor(args) if args.fix && args.agents => Some("gt doctor --agents --fix".into()),
        C::Doctor(args) => is(args.set_aside_stores, "gt doctor --fix --set-aside-stores")
            .or(is(args.empty_stores, "gt doctor --fix --empty-stores")),
        C::Pause(_) => Some("gt pause".into()),
        C::Resume(_) => Some("gt resume".into()),
        C::Stop(args) => is(!args.dry.dry_run, "gt stop"),
        C::Down(args) => is(!args.dry.dry_run, "gt down"),
        C::Session(args) => match &args.command {
            SessionCommand::Stop { address, dry } => is(!dry.dry_run && address != own, "gt session stop"),
            SessionCommand::Restart { address, dry, .. } => {
                is(!dry.dry_run && address != own, "gt session restart")
            }
            SessionCommand::List { .. } => None,
        },
        C::Polecat(args) => match &args.command {
            PolecatCommand::Nuke { dry, .. } => is(!dry.dry_run, "gt polecat nuke"),
            _ => None,
        },
        C::Daemon(args) => match &args.command {
            DaemonCommand::Stop(dry) => is(!dry.dry_run, "gt daemon stop"),
            // Also what only shows it: it names the variables that the person has.
            DaemonCommand::Install { .. } => Some("gt daemon install".into()),
            DaemonCommand::Uninstall(_) => Some("gt daemon uninstall".into()),
            _ => None,
        },
        _ => None,
    }
}

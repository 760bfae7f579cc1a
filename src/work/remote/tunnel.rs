//! Tunnels to other machines: opened, kept, closed (`remote.md`).
//!
//! One process a tunnel keeps it: `gt remote tunnel keep`, started detached by [`up`], ended by [`down`]. It runs ssh,
//! starts it again when the connection drops, and writes down how it stands. All of that is in a folder of its own
//! under the person's state folder, never in a town: a place on this machine where a tunnel begins can be had once, so
//! towns share it.

pub mod keep;
mod state;

use std::collections::{BTreeMap, HashMap};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::base::failure::Failure;
use crate::config::remotes::KnownRemote;
use crate::config::schema::Remote;
use crate::model::fugue::FugueAddr;
use crate::model::tunnel::Tunnel;
use crate::programs::{Process, agent_lock, ssh};
use crate::work::step;

pub use state::{Phase, TunnelState, TunnelsDir};

/// What became of a wish for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// The tunnel.
    #[serde(flatten)]
    pub tunnel: Tunnel,
    /// It stood already; nothing was started.
    pub already: bool,
    /// Why nobody takes what arrives at its far end; nothing when somebody does.
    pub nobody: Option<String>,
}

/// The longest to wait for a connection: ssh itself gives up before.
const LIMIT: Duration = Duration::from_secs(40);
/// Between two looks at how it stands.
const PAUSE: Duration = Duration::from_millis(20);

/// Opens a tunnel, and returns when it works. `gt` is the path of this program.
///
/// 1 what a killed keeper left is ended, the wish is written · 2 the keeper runs · then it is waited for. A tunnel
/// whose first connection fails is not kept.
///
/// # Errors
/// ssh is missing, the place is taken, or ssh could not connect (in its words, with what helps).
pub fn up(home: &TunnelsDir, tunnel: &Tunnel, gt: &Path) -> Result<Opened> {
    ssh::need()?;
    let place = home.place(tunnel)?;
    let _door = place.lock()?;
    let before = place.read()?;
    let runs = place.is_kept();
    let opened =
        |kept: &TunnelState, already| Opened { tunnel: tunnel.clone(), already, nobody: kept.nobody.clone() };
    let mut failing = None;
    match before {
        Some(kept) if runs && kept.phase == Phase::Up && kept.tunnel.same_way(tunnel) => {
            return Ok(opened(&kept, true));
        }
        Some(kept) if runs && kept.tunnel.name != tunnel.name && !kept.tunnel.same_way(tunnel) => {
            crate::fail!(
                "{} is where the tunnel of {} begins already (to {})", tunnel.local, kept.tunnel.name, kept.tunnel.ssh;
                "close that one with: gt remote tunnel down {}; or give one of them another port", kept.tunnel.name
            );
        }
        // It fails, and is tried at once, by a keeper that knows this shell's environment: its ssh agent, say. Or it was
        // changed in the settings meanwhile; or its keeper was killed, and ssh may run on.
        Some(kept) => {
            close(&place, &kept);
            failing = Some(kept)
                .filter(|kept| runs && kept.phase == Phase::Failing && kept.tunnel.same_way(tunnel));
        }
        None => {}
    }
    let before = failing.as_ref().map_or(0, |kept| kept.attempt);
    place.begin(tunnel, failing)?;
    step("tunnel.1");
    let keeper = Process::new(gt).args(["remote", "tunnel", "keep"]).arg(&place.dir).cwd(&place.dir);
    agent_lock::without(keeper).start_detached()?;
    step("tunnel.2");
    let outcome = wait(&place, before);
    if outcome.is_err()
        && let Ok(Some(kept)) = place.read()
        && kept.phase != Phase::Failing
    {
        close(&place, &kept);
    }
    outcome.map(|kept| opened(&kept, false))
}

/// Opens the tunnels of remotes that gt keeps, all at the same time: for who starts something there. Where somebody listens
/// already, the tunnel is open, or the person has one. Gives what failed, by remote.
///
/// # Errors
/// When it cannot be told where tunnels are written down, or where this program is.
pub fn open_for<'r>(
    env: &HashMap<String, String>,
    remotes: impl IntoIterator<Item = (&'r String, &'r Remote)>,
) -> Result<BTreeMap<String, anyhow::Error>> {
    let kept = remotes.into_iter().filter(|(_, remote)| remote.ssh.is_some());
    let tunnels: Vec<Tunnel> =
        kept.map(|(name, remote)| Tunnel::of(name, remote)).collect::<Result<_, _>>()?;
    let tunnels: Vec<Tunnel> = tunnels.into_iter().filter(|own| !is_taken(own, true)).collect();
    if tunnels.is_empty() {
        return Ok(BTreeMap::new());
    }
    let home = TunnelsDir::of(|name| env.get(name).map(String::as_str))?;
    let outcomes = up_all(&home, &tunnels)?;
    let failed =
        tunnels.iter().zip(outcomes).filter_map(|(own, outcome)| Some((own.name.clone(), outcome.err()?)));
    Ok(failed.collect())
}

/// Whether [`open_for`] would open a tunnel to this daemon: gt keeps one, and nobody listens where it begins.
pub fn is_to_be_opened(known: &KnownRemote) -> bool {
    let remote = Remote { fugue_addr: known.fugue_addr.clone(), ssh: known.ssh.clone(), ..Remote::default() };
    known.ssh.is_some() && Tunnel::of(&known.name, &remote).is_ok_and(|tunnel| !is_taken(&tunnel, true))
}

/// [`up`] for several: one machine that is off does not hold up the others.
///
/// # Errors
/// When it cannot be told where this program is.
pub fn up_all(home: &TunnelsDir, tunnels: &[Tunnel]) -> Result<Vec<Result<Opened>>> {
    let gt =
        std::env::current_exe().map_err(|error| Failure::new(format!("cannot tell where gt is: {error}")))?;
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = tunnels.iter().map(|own| scope.spawn(|| up(home, own, &gt))).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|ended| ended.unwrap_or_else(|_| Err(Failure::new("a thread ended early").into())))
            .collect()
    }))
}

/// Waits for an attempt after the one of this number.
fn wait(place: &state::TunnelDir, after: u64) -> Result<TunnelState> {
    let limit = Instant::now() + LIMIT;
    loop {
        // Asked first: a keeper that ended has written down why before.
        let runs = place.is_kept();
        let Some(kept) = place.read()? else {
            crate::fail!("the tunnel was closed while it was opened"; "see how it stands with: gt remote tunnel status");
        };
        let failed = || {
            let hint = kept.hint.clone().unwrap_or_default();
            Err(Failure::new(kept.error.clone().unwrap_or_default()).hint(hint).into())
        };
        let name = &kept.tunnel.name;
        match kept.phase {
            Phase::Up => return Ok(kept),
            Phase::Ended => return failed(),
            Phase::Failing if kept.attempt > after => {
                let hint = kept.hint.clone().unwrap_or_default();
                let message =
                    format!("{} (it is tried again by itself)", kept.error.clone().unwrap_or_default());
                return Err(Failure::new(message).hint(hint).into());
            }
            _ if kept.keeper.is_some() && !runs => {
                crate::fail!(
                    "the process that keeps the tunnel of {name} was killed";
                    "try again: gt remote tunnel up {name}"
                );
            }
            _ if Instant::now() > limit => {
                crate::fail!(
                    "the tunnel of {name} did not come up within {} s", LIMIT.as_secs();
                    "see how it stands with: gt remote tunnel status {name}"
                );
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Closes a tunnel: false when there was none. Only what gt started is ended.
///
/// # Errors
/// When the state folder cannot be used.
pub fn down(home: &TunnelsDir, tunnel: &Tunnel) -> Result<bool> {
    let place = home.place(tunnel)?;
    let _door = place.lock()?;
    let Some(kept) = place.read()? else { return Ok(false) };
    let stood = place.is_kept() || kept.phase != Phase::Ended;
    close(&place, &kept);
    Ok(stood)
}

/// Ends the keeper and ssh, and takes the folder away.
fn close(place: &state::TunnelDir, kept: &TunnelState) {
    let limit = Instant::now() + Duration::from_secs(5);
    let mut kept = kept.clone();
    // A keeper that just began has not written yet which process it is.
    while kept.keeper.is_none() && place.is_kept() && Instant::now() < limit {
        std::thread::sleep(PAUSE);
        kept = place.read().ok().flatten().unwrap_or(kept);
    }
    if let Some(keeper) = &kept.keeper {
        keeper.end_group();
    }
    if let Some(ssh) = &kept.ssh {
        ssh.end();
    }
    ssh::exit(&kept.tunnel, &place.dir);
    if let Some(socket) = leftover(&kept.tunnel).filter(|_| kept.stood) {
        let _ = std::fs::remove_file(socket);
    }
    place.clear();
}

/// A tunnel as it stands; nothing when gt does not keep it.
///
/// # Errors
/// When the state folder cannot be read.
pub fn look(home: &TunnelsDir, tunnel: &Tunnel) -> Result<Option<TunnelState>> {
    let place = home.place(tunnel)?;
    let Some(mut kept) = place.read()?.filter(|kept| kept.tunnel.same_way(tunnel)) else { return Ok(None) };
    if !place.is_kept() && kept.phase != Phase::Ended {
        kept.phase = Phase::Ended;
        kept.error = Some("its keeper was killed".into());
        kept.hint = Some(format!("open it again with: gt remote tunnel up {}", tunnel.name));
    }
    // Somebody may have begun to listen there.
    if kept.phase == Phase::Up && kept.nobody.is_some() && matches!(reach(tunnel), TunnelEnd::Somebody) {
        kept.nobody = None;
    }
    Ok(Some(kept))
}

/// The socket where a tunnel began and where nobody listens any more.
fn leftover(tunnel: &Tunnel) -> Option<PathBuf> {
    let FugueAddr::Unix(path) = &tunnel.local else { return None };
    let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    UnixStream::connect(path).err().is_some_and(refused).then(|| path.clone())
}

/// Whether somebody else listens where a tunnel is to begin; on any of the addresses its host has.
fn is_taken(tunnel: &Tunnel, ours: bool) -> bool {
    match &tunnel.local {
        FugueAddr::Unix(path) => path.symlink_metadata().is_ok() && !(ours && leftover(tunnel).is_some()),
        FugueAddr::Tcp(host, port) => addresses(host, *port).any(|address| {
            std::net::TcpListener::bind(address)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
        }),
    }
}

fn addresses(host: &str, port: u16) -> impl Iterator<Item = std::net::SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host, port).to_socket_addrs().into_iter().flatten()
}

/// How what arrives at the tunnel fares.
enum TunnelEnd {
    /// ssh does not listen.
    Closed,
    /// ssh listens, and the connection is closed at once: nobody listens at the far end.
    Nobody,
    /// The connection stays.
    Somebody,
}

/// How long a daemon at the far end may take to turn a connection away.
const TURN_AWAY: Duration = Duration::from_millis(500);

/// Connects to where the tunnel begins.
fn reach(tunnel: &Tunnel) -> TunnelEnd {
    use std::io::Read;
    let mut byte = [0; 1];
    let read = match &tunnel.local {
        FugueAddr::Unix(path) => UnixStream::connect(path).ok().map(|mut stream| {
            stream.set_read_timeout(Some(TURN_AWAY))?;
            stream.read(&mut byte)
        }),
        FugueAddr::Tcp(host, port) => {
            let mut streams = addresses(host, *port)
                .filter_map(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok());
            streams.next().map(|mut stream| {
                stream.set_read_timeout(Some(TURN_AWAY))?;
                stream.read(&mut byte)
            })
        }
    };
    match read {
        None => TunnelEnd::Closed,
        Some(Ok(0)) => TunnelEnd::Nobody,
        Some(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => TunnelEnd::Nobody,
        Some(_) => TunnelEnd::Somebody,
    }
}

/// The tunnel of one remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TunnelLine {
    /// The remote's name.
    pub name: String,
    /// `up`, `opening`, `failing`, `down`; `own` for one that gt does not keep.
    pub state: &'static str,
    /// Since when: RFC 3339, UTC.
    pub since: Option<String>,
    /// Where it begins.
    pub local: String,
    /// Where it ends, as the other machine sees it.
    pub there: Option<String>,
    /// ssh's destination.
    pub ssh: Option<String>,
    /// Why it does not work, or why nobody takes what arrives over there.
    pub error: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// How often ssh was started for it.
    pub attempts: u64,
    /// The process that keeps it.
    pub pid: Option<i32>,
}

//! The keeper: a small process per instance that is parent and subreaper of all its processes.
//!
//! It starts, ends, reaps and reports them, and drains their output, so that nobody dies with the host. It has one
//! thread, knows nothing of apps or pictures, and needs no host to live on: a later host connects and goes on.
//!
//! ```text
//! listening ── Hello ──▶ controlled ── connection lost ──▶ alone ── Hello ──▶ controlled
//!     └──────────────────── no host for too long, SIGTERM, End ──▶ ending ──▶ exit 0
//! ```
//!
//! It survives: the host's death at any moment, a flood of output, a full disk, processes that leave their group or
//! ignore TERM. It does not survive its own SIGKILL: `sweep` then ends what it left.
//!
//! - `args` command line · `event_loop` the one thread · `hosts`, `connection` who is connected
//! - `roles`, `slot` what runs and what was asked · `ending`, `belonging` (pure) how it ends, and who is whose
//! - `spawn`, `child`, `lookup` starting · `sandbox`, `groups`, `isolation` what stands between them and the machine
//! - `output`, `display_files`, `folder` what is left on disk

use std::io;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::setsid;

use super::proc::Identity;
use crate::clock;
use crate::files::Folder;
use crate::protocol::keeper::{Manifest, VERSION};

mod args;
mod belonging;
mod child;
mod connection;
pub(super) mod display_files;
mod ending;
mod event_loop;
pub(super) mod folder;
mod groups;
mod hosts;
mod isolation;
mod look;
mod lookup;
mod output;
mod roles;
mod sandbox;
mod slot;
mod spawn;

pub use args::KeepArgs;
pub use isolation::SizedFolder;
pub use output::MAX_LOG_BYTES;

/// `heliostat keep`: returns when the instance was ended.
///
/// Exit codes: 0 it was ended, 75 the folder has a keeper, 74 the folder cannot be used (sysexits.h).
pub fn run(args: &KeepArgs) -> ExitCode {
    match keep(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            log::error!("instance={} another keeper has the folder", args.instance);
            ExitCode::from(75)
        }
        Err(error) => {
            log::error!("instance={} {error}", args.instance);
            ExitCode::from(74)
        }
    }
}

/// False if the folder has a keeper.
fn keep(args: &KeepArgs) -> io::Result<bool> {
    // What the host's libraries left open for us would keep its files and ports in use.
    // SAFETY: nothing here has opened a descriptor yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0) };
    // A session's leader is in its own already.
    match setsid() {
        Ok(_) | Err(Errno::EPERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    let Some(folder) = folder::lock(Folder::open_own(&args.dir)?)? else {
        return Ok(false);
    };
    std::env::set_current_dir("/")?;
    if args.apart
        && let Err(error) = isolation::isolate(&args.sized)
    {
        log::warn!(
            "instance={} shares memory and disk with the machine: {error}",
            args.instance
        );
    }
    super::privileges::give_up(&[]);
    prctl::set_child_subreaper(true)?;
    // SAFETY: ignoring a signal runs no handler.
    unsafe {
        signal(Signal::SIGPIPE, SigHandler::SigIgn)?;
        signal(Signal::SIGHUP, SigHandler::SigIgn)?;
    }
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
        mask.add(signal);
    }
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let logs = folder.make_in("logs")?;
    let listener = folder.listen(folder::SOCKET)?;
    listener.set_nonblocking(true)?;
    let me = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let me = Identity::of(me).ok_or_else(|| io::Error::other("/proc is not there"))?;
    let manifest = Manifest {
        pid: me.pid,
        start_time: me.start_time,
        instance: args.instance,
        version: VERSION,
        mark: Some(args.mark.clone()),
    };
    folder.write_manifest(&manifest)?;
    log::info!(
        "instance={} pid={} keeping {}",
        args.instance,
        me.pid,
        args.dir.display()
    );

    let keeper = event_loop::Keeper {
        roles: roles::Roles::new(folder, logs, &manifest),
        hosts: hosts::Hosts::new(args.instance, me.pid, clock::monotonic_us()),
        listener,
        signals,
        absence_us: args.host_absence_ms.saturating_mul(1000),
    };
    keeper.run()?;
    log::info!("instance={} ended", args.instance);
    Ok(true)
}

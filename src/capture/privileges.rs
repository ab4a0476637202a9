//! What the capture process gives up: decoding nothing but a screen, it needs no rights beyond its open descriptors.

use nix::sys::prctl;
use nix::sys::signal::Signal;

use crate::process::seccomp;

/// Lets nobody trace the process unless `debuggable`, and gives up the system calls that it does not need, those that
/// start programs among them. The process ends with its parent from here on.
///
/// # Errors
/// The system refuses: the process must not go on with rights that it was to give up.
pub(super) fn give_up(debuggable: bool) -> nix::Result<()> {
    prctl::set_dumpable(debuggable)?;
    prctl::set_no_new_privs()?;
    // A kernel without filters is no reason to go without a picture.
    if let Err(error) = seccomp::apply() {
        log::warn!("no system call is refused: {error}");
    }
    prctl::set_pdeathsig(Signal::SIGKILL)
}

//! What the capture process gives up: decoding nothing but a screen, it needs no rights beyond its open descriptors.

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

use super::args::UserAndGroup;
use crate::process::seccomp;

/// Becomes `user` if it is given and the process is root, with which it loses all capabilities, lets nobody trace it
/// unless `debuggable`, and gives up the system calls that no program needs. The process ends with its parent from here
/// on.
///
/// # Errors
/// The system refuses: the process must not go on with rights that it was to give up.
pub(super) fn give_up(user: Option<UserAndGroup>, debuggable: bool) -> nix::Result<()> {
    if let Some(user) = user
        && geteuid().is_root()
    {
        setgroups(&[])?;
        setgid(Gid::from_raw(user.gid))?;
        setuid(Uid::from_raw(user.uid))?;
    }
    // After the change of user, which resets both.
    prctl::set_dumpable(debuggable)?;
    prctl::set_no_new_privs()?;
    // A kernel without filters is no reason to go without a picture.
    if let Err(error) = seccomp::apply() {
        log::warn!("no system call is refused: {error}");
    }
    prctl::set_pdeathsig(Signal::SIGKILL)
}

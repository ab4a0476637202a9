//! Faults on demand, for the tests of whoever watches this process: in debug builds alone, release builds have none of
//! this.
//!
//! SIGUSR1: send rubbish to the host. SIGUSR2: hang, alive and deaf.

use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static ASKED: AtomicI32 = AtomicI32::new(0);

/// A fault that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Send bytes that are no message.
    Rubbish,
    /// Do nothing any more.
    Hang,
}

extern "C" fn note(signal: i32) {
    ASKED.store(signal, Ordering::Relaxed);
}

/// From now on the signals ask for faults.
///
/// # Errors
/// The system refuses.
pub(super) fn install() -> nix::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        // SAFETY: the handler only stores a number.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// What was asked for since the last call.
pub(super) fn take() -> Option<Sabotage> {
    match ASKED.swap(0, Ordering::Relaxed) {
        libc::SIGUSR1 => Some(Sabotage::Rubbish),
        libc::SIGUSR2 => Some(Sabotage::Hang),
        _ => None,
    }
}

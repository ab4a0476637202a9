//! A fatal signal while a binary that was handed over to starts: it begins again, only to say so and be followed.
//!
//! In a handler little may be done (signal-safety(7)): no memory is taken, no lock, and least of all is the database taken
//! back. So all that an exec of this very program needs lies ready, and the handler does nothing else. The one that begins again
//! is told what ended the first, and has no handler of this kind.

use std::ffi::{CString, OsString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;
use std::sync::OnceLock;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::handover::LISTENER;

/// Tells the one that begins again of the signal.
pub(super) const DIED: &str = "HELIOSTAT_DIED";
/// What the processor and `abort` send.
const FATAL: [Signal; 5] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGABRT,
];

/// What an exec needs, as execve(2) takes it.
struct Again {
    pid: libc::pid_t,
    listener: RawFd,
    program: CString,
    arguments: Texts,
    /// One for each of [`FATAL`].
    environments: [Texts; FATAL.len()],
}

/// Texts with a null pointer behind them.
struct Texts {
    pointers: Vec<*const c_char>,
    /// What they point to.
    _texts: Vec<CString>,
}

// SAFETY: the pointers are to texts that the same value owns and nobody changes.
unsafe impl Send for Texts {}
// SAFETY: as above.
unsafe impl Sync for Texts {}

impl Texts {
    fn of(texts: impl IntoIterator<Item = OsString>) -> io::Result<Self> {
        let texts: Vec<_> = texts
            .into_iter()
            .map(|text| CString::new(text.into_vec()))
            .collect::<Result<_, _>>()?;
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Ok(Self {
            pointers,
            _texts: texts,
        })
    }
}

static AGAIN: OnceLock<Again> = OnceLock::new();

/// While it lives, a fatal signal makes this process begin again.
#[derive(Debug)]
pub(super) struct Watch(Vec<(Signal, SigAction)>);

/// Watches from now on; who begins again has `listener` and what this process was started with. Once in a process.
///
/// # Errors
/// The system refuses a handler.
pub(super) fn watch(listener: BorrowedFd<'_>) -> io::Result<Watch> {
    let again = Again::of_this(listener.as_raw_fd())?;
    AGAIN.get_or_init(|| again);
    let flags = SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER | SaFlags::SA_RESETHAND;
    let action = SigAction::new(SigHandler::Handler(begin_again), flags, SigSet::empty());
    let mut watch = Watch(Vec::new());
    for signal in FATAL {
        // SAFETY: the handler calls only what signal-safety(7) allows.
        watch.0.push((signal, unsafe { sigaction(signal, &action) }?));
    }
    Ok(watch)
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (signal, before) in &self.0 {
            // SAFETY: what was there before.
            let _ = unsafe { sigaction(*signal, before) };
        }
    }
}

impl Again {
    fn of_this(listener: RawFd) -> io::Result<Self> {
        let environment = |signal: Signal| {
            let own = std::env::vars_os().filter(|(name, _)| name != LISTENER && name != DIED);
            let own = own.map(|(mut text, value)| {
                text.push("=");
                text.push(value);
                text
            });
            let also = [format!("{LISTENER}={listener}"), format!("{DIED}={signal}")];
            Texts::of(own.chain(also.map(OsString::from)))
        };
        let [a, b, c, d, e] = FATAL.map(environment);
        Ok(Self {
            pid: nix::unistd::getpid().as_raw(),
            listener,
            program: CString::new("/proc/self/exe")?,
            arguments: Texts::of(std::env::args_os())?,
            environments: [a?, b?, c?, d?, e?],
        })
    }
}

/// Where it comes back, the signal does what it does without a handler.
extern "C" fn begin_again(signal: c_int) {
    let Some(again) = AGAIN.get() else { return };
    let Some(which) = FATAL.iter().position(|fatal| *fatal as c_int == signal) else {
        return;
    };
    // SAFETY: all four are allowed in a handler; what is pointed to lives as long as the process.
    unsafe {
        // A child between fork and exec is not the host.
        if libc::getpid() != again.pid {
            return;
        }
        libc::fcntl(again.listener, libc::F_SETFD, 0);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::execve(
            again.program.as_ptr(),
            again.arguments.pointers.as_ptr(),
            again.environments[which].pointers.as_ptr(),
        );
    }
}

/// The signal that ended this process before it began again.
#[must_use]
pub(super) fn died() -> Option<String> {
    std::env::var(DIED).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::process::Command;

    use super::*;
    use crate::app::handover::listener_of_environment;

    const DYING: &str = "HELIOSTAT_TEST_DYING";

    /// What the process of the test does that dies.
    fn die(how: &str) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let watched = watch(listener.as_fd()).unwrap();
        match how {
            "abort" => std::process::abort(),
            // SAFETY: none; that is the point.
            "segv" => unsafe { ptr::null_mut::<u8>().write_volatile(1) },
            _ => {
                drop(watched);
                std::process::abort();
            }
        }
    }

    #[test]
    fn who_dies_by_a_signal_begins_again_with_the_listener_and_knows_why() {
        let listens = || listener_of_environment().is_some();
        match (std::env::var(DYING), died()) {
            (Ok(_), Some(signal)) => {
                println!("begun again after {signal}, listening: {}", listens());
                std::process::exit(0);
            }
            (Ok(how), None) => die(&how),
            (Err(_), _) => {}
        }
        let end_of = |how: &str| {
            let name = "app::fatal::tests::who_dies_by_a_signal_begins_again_with_the_listener_and_knows_why";
            let mut command = Command::new(std::env::current_exe().unwrap());
            let output = command.args(["--exact", name, "--nocapture"]).env(DYING, how).output();
            let output = output.unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        for (how, signal) in [("abort", "SIGABRT"), ("segv", "SIGSEGV")] {
            let (well, said) = end_of(how);
            let wanted = format!("begun again after {signal}, listening: true");
            assert!(well && said.contains(&wanted), "{how}: {said}");
        }
        let (well, said) = end_of("serving");
        assert!(!well && !said.contains("begun again"), "who serves dies: {said}");
    }
}

//! Wakes a thread that waits in `poll(2)`, so that it can wait for the X server and for others at once.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

/// A flag that can be polled: any thread raises it, one thread waits for it and clears it.
#[derive(Debug)]
pub struct Wake {
    raise: UnixStream,
    seen: UnixStream,
}

impl Wake {
    /// A flag that is not raised.
    ///
    /// # Errors
    /// No file descriptors left.
    pub fn new() -> std::io::Result<Self> {
        let (raise, seen) = UnixStream::pair()?;
        raise.set_nonblocking(true)?;
        seen.set_nonblocking(true)?;
        Ok(Self { raise, seen })
    }

    /// Raises the flag. Never blocks.
    pub fn raise(&self) {
        // A full buffer means that it is raised already; the other end lives as long as this one.
        let _ = (&self.raise).write(&[1]);
    }

    /// Clears the flag.
    pub fn clear(&self) {
        let mut sink = [0; 64];
        while matches!((&self.seen).read(&mut sink), Ok(n) if n == sink.len()) {}
    }

    /// What to give to `poll(2)`.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.seen.as_fd()
    }
}

/// Waits until one of `fds` can be read, has ended, or `until` has come (`None`: for ever). Says which ones are ready.
///
/// # Errors
/// As `poll(2)`; an interrupted call is no error.
pub fn wait_readable<const N: usize>(
    fds: [Option<BorrowedFd<'_>>; N],
    until: Option<Instant>,
) -> std::io::Result<[bool; N]> {
    let mut ready = [false; N];
    let mut polled: Vec<PollFd<'_>> = fds
        .iter()
        .flatten()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    // In nanoseconds: whole milliseconds would make each picture half of one late.
    let timeout = until.map(|until| TimeSpec::from_duration(until.saturating_duration_since(Instant::now())));
    match ppoll(&mut polled, timeout, None) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(ready),
        Err(error) => return Err(error.into()),
    }
    let mut answers = polled.iter();
    for (fd, ready) in fds.iter().zip(&mut ready) {
        if fd.is_some() {
            *ready = answers.next().and_then(PollFd::any).unwrap_or(false);
        }
    }
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_ends_when_it_should_and_not_a_millisecond_later() {
        let span = Duration::from_micros(200);
        let waits = (0..200).map(|_| {
            let begun = Instant::now();
            wait_readable::<0>([], Some(begun + span)).unwrap();
            begun.elapsed()
        });
        // The shortest, since a busy machine may keep any of them waiting.
        let shortest = waits.min().unwrap();
        assert!(
            shortest >= span && shortest < Duration::from_micros(900),
            "{shortest:?}"
        );
    }

    #[test]
    fn a_raised_flag_ends_the_wait_and_stays_until_cleared() {
        let wake = Wake::new().unwrap();
        let soon = || Some(Instant::now());
        assert_eq!(wait_readable([Some(wake.fd())], soon()).unwrap(), [false]);
        for _ in 0..100_000 {
            wake.raise();
        }
        assert_eq!(wait_readable([None, Some(wake.fd())], None).unwrap(), [false, true]);
        wake.clear();
        assert_eq!(wait_readable([Some(wake.fd())], soon()).unwrap(), [false]);
    }
}

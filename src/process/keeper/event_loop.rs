//! The keeper's one thread: waits for descriptors and moments, and hands each to whom it concerns.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::folder::{MANIFEST, SOCKET};
use super::hosts::Hosts;
use super::roles::{Out, Roles, Source};
use super::slot::Asker;
use crate::clock;

/// Between TERM and KILL where no host says how long: SIGTERM, or no host for too long.
const OWN_GRACE_US: u64 = 5_000_000;
/// Hosts have so long to take the last answers.
const FAREWELL_US: u64 = 1_000_000;

/// The keeper at work.
#[derive(Debug)]
pub(super) struct Keeper {
    pub roles: Roles,
    pub hosts: Hosts,
    pub listener: UnixListener,
    pub signals: SignalFd,
    pub absence_us: u64,
}

/// What a polled descriptor is.
#[derive(Debug)]
enum Token {
    Signals,
    Listener,
    Connection(u64),
    Role(Source),
}

impl Keeper {
    /// Until the instance was ended.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            let now_us = clock::monotonic_us();
            self.roles.tick(now_us);
            if self.roles.is_over() {
                break;
            }
            self.deliver(now_us);
            if let Some(since) = self.hosts.absent_since_us()
                && now_us >= since.saturating_add(self.absence_us)
            {
                log::warn!("no host for {} s", self.absence_us / 1_000_000);
                self.absence_us = u64::MAX;
                self.roles.end(None, OWN_GRACE_US, now_us);
                continue;
            }
            let absence = self
                .hosts
                .absent_since_us()
                .map(|since| since.saturating_add(self.absence_us));
            let deaf = self.hosts.deaf_until_us(now_us);
            let wake = self.roles.wake_us().into_iter().chain(absence).chain(deaf).min();
            self.wait(wake, deaf.is_none())?;
        }
        self.farewell()
    }

    fn deliver(&mut self, now_us: u64) {
        for out in self.roles.take_out() {
            match out {
                Out::Reply(asker, result) => self.hosts.reply(asker.connection, asker.call, result, now_us),
                Out::Event(event) => self.hosts.tell(event, now_us),
            }
        }
    }

    fn wait(&mut self, wake_us: Option<u64>, lets_in: bool) -> io::Result<()> {
        let mut tokens = Vec::new();
        let mut fds = Vec::new();
        let mut add = |token, fd, flags| {
            tokens.push(token);
            fds.push(PollFd::new(fd, flags));
        };
        add(Token::Signals, self.signals.as_fd(), PollFlags::POLLIN);
        if lets_in {
            add(Token::Listener, self.listener.as_fd(), PollFlags::POLLIN);
        }
        for (&id, connection) in &self.hosts.connections {
            let wants = if connection.has_unsent() {
                PollFlags::POLLIN | PollFlags::POLLOUT
            } else {
                PollFlags::POLLIN
            };
            add(Token::Connection(id), connection.as_fd(), wants);
        }
        for (source, fd) in self.roles.sources() {
            add(Token::Role(source), fd, PollFlags::POLLIN);
        }
        match poll(&mut fds, timeout(wake_us)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<PollFlags> = fds
            .iter()
            .map(|fd| fd.revents().unwrap_or(PollFlags::empty()))
            .collect();
        drop(fds);
        let now_us = clock::monotonic_us();
        for (token, flags) in tokens.into_iter().zip(ready).filter(|(_, flags)| !flags.is_empty()) {
            self.handle(&token, flags, now_us)?;
        }
        Ok(())
    }

    fn handle(&mut self, token: &Token, flags: PollFlags, now_us: u64) -> io::Result<()> {
        match token {
            // An ended child is reaped at the next tick: the signal only had to wake us.
            Token::Signals => {
                while let Some(info) = self.signals.read_signal()? {
                    if info.ssi_signo != Signal::SIGCHLD as u32 {
                        log::info!("signal={} from pid={}", info.ssi_signo, info.ssi_pid);
                        self.roles.end(None, OWN_GRACE_US, now_us);
                    }
                }
            }
            Token::Listener => self.hosts.accept(&self.listener, now_us),
            Token::Connection(id) => {
                if flags.contains(PollFlags::POLLOUT) {
                    self.hosts.flush(*id, now_us);
                }
                if flags.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
                    for call in self.hosts.read(*id, now_us) {
                        let asker = Asker {
                            connection: *id,
                            call: call.id,
                        };
                        self.roles.request(asker, call.request, now_us);
                    }
                }
            }
            Token::Role(source) => self.roles.read(source),
        }
        Ok(())
    }

    /// The folder is free before the hosts hear of it.
    fn farewell(mut self) -> io::Result<()> {
        self.roles.folder.remove(SOCKET);
        self.roles.folder.remove(MANIFEST);
        let until_us = clock::monotonic_us() + FAREWELL_US;
        self.deliver(clock::monotonic_us());
        loop {
            let unsent: Vec<u64> = self
                .hosts
                .connections
                .iter()
                .filter(|(_, c)| c.has_unsent())
                .map(|(&id, _)| id)
                .collect();
            let now_us = clock::monotonic_us();
            if unsent.is_empty() || now_us >= until_us {
                return Ok(());
            }
            let fds: Vec<BorrowedFd<'_>> = unsent.iter().map(|id| self.hosts.connections[id].as_fd()).collect();
            let mut fds: Vec<PollFd<'_>> = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)).collect();
            match poll(&mut fds, timeout(Some(until_us))) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            drop(fds);
            for id in unsent {
                self.hosts.flush(id, now_us);
            }
        }
    }
}

/// Rounded up, so that a moment has come when poll returns for it.
fn timeout(wake_us: Option<u64>) -> PollTimeout {
    let Some(wake_us) = wake_us else {
        return PollTimeout::NONE;
    };
    let ms = wake_us.saturating_sub(clock::monotonic_us()).div_ceil(1000);
    // Longer than the largest timeout is waited for in turns.
    PollTimeout::try_from(ms.min(60_000)).unwrap_or(PollTimeout::ZERO)
}

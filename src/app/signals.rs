//! Signals, as the host understands them.

use std::time::Duration;

use tokio::signal::unix::{self, SignalKind};

/// For what is there already.
const LISTEN: Duration = Duration::from_millis(20);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT: end, and the instances with it.
    Stop,
    /// SIGUSR2: hand over to a new binary; the instances live on.
    Upgrade,
    /// SIGHUP: read the catalogue and the certificate again.
    Reload,
}

/// The signals of this process.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    upgrade: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// From now on signals come here.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            upgrade: unix::signal(SignalKind::user_defined2())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.upgrade.recv() => Signal::Upgrade,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }

    /// Returns when somebody asks for the end again.
    pub async fn another_stop(&mut self) {
        while self.next().await != Signal::Stop {}
    }
    /// Whether somebody has asked for the end and was not heard yet.
    pub async fn stop_waits(&mut self) -> bool {
        // What has come is taken from the system when this waits.
        tokio::time::timeout(LISTEN, self.another_stop()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal as Number, raise};

    #[tokio::test]
    async fn a_stop_that_came_while_nobody_listened_is_heard_once() {
        let mut signals = Signals::new().unwrap();
        assert!(!signals.stop_waits().await);
        raise(Number::SIGHUP).unwrap();
        raise(Number::SIGTERM).unwrap();
        assert!(signals.stop_waits().await);
        assert!(!signals.stop_waits().await);
    }
}

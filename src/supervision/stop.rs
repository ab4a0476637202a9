//! The request to stop gracefully, with its deadline: it goes around the mailbox, which may be full or never read.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How a supervisor ends a child (OTP `shutdown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Aborted at its next yield, without being asked (OTP `brutal_kill`).
    BrutalKill,
    /// Asked, and aborted if it has not ended in this time.
    Timeout(Duration),
    /// Asked and waited for, or until the deadline of the supervisor's own stop. For supervisors only, whose children
    /// all have deadlines of their own: a worker is refused with it ([`super::SpecError::InfinityForWorker`]).
    Infinity,
}

/// An order to stop. `None` as deadline: whenever it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    deadline: Option<Instant>,
}

/// Fires once; its deadline can only come closer.
#[derive(Debug)]
pub(super) struct StopSignal {
    token: CancellationToken,
    order: watch::Sender<Option<Order>>,
}

impl StopSignal {
    pub(super) fn new() -> Self {
        Self {
            token: CancellationToken::new(),
            order: watch::Sender::new(None),
        }
    }

    /// Orders the stop. Asking again never moves the deadline away.
    pub(super) fn fire(&self, deadline: Option<Instant>) {
        self.order.send_if_modified(|order| {
            let next = Order {
                deadline: earliest(order.and_then(|o| o.deadline), deadline),
            };
            let changed = *order != Some(next);
            *order = Some(next);
            changed
        });
        self.token.cancel();
    }

    pub(super) fn fired(&self) -> bool {
        self.order.borrow().is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.borrow().and_then(|order| order.deadline)
    }

    pub(super) const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Wakes its holder at every change of the order.
    pub(super) fn changes(&self) -> watch::Receiver<Option<Order>> {
        self.order.subscribe()
    }
}

/// The earlier of two instants, where `None` is never.
pub(super) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Sleeps until then; for ever, if never.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_twice_brings_the_deadline_closer_but_never_moves_it_away() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let signal = StopSignal::new();
        assert!(!signal.fired());
        signal.fire(None);
        assert!(signal.fired() && signal.token().is_cancelled());
        assert_eq!(signal.deadline(), None);
        signal.fire(Some(now + second));
        signal.fire(Some(now + 2 * second));
        signal.fire(None);
        assert_eq!(signal.deadline(), Some(now + second));
    }
}

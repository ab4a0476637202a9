//! When a peer connection may be closed: a pure table without a clock and without I/O.
//!
//! What hangs or leaks in the field is closing while an SDP operation runs, closing while media is still being fed,
//! and waiting without a bound. So a peer whose end was asked for *drains* first: it refuses new operations, detaches
//! its feeder, tells the browser why, and waits for the rest to settle. Every wait has a deadline that nothing moves.
//!
//! ```text
//!          end asked for, failed, closed by        settled, or 5 s              closed, or 2 s
//!          the browser, never connected, broke     (host shutdown: 1 s)         (then abandoned)
//!   Open ───────────────────────────────▶ Draining ─────────────────▶ Closing ───────────────▶ Closed
//! ```
//!
//! A peer that is settled when its end is asked for passes through Draining in the same step. *Settled*: no operation
//! runs, the farewell among them; the feeder has let go; the connection is not `connecting`.

use std::time::Duration;

use crate::protocol::signalling::CloseReason;

/// A peer that is not connected after this long never will be.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// How long an end that was asked for waits for operations and states to settle.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// The same when the host shuts down.
pub const DRAIN_WITHIN_SHUTDOWN: Duration = Duration::from_secs(1);
/// How long closing itself may take before the connection is given up.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// `RTCPeerConnectionState` of the W3C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Nothing has happened yet.
    New,
    /// A path is looked for, or keys are agreed on.
    Connecting,
    /// Media can flow.
    Connected,
    /// The path is lost, perhaps for a moment.
    Disconnected,
    /// The path is lost, or was never found.
    Failed,
    /// The browser closed the connection.
    Closed,
}

impl ConnectionState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Connecting,
        Self::Connected,
        Self::Disconnected,
        Self::Failed,
        Self::Closed,
    ];

    /// The word of the W3C for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// What happened to a peer. `now` beside it is the time since the peer began.
///
/// All of it concerns one connection, which lives and dies with its row of the table: a viewer's next connection is
/// another peer with a table of its own, so nothing of an older one reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants to run an operation (the answer, a candidate) on the connection.
    OperationAsked,
    /// An operation ended, or the farewell, well or not.
    OperationFinished,
    /// The connection reports its state.
    Connection(ConnectionState),
    /// The feeder no longer touches the connection.
    FeederDetached,
    /// The feeder broke: without it the viewer would look at a picture that stands still.
    FeederBroke,
    /// A data channel's reader broke: without it the viewer would type into nothing.
    ReaderBroke,
    /// The end was asked for.
    CloseAsked(CloseReason),
    /// The connection says it is closed.
    CloseFinished,
    /// Time passed.
    Tick,
}

/// What has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run the operation that was asked for.
    RunOperation,
    /// Refuse it: the peer is closing.
    DenyOperation,
    /// Tell the feeder to let go of the connection.
    DetachFeeder,
    /// Tell the browser over the data channel why the peer ends. It counts as an operation, the last one.
    Farewell(CloseReason),
    /// Call `close()` on the connection. Happens once.
    Close,
    /// `close()` did not return in time: let the connection go.
    Abandon,
    /// The peer has ended. The last effect of every peer.
    Report(CloseReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Draining { reason: CloseReason, until: Duration },
    Closing { reason: CloseReason, until: Duration },
    Closed { reason: CloseReason },
}

/// One peer's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerState {
    phase: Phase,
    connection: ConnectionState,
    ever_connected: bool,
    operations: u32,
    feeding: bool,
}

impl PeerState {
    /// A peer that has just begun (at time zero), with a feeder attached.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            phase: Phase::Open,
            connection: ConnectionState::New,
            ever_connected: false,
            operations: 0,
            feeding: true,
        }
    }

    /// When a [`Input::Tick`] is due at the latest, as time since the peer began.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Open if self.ever_connected => None,
            Phase::Open => Some(CONNECT_WITHIN),
            Phase::Draining { until, .. } | Phase::Closing { until, .. } => Some(until),
            Phase::Closed { .. } => None,
        }
    }

    /// Why the peer ended, once it has.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        match self.phase {
            Phase::Closed { reason } => Some(reason),
            _ => None,
        }
    }

    /// Whether operations are still accepted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Takes one step; the effects are to be carried out in their order.
    pub fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::OperationAsked if self.is_open() => {
                self.operations += 1;
                effects.push(Effect::RunOperation);
            }
            Input::OperationAsked => effects.push(Effect::DenyOperation),
            Input::OperationFinished => self.operations = self.operations.saturating_sub(1),
            Input::Connection(state) => {
                self.connection = state;
                self.ever_connected |= state == ConnectionState::Connected;
                match state {
                    ConnectionState::Failed => self.begin_end(CloseReason::IceFailed, now, &mut effects),
                    ConnectionState::Closed => self.begin_end(CloseReason::Requested, now, &mut effects),
                    _ => {}
                }
            }
            Input::FeederDetached => self.feeding = false,
            Input::FeederBroke => {
                self.feeding = false;
                self.begin_end(CloseReason::Fault, now, &mut effects);
            }
            Input::ReaderBroke => self.begin_end(CloseReason::Fault, now, &mut effects),
            Input::CloseAsked(reason) => self.begin_end(reason, now, &mut effects),
            Input::CloseFinished => {
                if let Phase::Closing { reason, .. } = self.phase {
                    self.end(reason, &mut effects);
                }
            }
            Input::Tick => {}
        }
        self.advance(now, &mut effects);
        effects
    }

    /// Moves on as far as what is known and the time allow.
    fn advance(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.is_open() && !self.ever_connected && now >= CONNECT_WITHIN {
            self.begin_end(CloseReason::IceFailed, now, effects);
        }
        if let Phase::Draining { reason, until } = self.phase
            && (self.settled() || now >= until)
        {
            self.phase = Phase::Closing {
                reason,
                until: now + CLOSE_WITHIN,
            };
            effects.push(Effect::Close);
        } else if let Phase::Closing { reason, until } = self.phase
            && now >= until
        {
            effects.push(Effect::Abandon);
            self.end(reason, effects);
        }
    }

    fn begin_end(&mut self, reason: CloseReason, now: Duration, effects: &mut Vec<Effect>) {
        if !self.is_open() {
            return;
        }
        let wait = if reason == CloseReason::HostShutdown {
            DRAIN_WITHIN_SHUTDOWN
        } else {
            DRAIN_WITHIN
        };
        self.phase = Phase::Draining {
            reason,
            until: now + wait,
        };
        if self.feeding {
            effects.push(Effect::DetachFeeder);
        }
        // Otherwise no channel is open.
        if self.connection == ConnectionState::Connected {
            self.operations += 1;
            effects.push(Effect::Farewell(reason));
        }
    }

    fn end(&mut self, reason: CloseReason, effects: &mut Vec<Effect>) {
        self.phase = Phase::Closed { reason };
        effects.push(Effect::Report(reason));
    }

    /// Whether nothing of ours touches the connection and its state is one in which closing is safe.
    fn settled(&self) -> bool {
        self.operations == 0 && !self.feeding && self.connection != ConnectionState::Connecting
    }
}

impl Default for PeerState {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;

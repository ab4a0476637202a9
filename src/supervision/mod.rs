//! Supervision as in Erlang/OTP, on actix. Knows nothing of the domain.
//!
//! The contract is `docs/supervision.md`: restart types, strategies, intensity, shutdown, significance, dynamic
//! supervisors, back-off, budgets, dependency exits, stalls, references, events, and what a panic does. `tests/` holds
//! it, one file a concept.
//!
//! # The life of a child
//!
//! ```text
//!               its spec makes it    polled once
//!   restarting ───────────────▶ starting ───────▶ running ──── asked ────▶ stopping
//!      ▲                        │                    │ exits                   │ done, or aborted at its deadline
//!      │  restart, after a      ▼                    ▼                         ▼
//!      └─ back-off ◀──────── (restart type, budget, intensity) ─▶ ended      stopped ── restart_child ──▶ restarting
//!                                                       └───────▶ given up ──── restart_child ──▶ restarting
//! ```
//!
//! # Who may talk to whom
//!
//! Siblings by [`ChildRef`], to a supervisor by [`SupervisorRef`], to the whole by [`Tree`] and [`TreeView`]: all follow
//! restarts, and none keeps anybody alive. [`TreeView::snapshot`] asks nobody and so never waits.
//!
//! # Which faults it survives
//!
//! A child that panics (while it is made, in any of its handlers, in a linked task, while stopping, twice), that hangs in
//! a future, ignores its shutdown or makes no progress; hooks that panic; subscribers that never read. A supervisor that
//! panics or is aborted takes its children along: it owns their tasks. It does not survive a handler that blocks the
//! thread: nothing on that thread does.
//!
//! # Contents
//!
//! Pure: `strategy`, `intensity`, `backoff`, `exit`. Specs: `child_spec`, `supervisor_spec`. The loops that carry them
//! out: `supervisor` (fixed children), `dynamic`, over `slot` (one child over its generations) and `child` (one
//! generation: task, monitor). Inside a child: `context`, `actor`, `inbox`, `link`, `stop`, `lineage`. From outside: `reference`,
//! `control`, `tree`, `snapshot`, `event`, over `node`; `busy`. `inject`: faults for tests, in debug builds.
//!
//! `actix::Supervisor` is something else: it restarts an actor's context, with the same possibly broken state, and not
//! after a panic (actix#158, #204).

mod actor;
mod backoff;
mod busy;
mod child;
mod child_spec;
mod context;
mod control;
mod dynamic;
mod event;
mod exit;
mod inbox;
mod inject;
mod intensity;
mod lineage;
mod link;
mod node;
mod reference;
mod slot;
mod snapshot;
mod stop;
mod strategy;
mod supervisor;
mod supervisor_spec;
#[cfg(test)]
mod tests;
mod tree;

pub use backoff::Backoff;
pub(crate) use backoff::dice;
pub use busy::busy_child;
pub use child_spec::{ChildSpec, Life, Restart};
pub use context::ChildContext;
pub use control::{ByHand, ControlError, SupervisorRef};
pub use event::{ChildEvent, Events, Missed, What};
pub use exit::{ExitCell, ExitReason};
#[cfg(debug_assertions)]
pub use inject::Fault;
pub use intensity::{Intensity, Window};
pub use reference::{CallError, ChildRef};
pub use snapshot::{BudgetView, ChildKind, ChildSnapshot, ChildState, LastExit, ProgressView, Restarts};
pub use stop::Shutdown;
pub use strategy::Strategy;
pub use supervisor_spec::{AutoShutdown, SpecError, SupervisorSpec};
pub use tree::{Tree, TreeView};

//! Supervision as in Erlang/OTP, on actix. Knows nothing of the domain.
//!
//! # The contract
//!
//! A **supervisor** starts its **children** in the order of their **child specs** and stops them in reverse. A child is
//! an actor ([`ChildSpec::actor`]), a future ([`ChildSpec::task`]) or again a supervisor ([`ChildSpec::supervisor`]).
//! Each start makes it anew, from its spec; nothing of the generation before is used again.
//!
//! - **Restart**: a `permanent` child is always started again, a `transient` one when it ended abnormally (error,
//!   panic, killed, stalled, a lost dependency), a `temporary` one never.
//! - **Strategy**: with a child, `one_for_one` restarts it alone, `rest_for_one` those started after it, `one_for_all`
//!   all of them.
//! - **Restart intensity**: more than `max` restarts within the period end the supervisor with an error, which is its
//!   own supervisor's business then (escalation). A child with a **budget** of its own does not charge it; past the
//!   budget that child stays down ("given up") and the others go on.
//! - **Dependency** exits are charged to nobody: the fault is another child's.
//! - **Back-off**: the first restart happens at once, those that follow closely wait longer, up to a bound.
//! - **Shutdown**: a child is asked to stop and, past its time, aborted (`brutal_kill`: at once). Aborting takes effect
//!   at its next yield.
//! - **Auto-shutdown**: the end for good of a **significant** child may end its supervisor.
//! - A supervisor that ends, even by abort, takes its children along.
//! - A [`ChildRef`] follows an actor over its restarts; the address of a dead generation cannot be had.
//!
//! `actix::Supervisor` is something else: it restarts an actor's context, with the same possibly broken state, and not
//! after a panic (actix#158, #204).
//!
//! Sources: OTP design principles, "Supervisor Behaviour"; `supervisor(3)`; Elixir `DynamicSupervisor`.

mod actor;
mod backoff;
mod child;
mod child_spec;
mod context;
mod control;
mod dynamic;
mod event;
mod exit;
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
pub use child_spec::{ChildSpec, Life, Restart};
pub use context::ChildContext;
pub use control::{ControlError, SupervisorRef};
pub use event::{ChildEvent, Events, Missed, What};
pub use exit::{ExitCell, ExitReason};
#[cfg(debug_assertions)]
pub use inject::Fault;
pub use intensity::Intensity;
pub use reference::{CallError, ChildRef};
pub use snapshot::{BudgetView, ChildKind, ChildSnapshot, ChildState, LastExit, ProgressView, Restarts};
pub use stop::Shutdown;
pub use strategy::Strategy;
pub use supervisor_spec::{AutoShutdown, SpecError, SupervisorSpec};
pub use tree::{Tree, TreeView};

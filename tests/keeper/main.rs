//! The keeper as a host meets it: a real process, real children, real signals, real sandboxes.

mod apart;
mod around;
mod boxed;
mod ending;
mod fake;
mod forged;
mod greedy;
mod groups;
mod hosts;
mod internet;
mod liars;
mod planted;
mod sandboxed;
mod shared_memory;
mod starting;
mod stopped;
mod stopping;
mod support;
mod telling;

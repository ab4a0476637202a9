//! The keeper as a host meets it: a real process, real children, real signals, real sandboxes.

mod apart;
mod boxed;
mod ending;
mod fake;
mod greedy;
mod hosts;
mod liars;
mod sandboxed;
mod starting;
mod stopped;
mod stopping;
mod support;
mod telling;

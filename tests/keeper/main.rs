//! The keeper as a host meets it: a real process, real children, real signals.

mod ending;
mod fake;
mod hosts;
mod liars;
mod starting;
mod stopped;
mod stopping;
mod support;
mod telling;

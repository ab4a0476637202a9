//! The program: its command line, and the composition of the components.
//!
//! `cli` says what can be asked for; each command that is more than a call of one component has a file of its own.

pub mod cli;
pub mod config_command;

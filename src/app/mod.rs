//! The program: its command line, and the composition of the components.
//!
//! `cli` says what can be asked for; each command that is more than a call of one component has a file of its own.
//! `serve` makes everything once and puts it together; `tree` is the supervision tree of the host; `handover` becomes
//! another binary without ending the instances; `watchdog` notices when the actors stand still.

pub mod check;
pub mod check_ice;
pub mod cli;
pub mod config_command;
pub mod control;
mod control_socket;
pub mod doctor;
pub mod encoders;
mod entrance;
pub mod error;
mod exports;
mod fatal;
mod fleet;
mod handback;
pub mod handover;
mod history;
pub mod logging;
mod memory;
pub mod notify;
mod pages;
mod parts;
mod public_address;
mod reckoning;
mod retention;
pub mod serve;
pub mod sign_in;
mod signals;
pub mod token;
mod tree;
pub mod watchdog;

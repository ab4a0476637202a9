//! The program `heliostat`.

use std::process::ExitCode;

use clap::Parser;
use heliostat::process::keeper::{self, KeepArgs};

/// Hosts interactive X11 programs and streams them to web browsers.
#[derive(Debug, Parser)]
enum Command {
    /// Keep the processes of an instance (started by the host).
    Keep(KeepArgs),
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match Command::parse() {
        Command::Keep(args) => keeper::run(&args),
    }
}

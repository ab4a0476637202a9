//! The `heliostat` binary.

use std::process::ExitCode;

use clap::Parser;
use heliostat::capture::{CaptureArgs, process};

#[derive(Parser)]
enum Command {
    /// Grabs a display and encodes it (internal).
    Capture(CaptureArgs),
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match Command::parse() {
        Command::Capture(args) => process::run(&args),
    }
}

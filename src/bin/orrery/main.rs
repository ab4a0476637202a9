//! `heliostat-orrery`: the demo of Heliostat, drawn in software on X11.
//!
//! Two programs in one. Without arguments an interactive orrery: planets on their real orbits, to click, turn and
//! zoom. With `--pattern` a measuring target whose whole state can be read back from its picture (see [`pattern`]).
//! It shares no code with the host: to Heliostat it is an app like any other.
//!
//! - `args` `aids` `error` `time`: options, test aids, errors, the clock
//! - `window` `keymap` `surface`: all that talks to the X server
//! - `pattern`: the measuring target
//! - `view`: the orrery · `space`: the solar system as numbers · `draw`: the rasteriser
#![warn(missing_docs, missing_debug_implementations)]

mod aids;
mod args;
mod draw;
mod error;
mod keymap;
mod pattern;
mod space;
mod surface;
mod time;
mod view;
mod window;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use crate::aids::{Aids, End};
use crate::args::Args;
use crate::error::DemoError;
use crate::window::Window;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let args = Args::parse();
    match run(&args) {
        Ok(End::Closed) => ExitCode::SUCCESS,
        Ok(End::TimeUp) => ExitCode::from(args.exit_code),
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            log::error!("code={} {error}{cause}", error.code());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<End, DemoError> {
    println!("heliostat-orrery {}", env!("CARGO_PKG_VERSION"));
    let title = if args.pattern {
        "Heliostat pattern"
    } else {
        "Heliostat orrery"
    };
    let mut window = Window::open(title, args.size)?;
    println!("display {} window {:#x}", window.display_name(), window.id());
    let aids = Aids::new(args);
    if args.pattern {
        pattern::run(&mut window, args, &aids)
    } else {
        view::run(&mut window, args, &aids)
    }
}

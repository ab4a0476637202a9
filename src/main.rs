//! The `heliostat` program: reads its command line and calls what was asked for.

use std::process::ExitCode;

use clap::Parser;
use heliostat::app::cli::{Cli, Command, Settings};
use heliostat::app::error::{StartError, chain};
use heliostat::app::{config_command, control, logging, serve};
use heliostat::config::Config;
use nix::sys::signal::Signal;

/// The exit status of a wrong configuration or a machine that is not ready.
const EXIT_FAILED: u8 = 1;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(settings) => match serve::run(&settings.sources()) {
            Ok(status) => ExitCode::from(status),
            Err(error) => failed(error.code(), &error),
        },
        Command::Config(args) => {
            match config_command::run(&args.settings.sources(), args.json, &mut std::io::stdout().lock()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.code(), &error),
            }
        }
        Command::Doctor(_) => ExitCode::from(EXIT_FAILED),
        Command::Stop(settings) => stop(&settings, Signal::SIGTERM),
        Command::Upgrade(settings) => stop(&settings, Signal::SIGUSR2),
        Command::Token(settings) => match load(&settings) {
            Ok(config) => match control::address(&config) {
                Ok(address) => {
                    println!("{address}");
                    ExitCode::SUCCESS
                }
                Err(error) => failed("token", &error),
            },
            Err(error) => failed(error.code(), &error),
        },
        Command::Keep(args) => {
            logging::init("info");
            heliostat::process::keeper::run(&args)
        }
        Command::Capture(args) => {
            logging::init("info");
            heliostat::capture::process::run(&args)
        }
    }
}

fn load(settings: &Settings) -> Result<Config, StartError> {
    Ok(Config::load(&settings.sources())?.0)
}

fn stop(settings: &Settings, signal: Signal) -> ExitCode {
    let config = match load(settings) {
        Ok(config) => config,
        Err(error) => return failed(error.code(), &error),
    };
    match control::stop(&config.server.state, signal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed("stop", &error),
    }
}

/// One line that says what is wrong, with its causes and its code.
fn failed(code: &str, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("heliostat: {} [{code}]", chain(error));
    ExitCode::from(EXIT_FAILED)
}

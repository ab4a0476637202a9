//! The `heliostat` program: reads its command line and calls what was asked for.

use std::process::ExitCode;

use clap::Parser;
use heliostat::app::cli::{Cli, Command, Settings};
use heliostat::app::control::ControlError;
use heliostat::app::error::{StartError, chain};
use heliostat::app::{check, check_ice, config_command, control, doctor, logging, serve};
use heliostat::config::Config;

/// The exit status of a wrong configuration or a machine that is not ready.
const EXIT_FAILED: u8 = 1;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) if args.check => match check::check(&args.settings.sources()) {
            Ok(said) => {
                println!("{said}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(error.code(), &error),
        },
        Command::Serve(args) => match serve::run(&args.settings.sources()) {
            Ok(status) => ExitCode::from(status),
            Err(error) => failed(error.code(), &error),
        },
        Command::Config(args) => {
            match config_command::run(&args.settings.sources(), args.json, &mut std::io::stdout().lock()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(error.code(), &error),
            }
        }
        Command::Doctor(args) => {
            match doctor::run(&args.settings.sources(), args.json, &mut std::io::stdout().lock()) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::from(EXIT_FAILED),
                Err(error) => failed("output", &error),
            }
        }
        Command::CheckIce(args) => {
            let (sources, mut out) = (args.settings.sources(), std::io::stdout().lock());
            match check_ice::run(&sources, &args.servers, args.ca.as_deref(), args.json, &mut out) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::from(EXIT_FAILED),
                Err(error) => failed(error.code(), &error),
            }
        }
        Command::Stop(settings) => done(load(&settings).map(|config| control::stop(&config.server.state))),
        Command::Upgrade(args) => {
            done(load(&args.settings).map(|config| {
                control::upgrade(&config.server.state, args.binary.as_deref()).map(|now| println!("{now}"))
            }))
        }
        Command::Token(args) => done(
            load(&args.settings)
                .map(|config| control::address(&config, args.wish()).map(|address| println!("{address}"))),
        ),
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

fn done(result: Result<Result<(), ControlError>, StartError>) -> ExitCode {
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => failed(error.code(), &error),
        Err(error) => failed(error.code(), &error),
    }
}

/// One line that says what is wrong, with its causes and its code.
fn failed(code: &str, error: &dyn std::error::Error) -> ExitCode {
    eprintln!("heliostat: {} [{code}]", chain(error));
    ExitCode::from(EXIT_FAILED)
}

//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::control_socket::Request;
use crate::capture::CaptureArgs;
use crate::config::{Flag, IceUrl, Sources};
use crate::process::keeper::KeepArgs;

/// Hosts interactive X11 programs as supervised instances and streams each to web browsers.
#[derive(Debug, Parser)]
#[command(name = "heliostat", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the host: serve the pages, start and stream instances
    Serve(ServeArgs),
    /// Show the effective configuration and where each value comes from
    Config(ConfigArgs),
    /// Check this machine and say what to do about each problem
    Doctor(DoctorArgs),
    /// Check STUN and TURN servers as a browser would use them
    CheckIce(CheckIceArgs),
    /// End the host and its instances
    Stop(Settings),
    /// Hand the host over to a new binary; the instances live on
    Upgrade(UpgradeArgs),
    /// Print an address that signs one browser in at the running host
    Token(TokenArgs),
    /// Keep the processes of one instance (started by the host)
    #[command(hide = true)]
    Keep(KeepArgs),
    /// Capture the display of one instance (started by its keeper)
    #[command(hide = true)]
    Capture(CaptureArgs),
}

/// What configures a command beside the file and the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Settings {
    /// Read this configuration file instead of ./heliostat.toml or that of the user
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve the pages on this address
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// Keep state in this folder
    #[arg(long, value_name = "DIR")]
    pub state: Option<String>,
    /// Whether the first visit needs the token printed at start
    #[arg(long, value_name = "token|open")]
    pub auth: Option<String>,
    /// Agree to pages without encryption on an address that the network can reach
    #[arg(long)]
    pub insecure_http: bool,
    /// How the pages are encrypted
    #[arg(long, value_name = "auto|off|self-signed")]
    pub tls: Option<String>,
    /// Encrypt the pages with this certificate (PEM, with those that lead to its root)
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<String>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// Set any key of the configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
}

/// The arguments of `heliostat serve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ServeArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// Only say whether the host would start, as JSON
    #[arg(long)]
    pub check: bool,
}

/// The arguments of `heliostat upgrade`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct UpgradeArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// The new binary, instead of what is now at the path of the running one
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
}

/// The arguments of `heliostat token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct TokenArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// Make another token first and print the address with it; what was got by the former one ends
    #[arg(long)]
    pub rotate: bool,
    /// With --rotate: also terminate every instance there is
    #[arg(long, requires = "rotate")]
    pub end: bool,
}

impl TokenArgs {
    /// What is asked of the host.
    #[must_use]
    pub const fn wish(&self) -> Request {
        if self.rotate {
            Request::Rotate { end: self.end }
        } else {
            Request::Ticket
        }
    }
}

/// The arguments of `heliostat config`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `heliostat doctor`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct DoctorArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// Print JSON instead of lines
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `heliostat check-ice`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CheckIceArgs {
    /// What configures.
    #[command(flatten)]
    pub settings: Settings,
    /// Check these servers instead of those of ice.servers: stun:HOST, turn:HOST?transport=tcp, turns:HOST
    #[arg(value_name = "URL")]
    pub servers: Vec<IceUrl>,
    /// Believe the certificate authorities in this file (PEM) instead of those of this machine
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print JSON instead of lines
    #[arg(long)]
    pub json: bool,
}

impl Settings {
    /// The keys that the flags set; what is more specific comes later and wins.
    #[must_use]
    pub fn flags(&self) -> Vec<Flag> {
        let set = self.set.iter().map(|(key, value)| Flag::new("--set", key, value));
        let named = [
            ("--listen", "server.listen", self.listen.as_deref()),
            ("--state", "server.state", self.state.as_deref()),
            ("--auth", "server.auth", self.auth.as_deref()),
            ("--tls", "server.tls", self.tls.as_deref()),
            (
                "--tls-certificate",
                "server.tls_certificate",
                self.tls_certificate.as_deref(),
            ),
            ("--tls-key", "server.tls_key", self.tls_key.as_deref()),
            (
                "--insecure-http",
                "server.insecure_http",
                self.insecure_http.then_some("true"),
            ),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, key, value)| Some(Flag::new(name, key, value?)));
        set.chain(named).collect()
    }

    /// The sources of the configuration of this process with these flags.
    #[must_use]
    pub fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone(), self.flags())
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is expected, such as video.fps=30".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Command, clap::Error> {
        Cli::try_parse_from(std::iter::once("heliostat").chain(args.iter().copied())).map(|cli| cli.command)
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_keys_and_the_named_ones_win_over_set() {
        let args = [
            "serve",
            "--listen",
            "[::1]:1",
            "--set",
            "video.fps=30",
            "--insecure-http",
            "--set=server.auth=open",
        ];
        let Ok(Command::Serve(serve)) = parse(&args) else {
            panic!("serve is not understood")
        };
        assert_eq!(
            serve.settings.flags(),
            [
                Flag::new("--set", "video.fps", "30"),
                Flag::new("--set", "server.auth", "open"),
                Flag::new("--listen", "server.listen", "[::1]:1"),
                Flag::new("--insecure-http", "server.insecure_http", "true"),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for args in [
            vec![],
            vec!["sevre"],
            vec!["serve", "--colour"],
            vec!["serve", "--set", "video.fps"],
        ] {
            assert!(parse(&args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn internal_commands_are_not_shown() {
        let help = Cli::command().render_help().to_string();
        assert!(
            help.contains("serve") && !help.contains("keep") && !help.contains("capture"),
            "{help}"
        );
    }
}

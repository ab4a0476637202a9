//! `heliostat-line`: a line with the troubles of real ones, between two network namespaces. A tool of the tests.
//!
//! It owns a TUN device in each namespace and carries every packet that one sends to the other, after what the line's
//! [`Shape`] says: a rate with a queue in front of it, delay, jitter, loss alone or in bursts, outages, and what firewalls
//! keep back; each way has its own.
//! The kernel cuts and sums what it gives to a TUN device without offloads, so that packets are as they are on a real line.
//!
//! - `shape`: what a way does (JSON), and what is refused
//! - `lane`: one way: queue, schedule, counters (pure, time is an argument)
//! - `header`: what a firewall reads of a packet
//! - `chance`: repeatable random numbers
//! - `orders`: one JSON object a line on stdin, which change the line while it runs
//! - `device`: a TUN device in a namespace
//! - `carry`: the loop between devices, stdin and clock
//!
//! Stdout says `{"ready":true}`, then once a second and when asked what was offered, carried and lost so far; each order is
//! answered with `{"done":true}` or `{"error":"…"}`. It ends when stdin does, and its devices with it.

mod carry;
mod chance;
mod device;
mod error;
mod header;
mod lane;
mod orders;
mod shape;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use self::device::Device;
use self::error::LineError;
use self::lane::Lane;

/// A line between two network namespaces.
#[derive(Debug, Parser)]
#[command(name = "heliostat-line")]
struct Args {
    /// Name of the device at the host's end
    #[arg(long)]
    near: String,
    /// Its namespace, such as /run/netns/NAME; without it, the one that this runs in
    #[arg(long, value_name = "FILE")]
    near_netns: Option<PathBuf>,
    /// Name of the device at the viewer's end
    #[arg(long)]
    far: String,
    /// Its namespace
    #[arg(long, value_name = "FILE")]
    far_netns: Option<PathBuf>,
    /// Seed of what is left to chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often the counters are printed, in milliseconds
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    every_ms: u64,
}

fn run(args: &Args) -> Result<(), LineError> {
    let near = Device::open(&args.near, args.near_netns.as_deref())?;
    let far = Device::open(&args.far, args.far_netns.as_deref())?;
    let lanes = [Lane::new(args.seed), Lane::new(args.seed.wrapping_add(1))];
    carry::run(&near, &far, lanes, std::time::Duration::from_millis(args.every_ms))
}

fn main() -> ExitCode {
    // On a busy machine packets would wait for the emulator, and not for the line. Not everybody may; then they do.
    // SAFETY: no memory is passed.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) };
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("heliostat-line: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The loop between devices, stdin and the clock: one thread, which only waits in `ppoll`.

use std::io::Write;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use serde_json::json;

use super::device::Device;
use super::error::LineError;
use super::lane::Lane;
use super::orders::{Lines, Order};

/// No packet is larger.
const LARGEST: usize = 65_536;
/// Packets taken from one device before the others have their turn.
const TURN: usize = 64;

/// Carries packets until stdin ends. `lanes`: down (near to far), and up.
///
/// # Errors
/// A device is gone, or nobody reads stdout any more.
pub fn run(near: &Device, far: &Device, mut lanes: [Lane; 2], every: Duration) -> Result<(), LineError> {
    let began = Instant::now();
    let stdin = std::io::stdin();
    let mut room = vec![0; LARGEST];
    let mut lines = Lines::default();
    // Delivered by the line, and not taken by the kernel at its end, down and up.
    let mut refused = [0_u64; 2];
    let mut count_at = every;
    say(&json!({ "ready": true }))?;
    loop {
        let ends = [(near, far), (far, near)];
        for ((from, to), (lane, refused)) in ends.into_iter().zip(lanes.iter_mut().zip(&mut refused)) {
            for _ in 0..TURN {
                let Some(packet) = from.receive(&mut room)? else { break };
                lane.offer(began.elapsed(), packet);
            }
            while let Some(packet) = lane.due(began.elapsed()) {
                *refused += u64::from(!to.send(&packet));
            }
        }
        if began.elapsed() >= count_at {
            say(&counted(&lanes, refused, began.elapsed()))?;
            // Where it was held up, those between are left out.
            while count_at <= began.elapsed() {
                count_at += every;
            }
        }
        let next = lanes.iter().filter_map(Lane::next).fold(count_at, Duration::min);
        let timeout = next.saturating_sub(began.elapsed());
        let mut waited = [
            PollFd::new(near.as_fd(), PollFlags::POLLIN),
            PollFd::new(far.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut waited, Some(TimeSpec::from_duration(timeout)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(source) => {
                return Err(LineError::Loop {
                    what: "waiting",
                    source,
                });
            }
        }
        if waited[2].any() != Some(true) {
            continue;
        }
        let length = match nix::unistd::read(&stdin, &mut room) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(Errno::EINTR | Errno::EAGAIN) => continue,
            Err(source) => {
                return Err(LineError::Loop {
                    what: "reading from stdin",
                    source,
                });
            }
        };
        for line in lines.take(&room[..length]) {
            match line.and_then(|line| Order::read(&line)) {
                Ok(order) => {
                    let now = began.elapsed();
                    for (lane, shape) in lanes.iter_mut().zip(order.shapes()) {
                        if let Some(shape) = shape {
                            lane.change(now, shape);
                        }
                    }
                    if order.count {
                        say(&counted(&lanes, refused, now))?;
                    }
                    say(&json!({ "done": true }))?;
                }
                Err(error) => say(&json!({ "error": error.to_string() }))?,
            }
        }
    }
}

fn counted(lanes: &[Lane; 2], refused: [u64; 2], now: Duration) -> serde_json::Value {
    let [down, up] = lanes;
    json!({
        "at_ms": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        "down": down.counters(),
        "up": up.counters(),
        "refused": { "down": refused[0], "up": refused[1] },
    })
}

fn say(value: &serde_json::Value) -> Result<(), LineError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")
        .and_then(|()| stdout.flush())
        .map_err(LineError::Stdout)
}

//! Figures rather than verdicts: `cargo test --test capture -- --ignored --nocapture measure`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::clock::monotonic_us;
use heliostat::media::{Codec, Hub};
use x11rb::protocol::xproto::Rectangle;

use crate::SOON;
use crate::changes::copy;
use crate::support::{Capture, Painter, TestDisplay, frame_within, quiet_for};

const SIZE: (u16, u16) = (1280, 720);
const SPAN: Duration = Duration::from_secs(8);

/// CPU seconds of a process so far and its resident memory in MiB.
fn usage(pid: u32) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib: f64 = status
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    (ticks / 100.0, kib / 1024.0)
}

fn percentiles(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    let at = |p: usize| values.get((values.len().max(1) - 1) * p / 100).copied().unwrap_or(0);
    format!(
        "p50 {:.2} ms, p95 {:.2} ms, n {}",
        at(50) as f64 / 1e3,
        at(95) as f64 / 1e3,
        values.len()
    )
}

async fn measure(codec: Codec, more: &[&str]) {
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let painter = Painter::with(&display, SIZE, false);
    painter.fill(0x0040_4040);
    let capture = Capture::start(&display, more);
    let hub = Hub::new();
    let client = capture.client(&hub);
    let begin = Instant::now();
    let mut viewer = hub.subscribe(codec);
    frame_within(&mut viewer, SOON).await.expect("a first frame");
    println!(
        "{codec} {more:?}: first frame {:?} after the process was started",
        begin.elapsed()
    );
    quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
    let pids = [capture.process.id(), display.server.id()];
    let cpu = |from: &[(f64, f64)], span: Duration| {
        let now: Vec<_> = pids.iter().map(|pid| usage(*pid)).collect();
        let part = |i: usize| (now[i].0 - from[i].0) / span.as_secs_f64() * 100.0;
        format!(
            "capture {:.2} % of a core, Xvfb {:.2} %, capture RSS {:.1} MiB",
            part(0),
            part(1),
            now[0].1
        )
    };
    let mark = || pids.iter().map(|pid| usage(*pid)).collect::<Vec<_>>();

    let from = mark();
    tokio::time::sleep(SPAN).await;
    println!("{codec} still: {}", cpu(&from, SPAN));

    // Single changes, as after a click: from drawn to received.
    let mut latencies = Vec::new();
    for n in 0..50u32 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let drawn = monotonic_us();
        painter.rectangle(
            n * 0x0005_0301,
            Rectangle {
                x: 100,
                y: 100,
                width: 300,
                height: 600,
            },
        );
        while frame_within(&mut viewer, SOON).await.expect("a frame").pts_us < drawn {}
        latencies.push(monotonic_us() - drawn);
    }
    println!("{codec} single change, drawn to received: {}", percentiles(latencies));

    let from = mark();
    let (begin, mut n, mut drawn_to, mut grabbed_to, mut bytes) = (Instant::now(), 0u64, Vec::new(), Vec::new(), 0);
    while begin.elapsed() < SPAN {
        let due = begin + Duration::from_micros(n * 16_667);
        tokio::time::sleep_until(due.into()).await;
        n += 1;
        let drawn = monotonic_us();
        let x = i16::try_from(n * 8 % 1200).unwrap();
        painter.rectangle(
            0x0020_2020,
            Rectangle {
                x: 0,
                y: 0,
                width: 1280,
                height: 600,
            },
        );
        painter.noise(u32::try_from(n).unwrap());
        painter.rectangle(
            0x0040_ff40,
            Rectangle {
                x,
                y: 600,
                width: 80,
                height: 100,
            },
        );
        while let Some(frame) = frame_within(&mut viewer, Duration::from_millis(12)).await {
            grabbed_to.push(monotonic_us() - frame.pts_us);
            bytes += frame.data.len();
            if frame.pts_us >= drawn {
                drawn_to.push(monotonic_us() - drawn);
                break;
            }
        }
    }
    let fps = grabbed_to.len() as f64 / begin.elapsed().as_secs_f64();
    println!(
        "{codec} animation: {fps:.1} fps, {:.0} kbit/s, {}",
        bytes as f64 * 8.0 / SPAN.as_secs_f64() / 1e3,
        cpu(&from, SPAN)
    );
    println!("{codec} animation, grabbed to received: {}", percentiles(grabbed_to));
    println!("{codec} animation, drawn to received: {}", percentiles(drawn_to));
    println!("{codec} {:?}", client.handle().progress());
}

/// The demo's measuring target (`HELIOSTAT_ORRERY` names the program) beside the encoder.
async fn measure_pattern(codec: Codec, content: &str, more: &[&str]) {
    let Ok(program) = std::env::var("HELIOSTAT_ORRERY") else {
        return;
    };
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let _pattern = display.program(&program, &["--pattern", "--content", content]);
    let capture = Capture::start(&display, more);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(codec);
    frame_within(&mut viewer, SOON).await.expect("a first frame");
    // Read on, or what waits would count as late.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        frame_within(&mut viewer, Duration::from_millis(100)).await;
    }
    let pids = [capture.process.id(), display.server.id()];
    let from = pids.map(usage);
    let (begin, mut latencies, mut bytes) = (Instant::now(), Vec::new(), 0);
    while begin.elapsed() < SPAN {
        if let Some(frame) = frame_within(&mut viewer, Duration::from_millis(100)).await {
            latencies.push(monotonic_us() - frame.pts_us);
            bytes += frame.data.len();
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let to = pids.map(usage);
    println!(
        "{codec} {more:?} {content}: {:.1} fps, {:.0} kbit/s, capture {:.2} %, Xvfb {:.2} %, RSS {:.1} MiB, {}",
        latencies.len() as f64 / seconds,
        bytes as f64 * 8.0 / seconds / 1e3,
        (to[0].0 - from[0].0) / seconds * 100.0,
        (to[1].0 - from[1].0) / seconds * 100.0,
        to[0].1,
        percentiles(latencies)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and says nothing about right or wrong"]
async fn measure_the_pattern() {
    for content in ["still", "animation", "text"] {
        measure_pattern(Codec::H264, content, &[]).await;
    }
    measure_pattern(Codec::Vp8, "text", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and says nothing about right or wrong"]
async fn measure_every_codec() {
    measure(Codec::H264, &[]).await;
    measure(Codec::Vp8, &[]).await;
    measure(Codec::H264, &["--encoder", "openh264enc"]).await;
}

/// How long the answer to an input waits to be grabbed where something else moves all the time.
async fn measure_answers(moves_fps: u64, answers_after: Duration) {
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let painter = Arc::new(Painter::with(&display, SIZE, false));
    painter.fill(0x0040_4040);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    frame_within(&mut viewer, SOON).await.expect("a first frame");
    let draw = |colour, x| {
        let (width, height) = (40, 40);
        painter.rectangle(colour, Rectangle { x, y: 0, width, height });
    };
    let begun = tokio::time::Instant::now();
    let mut movement = tokio::time::interval(Duration::from_micros(1_000_000 / moves_fps));
    let (mut drawn, mut waits, mut frames) = (None, Vec::new(), 0);
    let mut input = begun + Duration::from_millis(500);
    let mut answer = None;
    for n in 0_u32.. {
        if begun.elapsed() > 2 * SPAN {
            break;
        }
        tokio::select! {
            _ = movement.tick() => draw(n.wrapping_mul(0x0001_0307), 100),
            () = tokio::time::sleep_until(input) => {
                client.handle().expect_change();
                answer = Some(tokio::time::Instant::now() + answers_after);
                // At any moment between two movements.
                input += Duration::from_micros(300_000 + u64::from(n) * 7919 % 50_000);
            }
            () = tokio::time::sleep_until(answer.unwrap_or(input)), if answer.is_some() => {
                answer = None;
                drawn = Some(monotonic_us());
                draw(n.wrapping_mul(0x0001_0307), 0);
            }
            frame = viewer.next() => {
                let pts_us = frame.expect("the capture lives").pts_us;
                frames += 1;
                if drawn.is_some_and(|at| at <= pts_us) {
                    waits.extend(drawn.take().map(|at| pts_us - at));
                }
            }
        }
    }
    println!(
        "{moves_fps} movements a second, answers after {answers_after:?}: {}, {:.1} frames a second",
        percentiles(waits),
        f64::from(frames) / begun.elapsed().as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and says nothing about right or wrong"]
async fn measure_how_long_answers_wait() {
    for fps in [30, 60] {
        for ms in [5, 20] {
            measure_answers(fps, Duration::from_millis(ms)).await;
        }
    }
}

/// What is drawn in a picture, and how often a second.
#[derive(Clone, Copy, Debug)]
enum Drawn {
    /// A caret.
    Caret,
    /// A line of text in half of the screen, and the others move up.
    Scrolling,
    /// Everything.
    All,
}

impl Drawn {
    fn draw(self, painter: &Painter, (width, height): (u16, u16), n: u32) {
        let rectangle = |colour, x: u16, y: u16, width, height| {
            let (x, y) = (x.cast_signed(), y.cast_signed());
            painter.rectangle(colour, Rectangle { x, y, width, height });
        };
        match self {
            Self::Caret => rectangle(n.wrapping_mul(0x00ff_ffff), 400, 300, 2, 18),
            Self::Scrolling => {
                let (x, y, width) = (0, 16, width / 2);
                let (height, last) = (height - 16, height - 16);
                copy(painter, Rectangle { x, y, width, height }, (0, 0));
                rectangle(0, 0, last, width, 16);
                for letter in 0..width / 16 {
                    let colour = 0x00c0_c0c0 ^ u32::from(letter).wrapping_mul(n);
                    rectangle(colour, letter * 16, last + 2, 7, 12);
                }
            }
            Self::All => rectangle(n.wrapping_mul(0x0005_0301), 0, 0, width, height),
        }
    }
}

/// Where the time of a picture goes until its encoder has it, and what that takes.
async fn measure_changes(size: (u16, u16), drawn: Drawn) {
    let display = TestDisplay::sized(size.0, size.1);
    let painter = Painter::with(&display, size, false);
    painter.noise(1);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    frame_within(&mut viewer, SOON).await.expect("a first frame");
    quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
    let pids = [capture.process.id(), display.server.id()];
    let from = pids.map(usage);
    let (begin, mut n) = (Instant::now(), 0_u32);
    let (mut grabs, mut conversions, mut seen) = (Vec::new(), Vec::new(), 0);
    while begin.elapsed() < SPAN {
        drawn.draw(&painter, size, n);
        n += 1;
        let due = begin + Duration::from_micros(u64::from(n) * 16_667);
        while let Ok(Some(frame)) = tokio::time::timeout_at(due.into(), viewer.next()).await {
            let way = frame.stamps;
            if way.grabbed_us > seen {
                seen = way.grabbed_us;
                grabs.push(way.grabbed_us - frame.pts_us.min(way.grabbed_us));
                conversions.push(way.converted_us - way.grabbed_us);
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let part = |i: usize| (usage(pids[i]).0 - from[i].0) / seconds * 100.0;
    println!(
        "{size:?} {drawn:?}: capture {:.1} %, Xvfb {:.1} %; grab {}; conversion {}",
        part(0),
        part(1),
        percentiles(grabs),
        percentiles(conversions)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and says nothing about right or wrong"]
async fn measure_what_a_change_takes() {
    for size in [SIZE, (1920, 1080)] {
        for drawn in [Drawn::Caret, Drawn::Scrolling, Drawn::All] {
            measure_changes(size, drawn).await;
        }
    }
}

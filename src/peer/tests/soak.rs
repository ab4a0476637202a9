//! Figures over many cycles: `scripts/soak/run peers`. Each runs in a process of its own, where nothing else opens files
//! or starts threads; the test suite runs a short one in a child of itself.

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::call::{Call, Way};
use super::closing::{nothing_is_left, round_of_closes};
use super::*;

/// How many cycles, or rounds.
const CYCLES: &str = "HELIOSTAT_SOAK_CYCLES";
/// A close of a peer that is not connecting takes less, 99 times out of 100.
const P99_WITHIN: Duration = Duration::from_millis(2500);
/// Memory grows by no more, in bytes a cycle.
const GROWTH: f64 = 2048.0;
/// Fewer cycles than this say nothing about memory: the allocator's own pools are still growing.
const ENOUGH_FOR_MEMORY: usize = 1000;
/// Frames that are streamed in a cycle.
const FRAMES: u64 = 10;

/// What the process has of everything that could leak.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    files: usize,
    threads: usize,
    tasks: usize,
    rss: f64,
}

impl Footprint {
    fn now() -> Self {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: f64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            files: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            tasks: Handle::current().metrics().num_alive_tasks(),
            rss: pages * 4096.0,
        }
    }

    fn exceeds(&self, before: &Self) -> bool {
        self.files > before.files || self.threads > before.threads || self.tasks > before.tasks
    }
}

impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = self.rss / 1024.0 / 1024.0;
        write!(
            f,
            "{} files, {} threads, {} tasks, {mib:.1} MiB",
            self.files, self.threads, self.tasks
        )
    }
}

/// The slope of the line through `points` with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let both: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let square: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    both / square
}

fn cycles(default: usize) -> usize {
    std::env::var(CYCLES).map_or(default, |n| n.parse().expect("a number of cycles"))
}

fn percentiles(mut took: Vec<Duration>) -> (Duration, String) {
    took.sort_unstable();
    let at = |p: usize| took[(took.len() - 1) * p / 100];
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let text = format!(
        "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        ms(at(50)),
        ms(at(99)),
        ms(at(100))
    );
    (at(99), text)
}

/// A runtime of its own, as the host's media runtime is.
fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work);
}

/// Connects, streams, closes. Gives the time the close took.
async fn cycle(factory: &Arc<WebrtcFactory>, hub: &Arc<Hub>) -> Duration {
    let call = Call::begin(factory, hub, Arc::new(Recorder::default())).await;
    assert!(call.connected().await);
    let received = Arc::clone(&call.browser().received);
    assert!(until(20, || received.frames.load(Ordering::Relaxed) >= FRAMES).await);
    call.end(Way::Close).await.took
}

#[test]
#[ignore = "a measurement: scripts/soak/run peers"]
fn churn() {
    let all = cycles(2000);
    let warm_up = (all / 10).max(5);
    run(async {
        let (hub, factory) = (Hub::new(), factory());
        let source = source(&hub, Codec::H264);
        let begun = Instant::now();
        let (mut took, mut rss) = (Vec::new(), Vec::new());
        let mut before = Footprint::now();
        for n in 1..=all {
            took.push(cycle(&factory, &hub).await);
            if n == warm_up {
                nothing_is_left(&factory, &hub).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                before = Footprint::now();
                println!("after {n} cycles of warm-up: {before}");
            } else if n > warm_up {
                rss.push((n as f64, Footprint::now().rss));
            }
            if n % 100 == 0 {
                println!("after {n} cycles: {}", Footprint::now());
            }
        }
        nothing_is_left(&factory, &hub).await;
        assert!(
            until(10, || !Footprint::now().exceeds(&before)).await,
            "{before} -> {}",
            Footprint::now()
        );
        let (p99, close) = percentiles(took);
        let growth = slope(&rss);
        println!("after all: {}", Footprint::now());
        println!(
            "cycles {all} in {:.0} s; close {close}; memory {growth:+.0} bytes a cycle",
            begun.elapsed().as_secs_f64()
        );
        assert!(p99 < P99_WITHIN, "{p99:?}");
        assert!(
            all < ENOUGH_FOR_MEMORY || growth <= GROWTH,
            "memory grows by {growth:.0} bytes a cycle"
        );
        source.abort();
    });
}

#[test]
#[ignore = "a measurement: scripts/soak/run peers"]
fn closes() {
    let rounds = cycles(100);
    run(async {
        let (hub, factory) = (Hub::new(), factory());
        let source = source(&hub, Codec::H264);
        let begun = Instant::now();
        let (mut connecting, mut others, mut rss) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = Footprint::now();
        for round in 0..rounds {
            if round == 1 {
                nothing_is_left(&factory, &hub).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                before = Footprint::now();
            }
            for end in round_of_closes(&factory, &hub, round).await {
                let kind = match end.state {
                    ConnectionState::Connecting => &mut connecting,
                    _ => &mut others,
                };
                kind.push(end.took);
            }
            if round > rounds / 4 {
                rss.push(((connecting.len() + others.len()) as f64, Footprint::now().rss));
            }
        }
        nothing_is_left(&factory, &hub).await;
        assert!(
            until(10, || !Footprint::now().exceeds(&before)).await,
            "{before} -> {}",
            Footprint::now()
        );
        println!("before: {before}; after: {}", Footprint::now());
        let (n, m) = (others.len(), connecting.len());
        println!("{} closes in {:.0} s", n + m, begun.elapsed().as_secs_f64());
        if m > 0 {
            println!("{m} while connecting: {}", percentiles(connecting).1);
        }
        let (p99, close) = percentiles(others);
        println!("{n} in other states: {close}");
        if rss.len() > 1 {
            println!("memory {:+.0} bytes a close", slope(&rss));
        }
        assert!(p99 < P99_WITHIN, "{p99:?}");
        source.abort();
    });
}

#[test]
fn forty_cycles_leave_files_threads_and_tasks_where_they_were() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "peer::tests::soak::churn", "--nocapture"])
        .env(CYCLES, "40")
        .stdout(Stdio::inherit())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(240) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not come to an end");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(status.success(), "{status}");
}

//! Packets that are lost on the way, or said to be, over a line that loses some and counts all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::line::Call;
use super::*;

/// What of a datagram is no payload of RTP: header with extension, the number of a repeat, SRTP.
const OVERHEAD: u64 = 48;

/// Percent of the packets lost on the line, and of those that never came; bytes of repeats per byte of the stream.
async fn figures_of(loses: u64, secs: u64) -> (f64, f64, f64) {
    let call = Call::over(loses).await;
    tokio::time::sleep(Duration::from_secs(secs)).await;
    call.source.abort();
    tokio::time::sleep(Duration::from_secs(2)).await;
    // What was kept until the connection was there comes at once, which is more than this browser takes: it drops some,
    // which have arrived as far as SRTP is concerned.
    let arrived = call.arrived().split_off(100);
    let span = f64::from(arrived.last().unwrap().wrapping_sub(arrived[0])) + 1.0;
    let of = |n: &AtomicU64| n.load(Ordering::Relaxed) as f64;
    let lost = 100.0 * of(&call.line.lost) / of(&call.line.seen);
    let stats = call.peer.stats();
    let missing = 100.0 * (span - arrived.len() as f64) / span;
    call.end().await;
    (lost, missing, stats.repeated as f64 / stats.bytes as f64)
}

/// Bytes sent while a browser asks for everything again and again, and those of the stream among them.
async fn sent_when_all_is_asked_for() -> (u64, u64) {
    let call = Call::over(0).await;
    assert!(until(5, || call.browser.received.packets.load(Ordering::Relaxed) > 50).await);
    let (bytes, stream) = (call.line.bytes.load(Ordering::Relaxed), call.peer.stats());
    for _ in 0..300 {
        let newest = call.arrived().last().copied().unwrap();
        call.browser
            .packets_lost((0..500).map(|n| newest.wrapping_sub(n)))
            .await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let after = call.peer.stats();
    let sent = call.line.bytes.load(Ordering::Relaxed) - bytes;
    let stream = after.bytes - stream.bytes + (after.packets - stream.packets) * OVERHEAD;
    assert!(after.nacked > 100_000, "{after:?}");
    assert!(after.repeated > 0, "{after:?}");
    call.end().await;
    (sent, stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_asks_for_everything_again_and_again_gets_no_more_repeats_than_stream() {
    let (sent, stream) = sent_when_all_is_asked_for().await;
    // What the second before the first request was worth, and a burst a second.
    let spare = stream / 3 + 4 * 16 * 1024;
    assert!(sent < 2 * stream + spare, "{sent} bytes for a stream of {stream}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_a_line_loses_arrive_after_all() {
    let (lost, missing, repeats) = figures_of(50, 4).await;
    assert!(lost > 3.0, "{lost} % lost");
    assert!(missing < 0.3, "{missing} % missing of {lost} % lost");
    assert!(repeats < 0.2, "{repeats}");
}

/// Figures for `docs/reliability.md`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn measure_what_is_missing_after_repair() {
    let (sent, stream) = sent_when_all_is_asked_for().await;
    println!("all asked for: {sent} bytes, {stream} of them the stream");
    for loses in [20, 50, 100, 200] {
        let (lost, missing, repeats) = figures_of(loses, 20).await;
        println!(
            "lost={lost:.1} % missing={missing:.2} % repeats={:.1} % of the stream",
            100.0 * repeats
        );
    }
}

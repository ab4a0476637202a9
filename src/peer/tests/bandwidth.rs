//! What a peer makes of a line that carries only so much, with a source that follows what the hub says.

use std::sync::atomic::Ordering;

use super::line::{Call, Line};
use super::*;

/// 50 frames a second at the rate that the hub asks for; a key frame takes what 200 ms of that are.
fn follows(hub: &Arc<Hub>, codec: Codec) -> JoinHandle<()> {
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        let (mut requests, rates) = (hub.key_requests(), hub.rates());
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let mut key = true;
        loop {
            tokio::select! {
                wanted = requests.next() => key |= wanted == codec.into(),
                _ = tick.tick() => {
                    let kbps = rates.borrow().get(&codec.into()).copied().unwrap_or(4000) as usize;
                    let len = if key { kbps * 25 } else { kbps * 5 / 2 };
                    let mut data = vec![0x5a; len];
                    data[0] = u8::from(!key);
                    hub.publish(Frame { rendition: codec.into(), data: Bytes::from(data), key, pts_us: crate::clock::monotonic_us(), stamps: crate::media::Stamps::default() });
                    key = false;
                }
            }
        }
    })
}

async fn over(kbps: u64) -> Call {
    let line = Line {
        rate: (kbps * 1000).into(),
        ..Line::default()
    };
    Call::by(line, follows).await
}

/// The estimate in kbit/s.
fn estimate(call: &Call) -> u64 {
    u64::from(call.peer.stats().estimate_kbps)
}

fn frames(call: &Call) -> u64 {
    call.browser.received.frames.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_half_a_megabit_is_not_offered_more_and_shows_a_picture() {
    let call = over(500).await;
    assert!(until(10, || frames(&call) > 20).await, "{:?}", call.peer.stats());
    assert!(until(10, || estimate(&call) < 600).await, "{:?}", call.peer.stats());
    assert!(until(10, || call.hub.rates().borrow()[&Codec::Vp8.into()] < 500).await);
    // Whatever was too much at the beginning is gone by then; nor is it offered more in any moment after.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (bytes, arrived) = (call.line.bytes.load(Ordering::Relaxed), frames(&call));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let bits = (call.line.bytes.load(Ordering::Relaxed) - bytes) * 8;
    assert!(bits < 5 * 600_000, "{bits} in 5 s: {:?}", call.peer.stats());
    assert!(frames(&call) - arrived > 100, "{:?}", call.peer.stats());
    call.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_becomes_narrow_and_wide_again_is_followed_both_ways() {
    let call = over(8000).await;
    assert!(until(20, || estimate(&call) > 5000).await, "{:?}", call.peer.stats());
    call.line.rate.store(1_000_000, Ordering::Relaxed);
    assert!(until(10, || estimate(&call) < 1200).await, "{:?}", call.peer.stats());
    let stats = call.peer.stats();
    assert!(
        stats.round_trip_ms.is_some() && stats.target_kbps < stats.estimate_kbps,
        "{stats:?}"
    );
    call.line.rate.store(8_000_000, Ordering::Relaxed);
    assert!(until(20, || estimate(&call) > 4000).await, "{:?}", call.peer.stats());
    call.end().await;
}

/// An offer without transport-cc.
fn tells_of_no_packets(line: &str) -> bool {
    !line.contains("transport-cc") && !line.contains("transport-wide-cc")
}

/// A browser that knows nothing but receiver reports, on a line of so much.
async fn without_transport_cc(kbps: u64) -> Call {
    let line = Line {
        rate: (kbps * 1000).into(),
        ..Line::default()
    };
    Call::with(line, follows, tells_of_no_packets).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_without_transport_cc_is_adapted_to_by_what_it_reports_lost() {
    let call = without_transport_cc(500).await;
    assert!(until(30, || estimate(&call) < 700).await, "{:?}", call.peer.stats());
    let (bytes, arrived) = (call.line.bytes.load(Ordering::Relaxed), frames(&call));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let bits = (call.line.bytes.load(Ordering::Relaxed) - bytes) * 8;
    assert!(bits < 5 * 800_000, "{bits} in 5 s: {:?}", call.peer.stats());
    assert!(frames(&call) - arrived > 50, "{:?}", call.peer.stats());
    call.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_says_what_it_can_take_gets_that_and_no_more_than_there_is_whatever_it_says() {
    let call = without_transport_cc(0).await;
    assert!(until(10, || frames(&call) > 20).await, "{:?}", call.peer.stats());
    // Estimates move by half at once.
    let tell = async |bits: f32| {
        for _ in 0..40 {
            call.browser.can_take(bits).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tell(600_000.0).await;
    assert!(
        until(10, || (550..=650).contains(&estimate(&call))).await,
        "{:?}",
        call.peer.stats()
    );
    let told = || call.hub.rates().borrow()[&Codec::Vp8.into()];
    assert!(until(10, || told() < 600).await, "{}", told());
    // Reports that nothing is lost, beside it, raise nothing.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!((550..=650).contains(&estimate(&call)), "{:?}", call.peer.stats());
    tell(0.0).await;
    assert!((100..=650).contains(&estimate(&call)), "{:?}", call.peer.stats());
    tell(1.0).await;
    assert!(until(10, || estimate(&call) == 100).await, "{:?}", call.peer.stats());
    tell(1e15).await;
    assert!(
        until(10, || estimate(&call) == 100_000).await,
        "{:?}",
        call.peer.stats()
    );
    assert!(told() <= 4000, "{}", told());
    call.end().await;
}

/// What happens, to be looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn measure_what_becomes_of_a_narrow_line() {
    let kbps = std::env::var("KBPS").map_or(500, |kbps| kbps.parse().unwrap());
    let call = over(kbps).await;
    let mut before = (0, 0, 0, 0);
    for tick in 1..=40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let (bytes, seen, lost) = (&call.line.bytes, &call.line.seen, &call.line.lost);
        let now = [bytes, seen, lost].map(|n| n.load(Ordering::Relaxed));
        let now = (now[0], now[1], now[2], frames(&call));
        println!(
            "{:.2} s: offered {} kbit/s, {} of {} packets lost, {} frames; {:?}",
            f64::from(tick) / 4.0,
            (now.0 - before.0) * 32 / 1000,
            now.2 - before.2,
            now.1 - before.1,
            now.3 - before.3,
            call.peer.stats()
        );
        before = now;
    }
    call.end().await;
}

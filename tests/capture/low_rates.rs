//! A line that carries little: the rate holds while the picture moves, and the picture is sharp in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use heliostat::media::{Codec, Hub, Planar};

use crate::quality::{ALONE, SIZE, Watcher, text};
use crate::support::{Capture, Painter, TestDisplay, frame_within};

/// What the line carries, in kbit/s.
const CARRIES: u32 = 500;
/// For so long is counted.
const SPAN: Duration = Duration::from_secs(5);

/// Dense pages follow each other, faster than they could be sent.
async fn follows(codec: Codec, element: &str) {
    let _alone = ALONE.lock().await;
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let painter = Painter::with(&display, SIZE, false);
    let capture = Capture::start(&display, &["--encoder", element]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut watcher = Watcher::of(&hub, codec);
    watcher.viewer.set_capacity(CARRIES);
    let pages: Vec<_> = (1..=4).map(text).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let painting = std::thread::spawn({
        let (stop, pages) = (Arc::clone(&stop), pages.clone());
        move || {
            for page in pages.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                painter.picture(page);
                std::thread::sleep(Duration::from_millis(60));
            }
            painter
        }
    });
    let wanted = Planar::new(SIZE.0, SIZE.1).convert(&pages[0]).unwrap();
    // The first picture is what the encoder has saved.
    watcher.watch(&wanted, Duration::from_secs(2)).await;
    let (begun, mut bytes, mut frames, mut at) = (Instant::now(), 0, 0, Instant::now());
    let mut longest = Duration::ZERO;
    while let Some(frame) = frame_within(&mut watcher.viewer, SPAN.saturating_sub(begun.elapsed())).await {
        bytes += frame.data.len();
        frames += 1;
        longest = longest.max(at.elapsed());
        at = Instant::now();
    }
    stop.store(true, Ordering::Relaxed);
    let painter = painting.join().unwrap();
    let kbps = bytes * 8 / 1000 / SPAN.as_secs() as usize;
    println!("{element} at {CARRIES} kbit/s: {kbps} kbit/s, {frames} frames, {longest:?} without one");
    assert!(kbps <= CARRIES as usize * 5 / 4, "{element}: {kbps} kbit/s");
    assert!(frames >= 5, "{element}: {frames} frames");
    painter.picture(&pages[0]);
    // A key frame, since those that were not looked at are missing to the eye.
    watcher.viewer.request_key();
    watcher
        .becomes_sharp(
            &format!("{element} at {CARRIES} kbit/s: a page that stands still"),
            &wanted,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_x264() {
    follows(Codec::H264, "x264enc").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_vp8() {
    follows(Codec::Vp8, "vp8enc").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_openh264() {
    follows(Codec::H264, "openh264enc").await;
}

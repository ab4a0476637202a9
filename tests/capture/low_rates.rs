//! A line that carries little: the rate holds while the picture moves, and the picture is sharp in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use heliostat::media::{Codec, Hub, Ladder, Layout, Planar, Rung, Scaler, scaled};

use crate::quality::{ALONE, SHARP, SIZE, Watcher, text};
use crate::support::{Capture, Painter, TestDisplay, frame_within};

/// What the line carries, in kbit/s.
const CARRIES: u32 = 500;
/// What such a viewer gets the picture at.
const PERCENT: u8 = 67;
/// For so long is counted.
const SPAN: Duration = Duration::from_secs(5);

/// Of the 150 pictures of that time, as many at least come, whoever else uses the machine.
const FRAMES: usize = 40;
/// OpenH264 predicts little of it, and leaves out what it has no room for: five or six.
const FRAMES_OF_OPENH264: usize = 2;

/// Dense text scrolls, faster than it could be sent; then it stands still, and is as good as `sharp`, in dB.
async fn follows(codec: Codec, element: &str, sharp: f64, least: usize) {
    let _alone = ALONE.lock().await;
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let painter = Painter::with(&display, SIZE, false);
    let capture = Capture::start(&display, &["--encoder", element]);
    let rung = |percent, fps, kbps| Rung { percent, fps, kbps };
    let ladder = vec![rung(100, 240, 1200), rung(PERCENT, 30, 400), rung(50, 15, 0)];
    let hub = Hub::with_ladder(Ladder::new(ladder, 4000));
    let _client = capture.client(&hub);
    let mut watcher = Watcher::of(&hub, codec);
    watcher.viewer.set_capacity(CARRIES);
    let page = text(1);
    // A page after the other, four in all, and the first again.
    let long: Vec<u8> = (1..=5)
        .map(|n| text(if n == 5 { 1 } else { n }))
        .collect::<Vec<_>>()
        .concat();
    let row = usize::from(SIZE.0) * 4;
    let stop = Arc::new(AtomicBool::new(false));
    let painting = std::thread::spawn({
        let (stop, size) = (Arc::clone(&stop), page.len());
        move || {
            for at in (0..long.len() - size).step_by(row * 12).cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                painter.picture(&long[at..at + size]);
                std::thread::sleep(Duration::from_millis(30));
            }
            painter
        }
    });
    let size = scaled(SIZE, PERCENT);
    watcher.expects(size);
    let wanted = Planar::new(SIZE.0, SIZE.1, Layout::I420).convert(&page).unwrap();
    let wanted = Scaler::new(SIZE, size).scale(&wanted).unwrap();
    // The first picture is what the encoder has saved.
    watcher.watch(&wanted, Duration::from_secs(2)).await;
    let (begun, mut bytes, mut frames, mut at) = (Instant::now(), 0, 0, Instant::now());
    let mut longest = Duration::ZERO;
    while let Some(frame) = frame_within(&mut watcher.viewer, SPAN.saturating_sub(begun.elapsed())).await {
        assert_eq!(frame.rendition.rung, 1);
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
    assert!(frames >= least, "{element}: {frames} frames");
    painter.picture(&page);
    // Another one, who has seen all from a key frame on.
    drop(watcher);
    let mut watcher = Watcher::of(&hub, codec);
    watcher.viewer.set_capacity(CARRIES);
    watcher.expects(size);
    watcher
        .becomes(
            sharp,
            &format!("{element} at {CARRIES} kbit/s: a page that stands still"),
            &wanted,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_x264() {
    follows(Codec::H264, "x264enc", SHARP, FRAMES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_libx264_itself() {
    follows(Codec::H264, "libx264", SHARP, FRAMES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_vp8() {
    follows(Codec::Vp8, "vp8enc", 45.0, FRAMES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_a_low_rate_the_rate_holds_and_what_stands_still_becomes_sharp_by_openh264() {
    follows(Codec::H264, "openh264enc", SHARP, FRAMES_OF_OPENH264).await;
}

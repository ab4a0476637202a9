//! Several renditions of one screen at once, for viewers whose lines differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use heliostat::media::{Codec, Frame, Hub, Ladder, Rung, Subscription};

use crate::SOON;
use crate::resizing::size_of;
use crate::support::{Capture, HEIGHT, Painter, TestDisplay, WIDTH, frame_within};

/// The whole, and half of it at 15 frames a second.
fn ladder() -> Ladder {
    let rung = |percent, fps, kbps| Rung { percent, fps, kbps };
    Ladder::new(vec![rung(100, 240, 1200), rung(50, 15, 0)], 4000)
}

/// A screen that changes all the time, until it is dropped.
struct Moving {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Moving {
    fn start(display: &TestDisplay) -> Self {
        let (painter, stop) = (Painter::new(display), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut n: u32 = 0;
            while !stopped.load(Ordering::Relaxed) {
                n = n.wrapping_add(1);
                painter.fill(n.wrapping_mul(0x0001_0305));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The frames of a viewer for a time.
async fn frames(viewer: &mut Subscription, span: Duration) -> Vec<Arc<Frame>> {
    let until = Instant::now() + span;
    let mut frames = Vec::new();
    while let Some(frame) = frame_within(viewer, until.saturating_duration_since(Instant::now())).await {
        frames.push(frame);
    }
    frames
}

/// Waits for the first frame on a rung.
async fn comes_to(viewer: &mut Subscription, rung: u8) -> Arc<Frame> {
    let comes = async {
        loop {
            let frame = viewer.next().await.expect("the hub is there");
            if frame.rendition.rung == rung {
                return frame;
            }
        }
    };
    tokio::time::timeout(SOON, comes).await.expect("it gets there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_different_lines_get_pictures_of_different_sizes_and_rates() {
    let display = TestDisplay::start();
    let _moving = Moving::start(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::with_ladder(ladder());
    let _client = capture.client(&hub);
    let (mut quick, mut slow) = (hub.subscribe(Codec::Vp8), hub.subscribe(Codec::Vp8));
    slow.set_capacity(300);
    assert_eq!(size_of(&*comes_to(&mut quick, 0).await), Some((WIDTH, HEIGHT)));
    assert_eq!(size_of(&*comes_to(&mut slow, 1).await), Some((WIDTH / 2, HEIGHT / 2)));
    let span = Duration::from_secs(3);
    let (many, few) = tokio::join!(frames(&mut quick, span), frames(&mut slow, span));
    assert!(many.iter().all(|f| f.rendition.rung == 0) && few.iter().all(|f| f.rendition.rung == 1));
    assert!(few.len() >= 10 && few.len() <= 3 * 15 + 8, "{} in 3 s", few.len());
    assert!(many.len() > few.len(), "{} and {}", many.len(), few.len());
    for stream in [&many, &few] {
        assert!(stream.windows(2).all(|two| two[0].pts_us < two[1].pts_us));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_is_moved_and_back_while_the_other_goes_on() {
    let display = TestDisplay::start();
    let _moving = Moving::start(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::with_ladder(ladder());
    let _client = capture.client(&hub);
    let (mut stays, mut moves) = (hub.subscribe(Codec::Vp8), hub.subscribe(Codec::Vp8));
    let others = tokio::spawn(async move {
        let (mut seen, mut longest) = (0_u32, Duration::ZERO);
        let first = frame_within(&mut stays, SOON).await.expect("a first frame");
        assert_eq!(size_of(&first), Some((WIDTH, HEIGHT)));
        let mut at = Instant::now();
        // Once nothing moves any more there is a frame in two seconds.
        while let Some(frame) = frame_within(&mut stays, Duration::from_millis(1500)).await {
            assert_eq!(frame.rendition.rung, 0);
            longest = longest.max(at.elapsed());
            at = Instant::now();
            seen += 1;
        }
        (seen, longest)
    });
    comes_to(&mut moves, 0).await;
    moves.set_capacity(300);
    let first = comes_to(&mut moves, 1).await;
    assert_eq!(
        size_of(&first),
        Some((WIDTH / 2, HEIGHT / 2)),
        "it begins with a key frame"
    );
    moves.set_capacity(50_000);
    let back = comes_to(&mut moves, 0).await;
    assert_eq!(size_of(&back), Some((WIDTH, HEIGHT)));
    let mut wanted = hub.wanted();
    let left = wanted.wait_for(|wanted| wanted.len() == 1);
    tokio::time::timeout(SOON, left)
        .await
        .expect("nobody watches the small one any more")
        .unwrap();
    assert_eq!(hub.stats().skipped, 0);
    drop((_moving, moves));
    let (seen, longest) = others.await.unwrap();
    assert!(
        seen > 20 && longest < Duration::from_secs(1),
        "{seen} frames, {longest:?} without one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_encoder_holds_up_no_other() {
    let display = TestDisplay::start();
    let _moving = Moving::start(&display);
    let capture = Capture::with(&display, &[], &[("HELIOSTAT_FAIL_ENCODER", "vp8enc:slow")]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let (mut quick, mut slow) = (hub.subscribe(Codec::H264), hub.subscribe(Codec::Vp8));
    frame_within(&mut quick, SOON).await.expect("a first frame");
    frame_within(&mut slow, SOON).await.expect("a first frame");
    let span = Duration::from_secs(3);
    let (many, few) = tokio::join!(frames(&mut quick, span), frames(&mut slow, span));
    assert!(few.len() <= 8, "it is slow: {}", few.len());
    assert!(many.len() >= 30, "{} frames in 3 s", many.len());
}

/// The whole picture alone, at so many kbit/s where no line limits it.
const FULL_KBPS: u32 = 4000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_encoder_is_the_one_for_the_line_and_another_when_that_becomes_narrow_or_broad() {
    let display = TestDisplay::start();
    let moving = Moving::start(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::with_ladder(Ladder::new(
        vec![Rung {
            percent: 100,
            fps: 240,
            kbps: 0,
        }],
        FULL_KBPS,
    ));
    let client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    viewer.set_capacity(50_000);
    let info = client.handle().info();
    let mut last_us = 0;
    let mut becomes = async |wanted: &str, viewer: &mut Subscription| {
        let until = Instant::now() + SOON;
        loop {
            let frame = frame_within(viewer, SOON).await.expect("the picture goes on");
            assert!(frame.pts_us > last_us, "in the order of time");
            last_us = frame.pts_us;
            let running = info
                .borrow()
                .as_ref()
                .and_then(|info| info.running.get(&Codec::H264).cloned());
            // The first frame of an encoder stands for itself.
            if running.as_deref() == Some(wanted) && frame.key {
                return;
            }
            assert!(Instant::now() < until, "{running:?} instead of {wanted}");
        }
    };
    becomes("libx264", &mut viewer).await;
    viewer.set_capacity(1000);
    becomes("x264enc", &mut viewer).await;
    viewer.set_capacity(50_000);
    becomes("libx264", &mut viewer).await;
    drop(moving);
}

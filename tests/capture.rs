//! The capture process and the X server side, against a real Xvfb.

mod capture_support;

use std::time::Duration;

use capture_support::{Capture, Painter, TestDisplay, frame_within, quiet_for};
use heliostat::capture::{CaptureError, CaptureExit};
use heliostat::media::Codec;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_the_screen_yields_a_frame_and_a_still_screen_none() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = capture.hub();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    let first = frame_within(&mut viewer, SOON).await.expect("a first frame");
    assert!(first.key);
    quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
    let before = heliostat::clock::monotonic_us();
    painter.fill(0x00ff_8000);
    let frame = frame_within(&mut viewer, SOON).await.expect("a frame of the change");
    assert!(frame.pts_us >= before, "it was grabbed after the change");
    assert!(!frame.key, "a change alone makes no key frame");
}

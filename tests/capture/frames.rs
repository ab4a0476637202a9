//! Frames, from the screen to the hub.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::capture::{CaptureClient, CaptureClientConfig, CaptureError, CaptureExit};
use heliostat::clock::monotonic_us;
use heliostat::media::{Codec, Hub, Subscription};
use tokio::runtime::Handle;

use crate::SOON;
use crate::support::{Capture, Decoder, Painter, TestDisplay, frame_within, key_within, nal_types, quiet_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_the_screen_yields_a_frame_and_a_still_screen_none() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    let first = frame_within(&mut viewer, SOON).await.expect("a first frame");
    assert!(first.key);
    quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
    let before = monotonic_us();
    painter.fill(0x00ff_8000);
    let frame = frame_within(&mut viewer, SOON).await.expect("a frame of the change");
    assert!(frame.pts_us >= before, "it was grabbed after the change");
    assert!(!frame.key, "a change alone makes no key frame");
    let info = client.handle().info().borrow().clone().expect("it has greeted");
    assert_eq!((info.width, info.height), (640, 360));
    assert!(info.running.contains_key(&Codec::H264));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_says_when_its_change_came_and_where_its_time_went_and_so_does_the_same_picture_again() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut viewer, SOON).await.is_some());
    quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
    let before = monotonic_us();
    painter.fill(0x00ff_8000);
    let frame = frame_within(&mut viewer, SOON).await.expect("a frame of the change");
    let way = frame.stamps;
    let times = [
        before,
        way.changed_us,
        frame.pts_us,
        way.grabbed_us,
        way.converted_us,
        way.encoded_us,
        way.received_us,
        monotonic_us(),
    ];
    assert!(times.is_sorted(), "{times:?}");
    let changed_us = way.changed_us;
    viewer.request_key();
    let again = key_within(&mut viewer, SOON).await.expect("a key frame");
    assert_eq!(again.stamps.changed_us, changed_us, "it shows the same change");
    assert!(again.stamps.encoded_us > way.encoded_us);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_frame_can_be_had_of_a_still_screen() {
    let display = TestDisplay::start();
    let _painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    for codec in [Codec::H264, Codec::Vp8] {
        let mut viewer = hub.subscribe(codec);
        assert!(frame_within(&mut viewer, SOON).await.expect("a first frame").key);
        quiet_for(&mut viewer, Duration::from_secs(1), SOON).await;
        viewer.request_key();
        assert!(key_within(&mut viewer, SOON).await.is_some(), "{codec}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_viewer_of_a_still_screen_gets_a_picture() {
    let display = TestDisplay::start();
    let _painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut first = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut first, SOON).await.is_some());
    quiet_for(&mut first, Duration::from_secs(1), SOON).await;
    let mut second = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut second, SOON).await.expect("a key frame").key);
    drop((first, second));
    // Nobody looks for a while: the encoder ends, and starts again with a key frame.
    let mut third = hub.subscribe(Codec::Vp8);
    assert!(frame_within(&mut third, SOON).await.expect("a key frame").key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_is_annex_b_with_its_headers_and_decodes_to_what_was_drawn() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    let mut decoder = Decoder::h264();
    let first = frame_within(&mut viewer, SOON).await.expect("a first frame");
    let types = nal_types(&first.data);
    assert!(
        [7, 8, 5].iter().all(|wanted| types.contains(wanted)),
        "SPS, PPS and IDR in {types:?}"
    );
    decoder.push(&first);
    for (colour, luma) in [(0x00ff_ffff, 235), (0x0000_0000, 16), (0x0000_ff00, 145)] {
        painter.fill(colour);
        let mut seen = 0;
        for _ in 0..20 {
            let frame = frame_within(&mut viewer, SOON).await.expect("a frame of the change");
            seen = decoder.push(&frame);
            if i32::abs(i32::from(seen) - luma) <= 6 {
                break;
            }
        }
        assert!(
            i32::abs(i32::from(seen) - luma) <= 6,
            "luma {seen} for {colour:#x}, expected {luma}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frame_times_rise_and_are_the_machines_clock() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &["--encoder", "openh264enc"]);
    let hub = Hub::new();
    let client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    let mut last = 0;
    for n in 0..30 {
        painter.fill(n * 0x0008_0402);
        let frame = frame_within(&mut viewer, SOON).await.expect("a frame");
        let now = monotonic_us();
        let pts = frame.pts_us;
        assert!(pts > last && pts <= now, "{n}: {last} < {pts} <= {now}");
        assert!(now - pts < 5_000_000, "{n}: {pts} is long before {now}");
        last = frame.pts_us;
    }
    let info = client.handle().info().borrow().clone().unwrap();
    assert_eq!(info.running[&Codec::H264], "openh264enc");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_comes_back_gets_pictures_and_the_old_one_is_told_nothing_more() {
    let display = TestDisplay::start();
    let _painter = Painter::new(&display);
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    let mut first = capture.client(&hub);
    assert!(frame_within(&mut viewer, SOON).await.is_some());
    // The same hub, as when only the client is restarted: the viewer goes on with a key frame.
    let second = capture.client(&hub);
    let end = tokio::time::timeout(SOON, first.ended())
        .await
        .expect("the old host is dropped");
    assert!(matches!(end, CaptureError::Closed), "{end}");
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let frame = frame_within(&mut viewer, SOON).await.expect("a frame for the new host");
        // The old host may have been sent one more that waited.
        if frame.key && second.handle().progress().alive_us > 0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_viewer_s_path_carries_counts_while_the_encoder_runs() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let capture = Capture::start(&display, &["--bitrate-kbps", "8000", "--fps", "30"]);
    let hub = Hub::with_rate(8000);
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    frame_within(&mut viewer, SOON).await.expect("a first frame");
    let mut rates = [0usize; 2];
    for (round, rate) in rates.iter_mut().enumerate() {
        if round == 1 {
            viewer.set_capacity(500);
        }
        // The first ones still follow the rate before.
        noise_for(&painter, &mut viewer, Duration::from_secs(2)).await;
        *rate = noise_for(&painter, &mut viewer, Duration::from_secs(3)).await / 3 * 8 / 1000;
    }
    assert!(rates[0] > rates[1] * 2 && rates[1] < 750, "kbit/s: {rates:?}");
}

/// Changes the whole picture all the time: the bytes that come of it.
async fn noise_for(painter: &Painter, viewer: &mut Subscription, span: Duration) -> usize {
    let (begun, mut bytes) = (Instant::now(), 0);
    for n in 0.. {
        painter.noise(n);
        if let Some(frame) = frame_within(viewer, Duration::from_millis(30)).await {
            bytes += frame.data.len();
        }
        if begun.elapsed() > span {
            break;
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_display_that_dies_ends_the_process_with_its_own_status() {
    let mut display = TestDisplay::start();
    let mut capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let mut client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut viewer, SOON).await.is_some());
    display.kill();
    let status = capture.exit_within(SOON).expect("it ends");
    assert_eq!(CaptureExit::from_status(status), Some(CaptureExit::DisplayLost));
    let end = tokio::time::timeout(SOON, client.ended())
        .await
        .expect("the client ends");
    assert!(
        matches!(&end, CaptureError::Reported { code, .. } if code == "display_lost"),
        "{end}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_process_that_is_killed_ends_the_client() {
    let display = TestDisplay::start();
    let mut capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let mut client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::Vp8);
    assert!(frame_within(&mut viewer, SOON).await.is_some());
    capture.process.kill().unwrap();
    let end = tokio::time::timeout(SOON, client.ended())
        .await
        .expect("the client ends");
    assert!(matches!(end, CaptureError::Closed), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_process_that_is_stopped_is_noticed() {
    let display = TestDisplay::start();
    let capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let mut config = capture.config();
    config.stall_deadline = Duration::from_secs(3);
    let mut client = CaptureClient::start(&Handle::current(), config, Arc::clone(&hub));
    let mut viewer = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut viewer, SOON).await.is_some());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(capture.process.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let end = tokio::time::timeout(SOON, client.ended())
        .await
        .expect("the client ends");
    assert!(matches!(end, CaptureError::Stalled), "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_from_the_socket_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let rubbish = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(&[3, 0, 0, 0, 0x99, 1, 2]).unwrap();
        // Until the client hangs up.
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let mut client = CaptureClient::start(&Handle::current(), CaptureClientConfig::new(path), Hub::new());
    let end = tokio::time::timeout(SOON, client.ended())
        .await
        .expect("the client ends");
    assert_eq!(end.code(), "capture_protocol");
    rubbish.join().unwrap();
}

#[test]
fn wrong_use_has_its_own_status() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heliostat"));
    let output = command
        .args(["capture", "--display", "1"])
        .env_remove("HELIOSTAT_LISTEN_FD")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code().and_then(CaptureExit::from_status),
        Some(CaptureExit::Usage)
    );
}

#[test]
fn every_encoder_of_software_makes_pictures_that_a_decoder_knows_again() {
    for encoder in heliostat::gst::ENCODERS
        .iter()
        .filter(|encoder| encoder.hardware.is_none())
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_heliostat"));
        let output = command.args(["capture", "--probe", encoder.element]).output().unwrap();
        let found: heliostat::gst::Probe = serde_json::from_slice(&output.stdout).unwrap();
        assert!(found.works && found.picture_us.is_some_and(|us| us > 0), "{found:?}");
    }
}

/// The hook that provokes it is not in a release build.
#[cfg(debug_assertions)]
#[test]
fn encoders_that_crash_hang_or_give_rubbish_when_they_are_tried_are_left_out_and_cost_nobody_else() {
    let told = "x264enc:crash,openh264enc:hang,vp8enc:rubbish";
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["doctor", "--json"])
        .env(heliostat::gst::FAIL_PROBE, told)
        .env("HELIOSTAT_SERVER_STATE", folder.path())
        .env("HELIOSTAT_VIDEO_CODECS", "h264, vp8, vp9")
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines: Vec<String> = report["checks"]
        .as_array()
        .unwrap_or_else(|| panic!("{report}"))
        .iter()
        .filter(|finding| finding["check"] == "encoders")
        .map(|finding| format!("{} {}", finding["level"], finding["text"]))
        .collect();
    let wanted = [
        ("x264enc", "note", "by signal "),
        ("openh264enc", "note", "longer than"),
        ("vp8enc", "note", "what came out"),
        ("vp9enc", "ok", "streams of 30 a second"),
    ];
    for (element, level, words) in wanted {
        let is = |line: &&String| line.contains(element) && line.contains(level) && line.contains(words);
        assert!(lines.iter().any(|line| is(&line)), "{element}: {lines:#?}");
    }
}

/// The hook that provokes it is not in a release build.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoder_that_fails_while_running_is_named_and_the_next_one_goes_on() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let failing = [(heliostat::gst::FAIL_ENCODER, "libx264")];
    let mut capture = Capture::with(&display, &[], &failing);
    let hub = Hub::new();
    let mut client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::H264);
    assert!(frame_within(&mut viewer, SOON).await.expect("a first frame").key);
    let mut colour = 0;
    let ended = async {
        loop {
            colour += 0x0001_0203;
            painter.fill(colour);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let error = tokio::select! {
        error = client.ended() => error,
        () = tokio::time::sleep(SOON) => panic!("it did not fail"),
        () = ended => unreachable!(),
    };
    assert!(
        matches!(&error, CaptureError::Reported { code, .. } if code == "encoder_failed"),
        "{error}"
    );
    let failed = client.handle().failed_encoders();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].element, "libx264");
    assert!(failed[0].why.contains("told to fail"), "{failed:?}");
    let status = capture.exit_within(SOON).expect("it ends");
    assert_eq!(CaptureExit::from_status(status), Some(CaptureExit::EncoderFailed));

    // What the first one encoded may still lie in the slot.
    while frame_within(&mut viewer, Duration::ZERO).await.is_some() {}
    let order = ["--encoder", "openh264enc", "--encoder", "libx264"];
    let capture = Capture::with(&display, &order, &failing);
    let client = capture.client(&hub);
    // The next one begins with a key frame.
    let resumed = async {
        while !frame_within(&mut viewer, SOON)
            .await
            .expect("a frame of the next encoder")
            .key
        {}
    };
    tokio::time::timeout(SOON, resumed).await.expect("a key frame");
    let running = client.handle().info().borrow().clone().expect("it has greeted").running;
    assert_eq!(running.get(&Codec::H264).map(String::as_str), Some("openh264enc"));
}

/// The hook that provokes it is not in a release build.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_encoder_of_a_codec_starts_each_is_named_with_what_it_said() {
    let display = TestDisplay::start();
    let failing = [(
        heliostat::gst::FAIL_ENCODER,
        "x264enc:start,openh264enc:start,libx264:start",
    )];
    let mut capture = Capture::with(&display, &[], &failing);
    let hub = Hub::new();
    let mut client = capture.client(&hub);
    let _viewer = hub.subscribe(Codec::H264);
    let error = tokio::time::timeout(SOON, client.ended()).await.expect("it ends");
    assert!(
        matches!(&error, CaptureError::Reported { code, .. } if code == "encoder_start"),
        "{error}"
    );
    let failed = client.handle().failed_encoders();
    let names: Vec<_> = failed.iter().map(|f| f.element.as_str()).collect();
    assert_eq!(names, ["libx264", "x264enc", "openh264enc"]);
    assert!(failed.iter().all(|f| f.why == "it was told not to start"), "{failed:?}");
    let status = capture.exit_within(SOON).expect("it ends");
    assert_eq!(CaptureExit::from_status(status), Some(CaptureExit::EncoderFailed));
}

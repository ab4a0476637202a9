//! What a viewer sees of a still screen, decoded and compared with what was drawn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use heliostat::clock::monotonic_us;
use heliostat::media::{Codec, Frame, Hub, Layout, Planar, PlanarPicture, Subscription};
use x11rb::protocol::xproto::Rectangle;

use crate::SOON;
use crate::support::{Capture, Painter, TestDisplay, frame_within};

pub const SIZE: (u16, u16) = (1280, 720);
const PIXELS: usize = 1280 * 720;
/// Nobody sees a difference, of text either. dB, of the brightness.
pub const SHARP: f64 = 48.0;

/// Numbers that look like chance, the same each time.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// Lines of small coloured strokes with soft edges, as dense as a page of text.
pub fn text(seed: u32) -> Vec<u8> {
    let mut chance = Chance(seed.wrapping_mul(2_654_435_761) | 1);
    let mut picture = vec![0xf8; PIXELS * 4];
    for line in (4..700).step_by(20) {
        let end = 500 + chance.next() as usize % 760;
        let ink = [
            chance.next() as u8 / 2,
            chance.next() as u8 / 2,
            chance.next() as u8 / 2,
        ];
        for letter in (8..end).step_by(9) {
            if chance.next().is_multiple_of(6) {
                continue;
            }
            let (shape, soft) = (chance.next(), chance.next());
            for y in 0..11 {
                for x in 0..7 {
                    let bit = (y / 2) * 5 + x.min(4);
                    if shape >> (bit % 32) & 1 == 0 {
                        continue;
                    }
                    let at = ((line + y) * 1280 + letter + x) * 4;
                    for (c, ink) in ink.iter().enumerate() {
                        let edge = if soft >> (bit % 32) & 1 == 0 {
                            *ink
                        } else {
                            (ink / 2).saturating_add(90)
                        };
                        picture[at + c] = edge;
                    }
                }
            }
        }
    }
    picture
}

/// Soft noise of all sizes with a few sharp edges, as a photograph is.
fn photograph(seed: u32) -> Vec<u8> {
    let mut chance = Chance(seed.wrapping_mul(2_654_435_761) | 1);
    let mut sum = vec![[0f32; 3]; PIXELS];
    for octave in 1..=7u32 {
        let cells = 1usize << octave;
        let grid: Vec<[f32; 3]> = (0..(cells + 2) * (cells + 2))
            .map(|_| {
                let base = (chance.next() % 256) as f32;
                [0; 3].map(|_: i32| base * 0.7 + (chance.next() % 256) as f32 * 0.3)
            })
            .collect();
        let weight = 0.6f32.powi(octave as i32);
        for (n, pixel) in sum.iter_mut().enumerate() {
            let (x, y) = ((n % 1280 * cells) as f32 / 1280.0, (n / 1280 * cells) as f32 / 720.0);
            let (i, j) = (x as usize, y as usize);
            let (fx, fy) = (x.fract(), y.fract());
            let at = j * (cells + 2) + i;
            for c in 0..3 {
                let above = grid[at][c] * (1.0 - fx) + grid[at + 1][c] * fx;
                let below = grid[at + cells + 2][c] * (1.0 - fx) + grid[at + cells + 3][c] * fx;
                pixel[c] += weight * (above * (1.0 - fy) + below * fy);
            }
        }
    }
    let mut picture = Vec::with_capacity(PIXELS * 4);
    let mut grain = 0.0;
    for (n, pixel) in sum.into_iter().enumerate() {
        let dark = if (n / 1280 / 90 + n % 1280 / 160).is_multiple_of(3) {
            0.6
        } else {
            1.0
        };
        grain = ((chance.next() % 5) as f32 - 2.0 + grain) / 2.0;
        picture.extend(pixel.map(|v| (v * dark * 0.7 + grain).clamp(0.0, 255.0) as u8));
        picture.push(0);
    }
    picture
}

/// How alike two pictures are in brightness (PSNR, dB), by each fourth row: this is not optimised, and must keep up.
fn likeness((width, height): (usize, usize), wanted: &PlanarPicture, seen: &[u8]) -> f64 {
    let mut squares = 0u64;
    for row in (0..height).step_by(4) {
        let (wanted, seen) = (&wanted.as_ref()[row * width..][..width], &seen[row * width..][..width]);
        if wanted == seen {
            continue;
        }
        let mut sum = 0u32;
        for x in 0..width {
            let off = u32::from(wanted[x].abs_diff(seen[x]));
            sum += off * off;
        }
        squares += u64::from(sum);
    }
    if squares == 0 {
        return 99.0;
    }
    10.0 * (255.0 * 255.0 * (width * height / 4) as f64 / squares as f64).log10()
}

/// Decodes each frame at once.
struct Eye {
    pipeline: gstreamer::Pipeline,
    source: gstreamer_app::AppSrc,
    sink: gstreamer_app::AppSink,
    /// Of what it looks for.
    size: (usize, usize),
}

impl Eye {
    fn open(codec: Codec) -> Self {
        gstreamer::init().unwrap();
        let (caps, decoder) = match codec {
            Codec::H264 => (
                "video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline",
                "openh264dec",
            ),
            Codec::H264Full => unreachable!("no decoder of it is installed everywhere"),
            Codec::Vp8 => ("video/x-vp8", "vp8dec"),
            Codec::Vp9 => ("video/x-vp9", "vp9dec"),
            Codec::Av1 => ("video/x-av1,alignment=tu", "av1dec"),
        };
        let text = format!(
            "appsrc name=in format=time caps={caps} ! {decoder} ! video/x-raw,format=I420 ! appsink name=out sync=false"
        );
        let pipeline = gstreamer::parse::launch(&text)
            .unwrap()
            .downcast::<gstreamer::Pipeline>()
            .unwrap();
        let source = pipeline.by_name("in").unwrap().downcast().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast().unwrap();
        pipeline.set_state(gstreamer::State::Playing).unwrap();
        Self {
            pipeline,
            source,
            sink,
            size: (usize::from(SIZE.0), usize::from(SIZE.1)),
        }
    }

    fn see(&self, frame: &Frame, wanted: &PlanarPicture) -> f64 {
        let mut buffer = gstreamer::Buffer::from_slice(frame.data.clone());
        buffer
            .get_mut()
            .unwrap()
            .set_pts(gstreamer::ClockTime::from_useconds(frame.pts_us));
        self.source.push_buffer(buffer).unwrap();
        let sample = self
            .sink
            .try_pull_sample(gstreamer::ClockTime::from_seconds(5))
            .expect("it decodes");
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let (width, height) = self.size;
        // Of another size: it is about to be moved.
        if map.len() != width * height * 3 / 2 {
            return 0.0;
        }
        likeness(self.size, wanted, &map)
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gstreamer::State::Null);
    }
}

/// What was seen in a time.
#[derive(Debug)]
pub struct Seen {
    first: f64,
    worst: f64,
    last: f64,
    /// From then on it was sharp.
    sharp_after: Option<Duration>,
    frames: usize,
    bytes: usize,
    largest: usize,
}

/// A viewer that decodes.
pub struct Watcher {
    pub viewer: Subscription,
    eye: Eye,
}

impl Watcher {
    pub fn of(hub: &Arc<Hub>, codec: Codec) -> Self {
        Self {
            viewer: hub.subscribe(codec),
            eye: Eye::open(codec),
        }
    }

    /// Looks for pictures of another size. Its rows have no padding.
    pub fn expects(&mut self, size: (u16, u16)) {
        self.eye.size = (usize::from(size.0), usize::from(size.1));
    }

    /// Watches for a time, in which `wanted` is on the screen.
    pub async fn watch(&mut self, wanted: &PlanarPicture, span: Duration) -> Seen {
        let (begun, begun_us) = (Instant::now(), monotonic_us());
        let mut seen = Seen {
            first: 0.0,
            worst: 99.0,
            last: 0.0,
            sharp_after: None,
            frames: 0,
            bytes: 0,
            largest: 0,
        };
        while let Some(frame) = frame_within(&mut self.viewer, span.saturating_sub(begun.elapsed())).await {
            seen.last = self.eye.see(&frame, wanted);
            if frame.pts_us < begun_us {
                continue;
            }
            if seen.frames == 0 {
                seen.first = seen.last;
            }
            seen.worst = seen.worst.min(seen.last);
            if seen.last < SHARP {
                seen.sharp_after = None;
            } else if seen.sharp_after.is_none() {
                seen.sharp_after = Some(Duration::from_micros(frame.pts_us - begun_us));
            }
            seen.frames += 1;
            seen.bytes += frame.data.len();
            seen.largest = seen.largest.max(frame.data.len());
        }
        seen
    }

    /// Watches until it is sharp; that takes a second where nothing else runs and the rate is the usual one.
    pub async fn becomes_sharp(&mut self, what: &str, wanted: &PlanarPicture) {
        self.becomes(SHARP, what, wanted).await;
    }

    /// Waits until what is seen is so much like what is wanted, in dB.
    pub async fn becomes(&mut self, least: f64, what: &str, wanted: &PlanarPicture) {
        let begun = Instant::now();
        let mut all = Vec::new();
        while begun.elapsed() < SOON * 2 {
            let seen = self.watch(wanted, Duration::from_millis(1500)).await;
            let sharp = seen.last >= least;
            all.push(seen);
            if sharp {
                println!("{what}: {all:?}");
                return;
            }
        }
        panic!("{what}: never at {least} dB: {all:?}");
    }
}

/// One after the other: a machine that is short of time makes no second's worth of frames in a second.
pub static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A still screen seen by an encoder, from the first picture to an hour's worth of key frames. `key` is what a key frame
/// of a still screen may look like at worst.
async fn stays_sharp(codec: Codec, element: &str, key: f64) {
    let _alone = ALONE.lock().await;
    let display = TestDisplay::sized(SIZE.0, SIZE.1);
    let painter = Painter::with(&display, SIZE, false);
    let capture = Capture::start(&display, &["--encoder", element]);
    let hub = Hub::new();
    let client = capture.client(&hub);
    let planar = Planar::new(SIZE.0, SIZE.1, Layout::I420);
    let (page, photo) = (text(1), photograph(2));
    painter.picture(&page);
    let wanted = planar.convert(&page).unwrap();
    let mut watcher = Watcher::of(&hub, codec);
    watcher
        .becomes_sharp(&format!("{element}: a page at the start"), &wanted)
        .await;
    let running = client.handle().info().borrow().clone().unwrap().running;
    assert_eq!(running.get(&codec).map(String::as_str), Some(element));

    // Nothing more comes but what keeps the stream alive.
    watcher.watch(&wanted, Duration::from_secs(3)).await;
    let rest = watcher.watch(&wanted, Duration::from_secs(6)).await;
    println!("{element}: at rest: {rest:?}");
    assert!((2..=4).contains(&rest.frames), "one frame in two seconds: {rest:?}");
    assert!(rest.bytes * 8 / 6 < 15_000, "bits a second: {rest:?}");
    assert!(rest.worst >= SHARP, "{rest:?}");

    // Somebody asks for key frames without end.
    let asking = {
        let hub = Arc::clone(&hub);
        tokio::spawn(async move {
            loop {
                hub.request_key(codec);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    };
    let seen = watcher.watch(&wanted, Duration::from_secs(5)).await;
    asking.abort();
    println!("{element}: under key frames: {seen:?}");
    assert!(seen.worst >= key, "{element}: under key frames: {seen:?}");
    // The rate is 500 kB a second.
    assert!(seen.bytes < 3_300_000, "{seen:?}");
    watcher.becomes_sharp(&format!("{element}: after them"), &wanted).await;

    // A second viewer sees the whole picture, and the first no worse.
    let mut second = Watcher::of(&hub, codec);
    let (seen, theirs) = tokio::join!(
        watcher.watch(&wanted, Duration::from_secs(2)),
        second.watch(&wanted, Duration::from_secs(2)),
    );
    println!("{element}: while a second viewer joins: {seen:?} {theirs:?}");
    assert!(seen.worst >= key, "{element}: while a second viewer joins: {seen:?}");
    assert!(theirs.worst >= key, "{element}: the second viewer: {theirs:?}");
    let (of_first, of_second) = (
        format!("{element}: for the first viewer"),
        format!("{element}: for the second viewer"),
    );
    tokio::join!(
        watcher.becomes_sharp(&of_first, &wanted),
        second.becomes_sharp(&of_second, &wanted),
    );
    drop(second);

    // Another picture; a pointer hovers over it, and a caret blinks.
    let wanted = planar.convert(&photo).unwrap();
    painter.picture(&photo);
    let hovering = {
        let handle = client.handle();
        tokio::spawn(async move {
            loop {
                handle.expect_change();
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
        })
    };
    watcher
        .becomes_sharp(&format!("{element}: a photograph under a pointer"), &wanted)
        .await;
    hovering.abort();
    painter.picture(&page);
    let wanted = planar.convert(&page).unwrap();
    for n in 0..15 {
        let colour = if n % 2 == 0 { 0x00f8_f8f8 } else { 0x0000_0000 };
        painter.rectangle(
            colour,
            Rectangle {
                x: 2,
                y: 100,
                width: 2,
                height: 14,
            },
        );
        watcher.watch(&wanted, Duration::from_millis(100)).await;
    }
    // The caret is gone in the end. It is not in the picture that is compared.
    painter.picture(&page);
    watcher
        .becomes_sharp(&format!("{element}: a page with a caret"), &wanted)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_still_picture_is_sharp_and_stays_so_by_x264() {
    // The first key frame of a still screen is coarser, for less than a tenth of a second: it takes it for larger than it
    // gets. Those after it are not.
    stays_sharp(Codec::H264, "x264enc", 43.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_still_picture_is_sharp_and_stays_so_by_libx264_itself() {
    stays_sharp(Codec::H264, "libx264", 43.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_still_picture_is_sharp_and_stays_so_by_vp8() {
    stays_sharp(Codec::Vp8, "vp8enc", SHARP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_still_picture_is_sharp_and_stays_so_by_openh264() {
    // Its rate control cannot be told of time that has passed: key frames that follow soon are coarse at first.
    stays_sharp(Codec::H264, "openh264enc", 30.0).await;
}

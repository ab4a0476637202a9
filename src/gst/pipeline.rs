//! One running encoder: pictures in, frames out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::GstError;
use super::budget::{Budget, Share};
use super::encoder::{Encoder, Input};
use super::ledger::Ledger;
use crate::media::{Frame, PlanarPicture, Rendition};

/// Pictures went in and nothing came out for this long: the encoder hangs. µs.
const STALL_US: u64 = 2_000_000;

/// Pictures that may be on their way at once. A second one would only wait, and be older than one that is grabbed when
/// the encoder is free: at an encoder that is too slow for the rate, two doubled the delay and gave no more frames.
const MAX_IN_FLIGHT: usize = 1;

/// An encoder that knows time makes a sharp key frame of a still screen when it believes that so much has passed. µs.
const KEY_AFTER_US: u64 = 400_000;

/// Names encoders that fail a moment after their start, separated by commas: for tests, and not in a release build.
#[cfg(debug_assertions)]
pub const FAIL_ENCODER: &str = "HELIOSTAT_FAIL_ENCODER";

/// What a pipeline encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipelineConfig {
    /// What its frames belong to.
    pub rendition: Rendition,
    /// With what.
    pub encoder: Encoder,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The highest rate that pictures come at.
    pub fps: u16,
    /// Kilobits per second.
    pub kbps: u32,
    /// From this rate on the lines of those who watch are taken for faster than that, in kbit/s.
    pub full_kbps: u32,
    /// Threads of the encoder itself.
    pub threads: usize,
}

/// What a picture is to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The screen has changed.
    New,
    /// The same once more, since something is missing.
    Again,
    /// The same once more, and nothing is missing: a key frame now, or after it, may take all that has been saved.
    Still,
}

/// What the encoder was told last.
#[derive(Debug)]
struct Told {
    kbps: u32,
    share: Share,
    still: bool,
    /// The next picture is to be a key frame.
    key: bool,
    /// Its time, and how far that is ahead of the pictures'.
    time_us: u64,
    ahead_us: u64,
}

impl Told {
    const fn first(kbps: u32) -> Self {
        Self {
            kbps,
            share: Budget::first(),
            still: false,
            // Nobody need ask for the first.
            key: true,
            time_us: 0,
            ahead_us: 0,
        }
    }
}

/// A running encoder. Dropping it stops it, which may take long or for ever in a broken driver: only a process that
/// can be killed may own one.
pub struct Pipeline {
    config: PipelineConfig,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    sink: gst_app::AppSink,
    told: Mutex<Told>,
    shared: Arc<Shared>,
}

/// Whether tests want this to fail: an encoder's name (it fails once it has run for a moment), or one followed by
/// `:start` (it does not even start) or `:slow` (each picture takes it long). Not in a release build.
#[cfg(debug_assertions)]
fn told_to_fail(what: &str) -> bool {
    std::env::var(FAIL_ENCODER).is_ok_and(|told| told.split(',').any(|name| name == what))
}

#[cfg(debug_assertions)]
fn refuse_if_told(element: &str) -> Result<(), GstError> {
    if told_to_fail(&format!("{element}:start")) {
        return Err(GstError::Start {
            element: element.into(),
            reason: "it was told not to start".into(),
        });
    }
    Ok(())
}

struct Shared {
    ledger: Mutex<Ledger>,
    budget: Mutex<Budget>,
    error: Mutex<Option<GstError>>,
    failed: AtomicBool,
    /// The time of the first picture.
    #[cfg(debug_assertions)]
    first_us: std::sync::OnceLock<u64>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Starts encoding. `output` gets every frame on the encoder's thread and must not wait; `None` means that the
    /// pipeline failed: ask [`Self::check`].
    ///
    /// # Errors
    /// An element is missing or the pipeline does not start.
    pub fn start(
        config: PipelineConfig,
        output: impl Fn(Option<Frame>) + Send + Sync + 'static,
    ) -> Result<Self, GstError> {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", config.encoder.input.format())
            .field("colorimetry", config.encoder.colours)
            .field("width", i32::from(config.width))
            .field("height", i32::from(config.height))
            // Not 0/1: with a variable rate x264 holds back a frame.
            .field("framerate", gst::Fraction::new(i32::from(config.fps), 1))
            .build();
        #[cfg(debug_assertions)]
        refuse_if_told(config.encoder.element)?;
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .is_live(true)
            .format(gst::Format::Time)
            // overflow: never, since the caller keeps to `MAX_IN_FLIGHT`; a caller that does not loses the older raw
            // picture. An encoded frame is never dropped.
            .max_buffers(MAX_IN_FLIGHT as u64)
            .max_bytes(0)
            .max_time(gst::ClockTime::ZERO)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let encoder = config.encoder.make(config.kbps, config.threads)?;
        let shared = Arc::new(Shared::new(&config));
        let output = Arc::new(output);
        let sink = gst_app::AppSink::builder()
            .caps(&config.encoder.caps())
            .sync(false)
            // overflow: the encoder waits; it never comes to that, since the callback takes every frame at once.
            .max_buffers(4)
            .drop(false)
            .enable_last_sample(false)
            .name(config.encoder.element)
            .callbacks(callbacks(config.rendition, &shared, &output))
            .build();
        let pipeline = gst::Pipeline::new();
        let elements = [source.upcast_ref(), &encoder, sink.upcast_ref()];
        let start_error = |reason: String| GstError::Start {
            element: config.encoder.element.into(),
            reason,
        };
        pipeline.add_many(elements).map_err(|e| start_error(e.to_string()))?;
        gst::Element::link_many(elements).map_err(|e| start_error(e.to_string()))?;
        watch_bus(&pipeline, &shared, &output);
        let this = Self {
            config,
            pipeline,
            source,
            encoder,
            sink,
            told: Mutex::new(Told::first(config.kbps)),
            shared,
        };
        if let Err(error) = this.pipeline.set_state(gst::State::Playing) {
            this.dump("start");
            return Err(this
                .shared
                .take_error()
                .unwrap_or_else(|| start_error(error.to_string())));
        }
        Ok(this)
    }

    /// What it encodes.
    #[must_use]
    pub const fn config(&self) -> &PipelineConfig {
        &self.config
    }

    /// Encodes a picture of time `pts_us` (`CLOCK_MONOTONIC`, rising from call to call); to be called when
    /// [`Self::ready`]. Its memory is used without a copy and let go when it has been encoded.
    pub fn push(&self, picture: PlanarPicture, pts_us: u64, what: Picture) {
        let told_us = self.tell(pts_us, what);
        let mut buffer = match self.config.encoder.input {
            Input::I420 | Input::Y444 => gst::Buffer::from_slice(picture),
            Input::Nv12 => gst::Buffer::from_slice(picture.nv12(self.config.width, self.config.height)),
        };
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_useconds(told_us));
        }
        self.shared.ledger().pushed(told_us, pts_us);
        #[cfg(debug_assertions)]
        self.fail_if_told(pts_us);
        // An error here means that the pipeline failed, which the bus has told.
        if let Err(flow) = self.source.push_buffer(buffer) {
            log::debug!("encoder={} takes no more pictures: {flow}", self.config.encoder.element);
        }
    }

    /// Tells the encoder the rate and what the next picture may take of it, where that has changed. Returns the time
    /// that it is to be told of the picture.
    fn tell(&self, pts_us: u64, what: Picture) -> u64 {
        let still = what == Picture::Still;
        let (kbps, share) = {
            let mut budget = self.shared.budget();
            (budget.kbps(), budget.next(pts_us, still))
        };
        let encoder = &self.config.encoder;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.kbps != kbps || (told.share != share && encoder.takes_shares()) {
            encoder.set_rate(&self.encoder, kbps, share);
        }
        if told.still != still {
            encoder.set_still(&self.encoder, still);
        }
        let key = std::mem::take(&mut told.key);
        let mut time_us = pts_us + told.ahead_us;
        if still && key && encoder.knows_time() {
            time_us = time_us.max(told.time_us + KEY_AFTER_US);
        }
        *told = Told {
            kbps,
            share,
            still,
            key: false,
            ahead_us: time_us - pts_us,
            time_us,
        };
        time_us
    }

    /// For tests, and not in a release build: fails as an encoder does that the environment names, once it has run for
    /// a moment.
    #[cfg(debug_assertions)]
    fn fail_if_told(&self, pts_us: u64) {
        const RUNS_FOR_US: u64 = 300_000;
        if !told_to_fail(self.config.encoder.element) {
            return;
        }
        let first = *self.shared.first_us.get_or_init(|| pts_us);
        if pts_us.saturating_sub(first) > RUNS_FOR_US {
            gst::element_error!(self.encoder, gst::LibraryError::Encode, ("it was told to fail"));
        }
    }

    /// Makes the next picture that is pushed a key frame, with its headers.
    pub fn force_key(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).key = true;
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        if !self.sink.static_pad("sink").is_some_and(|pad| pad.push_event(event)) {
            log::warn!("encoder={} refused to make a key frame", self.config.encoder.element);
        }
    }

    /// Changes the rate from the next picture on.
    pub fn set_kbps(&self, kbps: u32) {
        self.shared.budget().set_kbps(kbps);
    }

    /// When it takes another picture. One that came sooner would wait on the way to who watches, behind what the rate has
    /// not carried there yet. `None`: when one has come out, for which its `output` is called.
    #[must_use]
    pub fn free_at(&self, what: Picture) -> Option<u64> {
        let free = self.shared.ledger().len() < MAX_IN_FLIGHT;
        free.then(|| self.shared.budget().free_at(what == Picture::New))
    }

    /// Says whether it still works at `now_us`. What it did or did not do before `since_us` is not held against it.
    ///
    /// # Errors
    /// What an element reported, or [`GstError::Stalled`].
    pub fn check(&self, now_us: u64, since_us: u64) -> Result<(), GstError> {
        if self.shared.failed.load(Ordering::Acquire)
            && let Some(error) = self.shared.take_error()
        {
            self.dump("failed");
            return Err(error);
        }
        let waited = self
            .shared
            .ledger()
            .oldest()
            .map_or(0, |pts| now_us.saturating_sub(pts.max(since_us)));
        if waited > STALL_US {
            self.dump("stalled");
            return Err(GstError::Stalled {
                element: self.config.encoder.element.into(),
                ms: waited / 1000,
            });
        }
        Ok(())
    }

    /// Writes the pipeline's graph where `GST_DEBUG_DUMP_DOT_DIR` says, if it says so.
    fn dump(&self, why: &str) {
        self.pipeline
            .debug_to_dot_file(gst::DebugGraphDetails::ALL, format!("heliostat-{why}"));
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            log::warn!("encoder={} did not stop: {error}", self.config.encoder.element);
        }
    }
}

impl Shared {
    fn new(config: &PipelineConfig) -> Self {
        Self {
            ledger: Mutex::default(),
            budget: Mutex::new(Budget::new(config.kbps, config.full_kbps, config.fps)),
            error: Mutex::default(),
            failed: AtomicBool::new(false),
            #[cfg(debug_assertions)]
            first_us: std::sync::OnceLock::new(),
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing in there is left half done by a panic.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: GstError) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    fn take_error(&self) -> Option<GstError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn callbacks<F: Fn(Option<Frame>) + Send + Sync + 'static>(
    rendition: Rendition,
    shared: &Arc<Shared>,
    output: &Arc<F>,
) -> gst_app::AppSinkCallbacks {
    let (shared, output) = (Arc::clone(shared), Arc::clone(output));
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let buffer = sample.buffer_owned().ok_or(gst::FlowError::Error)?;
            let out_us = buffer.pts().map_or(0, gst::ClockTime::useconds);
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            #[cfg(debug_assertions)]
            dawdle_if_told(sink);
            let data = buffer
                .into_mapped_buffer_readable()
                .map_err(|_| gst::FlowError::Error)?;
            shared.budget().spent(data.len() as u64);
            let pts_us = shared.ledger().came_out(out_us);
            if let Some(pts_us) = pts_us {
                output(Some(Frame {
                    rendition,
                    data: Bytes::from_owner(data),
                    key,
                    pts_us,
                    stamps: crate::media::Stamps::default(),
                }));
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .build()
}

/// For tests, and not in a release build: takes long for each picture, as an encoder does that the environment names.
#[cfg(debug_assertions)]
fn dawdle_if_told(sink: &gst_app::AppSink) {
    if told_to_fail(&format!("{}:slow", sink.name())) {
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
}

/// Keeps the first error, on the thread that posts it: no thread and no loop of its own.
fn watch_bus<F: Fn(Option<Frame>) + Send + Sync + 'static>(
    pipeline: &gst::Pipeline,
    shared: &Arc<Shared>,
    output: &Arc<F>,
) {
    let Some(bus) = pipeline.bus() else { return };
    let (shared, output) = (Arc::clone(shared), Arc::clone(output));
    bus.set_sync_handler(move |_, message| {
        let failure = match message.view() {
            gst::MessageView::Error(error) => Some((error.src().map(|s| s.name()), error.error().to_string())),
            gst::MessageView::Eos(_) => Some((None, "the stream ended".to_owned())),
            _ => None,
        };
        if let Some((element, reason)) = failure {
            let element = element.map_or_else(|| "pipeline".to_owned(), |name| name.to_string());
            shared.fail(GstError::Failed { element, reason });
            output(None);
        }
        gst::BusSyncReply::Drop
    });
}

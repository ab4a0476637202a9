//! One running encoder: pictures in, frames out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::GstError;
use super::budget::{Budget, Share};
use super::elements::Elements;
use super::encoder::Encoder;
use super::ledger::Ledger;
use super::x264::{Encoded, Job, Worker};
use crate::media::{Frame, PlanarPicture, Rendition, Tiles};

/// Pictures went in and nothing came out for this long: the encoder hangs. µs.
const STALL_US: u64 = 2_000_000;

/// Pictures that may be on their way at once. A second one would only wait, and be older than one that is grabbed when
/// the encoder is free: at an encoder that is too slow for the rate, two doubled the delay and gave no more frames.
pub(super) const MAX_IN_FLIGHT: usize = 1;

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
    by: By,
    told: Mutex<Told>,
    shared: Arc<Shared>,
}

/// By what it encodes.
enum By {
    Elements(Elements),
    X264(Worker),
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

/// What the thread that encodes and who asks have in common.
pub(super) struct Shared {
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
        #[cfg(debug_assertions)]
        refuse_if_told(config.encoder.element)?;
        let shared = Arc::new(Shared::new(&config));
        let output = Arc::new(output);
        let by = if config.encoder.chooses_quantisers() {
            By::X264(start_x264(&config, &shared, &output)?)
        } else {
            By::Elements(Elements::start(&config, &shared, &output)?)
        };
        Ok(Self {
            config,
            by,
            told: Mutex::new(Told::first(config.kbps)),
            shared,
        })
    }

    /// What it encodes.
    #[must_use]
    pub const fn config(&self) -> &PipelineConfig {
        &self.config
    }

    /// Encodes a picture of time `pts_us` (`CLOCK_MONOTONIC`, rising from call to call); to be called when
    /// [`Self::ready`]. Its memory is used without a copy and let go when it has been encoded. `changed`: where it may differ from
    /// the picture before, if that is known.
    pub fn push(&self, picture: PlanarPicture, changed: Option<Tiles>, pts_us: u64, what: Picture) {
        let (time_us, key) = self.tell(pts_us, what);
        self.shared.ledger().pushed(time_us, pts_us);
        #[cfg(debug_assertions)]
        self.fail_if_told(pts_us);
        match &self.by {
            By::Elements(elements) => elements.push(&self.config, picture, time_us),
            By::X264(worker) => {
                let change = what == Picture::New;
                let allowance = self.shared.budget().allowance(change, what == Picture::Still);
                let taken = worker.push(Job {
                    picture,
                    changed,
                    time_us,
                    key,
                    change,
                    allowance,
                });
                // It failed, which it has told.
                if !taken {
                    log::debug!("encoder={} takes no more pictures", self.config.encoder.element);
                }
            }
        }
    }

    /// Tells the encoder the rate and what the next picture may take of it, where that has changed. Returns the time
    /// that it is to be told of the picture, and whether that is to be a key frame.
    fn tell(&self, pts_us: u64, what: Picture) -> (u64, bool) {
        let still = what == Picture::Still;
        let (kbps, share) = {
            let mut budget = self.shared.budget();
            (budget.kbps(), budget.next(pts_us, still))
        };
        let encoder = &self.config.encoder;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let By::Elements(elements) = &self.by {
            if told.kbps != kbps || (told.share != share && encoder.takes_shares()) {
                elements.set_rate(encoder, kbps, share);
            }
            if told.still != still {
                elements.set_still(encoder, still);
            }
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
        (time_us, key)
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
            match &self.by {
                By::Elements(elements) => elements.fail(),
                By::X264(_) => self.shared.fail(GstError::Failed {
                    element: self.config.encoder.element.into(),
                    reason: "it was told to fail".into(),
                }),
            }
        }
    }

    /// Makes the next picture that is pushed a key frame, with its headers.
    pub fn force_key(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).key = true;
        if let By::Elements(elements) = &self.by
            && !elements.force_key(&self.config.encoder)
        {
            log::warn!("encoder={} refused to make a key frame", self.config.encoder.element);
        }
    }

    /// Whether the last picture is as good as it gets, as far as the encoder itself knows.
    #[must_use]
    pub fn finished(&self) -> bool {
        match &self.by {
            By::Elements(_) => true,
            By::X264(worker) => worker.finished(),
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
        if let By::Elements(elements) = &self.by {
            elements.dump(why);
        }
    }
}

impl Shared {
    fn new(config: &PipelineConfig) -> Self {
        let budget = Budget::new(config.kbps, config.full_kbps, config.fps);
        let strict = config.encoder.chooses_quantisers();
        Self {
            ledger: Mutex::default(),
            budget: Mutex::new(if strict { budget.strict() } else { budget }),
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

    /// A frame that the encoder says is of time `out_us`. `None`: nobody asked for it.
    pub(super) fn came_out(&self, config: &PipelineConfig, data: Bytes, key: bool, out_us: u64) -> Option<Frame> {
        #[cfg(debug_assertions)]
        dawdle_if_told(config.encoder.element);
        self.budget().spent(data.len() as u64);
        let pts_us = self.ledger().came_out(out_us)?;
        Some(Frame {
            rendition: config.rendition,
            data,
            key,
            pts_us,
            stamps: crate::media::Stamps::default(),
        })
    }

    pub(super) fn fail(&self, error: GstError) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    pub(super) fn take_error(&self) -> Option<GstError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Starts libx264, on a thread that gives what comes out to `output`.
fn start_x264<F: Fn(Option<Frame>) + Send + Sync + 'static>(
    config: &PipelineConfig,
    shared: &Arc<Shared>,
    output: &Arc<F>,
) -> Result<Worker, GstError> {
    let (config, shared, output) = (*config, Arc::clone(shared), Arc::clone(output));
    let element = config.encoder.element;
    let came_out = move |encoded: Result<Encoded, String>| match encoded {
        Ok(encoded) => {
            let frame = shared.came_out(&config, encoded.data.into(), encoded.key, encoded.time_us);
            if let Some(frame) = frame {
                output(Some(frame));
            }
        }
        Err(reason) => {
            shared.fail(GstError::Failed {
                element: element.into(),
                reason,
            });
            output(None);
        }
    };
    Worker::start(&config, came_out).map_err(|reason| GstError::Start {
        element: element.into(),
        reason,
    })
}

/// For tests, and not in a release build: takes long for each picture, as an encoder does that the environment names.
#[cfg(debug_assertions)]
fn dawdle_if_told(element: &str) {
    if told_to_fail(&format!("{element}:slow")) {
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
}

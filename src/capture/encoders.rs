//! The running encoders of a capture process, one per wanted codec.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::outbox::Outbox;
use super::sharpness::Sharpness;
use crate::gst::{ENCODERS, Encoder, GstError, Picture, Pipeline, PipelineConfig};
use crate::media::{Codec, Frame, PlanarPicture};
use crate::x11::Wake;

/// Where encoded frames go: the outbox of whichever host is connected.
#[derive(Debug)]
pub(super) struct Outlet {
    current: Mutex<Option<Arc<Outbox>>>,
    wake: Arc<Wake>,
}

impl Outlet {
    /// Without a host: frames are dropped.
    pub(super) const fn new(wake: Arc<Wake>) -> Self {
        Self {
            current: Mutex::new(None),
            wake,
        }
    }

    /// Frames go to this host from now on.
    pub(super) fn connect(&self, outbox: Option<Arc<Outbox>>) {
        *lock(&self.current) = outbox;
    }
}

/// One that runs, and how good is what it has sent.
#[derive(Debug)]
struct Running {
    pipeline: Pipeline,
    sharpness: Arc<Mutex<Sharpness>>,
}

/// One that does not start, or no longer works.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct EncoderFailure {
    /// Which.
    pub(super) encoder: Encoder,
    /// Why.
    #[source]
    pub(super) error: GstError,
}

/// No encoder of a codec starts.
#[derive(Debug)]
pub(super) struct NoneStarts {
    codec: Codec,
    /// Each with why; at least one.
    pub(super) failures: Vec<EncoderFailure>,
}

impl std::error::Error for NoneStarts {}

impl fmt::Display for NoneStarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no encoder of {} starts", self.codec)?;
        self.failures.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

/// Without a look for this long, this whole process stood still, and its encoders with it.
const PAUSED_US: u64 = 2_500_000;

/// The encoders.
#[derive(Debug)]
pub(super) struct Encoders {
    running: BTreeMap<Codec, Running>,
    kbps: BTreeMap<Codec, u32>,
    chosen: BTreeMap<Codec, Vec<Encoder>>,
    size: (u16, u16),
    fps: u16,
    default_kbps: u32,
    outlet: Arc<Outlet>,
    checked_us: u64,
    resumed_us: u64,
}

impl Encoders {
    /// None running. `preferred` elements come before the installed others of their codec.
    pub(super) fn new(
        preferred: &[Encoder],
        size: (u16, u16),
        fps: u16,
        default_kbps: u32,
        outlet: Arc<Outlet>,
    ) -> Self {
        let mut chosen: BTreeMap<Codec, Vec<Encoder>> = BTreeMap::new();
        for encoder in preferred.iter().chain(&ENCODERS).filter(|e| e.installed()) {
            let list = chosen.entry(encoder.codec).or_default();
            if !list.contains(encoder) {
                list.push(*encoder);
            }
        }
        Self {
            running: BTreeMap::new(),
            kbps: BTreeMap::new(),
            chosen,
            size,
            fps,
            default_kbps,
            outlet,
            checked_us: 0,
            resumed_us: 0,
        }
    }

    /// The element that would be tried first for each codec that can be had.
    pub(super) fn available(&self) -> Vec<(Codec, &'static str)> {
        self.chosen
            .iter()
            .filter_map(|(codec, list)| Some((*codec, list.first()?.element)))
            .collect()
    }

    /// Whether any runs.
    pub(super) fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// Runs exactly the wanted ones. Says what was started.
    ///
    /// # Errors
    /// A codec of which no encoder starts.
    pub(super) fn want(&mut self, codecs: &BTreeSet<Codec>) -> Result<Vec<(Codec, &'static str)>, NoneStarts> {
        self.running.retain(|codec, _| codecs.contains(codec));
        let mut started = Vec::new();
        for codec in codecs {
            if self.running.contains_key(codec) {
                continue;
            }
            let Some(candidates) = self.chosen.get(codec) else {
                log::warn!("codec={codec} is wanted but no encoder is installed");
                continue;
            };
            let running = self.start(candidates).map_err(|failures| NoneStarts {
                codec: *codec,
                failures,
            })?;
            started.push((*codec, running.pipeline.config().encoder.element));
            self.running.insert(*codec, running);
        }
        Ok(started)
    }

    /// Pictures are of another size from now on: those that run are started anew.
    ///
    /// # Errors
    /// A codec of which no encoder starts.
    pub(super) fn resize(&mut self, size: (u16, u16)) -> Result<(), NoneStarts> {
        let codecs = self.running.keys().copied().collect();
        self.running.clear();
        self.size = size;
        self.want(&codecs).map(drop)
    }

    /// Starts the first one that can be started.
    fn start(&self, candidates: &[Encoder]) -> Result<Running, Vec<EncoderFailure>> {
        let mut failures = Vec::new();
        for encoder in candidates {
            let codec = encoder.codec;
            let config = PipelineConfig {
                encoder: *encoder,
                width: self.size.0,
                height: self.size.1,
                fps: self.fps,
                kbps: self.kbps.get(&codec).copied().unwrap_or(self.default_kbps),
                threads: (thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, 2),
            };
            let outlet = Arc::clone(&self.outlet);
            let sharpness = Sharpness::new(config.kbps, self.fps, self.size, encoder.counts_frames());
            let sharpness = Arc::new(Mutex::new(sharpness));
            let judged = Arc::clone(&sharpness);
            let output = move |frame: Option<Frame>| {
                if let Some(frame) = frame {
                    lock(&judged).encoded(frame.pts_us, frame.data.len() as u64);
                    if let Some(outbox) = &*lock(&outlet.current) {
                        outbox.frame(codec, frame);
                    }
                }
                // Room for the next picture, or a failure to look at.
                outlet.wake.raise();
            };
            match Pipeline::start(config, output) {
                Ok(pipeline) => return Ok(Running { pipeline, sharpness }),
                Err(error) => {
                    log::warn!("codec={codec} encoder={} does not start: {error}", encoder.element);
                    failures.push(EncoderFailure {
                        encoder: *encoder,
                        error,
                    });
                }
            }
        }
        Err(failures)
    }

    /// Whether every one can take another picture.
    pub(super) fn ready(&self) -> bool {
        self.running.values().all(|r| r.pipeline.ready())
    }

    /// Whether all have sent the last picture as well as they can.
    pub(super) fn sharp(&self) -> bool {
        self.running.values().all(|r| lock(&r.sharpness).sharp())
    }

    /// Whether any earns what it may spend by frames, not by time.
    pub(super) fn count_frames(&self) -> bool {
        self.running
            .values()
            .any(|r| r.pipeline.config().encoder.counts_frames())
    }

    /// Whether nothing large has changed for a while.
    pub(super) fn calm(&self, now: u64) -> bool {
        self.running.values().all(|r| lock(&r.sharpness).calm(now))
    }

    /// Encodes a picture with every one.
    pub(super) fn push(&self, picture: &PlanarPicture, pts_us: u64, what: Picture) {
        for running in self.running.values() {
            lock(&running.sharpness).begins(what == Picture::New);
            running.pipeline.push(picture.clone(), pts_us, what);
        }
    }

    /// Whether the one of this codec runs.
    pub(super) fn runs(&self, codec: Codec) -> bool {
        self.running.contains_key(&codec)
    }

    /// Makes the next picture a key frame.
    pub(super) fn force_key(&self, codec: Codec) {
        if let Some(running) = self.running.get(&codec) {
            running.pipeline.force_key();
        }
    }

    /// Changes a rate, now and for later starts.
    pub(super) fn set_kbps(&mut self, codec: Codec, kbps: u32) {
        self.kbps.insert(codec, kbps);
        if let Some(running) = self.running.get(&codec) {
            running.pipeline.set_kbps(kbps);
            lock(&running.sharpness).set_rate(kbps);
        }
    }

    /// Says whether all still work; to be called about every second.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn check(&mut self, now_us: u64) -> Result<(), EncoderFailure> {
        if now_us.saturating_sub(self.checked_us) > PAUSED_US {
            // Time in which the process was stopped is no stall of theirs.
            self.resumed_us = now_us;
        }
        self.checked_us = now_us;
        self.running.values().try_for_each(|r| {
            let checked = r.pipeline.check(now_us, self.resumed_us);
            checked.map_err(|error| EncoderFailure {
                encoder: r.pipeline.config().encoder,
                error,
            })
        })
    }

    /// Lets go without stopping: a failed encoder may hang in being stopped, and the process ends anyway.
    pub(super) fn abandon(self) {
        std::mem::forget(self.running);
    }
}

/// Locks what no panic of another holder can leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

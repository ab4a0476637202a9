//! The running encoders of a capture process, one per wanted codec.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::outbox::Outbox;
use crate::gst::{ENCODERS, Encoder, GstError, Pipeline, PipelineConfig};
use crate::media::Codec;
use crate::x11::{Picture, Wake};

/// Pictures that may be on their way through one encoder: one being encoded, one being converted.
const IN_FLIGHT: usize = 2;

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
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = outbox;
    }
}

/// The encoders.
#[derive(Debug)]
pub(super) struct Encoders {
    running: BTreeMap<Codec, Pipeline>,
    kbps: BTreeMap<Codec, u32>,
    chosen: BTreeMap<Codec, Vec<Encoder>>,
    size: (u16, u16),
    fps: u16,
    default_kbps: u32,
    outlet: Arc<Outlet>,
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
    pub(super) fn want(&mut self, codecs: &BTreeSet<Codec>) -> Result<Vec<(Codec, &'static str)>, GstError> {
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
            let pipeline = self.start(candidates)?;
            started.push((*codec, pipeline.config().encoder.element));
            self.running.insert(*codec, pipeline);
        }
        Ok(started)
    }

    fn start(&self, candidates: &[Encoder]) -> Result<Pipeline, GstError> {
        let mut last = None;
        for encoder in candidates {
            let codec = encoder.codec;
            let config = PipelineConfig {
                encoder: *encoder,
                width: self.size.0,
                height: self.size.1,
                fps: self.fps,
                kbps: self.kbps.get(&codec).copied().unwrap_or(self.default_kbps),
                threads: thread::available_parallelism().map_or(1, usize::from).min(2),
            };
            let outlet = Arc::clone(&self.outlet);
            let output = move |frame| {
                if let Some(frame) = frame
                    && let Some(outbox) = &*outlet.current.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    outbox.frame(codec, frame);
                }
                // Room for the next picture, or a failure to look at.
                outlet.wake.raise();
            };
            match Pipeline::start(config, output) {
                Ok(pipeline) => return Ok(pipeline),
                Err(error) => {
                    log::warn!("codec={codec} encoder={} does not start: {error}", encoder.element);
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| GstError::Missing {
            element: "encoder".into(),
            reason: "none installed".into(),
        }))
    }

    /// Whether every one can take another picture.
    pub(super) fn ready(&self) -> bool {
        self.running.values().all(|pipeline| pipeline.in_flight() < IN_FLIGHT)
    }

    /// Encodes a picture with every one.
    pub(super) fn push(&self, picture: &Picture, pts_us: u64) {
        for pipeline in self.running.values() {
            pipeline.push(picture.clone(), pts_us);
        }
    }

    /// Makes the next picture a key frame. Says whether that encoder runs.
    pub(super) fn force_key(&self, codec: Codec) -> bool {
        self.running
            .get(&codec)
            .inspect(|pipeline| pipeline.force_key())
            .is_some()
    }

    /// Changes a rate, now and for later starts.
    pub(super) fn set_kbps(&mut self, codec: Codec, kbps: u32) {
        self.kbps.insert(codec, kbps);
        if let Some(pipeline) = self.running.get(&codec) {
            pipeline.set_kbps(kbps);
        }
    }

    /// Says whether all still work.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn check(&self, now_us: u64) -> Result<(), GstError> {
        self.running.values().try_for_each(|pipeline| pipeline.check(now_us))
    }

    /// Lets go without stopping: a failed encoder may hang in being stopped, and the process ends anyway.
    pub(super) fn abandon(self) {
        std::mem::forget(self.running);
    }
}

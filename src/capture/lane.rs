//! One running encoder, and when it is given a picture. Lanes do not wait for each other.

use std::sync::{Arc, Mutex};
use std::thread;

use super::breadth::Breadth;
use super::keys::{Due, Keys};
use super::lock;
use super::outlet::Outlet;
use super::pacing::{Pacing, Step};
use super::pictures::Pictures;
use super::sharpness::Sharpness;
use super::stamping::Stamping;
use crate::clock::monotonic_us;
use crate::gst::{Encoder, GstError, Picture, Pipeline, PipelineConfig};
use crate::media::{Frame, Layout, PlanarPicture, Rendition, Stamps, scaled};
use crate::protocol::capture::RenditionForm;

/// What is to be done for a lane now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is given what is on the screen.
    Grab,
    /// It is given the last picture once more.
    Again,
    /// Nothing before this time, unless something happens; `None`: until its encoder has room again.
    Wait(Option<u64>),
}

/// What every lane of a process has in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// The size of the screen in pixels.
    pub(super) size: (u16, u16),
    /// Frames a second at most.
    pub(super) fps: u16,
    /// The rate of the whole picture that no line limits, in kbit/s.
    pub(super) full_kbps: u32,
    /// Where frames go.
    pub(super) outlet: Arc<Outlet>,
}

impl Common {
    /// How broad the line is that a rendition of this rate is for. Lower rungs are there for those that carry less.
    pub(super) fn breadth(&self, rendition: Rendition, kbps: u32) -> Breadth {
        Breadth::new(kbps, (rendition.rung == 0).then_some(self.full_kbps))
    }
}

/// One encoder that runs, and how good is what it has sent.
#[derive(Debug)]
pub(super) struct Lane {
    pipeline: Pipeline,
    sharpness: Arc<Mutex<Sharpness>>,
    stamping: Arc<Mutex<Stamping>>,
    pacing: Pacing,
    keys: Keys,
    key: Due,
    sharp: bool,
    kbps: u32,
    breadth: Breadth,
    /// The number of the picture that it was given last; 0: none.
    number: u64,
}

impl Lane {
    /// Starts one.
    ///
    /// # Errors
    /// The encoder does not start.
    pub(super) fn start(
        common: &Common,
        rendition: Rendition,
        form: RenditionForm,
        encoder: Encoder,
    ) -> Result<Self, GstError> {
        let size = scaled(common.size, form.percent);
        let fps = form.fps.min(common.fps);
        let most = if form.percent > 50 { 2 } else { 1 };
        let config = PipelineConfig {
            rendition,
            encoder,
            width: size.0,
            height: size.1,
            fps,
            kbps: form.kbps,
            // Smaller renditions are there for lines that carry less.
            full_kbps: if rendition.rung == 0 {
                common.full_kbps
            } else {
                u32::MAX
            },
            threads: (thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, most),
        };
        let sharpness = Sharpness::new(form.kbps, fps, size, encoder.counts_frames());
        let sharpness = Arc::new(Mutex::new(sharpness));
        let stamping = Arc::new(Mutex::new(Stamping::default()));
        let (judged, stamps, outlet) = (
            Arc::clone(&sharpness),
            Arc::clone(&stamping),
            Arc::clone(&common.outlet),
        );
        let output = move |frame: Option<Frame>| {
            if let Some(mut frame) = frame {
                frame.stamps = lock(&stamps).came_out(frame.pts_us, monotonic_us());
                lock(&judged).encoded(frame.pts_us, frame.data.len() as u64);
                outlet.frame(frame);
            }
            // Room for the next picture, or a failure to look at.
            outlet.wake();
        };
        Ok(Self {
            pipeline: Pipeline::start(config, output)?,
            sharpness,
            stamping,
            pacing: Pacing::new(fps),
            keys: Keys::default(),
            key: Due::Never,
            sharp: false,
            kbps: form.kbps,
            breadth: common.breadth(rendition, form.kbps),
            number: 0,
        })
    }

    /// What encodes.
    pub(super) const fn encoder(&self) -> Encoder {
        self.pipeline.config().encoder
    }

    /// The size of the pictures that it takes.
    pub(super) const fn size(&self) -> (u16, u16) {
        (self.pipeline.config().width, self.pipeline.config().height)
    }

    /// The layout of the pictures that it takes.
    pub(super) const fn layout(&self) -> Layout {
        self.encoder().layout()
    }

    /// Frames a second at most.
    pub(super) const fn fps(&self) -> u16 {
        self.pipeline.config().fps
    }

    /// What it is encoded with, in kbit/s.
    pub(super) const fn kbps(&self) -> u32 {
        self.kbps
    }

    /// Changes the rate.
    pub(super) fn set_kbps(&mut self, kbps: u32) {
        // An encoder that answers each change with a key frame is spared small steps up.
        let small = kbps > self.kbps && kbps - self.kbps < self.kbps / 4;
        if kbps == self.kbps || (small && self.encoder().counts_frames()) {
            return;
        }
        self.kbps = kbps;
        self.pipeline.set_kbps(kbps);
        lock(&self.sharpness).set_rate(kbps);
    }

    /// Whether its line has become broad or narrow: to be asked when it is about to be given a new picture, since what stands still
    /// would cost a key frame for nothing.
    pub(super) fn changes_line(&mut self, now: u64) -> bool {
        self.pacing.dirty() && self.breadth.judge(self.kbps, now)
    }

    /// The screen has changed.
    pub(super) const fn damaged(&mut self) {
        self.pacing.damaged();
    }

    /// Whether it has not been given what is on the screen.
    pub(super) const fn behind(&self) -> bool {
        self.pacing.dirty()
    }

    /// An input was injected.
    pub(super) fn expect_change(&mut self, now: u64) {
        self.pacing.expect_change(now);
    }

    /// Somebody needs a key frame.
    pub(super) fn want_key(&mut self, now: u64) {
        self.keys.want(now);
    }

    /// Says whether it still works.
    pub(super) fn check(&self, now_us: u64, since_us: u64) -> Result<(), GstError> {
        self.pipeline.check(now_us, since_us)
    }

    /// What is to be done for it.
    pub(super) fn turn(&mut self, now: u64) -> Turn {
        let calm = {
            let sharpness = lock(&self.sharpness);
            self.sharp = sharpness.sharp() && self.pipeline.finished();
            sharpness.calm(now)
        };
        self.pacing.judge(self.sharp, self.encoder().counts_frames(), self.kbps);
        self.key = self.keys.due(now, calm, self.sharp);
        // While something moves, the next picture is not still: one more of the last would only come between.
        if self.key == Due::Now || (self.key == Due::Still && !self.pacing.dirty()) {
            self.pacing.repeat();
        }
        let (turn, what) = match self.pacing.step(now) {
            Step::Wait(at) => {
                return Turn::Wait(Some(match self.key {
                    Due::At(latest) => latest.min(at),
                    _ => at,
                }));
            }
            Step::Grab => (Turn::Grab, Picture::New),
            Step::Settle => (Turn::Again, Picture::Again),
        };
        match self.pipeline.free_at(what) {
            // One that is behind raises the flag when it has room again.
            None => Turn::Wait(None),
            Some(at) if at > now => Turn::Wait(Some(at)),
            Some(_) => turn,
        }
    }

    /// Whether it may be given what is grabbed for others now, though it would not have asked for that yet.
    pub(super) fn joins(&self, now: u64) -> bool {
        self.pacing.joins(now) && self.pipeline.free_at(Picture::New).is_some_and(|at| at <= now)
    }

    /// Gives it what is on the screen. After [`Self::turn`].
    pub(super) fn push(&mut self, pictures: &mut Pictures, now: u64) {
        let (layout, size) = (self.layout(), self.size());
        let Some(picture) = pictures.of(layout, size) else {
            return;
        };
        if self.key == Due::Now {
            self.force_key();
        }
        lock(&self.sharpness).begins(true);
        lock(&self.stamping).pushed(now, pictures.stamps());
        // Of a picture that has been scaled it is not known.
        let changed = Some(pictures.changed(layout, self.number)).filter(|changed| changed.size() == size);
        self.number = pictures.number();
        self.pipeline.push(picture, changed, now, Picture::New);
        self.pacing.grabbed(now);
    }

    /// Gives it the last picture once more, if there is one. After [`Self::turn`].
    pub(super) fn push_again(&mut self, picture: Option<PlanarPicture>, stamps: Stamps, now: u64) {
        // What the encoder has saved counts from the picture after one that it knows to be still.
        if self.key == Due::Now || (self.key == Due::Still && self.pacing.closed()) {
            self.force_key();
        }
        if let Some(picture) = picture {
            lock(&self.sharpness).begins(false);
            lock(&self.stamping).pushed(now, stamps);
            let what = if self.sharp { Picture::Still } else { Picture::Again };
            self.pipeline.push(picture, None, now, what);
        }
        self.pacing.settled(now);
    }

    fn force_key(&mut self) {
        self.keys.take();
        self.pipeline.force_key();
    }
}

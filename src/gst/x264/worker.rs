//! The thread that encodes, one picture after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use heliostat_scaling::{Blocks, Suspects};

use super::control::{Control, Wanted};
use super::library::{Form, Order, Running};
use crate::gst::PipelineConfig;
use crate::gst::budget::Allowance;
use crate::media::{PlanarPicture, Tiles, strides};

/// A picture to be encoded.
#[derive(Debug)]
pub(in crate::gst) struct Job {
    pub(in crate::gst) picture: PlanarPicture,
    /// Where it may differ from the one before, if that is known.
    pub(in crate::gst) changed: Option<Tiles>,
    /// The time that comes out with it.
    pub(in crate::gst) time_us: u64,
    pub(in crate::gst) key: bool,
    /// The screen has changed.
    pub(in crate::gst) change: bool,
    pub(in crate::gst) allowance: Allowance,
}

/// A frame.
#[derive(Debug)]
pub(in crate::gst) struct Encoded {
    pub(in crate::gst) data: Vec<u8>,
    pub(in crate::gst) key: bool,
    pub(in crate::gst) time_us: u64,
}

/// An encoder on a thread of its own. Dropping it waits for the picture that is being encoded.
#[derive(Debug)]
pub(in crate::gst) struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    finished: Arc<AtomicBool>,
}

impl Worker {
    /// Starts one. `output` gets each frame, or once why there are no more, on the thread that encodes.
    ///
    /// # Errors
    /// Why it does not start.
    pub(in crate::gst) fn start(
        config: &PipelineConfig,
        output: impl FnMut(Result<Encoded, String>) + Send + 'static,
    ) -> Result<Self, String> {
        let form = Form {
            width: config.width,
            height: config.height,
            strides: strides(config.width),
            fps: config.fps,
            threads: config.threads,
        };
        let running = Running::open(form, config.encoder.settings)?;
        // overflow: never, since no picture is given before the one before has come out; one that is loses that picture.
        let (jobs, received) = sync_channel(2);
        let finished = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&finished);
        let thread = std::thread::Builder::new()
            .name("x264".into())
            .spawn(move || run(running, form, &received, &told, output))
            .map_err(|error| error.to_string())?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            finished,
        })
    }

    /// Gives it a picture; whether it takes it.
    pub(in crate::gst) fn push(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// Whether the last picture that came out is as good as it gets.
    pub(in crate::gst) fn finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::warn!("the thread of libx264 did not end well");
        }
    }
}

fn run(
    mut running: Running,
    form: Form,
    jobs: &Receiver<Job>,
    finished: &AtomicBool,
    mut output: impl FnMut(Result<Encoded, String>),
) {
    let form = heliostat_scaling::Form {
        width: form.width.into(),
        height: form.height.into(),
        strides: form.strides,
    };
    let mut blocks = Blocks::new(form);
    let mut control = Control::new(&blocks);
    let mut before: Option<PlanarPicture> = None;
    while let Ok(job) = jobs.recv() {
        let first = before.is_none();
        look(&mut blocks, form, &job, before.as_ref());
        let far = blocks.moves_far(form, job.picture.as_ref(), before.as_ref().map(AsRef::as_ref));
        let wanted = Wanted {
            key: job.key || first,
            change: job.change,
            allowance: job.allowance,
        };
        match encode(&mut running, &mut control, &blocks, (&job.picture, far), wanted) {
            Ok((data, key)) => {
                finished.store(control.finished(), Ordering::Release);
                output(Ok(Encoded {
                    data,
                    key,
                    time_us: job.time_us,
                }));
            }
            Err(reason) => return output(Err(reason)),
        }
        before = Some(job.picture);
    }
}

fn look(blocks: &mut Blocks, form: heliostat_scaling::Form, job: &Job, before: Option<&PlanarPicture>) {
    let now = &job.picture;
    match before {
        // The same memory: the last picture once more.
        Some(before) if before.as_ref().as_ptr() == now.as_ref().as_ptr() => blocks.all_same(),
        before => {
            let suspects = job.changed.as_ref().map(|changed| Suspects {
                bits: changed.bits(),
                words: changed.words(),
            });
            blocks.look(form, now.as_ref(), before.map(AsRef::as_ref), suspects);
        }
    }
}

/// Encodes a picture, anew where it became too large.
fn encode(
    running: &mut Running,
    control: &mut Control,
    blocks: &Blocks,
    (picture, far): (&PlanarPicture, bool),
    wanted: Wanted,
) -> Result<(Vec<u8>, bool), String> {
    let mut choice = control.choose(blocks, wanted);
    loop {
        let (data, key) = running.encode(Order {
            picture: picture.as_ref(),
            flags: &blocks.flags,
            far,
            quantiser: choice.quantiser,
            key: choice.key,
        })?;
        if choice.key && !key {
            return Err("it did not make a key frame".into());
        }
        match control.came_out(blocks, data.len() as u64, wanted) {
            // At most so often as the control allows.
            Some(coarser) => choice = coarser,
            None => return Ok((data, key)),
        }
    }
}

//! The thread that injects the input of an instance.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::held::HeldInput;
use super::input_queue::InputQueue;
use super::wake::wait_readable;
use super::xtest::{Injector, KeyboardMode};
use super::{Cancel, DisplayAddress, X11Error};

/// Between two reports of what could not be typed.
const BETWEEN_REPORTS: Duration = Duration::from_millis(500);
/// How long the display may take to answer at start.
const CONNECT: Duration = Duration::from_secs(10);

/// What the thread tells others; called on it, so that nothing in here may wait.
pub struct InputHooks {
    /// It is connected: input takes effect from now on.
    pub ready: Box<dyn FnOnce() + Send>,
    /// Input was just injected: the display probably changes.
    pub injected: Box<dyn Fn() + Send>,
    /// So many characters could not be typed.
    pub not_typed: Box<dyn Fn(u32) + Send>,
    /// The thread ends: `None` if it was asked to.
    pub ended: Box<dyn FnOnce(Option<X11Error>) + Send>,
}

impl fmt::Debug for InputHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputHooks").finish_non_exhaustive()
    }
}

/// A running thread. Dropping it ends it, at once and without waiting for it; the queue and the table of held input
/// stay for the next one.
#[derive(Debug)]
pub struct InputThread {
    stop: Arc<Stop>,
    queue: Arc<InputQueue>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Stop {
    wanted: AtomicBool,
    cancel: Cancel,
}

impl InputThread {
    /// Starts a thread that connects to a display, releases whatever is down there, forgets what waits in `queue`
    /// (it was meant for a display that is no more), and then injects what comes.
    ///
    /// # Errors
    /// No thread can be started. Everything else comes by `hooks.ended`.
    pub fn start(
        address: DisplayAddress,
        mode: KeyboardMode,
        queue: Arc<InputQueue>,
        held: Arc<HeldInput>,
        hooks: InputHooks,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let thread = {
            let (stop, queue) = (Arc::clone(&stop), Arc::clone(&queue));
            thread::Builder::new().name("x-input".into()).spawn(move || {
                let InputHooks {
                    ready,
                    injected,
                    not_typed,
                    ended,
                } = hooks;
                let result = Injector::connect(&address, held, mode, CONNECT, &stop.cancel).and_then(|mut injector| {
                    queue.take();
                    ready();
                    work(&mut injector, &queue, &stop, (&injected, &not_typed))
                });
                let asked = stop.wanted.load(Ordering::Acquire);
                ended(result.err().filter(|_| !asked));
            })?
        };
        Ok(Self { stop, queue, thread })
    }

    /// Asks it to end; what is down is released if the display still answers. Does not wait.
    pub fn stop(&self) {
        self.stop.wanted.store(true, Ordering::Release);
        self.queue.wake();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks it to end and waits for that; a display that hangs is cut off after `deadline`. Blocks.
    pub fn join(self, deadline: Duration) {
        self.stop();
        let until = Instant::now() + deadline;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        // Its drop cuts it off.
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        self.stop.wanted.store(true, Ordering::Release);
        self.stop.cancel.cancel();
        self.queue.wake();
    }
}

fn work(
    injector: &mut Injector,
    queue: &InputQueue,
    stop: &Stop,
    (injected, not_typed): (&dyn Fn(), &dyn Fn(u32)),
) -> Result<(), X11Error> {
    let mut reported: Option<Instant> = None;
    loop {
        injector.drain()?;
        injector.offer(queue.take());
        let (effective, again) = injector.advance(Instant::now())?;
        if effective {
            injected();
        }
        let now = Instant::now();
        let report_at = injector
            .has_not_typed()
            .then(|| reported.map_or(now, |at| at + BETWEEN_REPORTS));
        if report_at.is_some_and(|at| at <= now) {
            not_typed(injector.take_not_typed());
            reported = Some(now);
        }
        let again = again.into_iter().chain(report_at.filter(|at| *at > now)).min();
        if stop.wanted.load(Ordering::Acquire) {
            injector.release_all()?;
            return injector.flush();
        }
        // What came along with replies meanwhile would not wake.
        let heard = injector.drain()?;
        if !(heard && again.is_some()) {
            wait_readable([Some(injector.fd()), Some(queue.fd())], again).map_err(X11Error::io("wait for input"))?;
        }
    }
}

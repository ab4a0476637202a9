//! For tests of supervision: virtual time, and puppets that do as they are told and keep a diary.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart};

/// Runs `test` inside an actix system whose time is virtual: it jumps to the next timer as soon as nothing else is to
/// be done, so that no test waits and none depends on the machine's speed.
pub fn run<F: Future>(test: F) -> F::Output {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    actix::System::with_tokio_rt(runtime).block_on(test)
}

/// Lets everything happen that can happen now.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// An error that is nobody's in particular.
pub fn failure() -> ExitReason {
    ExitReason::error("broken", "told to fail")
}

/// A puppet that is told to end so really panics.
pub fn panicking() -> ExitReason {
    ExitReason::Panic {
        message: "told to panic".into(),
    }
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn note(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    /// What was noted since the last call, one space between.
    pub fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
    }
}

/// How a puppet behaves when asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// Stops at once.
    Polite,
    /// Cleans up for so long.
    Tidy(Duration),
    /// Does not stop.
    Stubborn,
}

/// The strings of a puppet. It notes `+id` when it starts and `-id` when it is gone, however that comes.
#[derive(Clone)]
pub struct Puppet {
    pub id: &'static str,
    diary: Diary,
    living: Arc<Mutex<Option<Living>>>,
}

#[derive(Clone)]
struct Living {
    orders: mpsc::Sender<ExitReason>,
    context: ChildContext,
}

impl Puppet {
    pub fn new(id: &'static str, diary: &Diary) -> Self {
        Self {
            id,
            diary: diary.clone(),
            living: Arc::default(),
        }
    }

    pub fn spec(&self, restart: Restart, manners: Manners) -> ChildSpec {
        let puppet = self.clone();
        ChildSpec::task(self.id, restart, move |context| puppet.clone().live(context, manners))
    }

    async fn live(self, context: ChildContext, manners: Manners) -> ExitReason {
        // overflow: the order is refused; a puppet obeys the first, which is its end.
        let (orders, mut told) = mpsc::channel(1);
        let living = Living {
            orders,
            context: context.clone(),
        };
        *self.living.lock().unwrap() = Some(living);
        self.diary.note(format!("+{}", self.id));
        let _grave = Grave(self);
        tokio::select! {
            biased;
            () = context.stopping() => {}
            order = told.recv() => match order.unwrap() {
                ExitReason::Panic { message } => panic!("{message}"),
                reason => return reason,
            },
        }
        match manners {
            Manners::Polite => {}
            Manners::Tidy(time) => tokio::time::sleep(time).await,
            Manners::Stubborn => pending().await,
        }
        ExitReason::Shutdown
    }

    /// Tells it to end so; `false` when it does not live.
    pub fn end(&self, reason: ExitReason) -> bool {
        let living = self.living.lock().unwrap().clone();
        living.is_some_and(|l| l.orders.try_send(reason).is_ok())
    }

    /// Its context, while it lives.
    pub fn context(&self) -> Option<ChildContext> {
        self.living.lock().unwrap().as_ref().map(|l| l.context.clone())
    }

    /// The generation that lives.
    pub fn generation(&self) -> Option<u64> {
        self.context().map(|c| c.generation())
    }
}

struct Grave(Puppet);

impl Drop for Grave {
    fn drop(&mut self) {
        *self.0.living.lock().unwrap() = None;
        self.0.diary.note(format!("-{}", self.0.id));
    }
}

//! A source in a test's hands: one part, that comes, is lost and goes when it is told to.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use crate::source::{FactsCell, Failure, NoVnc, Part, PartSpec, Source, TakePicture, VncLine};
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Intensity, Restart, Strategy, SupervisorSpec};

/// All that it has.
pub(crate) const SCENE: PartSpec = PartSpec {
    name: "scene",
    starting: ("scene_starting", "the scene is being set"),
    needed: true,
};

/// A source in a test's hands.
#[derive(Debug)]
pub(crate) struct FakeSource {
    facts: FactsCell,
    /// Whether its scene comes up as soon as it begins.
    comes: watch::Sender<bool>,
    breaks: Notify,
    left: AtomicBool,
    /// How long its end takes, ms.
    pub(crate) ends_after_ms: AtomicUsize,
    /// How often it was begun, ended, and forgiven what was before.
    pub(crate) begun: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) forgiven: AtomicUsize,
    /// The window that was to be shown last.
    pub(crate) shown: Mutex<Option<u32>>,
}

impl FakeSource {
    /// One that tells these facts.
    pub(crate) fn new(facts: FactsCell) -> Arc<Self> {
        Arc::new(Self {
            facts,
            comes: watch::Sender::new(false),
            breaks: Notify::new(),
            left: AtomicBool::new(false),
            ends_after_ms: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            forgiven: AtomicUsize::new(0),
            shown: Mutex::default(),
        })
    }

    /// From now on its scene is up when it has begun.
    pub(crate) fn comes(&self) {
        self.comes.send_replace(true);
    }

    /// It breaks once.
    pub(crate) fn breaks(&self) {
        self.breaks.notify_one();
    }

    async fn life(&self, cx: &ChildContext) -> ExitReason {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let mut comes = self.comes.subscribe();
        let life = async {
            let _ = comes.wait_for(|comes| *comes).await;
            self.facts.update(|f| (f[SCENE], f.was_ready) = (Part::Up, true));
            self.breaks.notified().await;
        };
        let (part, reason) = match cx.unless_stopping(life).await {
            None => (Part::Down, ExitReason::Shutdown),
            Some(()) => (
                Part::Lost {
                    reason: "the scene fell over".into(),
                },
                ExitReason::error("scene", "the scene fell over"),
            ),
        };
        self.facts.update(|f| f[SCENE] = part);
        reason
    }
}

#[async_trait]
impl Source for FakeSource {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn tree(self: Arc<Self>) -> SupervisorSpec {
        SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, Duration::from_secs(60))).child(ChildSpec::task(
            "scene",
            Restart::Permanent,
            move |cx| {
                let source = Arc::clone(&self);
                async move { source.life(&cx).await }
            },
        ))
    }

    fn failure(&self, _: &ExitReason) -> Failure {
        Failure {
            code: "scene_failed".into(),
            message: "there is nothing to be seen".into(),
            output: self.last_output(),
        }
    }

    async fn end(&self) {
        let ms = self.ends_after_ms.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(ms as u64)).await;
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    async fn forgive(&self) {
        self.forgiven.fetch_add(1, Ordering::Relaxed);
    }

    fn lives(&self) -> bool {
        self.facts.get()[SCENE] == Part::Up
    }

    fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    fn last_output(&self) -> Vec<String> {
        vec!["its last words".into()]
    }

    fn activate_window(&self, window: u32) {
        *self.shown.lock().unwrap() = Some(window);
    }

    fn picture(&self) -> Option<TakePicture> {
        self.lives().then(|| Box::new(|| Ok(vec![7_u8])) as TakePicture)
    }

    async fn vnc_line(&self) -> Result<VncLine, NoVnc> {
        Err(NoVnc::Off)
    }
}

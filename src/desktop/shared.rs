//! What the children of one Desktop share: it belongs to the instance and outlives each of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::commands::{DisplayId, Layout};
use super::encoders::encoder_faults::{EncoderFaults, NoneLeft};
use super::encoders::encoder_order::EncoderOrder;
use super::encoders::encoder_set::EncoderSet;
use super::starting::starts::StartTurns;
use super::vnc_door::VncDoor;
use crate::capture::CaptureHandle;
use crate::gst::ENCODERS;
use crate::ids::InstanceId;
use crate::media::{Codec, Hub};
use crate::process::{KeeperClient, KeeperOptions};
use crate::protocol::keeper::Role;
use crate::protocol::windows::WindowEntry;
use crate::source::FactsCell;
use crate::x11::{DisplayAddress, HeldInput, InputQueue, WindowOrders};

/// How long a child waits for a sibling that it depends on; past it, the child exits and is started again.
const SIBLING_DEADLINE: Duration = Duration::from_secs(20);

/// The roles of an instance's processes: part of file names, logs and of what operators see.
pub mod role {
    /// The X server.
    pub const DISPLAY: &str = "xvfb";
    /// The window manager.
    pub const WINDOW_MANAGER: &str = "wm";
    /// The app.
    pub const RENDER: &str = "render";
    /// The capture process.
    pub const CAPTURE: &str = "capture";
    /// The VNC server.
    pub const VNC: &str = "vnc";
    /// One-shot readiness commands.
    pub const READINESS: &str = "readiness";
}

/// What the children of one Desktop share.
#[derive(Debug)]
pub struct DesktopShared {
    /// Whose Desktop this is.
    pub id: InstanceId,
    /// What the command lines are made of.
    pub layout: Layout,
    /// How to start or find the keeper.
    pub keeper_options: KeeperOptions,
    /// The instance's folder: sockets and logs.
    pub folder: PathBuf,
    /// How long the app may take to be ready.
    pub readiness_timeout: Duration,
    /// How long the capture goes on without anybody who watches; `None`: for ever.
    pub capture_idle_timeout: Option<Duration>,
    /// What is known: the instance's.
    pub facts: FactsCell,
    /// Where frames go: the instance's.
    pub hub: Arc<Hub>,
    /// Input waiting to be injected: the instance's.
    pub input: Arc<InputQueue>,
    /// What is held down.
    pub held: Arc<HeldInput>,
    /// Frames and data channels run here, never on the control arbiter.
    pub media: Handle,
    /// Where the VNC server is wanted and found.
    pub vnc: VncDoor,
    pub(super) starts: StartTurns,
    pub(super) keeper: watch::Sender<Option<KeeperClient>>,
    pub(super) display: watch::Sender<Option<DisplayId>>,
    pub(super) window_manager_up: watch::Sender<bool>,
    /// The app leaves pings unanswered.
    pub(super) app_hung: watch::Sender<bool>,
    /// The windows that one can switch between, none where there is nothing to choose: the instance's.
    pub windows: watch::Sender<Vec<WindowEntry>>,
    /// How many windows there are; `None` where nobody counts them.
    pub(super) window_count: watch::Sender<Option<usize>>,
    steward: Mutex<Option<WindowOrders>>,
    capture: Mutex<Option<CaptureHandle>>,
    /// A capture was begun, or found to rest.
    capture_begun: AtomicBool,
    leave: AtomicBool,
    /// A child is gone by a fault of its own; its successor takes over what it stood for.
    successor_expected: AtomicBool,
    last_output: Mutex<Vec<String>>,
    encoders: Mutex<EncoderOrder>,
    encoder_faults: Mutex<EncoderFaults>,
    usable: Vec<(Codec, &'static str)>,
}

/// A sibling did not come up in time.
#[derive(Debug)]
pub struct SiblingMissing;

/// Everything a Desktop needs from its instance.
#[derive(Debug)]
pub struct DesktopParts {
    /// Whose Desktop this is.
    pub id: InstanceId,
    /// What the command lines are made of.
    pub layout: Layout,
    /// How to start or find the keeper.
    pub keeper_options: KeeperOptions,
    /// The instance's folder.
    pub folder: PathBuf,
    /// How long the app may take to be ready.
    pub readiness_timeout: Duration,
    /// How long the capture goes on without anybody who watches; `None`: for ever.
    pub capture_idle_timeout: Option<Duration>,
    /// Where what is known of it goes.
    pub facts: FactsCell,
    /// Where frames go.
    pub hub: Arc<Hub>,
    /// Where its input comes from.
    pub input: Arc<InputQueue>,
    /// Where its windows go.
    pub windows: watch::Sender<Vec<WindowEntry>>,
    /// Where frames and data channels run.
    pub media: Handle,
    /// The encoders that work on this machine, the best of each codec first.
    pub encoders: Vec<(Codec, &'static str)>,
    /// How many start at once on this machine.
    pub starts: StartTurns,
}

impl DesktopShared {
    /// What a new Desktop shares.
    #[must_use]
    pub fn new(parts: DesktopParts) -> Arc<Self> {
        let encoders = EncoderOrder::load(&parts.folder, &known_encoders());
        Arc::new(Self {
            id: parts.id,
            layout: parts.layout,
            keeper_options: parts.keeper_options,
            folder: parts.folder,
            readiness_timeout: parts.readiness_timeout,
            capture_idle_timeout: parts.capture_idle_timeout,
            facts: parts.facts,
            hub: parts.hub,
            input: parts.input,
            held: Arc::new(HeldInput::new()),
            media: parts.media,
            vnc: VncDoor::default(),
            starts: parts.starts,
            keeper: watch::Sender::new(None),
            display: watch::Sender::new(None),
            window_manager_up: watch::Sender::new(false),
            app_hung: watch::Sender::new(false),
            windows: parts.windows,
            window_count: watch::Sender::new(None),
            steward: Mutex::default(),
            capture: Mutex::default(),
            capture_begun: AtomicBool::new(false),
            leave: AtomicBool::new(false),
            successor_expected: AtomicBool::new(false),
            last_output: Mutex::default(),
            encoders: Mutex::new(encoders),
            encoder_faults: Mutex::default(),
            usable: parts.encoders,
        })
    }

    /// From now on children that stop leave their processes running, for the next host to adopt.
    pub fn leave_processes(&self) {
        self.leave.store(true, Ordering::Release);
    }

    /// Whether processes are left running.
    #[must_use]
    pub fn leaves_processes(&self) -> bool {
        self.leave.load(Ordering::Acquire)
    }

    /// Children that stop meanwhile do so because of a sibling, which comes back: their processes go on.
    pub(super) fn expect_successor(&self, expected: bool) {
        self.successor_expected.store(expected, Ordering::Release);
    }

    /// Whether a child that stops now lets go of its process without ending it.
    pub(super) fn keeps_process(&self) -> bool {
        self.leaves_processes() || self.successor_expected.load(Ordering::Acquire)
    }

    /// The living keeper.
    ///
    /// # Errors
    /// [`SiblingMissing`] when there is none within the deadline.
    pub async fn keeper(&self) -> Result<KeeperClient, SiblingMissing> {
        wait_for(&self.keeper).await
    }

    /// The running display.
    ///
    /// # Errors
    /// [`SiblingMissing`] when there is none within the deadline.
    pub async fn display(&self) -> Result<DisplayId, SiblingMissing> {
        wait_for(&self.display).await
    }

    /// The display now, if it runs.
    #[must_use]
    pub fn display_now(&self) -> Option<DisplayAddress> {
        (*self.display.borrow()).map(|d| self.address(d))
    }

    /// Where a display of this instance is.
    #[must_use]
    pub fn address(&self, display: DisplayId) -> DisplayAddress {
        DisplayAddress {
            number: display.number,
            authority: Some(self.layout.xauthority.clone()),
        }
    }

    /// The last lines that the app wrote before it ended.
    #[must_use]
    pub fn last_output(&self) -> Vec<String> {
        self.last_output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Input was just injected: its effect should not wait for the frame-rate limiter.
    pub fn expect_change(&self) {
        if let Some(capture) = &*self.capture.lock().unwrap_or_else(PoisonError::into_inner) {
            capture.expect_change();
        }
    }

    /// Shows a window and gives it the keys, if the display has a window manager. Never waits.
    pub fn activate_window(&self, window: u32) {
        if let Some(orders) = &*self.steward.lock().unwrap_or_else(PoisonError::into_inner) {
            orders.activate(window);
        }
    }

    pub(super) fn set_steward(&self, orders: Option<WindowOrders>) {
        *self.steward.lock().unwrap_or_else(PoisonError::into_inner) = orders;
    }

    /// What the next capture is told of the encoders.
    pub(super) fn encoders_to_try(&self) -> EncoderSet {
        EncoderSet::new(self.encoder_order().preferred(&known_encoders()), &self.usable)
    }

    /// An encoder has failed and said why: the next capture begins with the next one.
    pub(super) async fn encoder_failed(&self, element: &str, why: &str) {
        let changed = {
            let mut order = self.encoder_order();
            order
                .failed(element, &known_encoders())
                .map(|name| (name, order.clone()))
        };
        if let Some((name, order)) = changed {
            self.encoder_faults().failed(name, why, Instant::now());
            self.keep_encoders(order).await;
        }
    }

    /// The codec of which every encoder has failed within the last `period`, if there is one.
    pub(super) fn codec_lost(&self, period: Duration) -> Option<NoneLeft> {
        self.encoder_faults().none_left(&self.usable, period, Instant::now())
    }

    /// Earlier failures of encoders no longer count.
    pub async fn forgive_encoders(&self) {
        *self.encoder_order() = EncoderOrder::default();
        *self.encoder_faults() = EncoderFaults::default();
        self.keep_encoders(EncoderOrder::default()).await;
    }

    async fn keep_encoders(&self, order: EncoderOrder) {
        let folder = self.folder.clone();
        let saved = tokio::task::spawn_blocking(move || order.save(&folder)).await;
        if let Ok(Err(error)) = saved {
            log::warn!(
                "instance={} a next host will not know which encoders failed: {error}",
                self.id
            );
        }
    }

    fn encoder_order(&self) -> MutexGuard<'_, EncoderOrder> {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn encoder_faults(&self) -> MutexGuard<'_, EncoderFaults> {
        self.encoder_faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_capture(&self, capture: Option<CaptureHandle>) {
        *self.capture.lock().unwrap_or_else(PoisonError::into_inner) = capture;
    }

    /// Whether the capture begins for the first time on this host.
    pub(super) fn begins_capture(&self) -> bool {
        !self.capture_begun.swap(true, Ordering::AcqRel)
    }

    pub(super) fn set_last_output(&self, lines: Vec<String>) {
        *self.last_output.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }
}

/// Every encoder, the best of each codec first.
fn known_encoders() -> [(Codec, &'static str); ENCODERS.len()] {
    ENCODERS.map(|encoder| (encoder.codec, encoder.element))
}

/// A role of this crate's own, which is always well formed.
pub(super) fn named(role: &str) -> Role {
    role.parse().expect("the roles in this file are well formed")
}

async fn wait_for<T: Clone>(cell: &watch::Sender<Option<T>>) -> Result<T, SiblingMissing> {
    let mut receiver = cell.subscribe();
    let found = tokio::time::timeout(SIBLING_DEADLINE, receiver.wait_for(Option::is_some)).await;
    match found {
        Ok(Ok(value)) => value.clone().ok_or(SiblingMissing),
        _ => Err(SiblingMissing),
    }
}

//! The way of an input event: from a data channel to the instance. One task per channel, on the media runtime.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use self::order::Order;
use super::LINES;
use super::connection::{Channel, ChannelEvent};
use super::events::{InputCounters, InputEvents};
use crate::ids::PeerId;
use crate::media::{Presses, Shown};
use crate::protocol::input::copies::{Copied, decode_copy};
use crate::protocol::input::{InputEvent, InputFrame, decode, encode_closed, encode_status};
use crate::protocol::latency::{encode_rtp_offset, encode_shown};
use crate::protocol::signalling::CloseReason;

/// A channel that sent this many malformed messages is closed.
const MAX_MALFORMED: u32 = 20;
/// The longest a message to the browser waits for room.
const SEND_WITHIN: Duration = Duration::from_millis(500);
/// The longest a closing peer waits for the browser to acknowledge the reason. Its SCTP may hold an acknowledgement
/// back for 200 ms (RFC 9260, section 6.2).
const FAREWELL_WITHIN: Duration = Duration::from_millis(300);

/// Which channel an event came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputChannel {
    /// `input`: reliable and ordered.
    Input,
    /// `moves`: unordered, never sent again.
    Moves,
}

impl InputChannel {
    /// The label the browser gives it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Moves => "moves",
        }
    }

    fn from_label(label: &str) -> Option<Self> {
        [Self::Input, Self::Moves].into_iter().find(|c| c.label() == label)
    }
}

/// What the page wants to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Nothing: nobody looks at it.
    pub(super) hidden: bool,
    /// This rendition, whatever the line carries; `None`: what fits.
    pub(super) rung: Option<u8>,
}

/// Where input events go: implemented by the instance.
pub trait InputSink: Send + Sync {
    /// Takes one event. Called on the media runtime for every event: never waits, never blocks.
    fn accept(&self, frame: InputFrame, channel: InputChannel);

    /// What was pressed by this way, for whoever sends the frames that show it. None where nobody wants to know.
    fn presses(&self) -> Option<Arc<Presses>> {
        None
    }
}

/// What all channels of one peer share.
pub(super) struct Channels {
    peer: PeerId,
    events: InputEvents,
    status: watch::Receiver<Option<String>>,
    counters: Arc<InputCounters>,
    presses: Option<Arc<Presses>>,
    /// Where RTP time begins, once that is known.
    rtp_offset: OnceLock<u32>,
    /// Which labels are taken: each is read once.
    taken: Mutex<Vec<InputChannel>>,
    /// Held until an event is handed on: two tasks bring them.
    order: Mutex<Order>,
    /// What the page wants to see.
    view: watch::Sender<View>,
    /// The channel `input`, while it is open.
    input: Mutex<Option<Arc<dyn Channel>>>,
}

impl Channels {
    /// `status` holds the newest text for the browser; `view` is told what the page wants to see.
    pub(super) fn new(
        peer: PeerId,
        sink: Arc<dyn InputSink>,
        status: watch::Receiver<Option<String>>,
        view: watch::Sender<View>,
        counters: Arc<InputCounters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            presses: sink.presses(),
            rtp_offset: OnceLock::new(),
            events: InputEvents::new(sink, Arc::clone(&counters)),
            status,
            view,
            counters,
            order: Mutex::default(),
            taken: Mutex::default(),
            input: Mutex::default(),
        })
    }

    /// Where RTP time begins: what the browser needs to know to tell the age of a frame.
    pub(super) fn set_rtp_offset(&self, offset: u32) {
        // There is one stream.
        let _ = self.rtp_offset.set(offset);
    }

    /// Reads one channel to its end; a channel nobody knows is closed.
    pub(super) async fn serve(self: Arc<Self>, channel: Arc<dyn Channel>) {
        let label = channel.label().await;
        let Some(which) = InputChannel::from_label(&label).filter(|which| self.opens(*which)) else {
            log::log!(
                LINES.level(),
                "peer={} data channel {:?} is not served",
                self.peer,
                label.chars().take(32).collect::<String>()
            );
            channel.close().await;
            return;
        };
        log::debug!("peer={} data channel {} is open", self.peer, which.label());
        if which == InputChannel::Input {
            *self.input.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&channel));
        }
        self.read(which, channel.as_ref()).await;
        if which == InputChannel::Input {
            *self.input.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|c| *c != which);
    }

    /// Tells the browser why the peer is about to be closed, and waits a moment until it has it.
    pub(super) async fn farewell(self: Arc<Self>, reason: CloseReason) {
        let channel = self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(channel) = channel else { return };
        let told = timeout(FAREWELL_WITHIN, async {
            if channel.send(&encode_closed(reason)).await {
                channel.flushed().await;
            }
        });
        if told.await.is_err() {
            log::debug!("peer={} the browser did not acknowledge the farewell", self.peer);
        }
    }

    fn opens(&self, which: InputChannel) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !taken.contains(&which);
        if free {
            taken.push(which);
        }
        free
    }

    async fn read(&self, which: InputChannel, channel: &dyn Channel) {
        let mut status = self.status.clone();
        status.mark_changed();
        let mut tells_status = which == InputChannel::Input;
        let mut malformed = 0;
        if let Some(offset) = self.rtp_offset.get().filter(|_| which == InputChannel::Input) {
            self.send(which, channel, &encode_rtp_offset(*offset)).await;
        }
        loop {
            tokio::select! {
                event = channel.next() => match event {
                    ChannelEvent::Closed => return,
                    ChannelEvent::Message { data, text } => {
                        let read = if text { Err("text") } else { arrived(&data, which) };
                        match read {
                            Ok(arrived) => self.handle(arrived, which, channel).await,
                            Err(code) => {
                                malformed += 1;
                                self.counters.malformed.fetch_add(1, Ordering::Relaxed);
                                log::debug!("peer={} {} message refused: {code}", self.peer, which.label());
                            }
                        }
                        if malformed >= MAX_MALFORMED {
                            log::log!(LINES.level(), "peer={} {} closed: too many malformed messages", self.peer, which.label());
                            channel.close().await;
                            return;
                        }
                    }
                },
                shown = shown(self.presses.as_deref()), if which == InputChannel::Input => {
                    self.send(which, channel, &shown).await;
                }
                changed = status.changed(), if tells_status => {
                    tells_status = changed.is_ok();
                    let text = status.borrow_and_update().clone();
                    if let Some(text) = text {
                        self.send(which, channel, &encode_status(&text)).await;
                    }
                }
            }
        }
    }

    async fn handle(&self, arrived: Arrived, which: InputChannel, channel: &dyn Channel) {
        if let Some(answer) = self.take(arrived, which) {
            self.send(which, channel, &answer).await;
        }
    }

    /// Takes what came, unless it was there before. Gives what the browser is to be answered.
    fn take(&self, arrived: Arrived, which: InputChannel) -> Option<Vec<u8>> {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let (frame, which) = match arrived {
            Arrived::Event(frame) if !frame.event.is_ordered() || order.came(frame.seq) => (frame, which),
            Arrived::Copy(Copied { before, frame }) if order.copy_came(before, frame.seq) => {
                (frame, InputChannel::Input)
            }
            Arrived::Event(_) | Arrived::Copy(_) => return None,
        };
        // However much else it says: nobody is left without a picture for having typed too fast.
        match frame.event {
            InputEvent::Hidden => self.see(|view| view.hidden = true),
            InputEvent::Visible => self.see(|view| view.hidden = false),
            InputEvent::Rendition { rung } => self.see(|view| view.rung = rung),
            _ => {}
        }
        self.events.take(frame, which)
    }

    fn see(&self, change: impl FnOnce(&mut View)) {
        self.view.send_if_modified(|view| {
            let before = *view;
            change(view);
            *view != before
        });
    }

    async fn send(&self, which: InputChannel, channel: &dyn Channel, message: &[u8]) {
        if !matches!(timeout(SEND_WITHIN, channel.send(message)).await, Ok(true)) {
            log::debug!(
                "peer={} {} is full, a message of {} bytes is lost",
                self.peer,
                which.label(),
                message.len()
            );
        }
    }
}

/// What came by a channel.
enum Arrived {
    Event(InputFrame),
    Copy(Copied),
}

/// Reads what came. What may be lost on the way is only for what may be lost: moves, and copies.
fn arrived(data: &[u8], which: InputChannel) -> Result<Arrived, &'static str> {
    let copy = (which == InputChannel::Moves).then(|| decode_copy(data)).flatten();
    let read = copy.map_or_else(|| decode(data).map(Arrived::Event), |read| read.map(Arrived::Copy));
    match read.map_err(|error| error.code())? {
        Arrived::Event(frame) if which == InputChannel::Moves && !frame.event.is_move() => Err("not_a_move"),
        arrived => Ok(arrived),
    }
}

/// Waits for a press that was shown, for ever where nobody wants to know.
async fn shown(presses: Option<&Presses>) -> Vec<u8> {
    match presses {
        Some(presses) => told(&presses.next().await),
        None => std::future::pending().await,
    }
}

/// What the browser is told of a press that was shown.
#[must_use]
pub fn told(shown: &Shown) -> Vec<u8> {
    let Shown { stamps, .. } = shown;
    let times_us = [
        shown.heard_us,
        shown.injected_us,
        stamps.changed_us,
        stamps.grabbed_us,
        stamps.converted_us,
        stamps.encoded_us,
        stamps.received_us,
        shown.sent_us,
    ];
    encode_shown(shown.seq, shown.pts_us, times_us)
}

mod order;
#[cfg(test)]
mod tests;

//! The frames of one socket, pulled when there is room for them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures::{Stream, stream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::kernel::Kernel;
use super::under_way::{Turn, UnderWay};
use crate::media::waiting::Waiting;
use crate::media::{Frame, Subscription};
use crate::peer::KeyRate;

/// What waits is to be gone in a second: the encoder gets that much less, but no less than this.
const TOLD_LEAST_KBPS: u32 = 50;
/// Changes by less than one of so many parts are not told.
const TOLD_PARTS: u32 = 20;

/// What the socket and its feed share. Both are on the thread of the socket.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) under_way: RefCell<UnderWay>,
    pub(super) kernel: RefCell<Kernel>,
    /// A key frame is asked for.
    key: Cell<bool>,
    /// How many the page has cost.
    keys: RefCell<KeyRate>,
    /// Whether nobody looks at the page, where that has changed.
    hidden: Cell<Option<bool>>,
    /// Which rendition the user wants, where that has changed.
    rung: Cell<Option<Option<u8>>>,
    /// What the line carries, in kbit/s.
    kbps: Cell<u32>,
    changed: Notify,
    /// Frames that were thrown away.
    skipped: Cell<u64>,
}

impl Gate {
    /// The opening message goes out; `kbps`: what is told of the line first.
    pub(super) fn new(kbps: u32, kernel: Kernel) -> Rc<Self> {
        Rc::new(Self {
            under_way: RefCell::new(UnderWay::new(Instant::now())),
            kernel: RefCell::new(kernel),
            key: Cell::new(false),
            keys: RefCell::default(),
            hidden: Cell::new(None),
            rung: Cell::new(None),
            kbps: Cell::new(kbps),
            changed: Notify::new(),
            skipped: Cell::new(0),
        })
    }

    /// The page can show nothing without a key frame. One that asks too often asks again.
    pub(super) fn ask_for_key(&self) {
        if self.keys.borrow_mut().ask(Instant::now()).is_ok() {
            self.key.set(true);
            self.changed.notify_one();
        }
    }

    /// Nobody looks at the page, or somebody does again.
    pub(super) fn hide(&self, hidden: bool) {
        self.hidden.set(Some(hidden));
        self.changed.notify_one();
    }

    /// The user wants this rendition, or what fits.
    pub(super) fn pin(&self, rung: Option<u8>) {
        self.rung.set(Some(rung));
        self.changed.notify_one();
    }

    /// The page has taken frames, which say something of the line, or not.
    pub(super) fn taken(&self, kbps: Option<u32>) {
        if let Some(kbps) = kbps {
            self.kbps.set(kbps);
        }
        self.changed.notify_one();
    }

    /// Has the page see what it wants to. That costs a key frame, which counts as asked for: when to look again, if that
    /// may not be now.
    fn see(&self, subscription: &Subscription) -> Option<Instant> {
        let mut again = None;
        let mut may = || {
            self.keys
                .borrow_mut()
                .ask(Instant::now())
                .map_err(|at| again = Some(at))
                .is_ok()
        };
        if let Some(hidden) = self.hidden.take() {
            if hidden || may() {
                subscription.pause(hidden);
            } else {
                self.hidden.set(Some(hidden));
            }
        }
        if let Some(rung) = self.rung.take() {
            if may() {
                subscription.pin(rung);
            } else {
                self.rung.set(Some(rung));
            }
        }
        again
    }

    /// How many frames were thrown away.
    pub(super) const fn skipped(&self) -> u64 {
        self.skipped.get()
    }
}

/// The frames of a subscription, as `gate` lets them through.
pub(super) fn frames(subscription: Subscription, gate: Rc<Gate>) -> impl Stream<Item = Arc<Frame>> {
    let feed = Feed {
        subscription,
        gate,
        waiting: Waiting::patient(),
        told: 0,
    };
    stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        Some((frame, feed))
    })
}

struct Feed {
    subscription: Subscription,
    gate: Rc<Gate>,
    waiting: Waiting,
    /// What the hub knows of the line, in kbit/s.
    told: u32,
}

impl Feed {
    async fn next(&mut self) -> Option<Arc<Frame>> {
        let gate = Rc::clone(&self.gate);
        let mut missing = false;
        loop {
            let again = self.heed();
            let (now, kbps) = (Instant::now(), gate.kbps.get());
            let queue = gate.kernel.borrow().queue();
            let turn = gate.under_way.borrow_mut().turn(queue, kbps, now);
            if !self.waiting.fits(kbps) {
                gate.skipped.set(gate.skipped.get() + self.waiting.len() as u64);
                self.waiting.clear();
                missing = true;
            }
            if turn == Turn::Send && std::mem::take(&mut missing) {
                self.subscription.skip_to_key();
            }
            if turn == Turn::Send
                && let Some(frame) = self.waiting.pop()
            {
                self.tell();
                return Some(frame);
            }
            let until = match turn {
                Turn::Wait(until) => Some(until),
                Turn::Send | Turn::Skip => None,
            };
            tokio::select! {
                biased;
                () = gate.changed.notified() => {}
                frame = self.subscription.next() => {
                    // What is left out is missing from all that follows, up to a key frame that is made when there is room.
                    let left_out = self.waiting.len() + 1;
                    missing |= turn == Turn::Skip;
                    if missing {
                        self.waiting.clear();
                    }
                    let frame = frame?;
                    if missing || !self.waiting.push(frame, kbps) {
                        missing = true;
                        gate.skipped.set(gate.skipped.get() + left_out as u64);
                    }
                    self.tell();
                }
                () = sleep_until(until.unwrap_or(now)), if until.is_some() => {}
                () = sleep_until(again.unwrap_or(now)), if again.is_some() => {}
            }
        }
    }

    /// Does what the page has asked for: when to look again, if not all of that may be done now.
    fn heed(&mut self) -> Option<Instant> {
        if self.gate.key.take() {
            // What comes before it is worth nothing to the page.
            self.waiting.clear();
            self.subscription.skip_to_key();
            self.subscription.request_key();
        }
        if self.gate.hidden.get() == Some(true) {
            self.waiting.clear();
        }
        let again = self.gate.see(&self.subscription);
        self.tell();
        again
    }

    /// Tells the hub what the line has room for, when that has changed: what it carries, less what waits already.
    fn tell(&mut self) {
        let wish = self
            .gate
            .kbps
            .get()
            .saturating_sub(self.waiting.kbit())
            .max(TOLD_LEAST_KBPS);
        if self.told == 0 || wish.abs_diff(self.told) > self.told / TOLD_PARTS {
            self.told = wish;
            self.subscription.set_capacity(wish);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use futures::{FutureExt, StreamExt};

    use super::*;
    use crate::media::{Codec, Hub, KeyRequests, Ladder, Rendition, Rung};

    fn publish(hub: &Hub, key: bool, pts_us: u64) {
        hub.publish(Frame {
            rendition: Codec::Vp8.into(),
            data: Bytes::from_static(b"picture"),
            key,
            pts_us,
            stamps: crate::media::Stamps::default(),
        });
    }

    /// A feed whose page has taken the opening message at once.
    fn feed() -> (Arc<Hub>, Rc<Gate>, impl Stream<Item = Arc<Frame>> + Unpin) {
        let (hub, gate) = (Hub::new(), Gate::new(2000, Kernel::unknown()));
        let frames = Box::pin(frames(hub.subscribe(Codec::Vp8), Rc::clone(&gate)));
        gate.under_way.borrow_mut().take(0, Instant::now()).unwrap();
        (hub, gate, frames)
    }

    /// The frame that is there now goes out.
    fn sent(gate: &Gate, frames: &mut (impl Stream<Item = Arc<Frame>> + Unpin)) -> Option<u64> {
        let frame = frames.next().now_or_never().flatten()?;
        gate.under_way
            .borrow_mut()
            .send(frame.data.len(), frame.key, Instant::now());
        Some(frame.pts_us)
    }

    fn take(gate: &Gate, frames: u32) {
        gate.under_way.borrow_mut().take(frames, Instant::now()).unwrap();
        gate.taken(None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_takes_nothing_is_sent_no_more_and_goes_on_with_a_key_frame() {
        let (hub, gate, mut frames) = feed();
        publish(&hub, true, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        let mut pts = 1;
        while pts < 60 {
            publish(&hub, false, pts);
            sent(&gate, &mut frames);
            tokio::time::advance(Duration::from_millis(16)).await;
            pts += 1;
        }
        let under_way = gate.under_way.borrow().next_number() - 1;
        assert!(
            (5..16).contains(&under_way),
            "{under_way} of a second's frames went out"
        );
        assert!(gate.skipped() > 5, "{} were thrown away", gate.skipped());
        take(&gate, under_way + 1);
        assert_eq!(sent(&gate, &mut frames), None);
        publish(&hub, false, 100);
        assert_eq!(sent(&gate, &mut frames), None, "what was left out is missing from it");
        publish(&hub, true, 101);
        assert_eq!(sent(&gate, &mut frames), Some(101));
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_pause_of_the_line_costs_no_frame() {
        let (hub, gate, mut frames) = feed();
        publish(&hub, true, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        publish(&hub, false, 1);
        assert_eq!(sent(&gate, &mut frames), Some(1));
        tokio::time::advance(Duration::from_millis(200)).await;
        for pts in 2..8 {
            publish(&hub, false, pts);
            assert_eq!(sent(&gate, &mut frames), None);
        }
        take(&gate, 2);
        for pts in 2..8 {
            assert_eq!(sent(&gate, &mut frames), Some(pts));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_asks_for_a_key_frame_is_sent_nothing_before_it() {
        let (hub, gate, mut frames) = feed();
        let mut requests = hub.key_requests();
        assert!(requests.next().now_or_never().is_some(), "the first");
        publish(&hub, true, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        publish(&hub, false, 1);
        gate.ask_for_key();
        assert_eq!(sent(&gate, &mut frames), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(requests.next().now_or_never().is_some());
        publish(&hub, false, 2);
        publish(&hub, true, 3);
        assert_eq!(sent(&gate, &mut frames), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_nobody_looks_at_is_sent_nothing_and_then_a_key_frame() {
        let (hub, gate, mut frames) = feed();
        publish(&hub, true, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        gate.hide(true);
        assert_eq!(sent(&gate, &mut frames), None);
        publish(&hub, true, 1);
        assert_eq!(sent(&gate, &mut frames), None);
        gate.hide(false);
        assert_eq!(sent(&gate, &mut frames), None);
        publish(&hub, false, 2);
        publish(&hub, true, 3);
        assert_eq!(sent(&gate, &mut frames), Some(3));
    }

    /// A page that may choose between two forms, and what asks for key frames.
    fn choosing() -> (Arc<Hub>, Rc<Gate>, impl Stream<Item = Arc<Frame>> + Unpin, KeyRequests) {
        let rung = |fps, kbps| Rung {
            percent: 100,
            fps,
            kbps,
        };
        let hub = Hub::with_ladder(Ladder::new(vec![rung(60, 1200), rung(30, 0)], 4000));
        let tended = Arc::clone(&hub);
        tokio::spawn(async move { tended.tend().await });
        let (gate, requests) = (Gate::new(2000, Kernel::unknown()), hub.key_requests());
        let frames = Box::pin(frames(hub.subscribe(Codec::Vp8), Rc::clone(&gate)));
        gate.under_way.borrow_mut().take(0, Instant::now()).unwrap();
        (hub, gate, frames, requests)
    }

    fn publish_of(hub: &Hub, rung: u8, pts_us: u64) {
        hub.publish(Frame {
            rendition: Rendition::new(Codec::Vp8.into(), rung),
            data: Bytes::from_static(b"picture"),
            key: true,
            pts_us,
            stamps: crate::media::Stamps::default(),
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_sent_the_rendition_that_was_chosen_and_what_fits_again_afterwards() {
        let (hub, gate, mut frames, mut requests) = choosing();
        assert_eq!(requests.next().await.rung, 0);
        publish_of(&hub, 0, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        gate.pin(Some(1));
        assert_eq!(sent(&gate, &mut frames), None);
        assert_eq!(requests.next().await.rung, 1);
        publish_of(&hub, 1, 1);
        assert_eq!(sent(&gate, &mut frames), Some(1));
        publish_of(&hub, 0, 2);
        assert_eq!(sent(&gate, &mut frames), None, "nothing of the other");
        gate.pin(None);
        assert_eq!(sent(&gate, &mut frames), None);
        assert_eq!(requests.next().await.rung, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_chooses_without_end_has_one_key_frame_in_two_seconds() {
        let (hub, gate, mut frames, mut requests) = choosing();
        let begun = Instant::now();
        let (mut made, mut taken, mut rung) = (0, 0, 0);
        // It chooses for 20 s, then holds to what it has chosen last.
        while begun.elapsed() < Duration::from_secs(30) {
            if begun.elapsed() < Duration::from_secs(20) {
                rung = 1 - rung;
                gate.pin(Some(rung));
            }
            while sent(&gate, &mut frames).is_some() {
                taken += 1;
                take(&gate, taken);
            }
            tokio::select! {
                request = requests.next() => {
                    made += 1;
                    publish_of(&hub, request.rung, made);
                }
                () = tokio::time::sleep(Duration::from_millis(30)) => {}
            }
        }
        assert!((4..=18).contains(&made), "{made} key frames");
        publish_of(&hub, 1 - rung, 1000);
        assert_eq!(sent(&gate, &mut frames), None);
        publish_of(&hub, rung, 1001);
        assert_eq!(sent(&gate, &mut frames), Some(1001), "the last choice holds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_asks_for_key_frames_without_end_is_moved_down_alone() {
        let (hub, gate, mut frames, _requests) = choosing();
        let beside = hub.subscribe(Codec::Vp8);
        let below = Rendition::new(Codec::Vp8.into(), 1);
        publish_of(&hub, 0, 0);
        assert_eq!(sent(&gate, &mut frames), Some(0));
        take(&gate, 1);
        for n in 0..3 {
            assert!(!hub.wanted().borrow().contains(&below), "after {n}");
            gate.ask_for_key();
            assert_eq!(sent(&gate, &mut frames), None);
        }
        assert!(hub.wanted().borrow().contains(&below), "it is on its way down");
        assert_eq!(beside.rendition(), Some(Codec::Vp8.into()), "the other stays");
    }

    #[tokio::test(start_paused = true)]
    async fn the_feed_ends_with_its_hub() {
        let (hub, _gate, mut frames) = feed();
        drop(hub);
        assert!(frames.next().await.is_none());
    }
}

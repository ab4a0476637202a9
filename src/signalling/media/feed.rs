//! The frames of one socket, pulled when there is room for them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures::{Stream, stream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::under_way::{Turn, UnderWay};
use crate::media::{Frame, Subscription};
use crate::peer::KeyRate;

/// What the socket and its feed share. Both are on the thread of the socket.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) under_way: RefCell<UnderWay>,
    /// A key frame is asked for.
    key: Cell<bool>,
    /// How many the page has cost.
    keys: RefCell<KeyRate>,
    /// Whether nobody looks at the page, where that has changed.
    hidden: Cell<Option<bool>>,
    /// Which rendition the user wants, where that has changed.
    rung: Cell<Option<Option<u8>>>,
    /// What the hub is to be told of the line, in kbit/s.
    capacity: Cell<Option<u32>>,
    changed: Notify,
    /// Frames that were thrown away.
    skipped: Cell<u64>,
}

impl Gate {
    /// The opening message goes out; `kbps`: what is told of the line first.
    pub(super) fn new(kbps: u32) -> Rc<Self> {
        Rc::new(Self {
            under_way: RefCell::new(UnderWay::new(Instant::now())),
            key: Cell::new(false),
            keys: RefCell::default(),
            hidden: Cell::new(None),
            rung: Cell::new(None),
            capacity: Cell::new(Some(kbps)),
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
        if kbps.is_some() {
            self.capacity.set(kbps);
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
    stream::unfold((subscription, gate), |(mut subscription, gate)| async move {
        let frame = next(&mut subscription, &gate).await?;
        Some((frame, (subscription, gate)))
    })
}

async fn next(subscription: &mut Subscription, gate: &Gate) -> Option<Arc<Frame>> {
    let mut missing = false;
    loop {
        if gate.key.take() {
            // What comes before it is worth nothing to the page.
            subscription.skip_to_key();
            subscription.request_key();
        }
        let again = gate.see(subscription);
        if let Some(kbps) = gate.capacity.take() {
            subscription.set_capacity(kbps);
        }
        let turn = gate.under_way.borrow_mut().turn(Instant::now());
        if turn == Turn::Send && std::mem::take(&mut missing) {
            subscription.skip_to_key();
        }
        let until = match turn {
            Turn::Wait(until) => Some(until),
            Turn::Send | Turn::Skip => None,
        };
        tokio::select! {
            biased;
            () = gate.changed.notified() => {}
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            frame = subscription.next(), if until.is_none() => {
                let frame = frame?;
                if turn == Turn::Send {
                    return Some(frame);
                }
                missing = true;
                gate.skipped.set(gate.skipped.get() + 1);
            }
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
        let (hub, gate) = (Hub::new(), Gate::new(2000));
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
            (8..16).contains(&under_way),
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
        let (gate, requests) = (Gate::new(2000), hub.key_requests());
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
    async fn the_feed_ends_with_its_hub() {
        let (hub, _gate, mut frames) = feed();
        drop(hub);
        assert!(frames.next().await.is_none());
    }
}

//! A subscriber's end.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use super::Hub;
use crate::media::{Codec, Frame, Rendition, Track};

/// One viewer's place at a hub; leaves it when dropped.
#[derive(Debug)]
pub struct Subscription {
    hub: Weak<Hub>,
    id: u64,
    track: Track,
    frames: mpsc::Receiver<Arc<Frame>>,
}

impl Subscription {
    pub(super) fn new(hub: &Arc<Hub>, id: u64, track: Track, frames: mpsc::Receiver<Arc<Frame>>) -> Self {
        Self {
            hub: Arc::downgrade(hub),
            id,
            track,
            frames,
        }
    }

    /// The next frame, the first being a key frame. One of another rendition than the one before is a key frame, too,
    /// and may be of another size. `None` when the hub is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<Frame>> {
        self.frames.recv().await
    }

    /// The track subscribed to.
    #[must_use]
    pub const fn track(&self) -> Track {
        self.track
    }

    /// Its codec.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.track.codec()
    }

    /// What it watches now; `None` while it is paused, or when the hub is gone.
    #[must_use]
    pub fn rendition(&self) -> Option<Rendition> {
        let hub = self.hub.upgrade()?;
        let track = super::moving(self.track);
        let rung = hub.lock().moves.get(&track)?.watches(self.id)?;
        Some(super::rendition(track, rung))
    }

    /// What this viewer's path carries for media, in kbit/s: less overhead and repeats. Whoever never tells gets what is
    /// configured.
    pub fn set_capacity(&self, kbps: u32) {
        if let Some(hub) = self.hub.upgrade() {
            hub.change(self.track, |moves, _, _| moves.told(self.id, kbps));
        }
    }

    /// This viewer wants the rendition on this rung, whatever its path carries; `None`: what fits.
    pub fn pin(&self, rung: Option<u8>) {
        if let Some(hub) = self.hub.upgrade() {
            hub.change(self.track, |moves, _, _| moves.pin(self.id, rung));
        }
    }

    /// Nobody looks at this viewer's picture, or somebody does again: without frames, and not counted for rates, while
    /// that lasts. It goes on with a key frame, which is asked for.
    pub fn pause(&self, paused: bool) {
        if let Some(hub) = self.hub.upgrade() {
            hub.change(self.track, |moves, subscribers, _| {
                if moves.pause(self.id, paused)
                    && let Some(subscriber) = subscribers.get_mut(&self.id)
                {
                    subscriber.restart();
                }
            });
        }
    }

    /// Asks for a key frame (the browser sent a PLI, RFC 4585 section 6.3.1).
    pub fn request_key(&self) {
        if let (Some(hub), Some(rendition)) = (self.hub.upgrade(), self.rendition()) {
            hub.request_key(rendition);
        }
    }

    /// This viewer cannot keep up: throws away what waits and goes on with the next key frame, which is asked for.
    pub fn skip_to_key(&mut self) {
        while self.frames.try_recv().is_ok() {}
        let Some(hub) = self.hub.upgrade() else { return };
        let mut ask = false;
        hub.change(self.track, |moves, subscribers, now| {
            moves.stalled(self.id, hub.ladder(), now);
            ask = subscribers.get_mut(&self.id).is_some_and(|s| s.skips(now));
        });
        if ask {
            self.request_key();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.change(self.track, |moves, subscribers, _| {
                moves.leave(self.id);
                subscribers.remove(&self.id);
            });
        }
    }
}

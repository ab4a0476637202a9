//! Frames that wait for the one before them. Pure. A line that is too slow is not given half of a frame, and not all of what
//! nobody wants to see any more: too much is dropped whole, and the stream goes on with a key frame.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::media::Frame;

/// What may wait, by the time that the line takes for it, …
const MOST_MS: usize = 250;
/// … and behind a key frame that is being sent.
const BEHIND_KEY_MS: usize = 600;
/// Few frames may wait in any case.
const FEW: usize = 2;
/// More may not. overflow: as when it is too much.
const MANY: usize = 60;

/// Frames in their order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    behind_key: bool,
}

impl Waiting {
    /// One more waits, for a line of so many kbit/s. False when that is too much: then none waits any more, and what
    /// follows has to begin with a key frame.
    pub(super) fn push(&mut self, frame: Arc<Frame>, kbps: u32) -> bool {
        if frame.key {
            // Nothing before it is needed.
            self.clear();
        }
        let after_key = self.frames.iter().any(|frame| frame.key) || frame.key;
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        let most = if self.behind_key || after_key {
            BEHIND_KEY_MS
        } else {
            MOST_MS
        };
        let key: usize = self
            .frames
            .iter()
            .filter(|frame| frame.key)
            .map(|frame| frame.data.len())
            .sum();
        let late = (self.bytes - key) * 8 / (kbps.max(1) as usize) > most;
        if self.frames.len() > MANY || (late && self.frames.len() > FEW) {
            self.clear();
            return false;
        }
        true
    }

    /// One that was kept while there was no line.
    pub(super) fn keep(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
    }

    /// The next to be sent.
    pub(super) fn pop(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.data.len();
        self.behind_key = frame.key;
        Some(frame)
    }

    /// What waits, in kbit.
    pub(super) fn kbit(&self) -> u32 {
        u32::try_from(self.bytes / 125).unwrap_or(u32::MAX)
    }

    /// Nothing waits any more.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn frame(key: bool, len: usize) -> Arc<Frame> {
        Arc::new(Frame {
            rendition: crate::media::Codec::Vp8.into(),
            data: Bytes::from(vec![0; len]),
            key,
            pts_us: 1,
            stamps: crate::media::Stamps::default(),
        })
    }

    #[test]
    fn a_quarter_of_a_second_waits_and_more_goes_whole() {
        let mut waiting = Waiting::default();
        // 10 ms each, at 1 Mbit/s.
        assert!((0..25).all(|_| waiting.push(frame(false, 1250), 1000)));
        assert_eq!(waiting.kbit(), 250);
        assert!(!waiting.push(frame(false, 1250), 1000));
        assert!(waiting.pop().is_none() && waiting.kbit() == 0);
    }

    #[test]
    fn a_key_frame_takes_the_place_of_all_that_waits_and_counts_for_nothing_itself() {
        let mut waiting = Waiting::default();
        for _ in 0..10 {
            waiting.push(frame(false, 1250), 1000);
        }
        assert!(waiting.push(frame(true, 100_000), 1000));
        assert!(waiting.push(frame(false, 1250), 1000));
        assert!(waiting.pop().unwrap().key);
        assert!(!waiting.pop().unwrap().key);
        assert!(waiting.pop().is_none());
    }

    #[test]
    fn a_few_frames_wait_however_slow_the_line_is() {
        let mut waiting = Waiting::default();
        assert!(waiting.push(frame(false, 50_000), 1));
        assert!(waiting.push(frame(false, 50_000), 1));
        assert!(!waiting.push(frame(false, 50_000), 1));
    }
}

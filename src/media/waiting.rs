//! Frames that wait for the one before them. Pure. A line that is too slow is not given half of a frame, and not all of what
//! nobody wants to see any more: too much is dropped whole, and the stream goes on with a key frame.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Frame;

/// What may wait, by the time that the line takes for it, …
const MOST_MS: usize = 250;
/// … and behind a key frame that is being sent.
const BEHIND_KEY_MS: usize = 600;
/// Where all arrives in its order, as by TCP, more may, as a key frame costs more than waiting for what it replaces.
const PATIENT: usize = 2;
/// Few frames may wait in any case.
const FEW: usize = 2;
/// More may not. overflow: as when it is too much.
const MANY: usize = 60;

/// Frames in their order.
#[derive(Debug)]
pub(crate) struct Waiting {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    behind_key: bool,
    /// How many times as much may wait.
    times: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            behind_key: false,
            times: 1,
        }
    }
}

impl Waiting {
    /// For a line by which all arrives in its order.
    pub(crate) fn patient() -> Self {
        Self {
            times: PATIENT,
            ..Self::default()
        }
    }

    /// One more waits, for a line of so many kbit/s. False when that is too much: then none waits any more, and what
    /// follows has to begin with a key frame.
    pub(crate) fn push(&mut self, frame: Arc<Frame>, kbps: u32) -> bool {
        if frame.key {
            // Nothing before it is needed.
            self.clear();
        }
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        let fits = self.fits(kbps);
        if !fits {
            self.clear();
        }
        fits
    }

    /// Whether it is no more than a line of so many kbit/s, which may have become slower, is waited for.
    pub(crate) fn fits(&self, kbps: u32) -> bool {
        let keys = self.frames.iter().filter(|frame| frame.key);
        let (count, key) = keys.fold((0, 0), |(count, bytes), frame| (count + 1, bytes + frame.data.len()));
        let most = if self.behind_key || count > 0 {
            BEHIND_KEY_MS
        } else {
            MOST_MS
        };
        let late = (self.bytes - key) * 8 / (kbps.max(1) as usize) > most * self.times;
        self.frames.len() <= MANY && !(late && self.frames.len() > FEW)
    }

    /// One that was kept while there was no line.
    pub(crate) fn keep(&mut self, frame: Arc<Frame>) {
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
    }

    /// The next to be sent.
    pub(crate) fn pop(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.data.len();
        self.behind_key = frame.key;
        Some(frame)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// What waits, in kbit.
    pub(crate) fn kbit(&self) -> u32 {
        u32::try_from(self.bytes / 125).unwrap_or(u32::MAX)
    }

    /// Nothing waits any more.
    pub(crate) fn clear(&mut self) {
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
    fn what_waits_for_a_line_that_has_become_slower_fits_no_more() {
        let mut waiting = Waiting::default();
        assert!((0..20).all(|_| waiting.push(frame(false, 1250), 1000)));
        assert!(waiting.fits(1000) && !waiting.fits(500));
    }

    #[test]
    fn by_tcp_twice_as_much_waits() {
        let mut waiting = Waiting::patient();
        assert!((0..50).all(|_| waiting.push(frame(false, 1250), 1000)));
        assert!(!waiting.push(frame(false, 1250), 1000));
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

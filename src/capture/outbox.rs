//! What waits to be written to the host, and the thread that writes it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{IoSlice, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::media::{Frame, Rendition, Stamps};
use crate::protocol::capture::{CaptureMessage, FRAME_HEADER, MAX_FRAME, frame_header};
use crate::x11::Wake;

/// Frames that may wait: half a second at 60 fps.
const MAX_FRAMES: usize = 30;
/// Bytes of frames that may wait.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Other messages that may wait; they come once a second.
const MAX_MESSAGES: usize = 64;

/// A bounded queue between the encoders' threads and the socket. An encoder never waits for the host.
#[derive(Debug)]
pub(super) struct Outbox {
    inner: Mutex<Queue>,
    changed: Condvar,
    wake: Arc<Wake>,
}

#[derive(Debug, Default)]
struct Queue {
    // overflow: a frame that finds the queue full is dropped, and all of its rendition up to the next key frame, which is
    // asked for as soon as the queue is empty. Other messages are dropped when there are too many.
    items: VecDeque<Item>,
    frames: usize,
    bytes: usize,
    messages: usize,
    needs_key: BTreeSet<Rendition>,
    closed: bool,
    writing: bool,
}

#[derive(Debug)]
enum Item {
    Message(Vec<u8>),
    Frame(Frame),
}

impl Outbox {
    /// An empty queue; `wake` is raised when a key frame has to be asked for.
    pub(super) fn new(wake: Arc<Wake>) -> Self {
        Self {
            inner: Mutex::default(),
            changed: Condvar::new(),
            wake,
        }
    }

    /// Queues a message that is not a frame.
    pub(super) fn message(&self, message: &CaptureMessage) {
        let mut queue = self.lock();
        if queue.closed || queue.messages >= MAX_MESSAGES {
            return;
        }
        queue.messages += 1;
        queue.items.push_back(Item::Message(message.encode()));
        self.changed.notify_all();
    }

    /// Queues what is no message at all.
    #[cfg(debug_assertions)]
    pub(super) fn rubbish(&self) {
        let mut queue = self.lock();
        queue.messages += 1;
        queue.items.push_back(Item::Message(vec![0xff; 64]));
        self.changed.notify_all();
    }

    /// Queues a frame, or drops it. Never waits.
    pub(super) fn frame(&self, frame: Frame) {
        let rendition = frame.rendition;
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        let full = queue.frames >= MAX_FRAMES || queue.bytes + frame.data.len() > MAX_BYTES;
        let too_large = frame.data.len() > MAX_FRAME - FRAME_HEADER;
        if full || too_large || (queue.needs_key.contains(&rendition) && !frame.key) {
            queue.needs_key.insert(rendition);
            return;
        }
        if frame.key {
            queue.needs_key.remove(&rendition);
        }
        queue.frames += 1;
        queue.bytes += frame.data.len();
        queue.items.push_back(Item::Frame(frame));
        self.changed.notify_all();
    }

    /// The renditions that lost a frame and can go on now that the host has read everything.
    pub(super) fn key_frames_needed(&self) -> BTreeSet<Rendition> {
        let queue = self.lock();
        if queue.items.is_empty() {
            queue.needs_key.clone()
        } else {
            BTreeSet::new()
        }
    }

    /// Nothing more is written; ends the writer.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.items.clear();
        self.changed.notify_all();
    }

    /// Waits until everything has been written, at most for `deadline`.
    pub(super) fn flush(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        let mut queue = self.lock();
        while !queue.closed && (queue.writing || !queue.items.is_empty()) {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            queue = self
                .changed
                .wait_timeout(queue, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Writes to `socket` until [`Self::close`] or until the host is gone. To be run on a thread of its own.
    pub(super) fn write_to(&self, mut socket: &UnixStream) {
        while let Some(item) = self.next() {
            let result = match &item {
                Item::Message(bytes) => socket.write_all(bytes),
                Item::Frame(frame) => {
                    let Stamps {
                        changed_us,
                        grabbed_us,
                        converted_us,
                        encoded_us,
                        ..
                    } = frame.stamps;
                    let times_us = [changed_us, grabbed_us, converted_us, encoded_us];
                    let rendition = frame.rendition.into();
                    let header = frame_header(rendition, frame.key, frame.pts_us, times_us, frame.data.len());
                    write_both(socket, &header, &frame.data)
                }
            };
            if let Err(error) = result {
                log::debug!("the host is gone: {error}");
                self.close();
                // The reading side notices the end by itself, but maybe only later.
                let _ = socket.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    fn next(&self) -> Option<Item> {
        let mut queue = self.lock();
        queue.writing = false;
        loop {
            if queue.closed {
                self.changed.notify_all();
                return None;
            }
            if let Some(item) = queue.items.pop_front() {
                match &item {
                    Item::Message(_) => queue.messages -= 1,
                    Item::Frame(frame) => {
                        queue.frames -= 1;
                        queue.bytes -= frame.data.len();
                    }
                }
                queue.writing = true;
                return Some(item);
            }
            if !queue.needs_key.is_empty() {
                self.wake.raise();
            }
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No panic leaves the queue half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both in one call where the socket takes them, so that the reader wakes once.
fn write_both(mut socket: &UnixStream, first: &[u8], second: &[u8]) -> std::io::Result<()> {
    let mut slices = [IoSlice::new(first), IoSlice::new(second)];
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match socket.write_vectored(rest) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::media::Codec;
    use crate::protocol::capture::split_frame;

    fn frame(rendition: impl Into<Rendition>, key: bool, pts_us: u64) -> Frame {
        Frame {
            rendition: rendition.into(),
            data: Bytes::from(vec![7; 100_000]),
            key,
            pts_us,
            stamps: Stamps {
                encoded_us: pts_us + 3,
                ..Stamps::default()
            },
        }
    }

    fn outbox() -> Outbox {
        Outbox::new(Arc::new(Wake::new().unwrap()))
    }

    #[test]
    fn a_host_that_does_not_read_loses_frames_up_to_the_next_key_frame() {
        let outbox = outbox();
        for n in 0..100 {
            outbox.frame(frame(Codec::H264, n == 0, n));
        }
        assert!(outbox.key_frames_needed().is_empty(), "not while the queue is full");
        let mut seen = 0;
        while outbox.lock().items.front().is_some() {
            seen += u64::from(outbox.next().is_some());
        }
        assert_eq!(seen, MAX_FRAMES as u64);
        assert_eq!(outbox.key_frames_needed(), BTreeSet::from([Codec::H264.into()]));
        outbox.frame(frame(Codec::H264, false, 200));
        assert_eq!(outbox.lock().frames, 0);
        outbox.frame(frame(Codec::H264, true, 201));
        assert_eq!(outbox.lock().frames, 1);
        assert!(outbox.lock().needs_key.is_empty());
    }

    #[test]
    fn what_one_rendition_lost_is_missing_in_no_other() {
        let outbox = outbox();
        let low = Rendition::new(Codec::H264.into(), 2);
        outbox.frame(frame(low, true, 0));
        for n in 0..100 {
            outbox.frame(frame(Codec::H264, n == 0, n));
        }
        while outbox.lock().items.front().is_some() {
            outbox.next();
        }
        outbox.frame(frame(low, false, 1));
        assert_eq!(outbox.lock().frames, 1);
        assert!(!outbox.lock().needs_key.contains(&low));
    }

    #[test]
    fn frames_arrive_whole_and_in_order() {
        let outbox = Arc::new(outbox());
        let (mine, mut host) = UnixStream::pair().unwrap();
        let writer = {
            let outbox = Arc::clone(&outbox);
            std::thread::spawn(move || outbox.write_to(&mine))
        };
        outbox.message(&CaptureMessage::Alive { grabbed: 1, damage: 2 });
        for n in 0..20 {
            outbox.frame(frame(Codec::Vp8, n == 0, n));
        }
        let mut buffer = BytesMut::new();
        let mut next = || loop {
            if let Some((kind, body)) = split_frame(&mut buffer).unwrap() {
                return CaptureMessage::decode(kind, body).unwrap();
            }
            let mut chunk = [0; 4096];
            let n = host.read(&mut chunk).unwrap();
            buffer.extend_from_slice(&chunk[..n]);
        };
        assert_eq!(next(), CaptureMessage::Alive { grabbed: 1, damage: 2 });
        for n in 0..20 {
            let CaptureMessage::Frame {
                rendition,
                pts_us,
                times_us,
                data,
                ..
            } = next()
            else {
                panic!("no frame")
            };
            assert_eq!(
                (Rendition::from(rendition), pts_us, times_us, data.len()),
                (Codec::Vp8.into(), n, [0, 0, 0, n + 3], 100_000)
            );
        }
        outbox.flush(Duration::from_secs(5));
        outbox.close();
        writer.join().unwrap();
    }
}

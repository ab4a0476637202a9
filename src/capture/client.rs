//! The host's end of a capture process: feeds the hub, passes on what the hub's viewers want.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::client_error::CaptureError;
use super::socket;
use crate::clock::monotonic_us;
use crate::media::{Codec, Frame, Hub, KeyRequests, Rendition, Stamps};
use crate::protocol::capture::{
    CaptureMessage, CaptureProtocolError, CodecNumber, HostMessage, RenditionForm, VERSION, split_frame,
};

/// A pause between two tries to connect.
const RETRY: Duration = Duration::from_millis(20);
/// Room that is made for each read: a usual frame fits, a key frame takes a few.
const READ: usize = 64 * 1024;

/// Failed encoders that are listened to: more than there are.
const MOST_FAILED: usize = 16;
/// As much of what an encoder says is told, in characters.
const LONGEST_WHY: usize = 300;

/// How to reach a capture process and how patient to be with it.
#[derive(Clone, Debug)]
pub struct CaptureClientConfig {
    /// Its socket.
    pub socket: PathBuf,
    /// From now to its greeting.
    pub connect_deadline: Duration,
    /// It says about once a second that it is alive; silence for this long means that it hangs.
    pub stall_deadline: Duration,
    /// One message must be written within this time.
    pub write_deadline: Duration,
}

impl CaptureClientConfig {
    /// The usual deadlines.
    #[must_use]
    pub const fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            connect_deadline: Duration::from_secs(10),
            stall_deadline: Duration::from_secs(5),
            write_deadline: Duration::from_secs(2),
        }
    }
}

/// What a capture process said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureInfo {
    /// Width of the picture in pixels.
    pub width: u16,
    /// Height of the picture in pixels.
    pub height: u16,
    /// The codecs that can be had and what would encode them.
    pub available: BTreeMap<Codec, String>,
    /// What does encode them, where it has been started.
    pub running: BTreeMap<Codec, String>,
}

/// An encoder that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedEncoder {
    /// The name of its element.
    pub element: String,
    /// What it said.
    pub why: String,
}

/// How far a capture process is. A supervisor judges it by this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureProgress {
    /// When it last said that it is alive: `CLOCK_MONOTONIC`, µs; 0 before the first time.
    pub alive_us: u64,
    /// Pictures grabbed since its start.
    pub grabbed: u64,
    /// Damage events since its start.
    pub damage: u64,
    /// Frames received.
    pub frames: u64,
}

/// Steers a capture process; cheap to clone, usable from every thread, without effect after its end.
#[derive(Clone, Debug)]
pub struct CaptureHandle {
    shared: Arc<Shared>,
    info: watch::Receiver<Option<CaptureInfo>>,
}

#[derive(Debug, Default)]
struct Shared {
    expect_change: AtomicBool,
    changed: Notify,
    alive_us: AtomicU64,
    grabbed: AtomicU64,
    damage: AtomicU64,
    frames: AtomicU64,
    failed_encoders: Mutex<Vec<FailedEncoder>>,
}

impl CaptureHandle {
    /// An input was injected: its effect should not wait for the frame-rate limiter. Coalesced.
    pub fn expect_change(&self) {
        if !self.shared.expect_change.swap(true, Ordering::AcqRel) {
            self.shared.changed.notify_one();
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> CaptureProgress {
        CaptureProgress {
            alive_us: self.shared.alive_us.load(Ordering::Relaxed),
            grabbed: self.shared.grabbed.load(Ordering::Relaxed),
            damage: self.shared.damage.load(Ordering::Relaxed),
            frames: self.shared.frames.load(Ordering::Relaxed),
        }
    }

    /// The encoders that it said have failed, in the order in which they did.
    #[must_use]
    pub fn failed_encoders(&self) -> Vec<FailedEncoder> {
        self.shared.failed_encoders().clone()
    }

    /// What it said of itself; `None` until it has.
    #[must_use]
    pub fn info(&self) -> watch::Receiver<Option<CaptureInfo>> {
        self.info.clone()
    }
}

impl Shared {
    fn failed_encoders(&self) -> MutexGuard<'_, Vec<FailedEncoder>> {
        // A list that is only added to cannot be left half changed.
        self.failed_encoders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running client. Dropping it ends it.
#[derive(Debug)]
pub struct CaptureClient {
    handle: CaptureHandle,
    task: JoinHandle<CaptureError>,
}

impl CaptureClient {
    /// Starts a client on `runtime` that connects to a capture process and feeds `hub` with it.
    #[must_use]
    pub fn start(runtime: &Handle, config: CaptureClientConfig, hub: Arc<Hub>) -> Self {
        let shared = Arc::new(Shared::default());
        let (info_sender, info) = watch::channel(None);
        let handle = CaptureHandle {
            shared: Arc::clone(&shared),
            info,
        };
        let task = runtime.spawn(async move {
            let Err(error) = run(config, &hub, &shared, &info_sender).await;
            error
        });
        Self { handle, task }
    }

    /// Steers it.
    #[must_use]
    pub fn handle(&self) -> CaptureHandle {
        self.handle.clone()
    }

    /// Whether it has ended: then everything that the process said has been heard.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for its end. Cancel safe; not to be asked again once it has answered.
    pub async fn ended(&mut self) -> CaptureError {
        match (&mut self.task).await {
            Ok(error) => error,
            Err(error) => CaptureError::Fault(error.to_string()),
        }
    }
}

impl Drop for CaptureClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What ends a run: only ever an error.
type Never = std::convert::Infallible;

async fn run(
    config: CaptureClientConfig,
    hub: &Arc<Hub>,
    shared: &Shared,
    info: &watch::Sender<Option<CaptureInfo>>,
) -> Result<Never, CaptureError> {
    let until = Instant::now() + config.connect_deadline;
    let stream = connect(&config, until).await?;
    let (reader, writer) = stream.into_split();
    let mut writer = Writer {
        writer,
        deadline: config.write_deadline,
    };
    let mut reader = Reader {
        reader,
        buffer: BytesMut::new(),
        deadline: config.stall_deadline,
    };
    writer.send(&HostMessage::Hello { version: VERSION }).await?;
    let hello = tokio::time::timeout_at(until, reader.next())
        .await
        .map_err(|_| CaptureError::ConnectDeadline)??;
    info.send_replace(Some(greeting(hello)?));
    shared.alive_us.store(monotonic_us(), Ordering::Relaxed);
    // Both directions by themselves: a frame never waits until a request has been written.
    tokio::try_join!(receive(reader, hub, shared, info), steer(writer, hub, shared)).map(|(never, _)| never)
}

async fn connect(config: &CaptureClientConfig, until: Instant) -> Result<UnixStream, CaptureError> {
    loop {
        match socket::connect(&config.socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() + RETRY >= until => return Err(CaptureError::Connect(error)),
            Err(_) => sleep(RETRY).await,
        }
    }
}

fn greeting(message: CaptureMessage) -> Result<CaptureInfo, CaptureError> {
    match message {
        CaptureMessage::Hello {
            version: VERSION,
            width,
            height,
            encoders,
        } => {
            let available = encoders.into_iter().map(|(codec, name)| (codec.into(), name)).collect();
            Ok(CaptureInfo {
                width,
                height,
                available,
                running: BTreeMap::new(),
            })
        }
        CaptureMessage::Hello { version, .. } => Err(CaptureProtocolError::Version(version).into()),
        _ => Err(CaptureError::NoGreeting),
    }
}

async fn receive(
    mut reader: Reader,
    hub: &Hub,
    shared: &Shared,
    info: &watch::Sender<Option<CaptureInfo>>,
) -> Result<Never, CaptureError> {
    loop {
        match reader.next().await? {
            CaptureMessage::Frame {
                rendition,
                key,
                pts_us,
                times_us: [changed_us, grabbed_us, converted_us, encoded_us],
                data,
            } => {
                shared.frames.fetch_add(1, Ordering::Relaxed);
                // A time ahead of the machine's clock would push every later frame's time ahead, too.
                let received_us = monotonic_us();
                let pts_us = pts_us.min(received_us);
                let stamps = Stamps {
                    changed_us,
                    grabbed_us,
                    converted_us,
                    encoded_us,
                    received_us,
                };
                hub.publish(Frame {
                    rendition: rendition.into(),
                    data,
                    key,
                    pts_us,
                    stamps: stamps.until(received_us),
                });
                // Many frames may have come at once, after this thread was held up. Who feeds a viewer takes each before
                // the next one comes: a slot overflows where a viewer is slow, not where this host was.
                tokio::task::yield_now().await;
            }
            CaptureMessage::Alive { grabbed, damage } => {
                shared.grabbed.store(grabbed, Ordering::Relaxed);
                shared.damage.store(damage, Ordering::Relaxed);
                shared.alive_us.store(monotonic_us(), Ordering::Relaxed);
            }
            CaptureMessage::Encoder { codec, name } => info.send_modify(|info| {
                if let Some(info) = info {
                    info.running.insert(codec.into(), name);
                }
            }),
            CaptureMessage::EncoderFailed { codec, name, why } => {
                log::warn!("codec={codec:?} encoder={name:?} failed: {why:?}");
                if codec == CodecNumber::H264Full {
                    // Nobody goes without a picture for that: what has failed is not started again.
                    hub.end_full();
                }
                let mut failed = shared.failed_encoders();
                // There are no more encoders than that.
                if failed.len() < MOST_FAILED {
                    let why = why.chars().take(LONGEST_WHY).collect();
                    failed.push(FailedEncoder { element: name, why });
                }
            }
            CaptureMessage::Error { code, text } => return Err(CaptureError::Reported { code, text }),
            CaptureMessage::Hello { .. } => return Err(CaptureError::NoGreeting),
        }
    }
}

/// Passes on what the hub's viewers want: renditions first, then wishes as they come.
async fn steer(mut writer: Writer, hub: &Arc<Hub>, shared: &Shared) -> Result<Never, CaptureError> {
    let mut wanted = hub.wanted();
    let mut rates = hub.rates();
    let mut keys: KeyRequests = hub.key_requests();
    let mut told: BTreeMap<Rendition, u32> = BTreeMap::new();
    hub.source_restarted();
    wanted.mark_changed();
    loop {
        tokio::select! {
            never = hub.tend() => match never {},
            // The hub is borrowed, so its sender lives and this is no end.
            _ = wanted.changed() => {
                let wanted = wanted.borrow_and_update().clone();
                // What is wanted has its rate by then: the hub tells of that first.
                told = rates.borrow_and_update().clone();
                told.retain(|rendition, _| wanted.contains(rendition));
                let forms = told.iter().map(|(rendition, kbps)| ((*rendition).into(), form(hub, *rendition, *kbps)));
                writer.send(&HostMessage::Want(forms.collect())).await?;
            }
            _ = rates.changed() => {
                let rates = rates.borrow_and_update().clone();
                for (rendition, kbps) in rates {
                    // One that is not wanted yet will be, with its rate.
                    if let Some(before) = told.get_mut(&rendition)
                        && *before != kbps
                    {
                        *before = kbps;
                        writer.send(&HostMessage::Bitrate { rendition: rendition.into(), kbps }).await?;
                    }
                }
            }
            rendition = keys.next() => writer.send(&HostMessage::KeyFrame(rendition.into())).await?,
            () = shared.changed.notified() => {
                if shared.expect_change.swap(false, Ordering::AcqRel) {
                    writer.send(&HostMessage::ExpectChange).await?;
                }
            }
        }
    }
}

fn form(hub: &Hub, rendition: Rendition, kbps: u32) -> RenditionForm {
    let rung = hub.ladder().rung(rendition.rung);
    RenditionForm {
        percent: rung.percent,
        fps: rung.fps,
        kbps,
    }
}

struct Writer {
    writer: OwnedWriteHalf,
    deadline: Duration,
}

impl Writer {
    async fn send(&mut self, message: &HostMessage) -> Result<(), CaptureError> {
        match timeout(self.deadline, self.writer.write_all(&message.encode())).await {
            Ok(Ok(())) => Ok(()),
            // The reading side knows better why: it may hold the last words.
            Ok(Err(_)) => {
                sleep_until(Instant::now() + self.deadline).await;
                Err(CaptureError::Closed)
            }
            Err(_) => Err(CaptureError::Stalled),
        }
    }
}

struct Reader {
    reader: OwnedReadHalf,
    buffer: BytesMut,
    deadline: Duration,
}

impl Reader {
    async fn next(&mut self) -> Result<CaptureMessage, CaptureError> {
        loop {
            if let Some((kind, body)) = split_frame(&mut self.buffer)? {
                return Ok(CaptureMessage::decode(kind, body)?);
            }
            self.buffer.reserve(READ);
            match timeout(self.deadline, self.reader.read_buf(&mut self.buffer)).await {
                Err(_) => return Err(CaptureError::Stalled),
                Ok(Ok(0) | Err(_)) => return Err(CaptureError::Closed),
                Ok(Ok(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;

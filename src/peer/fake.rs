//! Connections and channels that tests hold in their hands.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, watch};

use super::codec_choice::Choice;
use super::connection::{Channel, ChannelEvent, Connection, ConnectionEvent, ConnectionFactory, Delivery, Lost, Path};
use super::error::PeerError;
use super::state::ConnectionState;
use crate::media::Frame;
use crate::protocol::signalling::IceCandidate;

/// A connection whose every behaviour is set from outside.
pub(crate) struct FakeConnection {
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) frames: Mutex<Vec<Arc<Frame>>>,
    pub(crate) path: watch::Sender<Path>,
    pub(crate) key: Notify,
    /// While true, no frame is sent to its end.
    pub(crate) stuck: AtomicBool,
    /// While true, none is sent at all.
    pub(crate) congested: AtomicBool,
    /// Whether `answer`, `add_candidate` and `close` hang for ever.
    pub(crate) hangs: AtomicBool,
    pub(crate) closes: AtomicU32,
}

impl FakeConnection {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(ConnectionState::New),
            frames: Mutex::default(),
            path: watch::Sender::new(Path {
                media_kbps: 1_700,
                ..Path::default()
            }),
            key: Notify::new(),
            stuck: AtomicBool::new(false),
            congested: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            closes: AtomicU32::new(0),
        })
    }

    pub(crate) fn sent(&self) -> usize {
        self.frames.lock().unwrap().len()
    }

    async fn hang(&self, on: &AtomicBool) {
        if on.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Connection for FakeConnection {
    async fn answer(&self, _: &str) -> Result<String, PeerError> {
        self.hang(&self.hangs).await;
        Ok("answer".to_owned())
    }

    async fn restart(&self, _: &str) -> Result<String, PeerError> {
        self.hang(&self.hangs).await;
        Ok("another answer".to_owned())
    }

    async fn add_candidate(&self, _: IceCandidate) -> Result<(), PeerError> {
        self.hang(&self.hangs).await;
        Ok(())
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    async fn key_request(&self) {
        self.key.notified().await;
    }

    async fn send(&self, frame: Arc<Frame>) -> Result<Delivery, PeerError> {
        while self.stuck.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if self.congested.load(Ordering::Relaxed) {
            return Ok(Delivery::Congested);
        }
        let bytes = frame.data.len() as u64;
        self.frames.lock().unwrap().push(frame);
        Ok(Delivery::Sent { packets: 1, bytes })
    }

    fn rtp_offset(&self) -> u32 {
        7
    }

    fn path(&self) -> watch::Receiver<Path> {
        self.path.subscribe()
    }

    fn lost(&self) -> Lost {
        Lost::default()
    }

    async fn close(&self) {
        self.closes.fetch_add(1, Ordering::Relaxed);
        self.hang(&self.hangs).await;
    }
}

/// Makes connections that a test finds in it.
#[derive(Default)]
pub(crate) struct FakeFactory(pub(crate) Mutex<Vec<Arc<FakeConnection>>>);

#[async_trait]
impl ConnectionFactory for FakeFactory {
    async fn open(
        &self,
        _: &Choice,
        _: bool,
        _: mpsc::Sender<ConnectionEvent>,
    ) -> Result<Arc<dyn Connection>, PeerError> {
        let connection = FakeConnection::new();
        self.0.lock().unwrap().push(Arc::clone(&connection));
        Ok(connection)
    }
}

/// A channel fed by a test.
pub(crate) struct FakeChannel {
    label: &'static str,
    inbox: AsyncMutex<mpsc::Receiver<ChannelEvent>>,
    pub(crate) sent: Mutex<Vec<Vec<u8>>>,
    pub(crate) closed: AtomicBool,
    /// Whether the browser acknowledges nothing.
    pub(crate) deaf: AtomicBool,
}

impl FakeChannel {
    pub(crate) fn new(label: &'static str) -> (Arc<Self>, mpsc::Sender<ChannelEvent>) {
        // overflow: the test waits.
        let (tx, rx) = mpsc::channel(16);
        let channel = Self {
            label,
            inbox: AsyncMutex::new(rx),
            sent: Mutex::default(),
            closed: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
        };
        (Arc::new(channel), tx)
    }
}

#[async_trait]
impl Channel for FakeChannel {
    async fn label(&self) -> String {
        self.label.to_owned()
    }

    async fn next(&self) -> ChannelEvent {
        self.inbox.lock().await.recv().await.unwrap_or(ChannelEvent::Closed)
    }

    async fn send(&self, data: &[u8]) -> bool {
        self.sent.lock().unwrap().push(data.to_vec());
        true
    }

    async fn flushed(&self) {
        if self.deaf.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

//! One data channel of the crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::runtime::Handle;
use tokio::time::timeout;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::super::connection::{Channel, ChannelEvent};
use super::super::state::CLOSE_WITHIN;

/// Between two looks at what is not yet acknowledged.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Keeps the channel; dropping it closes the channel if nobody did: of one that is open and not read the crate keeps 256
/// messages, of one that is closed it takes none.
pub(super) struct WebrtcChannel {
    channel: Arc<dyn DataChannel>,
    closed: AtomicBool,
    runtime: Handle,
}

impl WebrtcChannel {
    /// Called on the media runtime, which stays the one that closes it.
    pub(super) fn new(channel: Arc<dyn DataChannel>) -> Self {
        Self {
            channel,
            closed: AtomicBool::new(false),
            runtime: Handle::current(),
        }
    }
}

async fn close(channel: &Arc<dyn DataChannel>) {
    if let Err(error) = channel.close().await {
        log::debug!("a data channel did not close: {error}");
    }
}

impl Drop for WebrtcChannel {
    fn drop(&mut self) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        // Not here: callbacks let go of channels, too, and the driver that they run on is what closes them.
        // overflow: one for each channel, of which a peer has few before it is closed itself.
        let channel = Arc::clone(&self.channel);
        self.runtime.spawn(async move {
            let _ = timeout(CLOSE_WITHIN, close(&channel)).await;
        });
    }
}

#[async_trait]
impl Channel for WebrtcChannel {
    async fn label(&self) -> String {
        self.channel.label().await.unwrap_or_default()
    }

    async fn next(&self) -> ChannelEvent {
        loop {
            match self.channel.poll().await {
                Some(DataChannelEvent::OnMessage(message)) => {
                    return ChannelEvent::Message {
                        data: message.data.freeze(),
                        text: message.is_string,
                    };
                }
                Some(DataChannelEvent::OnClose) | None => {
                    self.closed.store(true, Ordering::Release);
                    return ChannelEvent::Closed;
                }
                Some(_) => {}
            }
        }
    }

    async fn send(&self, data: &[u8]) -> bool {
        self.channel.try_send(BytesMut::from(data)).await.is_ok()
    }

    async fn flushed(&self) {
        // The crate tells only of falling below a threshold, and to the channel's one reader.
        while self.channel.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn close(&self) {
        close(&self.channel).await;
        self.closed.store(true, Ordering::Release);
    }
}

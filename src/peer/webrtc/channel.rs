//! One data channel of the crate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

use super::super::connection::{Channel, ChannelEvent};

/// Between two looks at what is not yet acknowledged.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(super) struct WebrtcChannel(pub(super) Arc<dyn DataChannel>);

#[async_trait]
impl Channel for WebrtcChannel {
    async fn label(&self) -> String {
        self.0.label().await.unwrap_or_default()
    }

    async fn next(&self) -> ChannelEvent {
        loop {
            match self.0.poll().await {
                Some(DataChannelEvent::OnMessage(message)) => {
                    return ChannelEvent::Message {
                        data: message.data.freeze(),
                        text: message.is_string,
                    };
                }
                Some(DataChannelEvent::OnClose) | None => return ChannelEvent::Closed,
                Some(_) => {}
            }
        }
    }

    async fn send(&self, data: &[u8]) -> bool {
        self.0.try_send(BytesMut::from(data)).await.is_ok()
    }

    async fn flushed(&self) {
        // The crate tells only of falling below a threshold, and to the channel's one reader.
        while self.0.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn close(&self) {
        if let Err(error) = self.0.close().await {
            log::debug!("a data channel did not close: {error}");
        }
    }
}

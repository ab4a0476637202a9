//! The way to one browser's socket: bounded, and never waited for.
//!
//! A client that stops reading stops its WebSocket actor as well (actix-web#2441), so whoever has something to tell
//! puts it here and goes on. Over the budget the socket is closed with 1013 (RFC 6455 section 7.4.1, "try again
//! later"); the browser comes back and is told the state as it is then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::protocol::signalling::ServerMessage;

/// Messages that may wait for one socket.
const MESSAGES: usize = 256;
/// Bytes that may wait for one socket.
const BYTES: usize = 1 << 20;

/// The sending end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    texts: mpsc::Sender<Arc<str>>,
    waiting: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// The socket's end.
#[derive(Debug)]
pub struct OutboundTexts {
    texts: mpsc::Receiver<Arc<str>>,
    waiting: Arc<AtomicUsize>,
    overflow: CancellationToken,
}

/// A new way to a socket.
#[must_use]
pub fn outbound() -> (Outbound, OutboundTexts) {
    // overflow: the socket is closed with 1013; nothing is dropped in the middle of a conversation.
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let (waiting, overflow) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    (
        Outbound {
            texts: sender,
            waiting: Arc::clone(&waiting),
            overflow: overflow.clone(),
        },
        OutboundTexts {
            texts: receiver,
            waiting,
            overflow,
        },
    )
}

impl Outbound {
    /// Sends a message, if the socket is still there and has room.
    pub fn send(&self, message: &ServerMessage) {
        if let Some(text) = written(message) {
            self.send_text(text);
        }
    }

    /// The same for a text that was written once for many.
    pub fn send_text(&self, text: Arc<str>) {
        let bytes = text.len();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > BYTES {
            self.overflow.cancel();
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.texts.try_send(text) {
            self.overflow.cancel();
        }
    }

    /// Whether the socket is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.texts.is_closed()
    }

    /// Whether both lead to the same socket.
    #[must_use]
    pub fn same_socket(&self, other: &Self) -> bool {
        self.texts.same_channel(&other.texts)
    }
}

/// A message as it goes over the socket.
pub fn written(message: &ServerMessage) -> Option<Arc<str>> {
    serde_json::to_string(message)
        .inspect_err(|error| log::error!("signalling message cannot be written: {error}"))
        .ok()
        .map(Arc::from)
}

impl OutboundTexts {
    /// The next text for the socket; `None` when it has to be closed because too much was waiting.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        tokio::select! {
            biased;
            () = self.overflow.cancelled() => None,
            text = self.texts.recv() => {
                if let Some(text) = &text {
                    self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
                }
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_arrives_in_order() {
        let (out, mut socket) = outbound();
        out.send_text("one".into());
        out.send_text("two".into());
        assert_eq!(socket.next().await.as_deref(), Some("one"));
        assert_eq!(socket.next().await.as_deref(), Some("two"));
    }

    #[tokio::test]
    async fn a_socket_that_does_not_read_is_given_up_by_count_and_by_bytes() {
        let (out, mut socket) = outbound();
        for _ in 0..=MESSAGES {
            out.send_text("x".into());
        }
        assert_eq!(socket.next().await, None);
        let (out, mut socket) = outbound();
        out.send_text("x".repeat(BYTES / 2).into());
        out.send_text("x".repeat(BYTES / 2 + 1).into());
        assert_eq!(socket.next().await, None);
    }

    #[tokio::test]
    async fn a_gone_socket_is_known_as_such() {
        let (out, socket) = outbound();
        assert!(!out.is_closed());
        drop(socket);
        assert!(out.is_closed());
        out.send_text("nobody hears this".into());
    }
}

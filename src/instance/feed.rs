//! What an instance has of its own, whatever its source is.

use std::sync::Arc;

use tokio::sync::watch;

use crate::media::Hub;
use crate::protocol::windows::WindowEntry;
use crate::source::{FactsCell, PartSpec};
use crate::x11::InputQueue;

/// What lies between an instance's source and its viewers. It outlives each of the source's lives.
#[derive(Clone, Debug)]
pub struct Feed {
    /// What is known of the source.
    pub facts: FactsCell,
    /// Where its frames go.
    pub hub: Arc<Hub>,
    /// Input that waits for it.
    pub input: Arc<InputQueue>,
    /// The windows that one can switch between; none where there is nothing to choose.
    pub windows: watch::Sender<Vec<WindowEntry>>,
}

impl Feed {
    /// Nothing has come yet of a source with these parts.
    ///
    /// # Errors
    /// No file descriptors left.
    pub fn new(parts: &[PartSpec], hub: Arc<Hub>) -> std::io::Result<Self> {
        Ok(Self {
            facts: FactsCell::of(parts),
            hub,
            input: InputQueue::new()?,
            windows: watch::Sender::new(Vec::new()),
        })
    }
}

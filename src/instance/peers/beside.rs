//! A peer beside the one that its viewer has: another way is tried while the first goes on.
//!
//! With its first event, by which the page says that it has changed over, it takes the other's place. Until then it has no
//! say, and nothing that is held down is let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ids::{PeerId, ViewerId};
use crate::instance::peers::input_gate::ViewerInput;
use crate::instance::shared::InstanceShared;
use crate::media::Presses;
use crate::peer::{InputChannel, InputSink};
use crate::protocol::input::InputFrame;

/// The way of such a peer's input.
#[derive(Debug)]
pub(in crate::instance) struct Beside {
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    peer: PeerId,
    input: ViewerInput,
    /// Whether it has the place.
    has_place: AtomicBool,
}

impl Beside {
    /// Of a viewer's `peer`, whose input goes by `input`.
    pub(in crate::instance) const fn new(
        shared: Arc<InstanceShared>,
        viewer: ViewerId,
        peer: PeerId,
        input: ViewerInput,
    ) -> Self {
        Self {
            shared,
            viewer,
            peer,
            input,
            has_place: AtomicBool::new(false),
        }
    }
}

impl InputSink for Beside {
    fn accept(&self, frame: InputFrame, channel: InputChannel) {
        if !self.has_place.swap(true, Ordering::Relaxed) {
            self.shared.take_over(self.viewer, self.peer);
        }
        self.input.accept(frame, channel);
    }

    fn presses(&self) -> Option<Arc<Presses>> {
        self.input.presses()
    }
}

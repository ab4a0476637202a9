//! Where encoded frames go: the outbox of whichever host is connected.

use std::sync::{Arc, Mutex};

use super::lock;
use super::outbox::Outbox;
use crate::media::Frame;
use crate::x11::Wake;

/// Where encoded frames go.
#[derive(Debug)]
pub(super) struct Outlet {
    current: Mutex<Option<Arc<Outbox>>>,
    wake: Arc<Wake>,
}

impl Outlet {
    /// Without a host: frames are dropped.
    pub(super) const fn new(wake: Arc<Wake>) -> Self {
        Self {
            current: Mutex::new(None),
            wake,
        }
    }

    /// Frames go to this host from now on.
    pub(super) fn connect(&self, outbox: Option<Arc<Outbox>>) {
        *lock(&self.current) = outbox;
    }

    /// Hands over a frame. Never waits.
    pub(super) fn frame(&self, frame: Frame) {
        if let Some(outbox) = &*lock(&self.current) {
            outbox.frame(frame);
        }
    }

    /// There is something to look at for the process.
    pub(super) fn wake(&self) {
        self.wake.raise();
    }
}

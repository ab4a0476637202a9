//! Tasks beside a child that live and die with it.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::AbortHandle;

use super::context::ChildContext;
use super::exit::ExitReason;

impl ChildContext {
    /// Spawns `future` on this arbiter, linked to this child: it is dropped (at its next yield) when the child ends for
    /// whatever reason, and its panic ends the child with [`ExitReason::Panic`]. A restart of the child waits until it
    /// is gone. A future that merely completes ends nothing; it calls [`ChildContext::fail`] where it should.
    pub fn link(&self, future: impl Future<Output = ()> + 'static) -> AbortHandle {
        let child = self.clone();
        let lineage = self.lineage().upgrade();
        let task = actix_rt::spawn(async move {
            tokio::select! {
                biased;
                () = child.ended().cancelled() => {}
                outcome = AssertUnwindSafe(future).catch_unwind() => {
                    if let Err(payload) = outcome {
                        child.fail(ExitReason::from_panic(payload.as_ref()));
                    }
                }
            }
            drop(lineage);
        });
        task.abort_handle()
    }
}

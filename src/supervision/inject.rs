//! Faults on demand, by which tests of the whole host make a named child fail. Release builds do not contain them.

#[cfg(not(debug_assertions))]
pub(super) use off::{Injection, suffer};
#[cfg(debug_assertions)]
pub use on::Fault;
#[cfg(debug_assertions)]
pub(super) use on::{Injection, suffer};

#[cfg(debug_assertions)]
mod on {
    use std::panic::catch_unwind;
    use std::sync::OnceLock;
    use std::thread;
    use std::time::Duration;

    use serde::Deserialize;
    use tokio_util::sync::CancellationToken;

    use crate::supervision::ExitReason;

    /// What happens to the child.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Fault {
        /// It panics at its next yield.
        #[default]
        Panic,
        /// It is aborted, as by a brutal kill.
        Kill,
        /// It is never polled again: alive, and doing nothing.
        Stall,
        /// It blocks its thread, and with it every other child on that thread.
        Block,
    }

    /// Where a generation of a child waits for its fault. The first one stands.
    #[derive(Debug, Default)]
    pub struct Injection {
        fault: OnceLock<Fault>,
        asked: CancellationToken,
    }

    impl Injection {
        pub fn ask(&self, fault: Fault) {
            if self.fault.set(fault).is_ok() {
                self.asked.cancel();
            }
        }

        pub async fn asked(&self) -> Fault {
            self.asked.cancelled().await;
            self.fault.get().copied().unwrap_or_default()
        }
    }

    /// The exit that the fault is. A stall and a block never return.
    pub async fn suffer(fault: Fault) -> ExitReason {
        match fault {
            // A real one, with all that a panic does by itself.
            Fault::Panic => match catch_unwind(|| panic!("injected")) {
                Err(payload) => ExitReason::from_panic(payload.as_ref()),
                Ok(()) => ExitReason::Normal,
            },
            Fault::Kill => ExitReason::Killed,
            Fault::Stall => std::future::pending().await,
            // What no child may do, which is the point.
            Fault::Block => loop {
                thread::sleep(Duration::from_secs(3600));
            },
        }
    }
}

#[cfg(not(debug_assertions))]
mod off {
    use std::convert::Infallible;

    use crate::supervision::ExitReason;

    /// Nothing can be asked for.
    #[derive(Debug, Default)]
    pub struct Injection;

    impl Injection {
        pub async fn asked(&self) -> Infallible {
            std::future::pending().await
        }
    }

    pub async fn suffer(fault: Infallible) -> ExitReason {
        match fault {}
    }
}

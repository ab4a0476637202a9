//! Fleet: this server among the servers of the database. It says every few seconds that it lives, what it can still
//! take, and until when its instances are its own.
//!
//! A database that is away costs nothing but that word: the next beat says it again. What instances that have ended leave
//! of memory is given back with it.

use std::sync::Arc;
use std::time::Duration;

use super::memory;
use crate::clock::unix_ms;
use crate::instance::{Manager, Services};
use crate::protocol::words::ServerStatus;
use crate::store::LEASE;
use crate::supervision::{ChildSpec, ExitReason, Restart};

/// Between two beats; several may be lost before the lease runs out.
const BEAT: Duration = Duration::from_secs(5);
/// For the last word, when the host stops.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Writes the heartbeat.
pub fn fleet(services: &Arc<Services>, manager: &Manager) -> ChildSpec {
    let (services, manager) = (Arc::clone(services), manager.clone());
    ChildSpec::task("fleet", Restart::Permanent, move |cx| {
        let (services, manager) = (Arc::clone(&services), manager.clone());
        async move {
            let (mut failing, mut before) = (false, 0);
            loop {
                let now = manager.all().len();
                if now < std::mem::replace(&mut before, now) {
                    // The heartbeat waits for nobody's thread.
                    drop(tokio::task::spawn_blocking(memory::give_back));
                }
                let status = if manager.is_draining() {
                    ServerStatus::Draining
                } else {
                    ServerStatus::Online
                };
                let Some(result) = cx.unless_stopping(beat(&services, &manager, status)).await else {
                    break;
                };
                match result {
                    Ok(()) => failing = false,
                    Err(error) if !std::mem::replace(&mut failing, true) => {
                        log::warn!("code={} the heartbeat is not stored: {error}", error.code());
                    }
                    Err(_) => {}
                }
                if cx.unless_stopping(tokio::time::sleep(BEAT)).await.is_none() {
                    break;
                }
            }
            let last = beat(&services, &manager, ServerStatus::Offline);
            if !matches!(tokio::time::timeout(LAST_WORD, last).await, Ok(Ok(()))) {
                log::warn!("the database does not know that this server stops");
            }
            ExitReason::Shutdown
        }
    })
}

async fn beat(services: &Services, manager: &Manager, status: ServerStatus) -> Result<(), crate::store::StoreError> {
    let capacity = manager.capacity();
    let free = match status {
        ServerStatus::Online => capacity.total.saturating_sub(capacity.used),
        ServerStatus::Draining | ServerStatus::Offline => 0,
    };
    let now = unix_ms();
    let lease_until = match status {
        ServerStatus::Offline => now,
        ServerStatus::Online | ServerStatus::Draining => {
            now.saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX))
        }
    };
    let free = u32::try_from(free).unwrap_or(u32::MAX);
    services
        .store
        .heartbeat(services.server, status, free, now, lease_until)
        .await
}

//! The supervision tree of the host.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::fleet;
use super::history::history;
use super::retention::retention;
use crate::clock::unix_ms;
use crate::http::{Api, OriginPolicy, serve};
use crate::ids::{InstanceId, ServerId};
use crate::instance::{Manager, Services};
use crate::protocol::words::{CloseReason, InstanceStatus};
use crate::store::{InstanceRow, PeerClosed, StatusChange, Store, StoreError};
use crate::supervision::{
    ChildContext, ChildSpec, ExitReason, Intensity, Restart, Shutdown, Strategy, SupervisorRef, SupervisorSpec,
};

/// More restarts than this, and the whole host starts anew.
const ROOT_INTENSITY: Intensity = Intensity::new(3, Duration::from_secs(60));
/// Temporary children are never restarted, so none is charged.
const TEMPORARY_INTENSITY: Intensity = Intensity::new(0, Duration::from_secs(1));
/// Sessions with sockets at once.
const MAX_SESSIONS: usize = 10_000;
/// For what was noted last, when the host stops.
const LAST_NOTES: Duration = Duration::from_secs(2);

/// Store, History, Fleet, Sessions, Instances, Mending and Http, in this order.
pub fn host(
    services: &Arc<Services>,
    manager: &Manager,
    sessions: SupervisorRef,
    instances: SupervisorRef,
    api: Api,
    policy: OriginPolicy,
    listener: Arc<TcpListener>,
) -> SupervisorSpec {
    let capacity = services.config.instances.capacity;
    SupervisorSpec::new(Strategy::OneForOne, ROOT_INTENSITY)
        .child(store(services))
        .child(history(services, &api.tree))
        .child(fleet(services, manager))
        .child(ChildSpec::supervisor("sessions", Restart::Permanent, move || {
            SupervisorSpec::dynamic(TEMPORARY_INTENSITY, MAX_SESSIONS).reference(&sessions)
        }))
        .child(ChildSpec::supervisor("instances", Restart::Permanent, move || {
            SupervisorSpec::dynamic(TEMPORARY_INTENSITY, capacity).reference(&instances)
        }))
        .child(mending(manager))
        .child(
            ChildSpec::task("http", Restart::Permanent, move |cx| {
                http(Arc::clone(&listener), api.clone(), policy.clone(), cx)
            })
            .shutdown(Shutdown::Timeout(Duration::from_secs(5))),
        )
}

/// Writes the journal, and deletes what is old enough.
fn store(services: &Arc<Services>) -> ChildSpec {
    let services = Arc::clone(services);
    ChildSpec::task("store", Restart::Permanent, move |cx| {
        let services = Arc::clone(&services);
        async move {
            let writer = services.journal.write_to(services.store.clone());
            tokio::pin!(writer);
            tokio::select! {
                () = &mut writer => return ExitReason::error("journal", "the journal's writer ended"),
                () = retention(&services) => return ExitReason::Normal,
                () = cx.stopping() => {}
            }
            // It stops last of all; whatever the others noted is written before.
            tokio::select! {
                () = writer => {}
                written = services.journal.flush(LAST_NOTES) => {
                    if !written {
                        log::warn!("the last notes did not reach the database");
                    }
                }
            }
            ExitReason::Shutdown
        }
    })
}

/// Takes up instances whose trees are gone.
fn mending(manager: &Manager) -> ChildSpec {
    let manager = manager.clone();
    ChildSpec::task("mending", Restart::Permanent, move |cx| {
        let manager = manager.clone();
        async move {
            cx.unless_stopping(manager.mend()).await;
            ExitReason::Shutdown
        }
    })
}

async fn http(listener: Arc<TcpListener>, api: Api, policy: OriginPolicy, cx: ChildContext) -> ExitReason {
    let server = match serve(&listener, api, policy) {
        Ok(server) => server,
        Err(error) => return ExitReason::error("http", error.to_string()),
    };
    let handle = server.handle();
    tokio::select! {
        result = server => ExitReason::error("http", result.err().map_or_else(|| "the server ended".into(), |e| e.to_string())),
        () = cx.stopping() => {
            handle.stop(false).await;
            ExitReason::Shutdown
        }
    }
}

/// Rows of an earlier host that say "alive" are settled: what cannot be adopted has failed and can be started again
/// from its row, and no peer lives. Gives the rows of what may live.
///
/// # Errors
/// When the database does not answer.
pub async fn settle_rows(
    store: &Store,
    server: ServerId,
    may_live: impl Fn(InstanceId) -> bool,
) -> Result<Vec<InstanceRow>, StoreError> {
    let now = unix_ms();
    store
        .close_left_peers(PeerClosed {
            closed_at: now,
            reason: CloseReason::HostShutdown,
        })
        .await?;
    let mut living = Vec::new();
    for row in store.instances_not_ended(server).await? {
        if may_live(row.instance_id) {
            living.push(row);
            continue;
        }
        // One that had failed before keeps its own reason.
        let (reason, message) = if row.status.is_alive() {
            let lost = "the host and the keeper of this instance were lost together";
            (Some("host_lost".into()), Some(lost.into()))
        } else {
            (row.exit_reason, row.message)
        };
        let change = StatusChange {
            status: InstanceStatus::Failed,
            reason,
            message,
            output: Vec::new(),
            restarts: u32::try_from(row.restarts).unwrap_or(0),
            modified: now,
            ended: Some(now),
        };
        store.update_instance(row.instance_id, change).await?;
    }
    Ok(living)
}

//! The supervision tree of the host.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::control_socket::control;
use super::entrance::Entrance;
use super::fleet::fleet;
use super::history::history;
use super::pages;
use super::retention::retention;
use crate::clock::unix_ms;
use crate::http::{Api, Front, serve};
use crate::ids::ServerId;
use crate::instance::{Manager, Services};
use crate::process::SweepReport;
use crate::protocol::words::{CloseReason, InstanceStatus};
use crate::session::{Roles, SessionBook};
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
/// Instances at once. What runs is taken up whatever the capacity has become; only launches are refused by it.
const MAX_INSTANCES: usize = 10_000;
/// For what was noted last, when the host stops.
const LAST_NOTES: Duration = Duration::from_secs(2);

/// Store, History, Fleet, Sessions, Instances, Mending, Links, Certificate (where the pages are encrypted), Http and
/// Control, in this order.
#[allow(
    clippy::too_many_arguments,
    reason = "it is called once, where everything has been made"
)]
pub fn host(
    services: &Arc<Services>,
    manager: &Manager,
    sessions: SupervisorRef,
    instances: SupervisorRef,
    api: Api,
    entrance: &Entrance,
    front: Front,
    listener: Arc<TcpListener>,
) -> SupervisorSpec {
    let before_http = SupervisorSpec::new(Strategy::OneForOne, ROOT_INTENSITY)
        .child(store(services, &api.sessions))
        .child(history(services, &api.tree))
        .child(fleet(services, manager))
        .child(ChildSpec::supervisor("sessions", Restart::Permanent, move || {
            SupervisorSpec::dynamic(TEMPORARY_INTENSITY, MAX_SESSIONS).reference(&sessions)
        }))
        .child(all_instances(manager, instances))
        .child(mending(manager))
        .child(links(&entrance.roles));
    let before_http = match &front.tls {
        Some(tls) => before_http.child(pages::child(tls)),
        None => before_http,
    };
    before_http
        .child(
            ChildSpec::task("http", Restart::Permanent, move |cx| {
                http(Arc::clone(&listener), api.clone(), front.clone(), cx)
            })
            .shutdown(Shutdown::Timeout(Duration::from_secs(5))),
        )
        .child(control(services.state.path(), entrance))
}

/// The supervisor of the instances. One that follows another that was stopped takes up what that one let go; what lost
/// its tree to a fault is for the mending.
fn all_instances(manager: &Manager, instances: SupervisorRef) -> ChildSpec {
    let (leaving, manager, begun) = (manager.clone(), manager.clone(), AtomicBool::new(false));
    let spec = ChildSpec::supervisor("instances", Restart::Permanent, move || {
        if begun.swap(true, Ordering::Relaxed) {
            let manager = manager.clone();
            // Its requests wait for the supervisor that is made here.
            actix_rt::spawn(async move { manager.take_up_again().await });
        }
        SupervisorSpec::dynamic(TEMPORARY_INTENSITY, MAX_INSTANCES).reference(&instances)
    });
    // Their programs go on, and are taken up again. Only here is it sure that this one will be stopped.
    spec.on_restart_asked(move || leaving.end_all(None))
}

/// Writes the journal, and deletes what is old enough.
fn store(services: &Arc<Services>, sessions: &SessionBook) -> ChildSpec {
    let (services, sessions) = (Arc::clone(services), sessions.clone());
    ChildSpec::task("store", Restart::Permanent, move |cx| {
        let (services, sessions) = (Arc::clone(&services), sessions.clone());
        async move {
            let writer = services.journal.write_to(services.store.clone());
            tokio::pin!(writer);
            tokio::select! {
                () = &mut writer => return ExitReason::error("journal", "the journal's writer ended"),
                () = retention(&services, &sessions) => return ExitReason::Normal,
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

/// Ends links whose time is over.
fn links(roles: &Roles) -> ChildSpec {
    let roles = roles.clone();
    ChildSpec::task("links", Restart::Permanent, move |cx| {
        let roles = roles.clone();
        async move {
            cx.unless_stopping(roles.keep()).await;
            ExitReason::Shutdown
        }
    })
}

async fn http(listener: Arc<TcpListener>, api: Api, front: Front, cx: ChildContext) -> ExitReason {
    let server = match serve(&listener, api, &front) {
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

/// Rows of an earlier host that have not ended are settled: what cannot be adopted has ended or failed, and can be
/// started again from its row then; no peer lives. Gives the rows of what can be adopted.
///
/// # Errors
/// When the database does not answer.
pub async fn settle_rows(store: &Store, server: ServerId, found: &SweepReport) -> Result<Vec<InstanceRow>, StoreError> {
    let now = unix_ms();
    store
        .close_left_peers(PeerClosed {
            closed_at: now,
            reason: CloseReason::HostShutdown,
        })
        .await?;
    let mut living = Vec::new();
    for row in store.instances_not_ended(server).await? {
        if found.adoptable.contains(&row.instance_id) {
            living.push(row);
            continue;
        }
        let replaced = found.replaced.contains(&row.instance_id);
        store
            .update_instance(row.instance_id, settled(&row, replaced, now))
            .await?;
    }
    Ok(living)
}

/// The end of a row whose instance is gone; `replaced`: together with a keeper of another version.
fn settled(row: &InstanceRow, replaced: bool, now: i64) -> StatusChange {
    let own = || (row.exit_reason.clone(), row.message.clone());
    let because = |code: &str, message: &str| (Some(code.to_owned()), Some(message.to_owned()));
    let (status, (reason, message)) = match row.status {
        // It was to end, and has.
        InstanceStatus::Deinitializing | InstanceStatus::Terminated => (InstanceStatus::Terminated, own()),
        // It had failed before, for a reason of its own.
        InstanceStatus::Failed => (InstanceStatus::Failed, own()),
        InstanceStatus::Idle => (
            InstanceStatus::Failed,
            because("host_lost", "the host was lost before this instance was started"),
        ),
        InstanceStatus::Initializing | InstanceStatus::Running | InstanceStatus::Restarting => (
            InstanceStatus::Failed,
            if replaced {
                because(
                    "wrong_version",
                    "its keeper was of another version of Heliostat, and was ended",
                )
            } else {
                because(
                    "host_lost",
                    "the host and the keeper of this instance were lost together",
                )
            },
        ),
    };
    // The clock may have been set back: what ends is not older than what it was.
    let at = now.max(row.modified);
    StatusChange {
        status,
        reason,
        message,
        output: Vec::new(),
        restarts: u32::try_from(row.restarts).unwrap_or(0),
        modified: at,
        ended: Some(at),
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod restart_tests;
#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;

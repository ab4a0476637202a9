//! Vnc: the VNC server of an instance, for viewers that can show nothing else. It runs while somebody watches by it.

use std::sync::Arc;
use std::time::Duration;

use scopeguard::defer;

use crate::desktop::process_child::{GRACE, LifeEnd, Process, describe, keeper_gone};
use crate::desktop::shared::{DesktopShared, named, role};
use crate::desktop::siblings;
use crate::supervision::{ChildContext, ExitReason};

/// It is kept for so long after the last viewer: one that reloads its page finds it, and so does one of the host before.
const LINGER: Duration = Duration::from_secs(10);

/// The life of a VNC server, and of those that follow it when it is wanted again.
pub async fn vnc(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    let door = &shared.vnc;
    door.set_up(false);
    // However it ends, also where it is cut off.
    defer! { shared.vnc.set_up(false) };
    // One of an earlier host, or of a child before this one, serves who comes back soon.
    if let Some(false) = cx.unless_stopping(wanted_within(&shared, LINGER)).await {
        let keeper = match siblings::keeper(&shared, &cx).await {
            Ok(keeper) => keeper,
            Err(reason) => return reason,
        };
        if let Err(error) = keeper.stop(&named(role::VNC), GRACE).await {
            log::warn!("instance={} role={} not stopped: {error}", shared.id, role::VNC);
        }
    }
    loop {
        if cx.unless_stopping(door.wanted()).await.is_none() {
            return ExitReason::Shutdown;
        }
        if let Some(reason) = serve(&shared, &cx).await {
            return reason;
        }
    }
}

async fn wanted_within(shared: &DesktopShared, time: Duration) -> bool {
    tokio::time::timeout(time, shared.vnc.wanted()).await.is_ok()
}

/// Runs until nobody wants it any more: then there is no reason to end.
async fn serve(shared: &DesktopShared, cx: &ChildContext) -> Option<ExitReason> {
    let (keeper, display) = match siblings::both(shared, cx).await {
        Ok(both) => both,
        Err(reason) => return Some(reason),
    };
    let spec = shared.layout.vnc(display)?;
    let mut process = match Process::ensure(keeper, role::VNC, spec).await {
        Ok(process) => process,
        Err(error) => return Some(ExitReason::error(error.code().to_owned(), error.to_string())),
    };
    cx.set_pid(u32::try_from(process.started.pid).ok());
    log::info!("instance={} its VNC server runs", shared.id);
    shared.vnc.set_up(true);
    let ended = tokio::select! {
        () = cx.stopping() => Some(ExitReason::Shutdown),
        () = shared.vnc.unwanted(LINGER) => None,
        () = shared.vnc.hangs() => {
            shared.vnc.set_up(false);
            log::warn!("instance={} its VNC server answers no more, and is started again", shared.id);
            process.kill(shared).await;
            return Some(ExitReason::Stalled);
        }
        life = process.life(|_| ()) => {
            shared.vnc.set_up(false);
            return Some(match life {
                LifeEnd::Stalled => {
                    process.kill(shared).await;
                    ExitReason::Stalled
                }
                _ if shared.display_now().is_none() => ExitReason::dependency("display_lost"),
                LifeEnd::Ended(ended) => ExitReason::error("vnc_exited", describe("the VNC server", ended.exit)),
                LifeEnd::KeeperGone => keeper_gone(),
            });
        }
    };
    shared.vnc.set_up(false);
    process.stop(shared).await;
    cx.set_pid(None);
    log::info!("instance={} its VNC server was ended", shared.id);
    ended
}

//! WindowManager: lets the app's main window fill the display. With it goes the steward, which keeps windows within reach.

use std::sync::Arc;

use scopeguard::defer;
use tokio::sync::oneshot;

use crate::desktop::commands::DisplayId;
use crate::desktop::process_child::{LifeEnd, Process, describe, keeper_gone};
use crate::desktop::shared::{DesktopShared, role};
use crate::desktop::siblings;
use crate::desktop::starting::readiness::managed;
use crate::supervision::{ChildContext, ExitReason};
use crate::x11::{Steward, StewardHooks, X11Error};

/// The life of a window manager. Without it the app goes on, only its windows are as it made them.
pub async fn window_manager(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    let (keeper, display) = match siblings::both(&shared, &cx).await {
        Ok(both) => both,
        Err(reason) => return reason,
    };
    let mut process = match Process::ensure(keeper, role::WINDOW_MANAGER, shared.layout.window_manager(display)).await {
        Ok(process) => process,
        Err(error) => return ExitReason::error(error.code().to_owned(), error.to_string()),
    };
    cx.set_pid(u32::try_from(process.started.pid).ok());
    // However this ends, also where it is cut off: the next app waits for the next window manager.
    defer! {
        shared.window_manager_up.send_replace(false);
        shared.set_steward(None);
        shared.windows.send_replace(Vec::new());
        shared.window_count.send_replace(None);
    }
    let up = async {
        // An app that maps its window before would get no focus. One that waits for ever would be worse.
        if !managed(&shared, display).await {
            log::warn!("instance={} the window manager is not ready", shared.id);
        }
        shared.window_manager_up.send_replace(true);
        tend(&shared, display).await
    };
    tokio::select! {
        reason = up => reason,
        () = cx.stopping() => {
            process.stop(&shared).await;
            ExitReason::Shutdown
        }
        life = process.life(|_| ()) => match life {
            LifeEnd::Stalled => {
                process.kill(&shared).await;
                ExitReason::Stalled
            }
            _ if shared.display_now().is_none() => ExitReason::dependency("display_lost"),
            LifeEnd::Ended(ended) => {
                ExitReason::error("window_manager_exited", describe("the window manager", ended.exit))
            }
            LifeEnd::KeeperGone => keeper_gone(),
        },
    }
}

/// Keeps windows within reach until that is no longer possible. The process goes on: the next life attaches to it.
async fn tend(shared: &Arc<DesktopShared>, display: DisplayId) -> ExitReason {
    let (ended, wait) = oneshot::channel();
    let hooks = StewardHooks {
        windows: {
            let shared = Arc::clone(shared);
            Box::new(move |windows| drop(shared.windows.send_replace(windows)))
        },
        count: {
            let shared = Arc::clone(shared);
            Box::new(move |count| {
                shared.window_count.send_replace(Some(count));
            })
        },
        ended: Box::new(move |error| drop(ended.send(error))),
    };
    let steward = match Steward::start(shared.address(display), hooks) {
        Ok(steward) => steward,
        Err(error) => return ExitReason::error("steward_failed", error.to_string()),
    };
    shared.set_steward(Some(steward.orders()));
    match wait.await {
        Ok(X11Error::DisplayLost) => ExitReason::dependency("display_lost"),
        Ok(error) => ExitReason::error("steward_failed", error.to_string()),
        Err(_) => ExitReason::error("steward_failed", "the steward's thread panicked"),
    }
}

//! WindowManager: lets the app's main window fill the display.

use std::sync::Arc;

use super::process_child::{LifeEnd, Process, describe, keeper_gone};
use super::readiness::managed;
use super::shared::{DesktopShared, role};
use super::siblings;
use crate::supervision::{ChildContext, ExitReason};

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
    let _down = DownOnDrop(&shared);
    let up = async {
        // An app that maps its window before would get no focus. One that waits for ever would be worse.
        if !managed(&shared, display).await {
            log::warn!("instance={} the window manager is not ready", shared.id);
        }
        shared.window_manager_up.send_replace(true);
        std::future::pending::<()>().await
    };
    tokio::select! {
        () = up => ExitReason::Normal,
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

/// However its child ends, also where it is cut off: the next app waits for the next window manager.
struct DownOnDrop<'a>(&'a DesktopShared);

impl Drop for DownOnDrop<'_> {
    fn drop(&mut self) {
        self.0.window_manager_up.send_replace(false);
    }
}

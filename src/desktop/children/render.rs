//! Render: the app.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scopeguard::defer;

use crate::clock::unix_ms;
use crate::config::catalogue::advice;
use crate::config::{OnHang, RestartPolicy};
use crate::desktop::commands::DisplayId;
use crate::desktop::parts::RENDER;
use crate::desktop::process_child::{Ended, LifeEnd, Process, describe, keeper_gone, tell_stopped};
use crate::desktop::shared::{DesktopShared, role};
use crate::desktop::siblings;
use crate::desktop::starting::kept_home::{HomeFull, look, outgrown};
use crate::desktop::starting::readiness::ready;
use crate::desktop::starting::ready_mark::{Life, time_left};
use crate::process::KeeperClient;
use crate::protocol::keeper::{Exit, FailureCode, Started};
use crate::source::{EndReason, Failure, Part};
use crate::supervision::{ChildContext, ExitReason};

/// The app waits this long for a window manager, so that its first window is already maximised.
const WINDOW_MANAGER_DEADLINE: Duration = Duration::from_secs(3);
/// An app that ends by itself before may not have been the app at all, but what starts it.
const EARLY: Duration = Duration::from_secs(10);
/// Between the last window of an app that has no process of its own to watch and its end.
const WINDOWLESS: Duration = Duration::from_secs(10);
/// What the shell that stays beside a launcher ends with where there is no such command (POSIX, XCU 2.8.2).
const COMMAND_NOT_FOUND: i32 = 127;
/// An app that loses its display ends at the same time as the display, or a little before.
const DISPLAY_LOSS: Duration = Duration::from_millis(300);

/// The life of the app: one process, from its start to its end.
pub async fn render(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    shared.facts.update(|f| {
        if !matches!(f[RENDER], Part::Lost { .. }) {
            f[RENDER] = Part::Starting;
        }
    });
    let (keeper, display) = match siblings::both(&shared, &cx).await {
        Ok(both) => both,
        Err(reason) => return reason,
    };
    if shared.layout.app.window_manager {
        let mut up = shared.window_manager_up.subscribe();
        let _ = cx
            .unless_stopping(tokio::time::timeout(WINDOW_MANAGER_DEADLINE, up.wait_for(|up| *up)))
            .await;
    }
    if let Err(full) = look(&shared).await {
        return fail(&shared, HomeFull::CODE, full.to_string(), Vec::new());
    }
    let spec = shared.layout.app(display);
    let mut process = match Process::ensure_patiently(&shared, &cx, &keeper, role::RENDER, spec).await {
        Ok(process) => process,
        Err(_) if cx.is_stopping() => {
            shared.facts.update(|f| f[RENDER] = Part::Down);
            return ExitReason::Shutdown;
        }
        // Trying again would not make the command appear.
        Err(error) => {
            return fail(
                &shared,
                error.code(),
                format!("the app cannot be started: {error}"),
                Vec::new(),
            );
        }
    };
    cx.set_pid(u32::try_from(process.started.pid).ok());
    log::info!(
        "instance={} app={} pid={} attached={}",
        shared.id,
        shared.layout.app.id,
        process.started.pid,
        process.started.attached
    );
    shared.facts.update(|f| {
        f[RENDER] = Part::Starting;
        f.retry_at = None;
    });
    let (started, begun) = (process.started.clone(), Instant::now());
    tokio::select! {
        () = cx.stopping() => {
            process.stop(&shared).await;
            shared.facts.update(|f| f[RENDER] = Part::Down);
            ExitReason::Shutdown
        }
        life = process.life(tell_stopped(&shared, "the app", RENDER)) => match life {
            LifeEnd::Ended(ended) => {
                let early = !started.attached && begun.elapsed() < EARLY;
                shared.facts.update(|f| f.ended_early = early);
                after_end(&shared, display, ended).await
            }
            LifeEnd::Stalled => stalled(&shared, &process, "the app was stopped again and again").await,
            LifeEnd::KeeperGone => keeper_gone(),
        },
        full = outgrown(&shared) => {
            process.kill(&shared).await;
            log::warn!("instance={} the app was ended: {full}", shared.id);
            let output = process.tail().await;
            fail(&shared, HomeFull::CODE, format!("the app was ended, {full}"), output)
        }
        () = windowless(&shared) => {
            log::info!("instance={} no window of the app is left", shared.id);
            let tail = process.tail().await;
            process.kill(&shared).await;
            after_end(&shared, display, Ended { exit: Exit::Code(0), tail }).await
        }
        () = hung(&shared) => stalled(&shared, &process, "the app did not respond").await,
        () = become_ready(&shared, &keeper, display, &started) => {
            process.stop(&shared).await;
            let seconds = shared.readiness_timeout.as_secs();
            let output = process.tail().await;
            fail(&shared, "not_ready", format!("the app was not ready after {seconds} s"), output)
        }
    }
}

/// Returns only if the app does not become ready in time.
async fn become_ready(shared: &Arc<DesktopShared>, keeper: &KeeperClient, display: DisplayId, started: &Started) {
    let life = Life {
        keeper: keeper.pid(),
        generation: started.generation,
        pid: started.pid,
    };
    let marked = started.attached && off_thread(shared, move |folder| life.is_marked(folder)).await == Some(true);
    if !marked {
        let within = if started.attached {
            left_of_readiness(shared, keeper).await
        } else {
            shared.readiness_timeout
        };
        if !ready(shared, keeper, display, started.pid, within, started.attached).await {
            return;
        }
    }
    shared.facts.update(|f| {
        f[RENDER] = Part::Up;
        f.was_ready = true;
    });
    if !marked && let Some(Err(error)) = off_thread(shared, move |folder| life.mark(folder)).await {
        log::warn!(
            "instance={} a next host will not know that the app is ready: {error}",
            shared.id
        );
    }
    std::future::pending().await
}

/// What an app that an earlier host started has left of its time to become ready.
async fn left_of_readiness(shared: &DesktopShared, keeper: &KeeperClient) -> Duration {
    let roles = keeper.status().await.unwrap_or_default();
    let started_ms = roles
        .iter()
        .find(|r| r.role.as_str() == role::RENDER)
        .map(|r| r.started_ms);
    let now = unix_ms();
    let left = time_left(shared.readiness_timeout, started_ms.unwrap_or(now), now);
    log::info!(
        "instance={} the app has {} s left to become ready",
        shared.id,
        left.as_secs()
    );
    left
}

/// Works on the instance's folder where that may block.
async fn off_thread<T: Send + 'static>(
    shared: &DesktopShared,
    work: impl FnOnce(&std::path::Path) -> T + Send + 'static,
) -> Option<T> {
    let folder = shared.folder.clone();
    tokio::task::spawn_blocking(move || work(&folder)).await.ok()
}

/// Returns only if the app hangs and its entry says that it is to be restarted then. Otherwise viewers are told: it may
/// be busy, and only they know what a restart would cost them.
async fn hung(shared: &DesktopShared) {
    // The next app is another one.
    defer! { shared.facts.update(|f| f.hung = false) };
    let mut changes = shared.app_hung.subscribe();
    // What is said until the next look at the display may be about the app before this one.
    if changes.wait_for(|hung| !hung).await.is_err() {
        return std::future::pending().await;
    }
    loop {
        let hung = *changes.borrow_and_update();
        if shared.facts.get().hung != hung {
            log::warn!(
                "instance={} the app {}",
                shared.id,
                if hung { "does not respond" } else { "responds again" }
            );
        }
        shared.facts.update(|f| f.hung = hung);
        if hung && shared.layout.app.on_hang == OnHang::Restart {
            return;
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Returns only if the app's command has started it and returned, and no window of it is left.
async fn windowless(shared: &DesktopShared) {
    if !shared.layout.app.launcher {
        return std::future::pending().await;
    }
    let mut facts = shared.facts.watch();
    let mut count = shared.window_count.subscribe();
    let gone = async {
        facts.wait_for(|facts| facts[RENDER] == Part::Up).await.ok()?;
        loop {
            count.wait_for(|count| *count == Some(0)).await.ok()?;
            let back = count.wait_for(|count| *count != Some(0));
            // The display itself may be about to go, or the next window about to come.
            if tokio::time::timeout(WINDOWLESS, back).await.is_err() {
                return Some(());
            }
        }
    };
    if gone.await.is_none() {
        std::future::pending().await
    }
}

/// Kills what does not answer; its restart policy decides as after a crash.
async fn stalled(shared: &DesktopShared, process: &Process, message: &str) -> ExitReason {
    log::warn!("instance={} {message}", shared.id);
    process.kill(shared).await;
    shared.set_last_output(process.tail().await);
    if shared.layout.app.restart == RestartPolicy::Temporary {
        return fail(shared, "app_stalled", message.to_owned(), shared.last_output());
    }
    shared.facts.update(|f| {
        f[RENDER] = Part::Lost {
            reason: message.to_owned(),
        };
        f.restarts += 1;
    });
    ExitReason::Stalled
}

async fn after_end(shared: &DesktopShared, display: DisplayId, ended: Ended) -> ExitReason {
    let Ended { exit, tail } = ended;
    shared.set_last_output(tail.clone());
    let mut changes = shared.display.subscribe();
    let lost = changes.wait_for(|now| *now != Some(display));
    if tokio::time::timeout(DISPLAY_LOSS, lost).await.is_ok() {
        shared.facts.update(|f| {
            f[RENDER] = Part::Lost {
                reason: "the display is gone".into(),
            }
        });
        return ExitReason::dependency("display_lost");
    }
    if shared.layout.app.launcher && exit == Exit::Code(COMMAND_NOT_FOUND) {
        let command = &shared.layout.app.command;
        let message = format!("the app cannot be started: {command} does not exist{}", advice(command));
        return fail(shared, FailureCode::CommandNotFound.as_str(), message, tail);
    }
    let message = describe("the app", exit);
    log::warn!("instance={} {message}", shared.id);
    match (shared.layout.app.restart, exit) {
        (RestartPolicy::Transient | RestartPolicy::Temporary, Exit::Code(0)) => {
            shared.facts.update(|f| {
                f[RENDER] = Part::Down;
                f.ending.get_or_insert(EndReason::AppExited);
            });
            ExitReason::Normal
        }
        (RestartPolicy::Temporary, _) => fail(shared, "app_exited", message, tail),
        _ => {
            shared.facts.update(|f| {
                f[RENDER] = Part::Lost {
                    reason: message.clone(),
                };
                f.restarts += 1;
            });
            ExitReason::error("app_exited", message)
        }
    }
}

/// Ends for good: the instance has failed.
fn fail(shared: &DesktopShared, code: &'static str, message: String, output: Vec<String>) -> ExitReason {
    shared.facts.update(|f| {
        f[RENDER] = Part::Down;
        f.failure.get_or_insert(Failure {
            code: code.into(),
            message,
            output,
        });
    });
    ExitReason::Normal
}

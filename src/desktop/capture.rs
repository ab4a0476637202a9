//! Capture: the capture process of an instance and the client that feeds the hub from it.

use std::sync::Arc;
use std::time::Duration;

use super::facts::Part;
use super::process_child::{LifeEnd, Process, describe, keeper_gone, tell_stopped};
use super::shared::{DesktopShared, role};
use super::silence::watch_capture;
use crate::capture::{CaptureClient, CaptureClientConfig, CaptureError, CaptureExit};
use crate::protocol::keeper::Exit;
use crate::supervision::{ChildContext, ExitReason};

/// For the last words of a process that has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The signals of a fault of the process's own.
const CRASHES: [i32; 5] = [libc::SIGILL, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];

/// The life of a capture: process and client end together.
pub async fn capture(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    shared.facts.update(|f| {
        if f.capture == Part::Down {
            f.capture = Part::Starting;
        }
    });
    let keeper = match cx.unless_stopping(shared.keeper()).await {
        Some(Ok(keeper)) => keeper,
        Some(Err(_)) => return keeper_gone(),
        None => return ExitReason::Shutdown,
    };
    let display = match cx.unless_stopping(shared.display()).await {
        Some(Ok(display)) => display,
        Some(Err(_)) => return ExitReason::dependency("display_lost"),
        None => return ExitReason::Shutdown,
    };
    let mut process = match Process::ensure(
        keeper,
        role::CAPTURE,
        shared.layout.capture(display, &shared.preferred_encoders()),
    )
    .await
    {
        Ok(process) => process,
        Err(error) => return lost(&shared, error.code(), format!("the capture cannot be started: {error}")),
    };
    cx.set_pid(u32::try_from(process.started.pid).ok());
    let config = CaptureClientConfig::new(shared.folder.join("capture.sock"));
    let mut client = CaptureClient::start(&shared.media, config, Arc::clone(&shared.hub));
    let mut info = client.handle().info();
    shared.set_capture(Some(client.handle()));
    let progress = client.handle();
    let greeted = async {
        let _ = info.wait_for(Option::is_some).await;
        shared.facts.update(|f| {
            f.capture = Part::Up;
            f.retry_at = None;
        });
        watch_capture(&shared, &progress).await;
    };
    let outcome = tokio::select! {
        () = cx.stopping() => None,
        () = greeted => None,
        life = process.life(tell_stopped(&shared, "the capture", |f| &mut f.capture)) => Some(match life {
            LifeEnd::Ended(ended) => Ok(ended.exit),
            LifeEnd::Stalled => Err(CaptureError::Stalled),
            LifeEnd::KeeperGone => return keeper_gone(),
        }),
        error = client.ended() => Some(Err(error)),
    };
    shared.set_capture(None);
    if let Some(outcome) = &outcome {
        note_encoder(&shared, &mut client, outcome).await;
    }
    drop(client);
    match outcome {
        None => {
            process.stop(&shared).await;
            shared.facts.update(|f| f.capture = Part::Down);
            ExitReason::Shutdown
        }
        Some(Ok(exit)) => ended(&shared, exit),
        Some(Err(error)) => {
            log::warn!("instance={} capture: {error}", shared.id);
            // A connection that ends is usually the process ending: then that tells more.
            if matches!(error, CaptureError::Closed | CaptureError::Reported { .. }) {
                let end = tokio::time::timeout(LAST_WORDS, process.life(|_| ())).await;
                if let Ok(LifeEnd::Ended(end)) = end {
                    return ended(&shared, end.exit);
                }
            }
            // One that hangs or sends rubbish is not asked to end.
            process.kill(&shared).await;
            let reason = lost(&shared, error.code(), error.to_string());
            if matches!(error, CaptureError::Stalled) {
                ExitReason::Stalled
            } else {
                reason
            }
        }
    }
}

/// A capture that ended because of an encoder is followed by one that begins with another.
async fn note_encoder(shared: &DesktopShared, client: &mut CaptureClient, outcome: &Result<Exit, CaptureError>) {
    let handle = client.handle();
    let crashed = match outcome {
        Ok(Exit::Code(code)) if CaptureExit::from_status(*code) == Some(CaptureExit::EncoderFailed) => {
            // Its last words may still be on their way.
            let _ = tokio::time::timeout(LAST_WORDS, client.ended()).await;
            false
        }
        Ok(Exit::Signal(signal)) => CRASHES.contains(signal),
        _ => false,
    };
    let running = handle.info().borrow().as_ref().map(|info| info.running.clone());
    let only = running.filter(|running| crashed && running.len() == 1);
    // A process that crashed had no last words. With one encoder in it, that one is the likeliest cause.
    let blamed = handle
        .failed_encoder()
        .or_else(|| only.and_then(|running| running.into_values().next()));
    if let Some(element) = blamed {
        log::warn!(
            "instance={} encoder={element} failed, the next is tried first",
            shared.id
        );
        shared.encoder_failed(&element).await;
    }
}

fn ended(shared: &DesktopShared, exit: Exit) -> ExitReason {
    if let Exit::Code(code) = exit
        && CaptureExit::from_status(code) == Some(CaptureExit::DisplayLost)
    {
        shared.facts.update(|f| {
            f.capture = Part::Lost {
                reason: "the display is gone".into(),
            }
        });
        return ExitReason::dependency("display_lost");
    }
    lost(shared, "capture_exited", describe("the capture", exit))
}

fn lost(shared: &DesktopShared, code: &'static str, message: String) -> ExitReason {
    shared.facts.update(|f| {
        f.capture = Part::Lost {
            reason: message.clone(),
        };
        f.restarts += 1;
    });
    ExitReason::error(code, message)
}

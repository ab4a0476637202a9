//! Capture: the capture process of an instance and the client that feeds the hub from it.

use std::sync::Arc;
use std::time::Duration;

use crate::capture::{CaptureClient, CaptureClientConfig, CaptureError, CaptureExit, FailedEncoder};
use crate::desktop::children::rest::{spread, unwatched, watched};
use crate::desktop::children::silence::watch_capture;
use crate::desktop::parts::CAPTURE;
use crate::desktop::process_child::{LifeEnd, Process, describe, keeper_gone, tell_stopped};
use crate::desktop::shared::{DesktopShared, named, role};
use crate::desktop::siblings;
use crate::protocol::keeper::Exit;
use crate::source::Part;
use crate::supervision::{ChildContext, ExitReason, dice};

/// For the last words of a process that has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The signals of a fault of the process's own.
const CRASHES: [i32; 5] = [libc::SIGILL, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];

/// How a life ends that an encoder ended.
pub(in crate::desktop) const ENCODER_FAILED: &str = "encoder_failed";

/// The life of a capture, and of those that follow it: one that nobody watches for long ends, and another begins with the first
/// viewer who comes. Meanwhile it counts as up, since nothing is wrong with it. One that rested when a host before ended goes
/// on resting.
pub async fn capture(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    let mut rests = shared.begins_capture() && rested(&shared, &cx).await;
    loop {
        if !rests && let Some(reason) = work(&shared, &cx).await {
            return reason;
        }
        rests = false;
        cx.set_pid(None);
        // Whatever it did not answer to.
        shared.facts.update(|f| f[CAPTURE] = Part::Up);
        if cx.unless_stopping(watched(&shared.hub)).await.is_none() {
            shared.facts.update(|f| f[CAPTURE] = Part::Down);
            return ExitReason::Shutdown;
        }
    }
}

/// Whether a host before has let it end while the program went on.
async fn rested(shared: &DesktopShared, cx: &ChildContext) -> bool {
    if shared.capture_idle_timeout.is_none() {
        return false;
    }
    let Ok((keeper, _)) = siblings::both(shared, cx).await else {
        return false;
    };
    let Some(Ok(roles)) = cx.unless_stopping(keeper.status()).await else {
        return false;
    };
    let runs = |name| {
        let role = named(name);
        roles
            .iter()
            .find(|known| known.role == role)
            .map(|known| known.exit.is_none())
    };
    (runs(role::CAPTURE), runs(role::RENDER)) == (Some(false), Some(true))
}

/// Runs until nobody watches any more: then there is no reason to end. Process and client end together.
async fn work(shared: &Arc<DesktopShared>, cx: &ChildContext) -> Option<ExitReason> {
    shared.facts.update(|f| {
        if f[CAPTURE] == Part::Down {
            f[CAPTURE] = Part::Starting;
        }
    });
    let (keeper, display) = match siblings::both(shared, cx).await {
        Ok(both) => both,
        Err(reason) => return Some(reason),
    };
    let spec = shared.layout.capture(display, &shared.encoders_to_try());
    let mut process = match Process::ensure_patiently(shared, cx, &keeper, role::CAPTURE, spec).await {
        Ok(process) => process,
        Err(_) if cx.is_stopping() => {
            shared.facts.update(|f| f[CAPTURE] = Part::Down);
            return Some(ExitReason::Shutdown);
        }
        Err(error) => {
            let message = format!("the capture cannot be started: {error}");
            return Some(lost(shared, error.code(), message));
        }
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
            f[CAPTURE] = Part::Up;
            f.retry_at = None;
        });
        tokio::select! {
            () = watch_capture(shared, &progress) => {}
            () = unwatched(&shared.hub, spread(shared.capture_idle_timeout, dice())) => {}
        }
    };
    let mut rests = false;
    let outcome = tokio::select! {
        () = cx.stopping() => None,
        () = greeted => {
            rests = true;
            None
        }
        life = process.life(tell_stopped(shared, "the capture", CAPTURE)) => Some(match life {
            LifeEnd::Ended(ended) => Ok(ended.exit),
            LifeEnd::Stalled => Err(CaptureError::Stalled),
            LifeEnd::KeeperGone => return Some(keeper_gone()),
        }),
        error = client.ended() => Some(Err(error)),
    };
    shared.set_capture(None);
    let Some(mut outcome) = outcome else {
        drop(client);
        process.stop(shared).await;
        if rests {
            log::debug!("instance={} nobody watches, its capture rests", shared.id);
            return None;
        }
        shared.facts.update(|f| f[CAPTURE] = Part::Down);
        return Some(ExitReason::Shutdown);
    };
    if let Err(error) = &outcome {
        log::warn!("instance={} capture: {error}", shared.id);
        // A connection that ends is usually the process ending: then that tells more.
        if matches!(error, CaptureError::Closed | CaptureError::Reported { .. })
            && let Ok(LifeEnd::Ended(end)) = tokio::time::timeout(LAST_WORDS, process.life(|_| ())).await
        {
            outcome = Ok(end.exit);
        }
    }
    let blamed = note_encoders(shared, &mut client, &outcome).await;
    drop(client);
    if outcome.is_err() {
        // One that hangs or sends rubbish is not asked to end.
        process.kill(shared).await;
    }
    Some(match (outcome, blamed) {
        (Err(CaptureError::Stalled), _) => {
            lost(shared, CaptureError::Stalled.code(), CaptureError::Stalled.to_string());
            ExitReason::Stalled
        }
        (_, Some(said)) => lost(shared, ENCODER_FAILED, format!("the encoder failed: {said}")),
        (Ok(exit), None) => ended(shared, exit),
        (Err(error), None) => lost(shared, error.code(), error.to_string()),
    })
}

/// A capture that ended because of an encoder is followed by one that begins with another. Gives what people are told
/// of it.
async fn note_encoders(
    shared: &DesktopShared,
    client: &mut CaptureClient,
    outcome: &Result<Exit, CaptureError>,
) -> Option<String> {
    let handle = client.handle();
    let crash = match outcome {
        Ok(Exit::Code(code)) if CaptureExit::from_status(*code) == Some(CaptureExit::EncoderFailed) => {
            // Its last words may still be on their way.
            if !client.is_over() {
                let _ = tokio::time::timeout(LAST_WORDS, client.ended()).await;
            }
            None
        }
        Ok(exit @ Exit::Signal(signal)) if CRASHES.contains(signal) => Some(*exit),
        _ => None,
    };
    let mut failed = handle.failed_encoders();
    // A process that crashed had no last words. With one encoder in it, that one is the likeliest cause.
    if let Some(exit) = crash.filter(|_| failed.is_empty()) {
        let running = handle.info().borrow().as_ref().map(|info| info.running.clone());
        let only = running.filter(|running| running.len() == 1);
        failed.extend(only.into_iter().flatten().map(|(_, element)| FailedEncoder {
            element,
            why: describe("the capture", exit),
        }));
    }
    for FailedEncoder { element, why } in &failed {
        log::warn!(
            "instance={} encoder={element:?} failed, the next is tried first: {why:?}",
            shared.id
        );
        shared.encoder_failed(element, why).await;
    }
    let told: Vec<_> = failed.iter().map(|f| format!("{}: {}", f.element, f.why)).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn ended(shared: &DesktopShared, exit: Exit) -> ExitReason {
    if let Exit::Code(code) = exit
        && CaptureExit::from_status(code) == Some(CaptureExit::DisplayLost)
    {
        shared.facts.update(|f| {
            f[CAPTURE] = Part::Lost {
                reason: "the display is gone".into(),
            }
        });
        return ExitReason::dependency("display_lost");
    }
    lost(shared, "capture_exited", describe("the capture", exit))
}

fn lost(shared: &DesktopShared, code: &'static str, message: String) -> ExitReason {
    shared.facts.update(|f| {
        f[CAPTURE] = Part::Lost {
            reason: message.clone(),
        };
        f.restarts += 1;
    });
    ExitReason::error(code, message)
}

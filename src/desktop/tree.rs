//! The supervision tree of a Desktop.

use std::sync::Arc;
use std::time::Duration;

use super::children::{capture, display, input, keeper_link, render, vnc, window_manager};
use super::parts::INPUT;
use super::shared::DesktopShared;
use crate::source::Failure;
use crate::supervision::{ChildSpec, ExitReason, Intensity, Restart, Shutdown, Strategy, SupervisorSpec};

/// A process gets 3 s between TERM and KILL; its child a little more to hear of it.
const PROCESS_SHUTDOWN: Shutdown = Shutdown::Timeout(Duration::from_secs(8));
/// An app that ends more often than this has failed.
const RENDER_BUDGET: Intensity = Intensity::new(4, Duration::from_secs(60));
const CAPTURE_BUDGET: Intensity = Intensity::new(5, Duration::from_secs(60));
const WINDOW_MANAGER_BUDGET: Intensity = Intensity::new(5, Duration::from_secs(60));
const DISPLAY_INTENSITY: Intensity = Intensity::new(4, Duration::from_secs(60));
const VNC_BUDGET: Intensity = Intensity::new(5, Duration::from_secs(60));
const INPUT_BUDGET: Intensity = Intensity::new(10, Duration::from_secs(60));

/// Keeper, Display and Stage: with one, those after it are restarted.
#[must_use]
pub fn desktop(shared: &Arc<DesktopShared>) -> SupervisorSpec {
    // The keeper's loss is nothing that a restart could heal: the link says so once, and then takes the Desktop down.
    SupervisorSpec::new(Strategy::RestForOne, DISPLAY_INTENSITY)
        .auto_shutdown(crate::supervision::AutoShutdown::AnySignificant)
        .child(child("keeper", Restart::Transient, shared, keeper_link::keeper_link).significant())
        .child(child("display", Restart::Permanent, shared, display::display))
        .child({
            let shared = Arc::clone(shared);
            ChildSpec::supervisor("stage", Restart::Permanent, move || stage(&shared))
        })
}

/// The processes on a display, each with a budget of its own.
fn stage(shared: &Arc<DesktopShared>) -> SupervisorSpec {
    let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(3, Duration::from_secs(60)));
    let spec = if shared.layout.app.window_manager {
        let id = shared.id;
        spec.child(
            child(
                "window_manager",
                Restart::Permanent,
                shared,
                window_manager::window_manager,
            )
            .budget(WINDOW_MANAGER_BUDGET, move |_| {
                log::error!("instance={id} goes on without a window manager")
            }),
        )
    } else {
        spec
    };
    let spec = if shared.layout.vnc_folder.is_some() {
        let off = Arc::clone(shared);
        spec.child(
            child("vnc", Restart::Permanent, shared, vnc::vnc).budget(VNC_BUDGET, move |reason| {
                log::error!("instance={} goes on without a VNC server: {reason}", off.id);
                off.vnc.set_off();
            }),
        )
    } else {
        spec
    };
    spec.child(
        child("capture", Restart::Permanent, shared, capture::capture)
            .on_restart(countdown(shared))
            .budget(CAPTURE_BUDGET, failed(shared, picture_failed)),
    )
    .child({
        let off = Arc::clone(shared);
        child("input", Restart::Permanent, shared, input::input).budget(INPUT_BUDGET, move |reason| {
            log::error!("instance={} input is off: {reason}", off.id);
            // The picture goes on without.
            off.facts.update(|f| f[INPUT] = crate::source::Part::Down);
        })
    })
    .child(
        child("render", Restart::Transient, shared, render::render)
            .on_restart(countdown(shared))
            .budget(
                RENDER_BUDGET,
                failed(shared, |_, reason| {
                    ("crash_loop", format!("the app ended again and again: {}", why(reason)))
                }),
            ),
    )
}

fn child<F, L>(id: &'static str, restart: Restart, shared: &Arc<DesktopShared>, life: F) -> ChildSpec
where
    F: Fn(Arc<DesktopShared>, crate::supervision::ChildContext) -> L + Send + Sync + 'static,
    L: Future<Output = ExitReason> + 'static,
{
    let shared = Arc::clone(shared);
    ChildSpec::task(id, restart, move |cx| life(Arc::clone(&shared), cx)).shutdown(PROCESS_SHUTDOWN)
}

/// Viewers see when the next try is due, if they have to wait for it.
fn countdown(shared: &Arc<DesktopShared>) -> impl Fn(Duration) + Send + Sync + 'static {
    let shared = Arc::clone(shared);
    move |delay| {
        let due = (!delay.is_zero()).then(|| std::time::Instant::now() + delay);
        shared.facts.update(|f| f.retry_at = due);
    }
}

/// What happens when a budget is used up: the instance has failed, and says why.
fn failed(
    shared: &Arc<DesktopShared>,
    explain: impl Fn(&DesktopShared, &ExitReason) -> (&'static str, String) + Send + Sync + 'static,
) -> impl Fn(&ExitReason) + Send + Sync + 'static {
    let shared = Arc::clone(shared);
    move |reason| {
        let (code, message) = explain(&shared, reason);
        let output = shared.last_output();
        shared.facts.update(|f| {
            f.failure.get_or_insert(Failure {
                code: code.into(),
                message,
                output,
            });
        });
    }
}

/// The capture ended too often: because no encoder of a codec is left, or for another reason.
fn picture_failed(shared: &DesktopShared, reason: &ExitReason) -> (&'static str, String) {
    if matches!(reason, ExitReason::Error { code, .. } if *code == capture::ENCODER_FAILED)
        && let Some(none_left) = shared.codec_lost(CAPTURE_BUDGET.period)
    {
        return ("encoders_failed", none_left.to_string());
    }
    (
        "capture_failed",
        format!("the picture cannot be captured: {}", why(reason)),
    )
}

fn why(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Error { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

//! Input: the XTEST connection of an instance, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::config::Keyboard;
use crate::desktop::parts::INPUT;
use crate::desktop::shared::DesktopShared;
use crate::desktop::siblings;
use crate::source::Part;
use crate::supervision::{ChildContext, ExitReason};
use crate::x11::{InputHooks, InputThread, KeyboardMode, X11Error};

/// What the thread gets to release what is down.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// The life of the injecting thread: it ends with its display.
pub async fn input(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    shared.facts.update(|f| {
        if f[INPUT] == Part::Down {
            f[INPUT] = Part::Starting;
        }
    });
    let reason = life(&shared, &cx).await;
    shared.facts.update(|f| {
        f[INPUT] = match &reason {
            ExitReason::Shutdown => Part::Down,
            other => Part::Lost {
                reason: other.to_string(),
            },
        }
    });
    reason
}

async fn life(shared: &Arc<DesktopShared>, cx: &ChildContext) -> ExitReason {
    let display = match siblings::display(shared, cx).await {
        Ok(display) => display,
        Err(reason) => return reason,
    };
    let mode = match shared.layout.app.keyboard {
        Keyboard::Text => KeyboardMode::Text,
        Keyboard::Physical => KeyboardMode::Physical,
    };
    let (ended, wait) = oneshot::channel();
    let hooks = InputHooks {
        ready: {
            let shared = Arc::clone(shared);
            Box::new(move || shared.facts.update(|f| f[INPUT] = Part::Up))
        },
        injected: {
            let shared = Arc::clone(shared);
            Box::new(move || shared.expect_change())
        },
        not_typed: {
            let shared = Arc::clone(shared);
            Box::new(move |characters| {
                log::warn!("instance={} not_typed={characters} characters", shared.id);
                shared
                    .facts
                    .update(|f| f.text_not_typed = f.text_not_typed.saturating_add(characters));
            })
        },
        ended: Box::new(move |error| {
            let _ = ended.send(error);
        }),
    };
    let thread = InputThread::start(
        shared.address(display),
        mode,
        Arc::clone(&shared.input),
        Arc::clone(&shared.held),
        hooks,
    );
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => return ExitReason::error("input_thread", error.to_string()),
    };
    tokio::select! {
        () = cx.stopping() => {
            // Blocks, so not here on the arbiter.
            let _ = tokio::task::spawn_blocking(move || thread.join(STOP_DEADLINE)).await;
            ExitReason::Shutdown
        }
        error = wait => match error {
            Ok(Some(X11Error::DisplayLost)) => ExitReason::dependency("display_lost"),
            Ok(Some(error)) => ExitReason::error("input_failed", error.to_string()),
            Ok(None) => ExitReason::Normal,
            Err(_) => ExitReason::error("input_thread", "the input thread panicked"),
        },
    }
}

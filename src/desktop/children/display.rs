//! Display: the X server of an instance.

use std::sync::Arc;
use std::time::Duration;

use crate::desktop::children::pulse::watch;
use crate::desktop::commands::DisplayId;
use crate::desktop::own_thread::on_own_thread;
use crate::desktop::parts::DISPLAY;
use crate::desktop::process_child::{Ended, LifeEnd, News, Process, describe, keeper_gone, tell_stopped};
use crate::desktop::shared::{DesktopShared, role};
use crate::desktop::siblings;
use crate::desktop::takeover::Tenure;
use crate::protocol::keeper::Exit;
use crate::source::Part;
use crate::supervision::{ChildContext, ExitReason};
use crate::x11;

/// What an X server takes to say its number; usually 40 ms.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// What the keymap takes to be set; usually 5 ms.
const KEYBOARD_DEADLINE: Duration = Duration::from_secs(2);

/// The life of a display: up, until its process ends. Everything started after it hangs on it.
pub async fn display(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    // All that hung on the one before has let go by now.
    shared.expect_successor(false);
    shared.facts.update(|f| {
        if f[DISPLAY] == Part::Down {
            f[DISPLAY] = Part::Starting;
        }
    });
    let keeper = match siblings::keeper(&shared, &cx).await {
        Ok(keeper) => keeper,
        Err(reason) => return reason,
    };
    let ensured = Process::ensure_patiently(&shared, &cx, &keeper, role::DISPLAY, shared.layout.display()).await;
    let mut process = match ensured {
        Ok(process) => process,
        Err(_) if cx.is_stopping() => {
            shared.facts.update(|f| f[DISPLAY] = Part::Down);
            return ExitReason::Shutdown;
        }
        Err(error) => return down(&shared, error.code(), format!("the display cannot be started: {error}")),
    };
    cx.set_pid(u32::try_from(process.started.pid).ok());
    let number = match process.started.display {
        Some(number) => Ok(number),
        None => tokio::time::timeout(START_DEADLINE, process.news()).await.map_or_else(
            |_| Err("the display did not start in time".to_owned()),
            |news| match news {
                News::Display(number) => Ok(number),
                News::Ended(ended) => Err(ended_with(&shared, ended)),
                News::Stopped(_) => Err("the display was stopped before it had started".to_owned()),
                News::KeeperGone => Err("the keeper is gone".to_owned()),
            },
        ),
    };
    let number = match number {
        Ok(number) => number,
        Err(message) => {
            process.stop(&shared).await;
            return down(&shared, "display_failed", message);
        }
    };
    let id = DisplayId {
        number,
        generation: process.started.generation,
    };
    if !process.started.attached {
        prepare_keyboard(&shared, id).await;
    }
    let tenure = Tenure::begin(&shared, &cx, |shared| {
        shared.display.send_replace(None);
    });
    shared.display.send_replace(Some(id));
    shared.facts.update(|f| f[DISPLAY] = Part::Up);
    log::info!(
        "instance={} display=:{number} attached={}",
        shared.id,
        process.started.attached
    );
    let reason = tokio::select! {
        () = cx.stopping() => {
            shared.display.send_replace(None);
            process.stop(&shared).await;
            shared.facts.update(|f| f[DISPLAY] = Part::Down);
            ExitReason::Shutdown
        }
        life = process.life(tell_stopped(&shared, "the display", DISPLAY)) => {
            shared.display.send_replace(None);
            match life {
                LifeEnd::Ended(ended) => down(&shared, "display_lost", ended_with(&shared, ended)),
                LifeEnd::Stalled => stalled(&shared, &process, "the display was stopped again and again").await,
                LifeEnd::KeeperGone => keeper_gone(),
            }
        }
        () = watch(&shared, id) => {
            shared.display.send_replace(None);
            stalled(&shared, &process, "the display does not answer").await
        }
    };
    tenure.over();
    reason
}

/// Before anything else is on the display: programs read its keymap when they start, and need not read it again.
async fn prepare_keyboard(shared: &Arc<DesktopShared>, id: DisplayId) {
    let address = shared.address(id);
    let prepared = on_own_thread("keymap", move || x11::prepare_keyboard(&address, KEYBOARD_DEADLINE)).await;
    // Who injects input does it as well, and says whether that works.
    if let Some(Err(error)) = prepared {
        log::warn!("instance={} the keymap is not set: {error}", shared.id);
    }
}

/// What people read about the end of an X server: why, in its own words, where it gave any. All of them are kept for the
/// page, and logged where they are not what the one before said.
fn ended_with(shared: &DesktopShared, ended: Ended) -> String {
    let end = describe("the display", ended.exit);
    // Whoever was killed from outside had no reason of its own.
    let by_itself = matches!(ended.exit, Exit::Code(_));
    let Some(said) = cause(&ended.tail, by_itself).map(str::to_owned) else {
        return end;
    };
    if shared.last_output() != ended.tail {
        log::warn!("instance={} {end}: {}", shared.id, ended.tail.join(" | "));
        shared.set_last_output(ended.tail);
    }
    format!("{end}: {said}")
}

/// The line that says why: the last one that an X server marks as an error (`(EE)`), else, `if_any`, the last.
fn cause(tail: &[String], if_any: bool) -> Option<&str> {
    let said = || tail.iter().rev().map(|line| line.trim());
    let error = said().find_map(|line| line.strip_prefix("(EE)").map(str::trim).filter(|line| !line.is_empty()));
    error.or_else(|| said().find(|line| if_any && !line.is_empty()))
}

/// Kills what does not answer.
async fn stalled(shared: &DesktopShared, process: &Process, message: &str) -> ExitReason {
    log::warn!("instance={} {message}", shared.id);
    process.kill(shared).await;
    down(shared, "display_stalled", message.to_owned());
    ExitReason::Stalled
}

fn down(shared: &DesktopShared, code: &'static str, message: String) -> ExitReason {
    shared.facts.update(|f| {
        f[DISPLAY] = Part::Lost {
            reason: message.clone(),
        };
        f.restarts += 1;
    });
    ExitReason::error(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_an_x_server_marks_as_an_error_says_why_it_ended() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let xvfb = lines(
            "_XSERVTransmkdir: ERROR\n(EE) \nFatal server error:\n(EE) Cannot establish any listening sockets\n(EE) \n",
        );
        assert_eq!(cause(&xvfb, false), Some("Cannot establish any listening sockets"));
        let other = lines("bwrap: no such file\n\n");
        assert_eq!(cause(&other, true), Some("bwrap: no such file"));
        assert_eq!(cause(&other, false), None);
        assert_eq!(cause(&[], true), None);
    }
}

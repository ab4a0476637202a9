//! Whether the display and the app on it still answer.

use std::sync::Arc;

use scopeguard::defer;
use tokio::time::sleep;

use crate::desktop::children::rest::Watched;
use crate::desktop::children::silence::{SILENT_TICKS as QUIET_TICKS, Silence, TICK};
use crate::desktop::commands::DisplayId;
use crate::desktop::parts::DISPLAY;
use crate::desktop::shared::DesktopShared;
use crate::x11::Pulse;

/// A display that answers nothing for so many looks is given up. Counted, not timed: a host that was stopped itself
/// goes on counting where it was.
const SILENT_TICKS: u32 = 10;
/// Until the first answer: the connection has to be made.
const FIRST_TICKS: u32 = 30;
/// What viewers are told before.
const QUIET: Silence = Silence {
    part: DISPLAY,
    words: "the display does not answer",
};
/// An app that leaves a ping unanswered, and draws nothing, for so many round trips of the display (one a second) does not
/// respond.
const HUNG_BEATS: u64 = 5;

/// Returns when the display does not answer any more. Keeps `app_hung` true to life meanwhile.
pub(in crate::desktop) async fn watch(shared: &Arc<DesktopShared>, display: DisplayId) {
    let pulse = match Pulse::start(shared.address(display)) {
        Ok(pulse) => pulse,
        Err(error) => {
            // Without it hanging is noticed by the capture alone.
            log::warn!("instance={} no pulse of the display: {error}", shared.id);
            return std::future::pending().await;
        }
    };
    // Nothing is known of an app without a display.
    defer! {
        shared.app_hung.send_replace(false);
    }
    let mut watched = Watched::new(shared);
    let (mut beats, mut silent, mut told) = (0, 0, true);
    loop {
        if beats == 0 {
            sleep(TICK).await;
        } else {
            watched.pause(TICK, |pace| pulse.set_pace(pace)).await;
        }
        let now = pulse.beats();
        silent = if now == beats { silent + 1 } else { 0 };
        beats = now;
        let quiet = beats > 0 && silent > QUIET_TICKS;
        // Of hundreds of displays at rest there is nothing to tell.
        if quiet || told {
            shared.facts.update(|f| QUIET.tell(f, quiet));
        }
        told = quiet;
        if silent > if beats == 0 { FIRST_TICKS } else { SILENT_TICKS } {
            return;
        }
        let hung = pulse.unanswered() >= HUNG_BEATS;
        shared
            .app_hung
            .send_if_modified(|before| std::mem::replace(before, hung) != hung);
    }
}

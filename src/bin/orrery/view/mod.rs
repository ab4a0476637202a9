//! The interactive orrery.
//!
//! One thread, one loop: wait for input or the next frame, change the state, draw what changed, put those parts.
//! While nothing moves (paused, no input) it sleeps on the X connection and draws nothing. The next picture is not
//! begun before the server has read the last one from shared memory.
//!
//! - `state`: what is shown, and what input and time do to it (pure)
//! - `scene`: the picture · `sky` `panel` `hud`: its parts

mod hud;
mod panel;
mod scene;
mod sky;
mod state;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::aids::{Aids, End};
use crate::args::Args;
use crate::error::DemoError;
use crate::space::date;
use crate::surface::{Part, Surface};
use crate::time::Pacer;
use crate::window::{Happening, Window};
use scene::Scene;
use state::{Redraw, State};

/// The longest time between two frames that the planets move through: after a stop they go on, they do not jump.
const LONGEST_STEP: f32 = 0.1;

/// Shows the orrery until the window is closed or the time is up.
///
/// # Errors
/// The display is lost or refuses a resource.
pub fn run(window: &mut Window, args: &Args, aids: &Aids) -> Result<End, DemoError> {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |t| t.as_secs_f64());
    let mut state = State::new(window.size(), date::days_of_unix(unix), args.speed, args.paused);
    let mut scene = Scene::new(args.seed);
    let mut surface = Surface::new(window, window.size())?;
    println!(
        "mode orrery fps={} shared memory {}",
        args.fps,
        if surface.is_shared() { "yes" } else { "no" }
    );
    let mut pacer = Pacer::new(args.fps, Instant::now());
    let mut redraw = Redraw::All;
    let mut exposed = false;
    let mut last: Option<Instant> = None;
    loop {
        let wanted = redraw > Redraw::Nothing || exposed || state.is_moving();
        let frame_at = (wanted && !surface.is_pending()).then(|| pacer.due_at());
        match window.next(aids.sooner(frame_at))? {
            Some(Happening::Close) => return Ok(End::Closed),
            Some(Happening::Shown) => surface.shown(),
            Some(Happening::Exposed) => exposed = true,
            Some(happening) => {
                if let Happening::Key {
                    keysym, pressed: true, ..
                } = happening
                {
                    aids.on_key(keysym);
                }
                if let Happening::Resized(size) = happening {
                    std::mem::replace(&mut surface, Surface::new(window, size)?).free(window)?;
                }
                redraw = redraw.max(state.happening(happening));
            }
            None => {}
        }
        let now = Instant::now();
        if aids.time_is_up(now) {
            return Ok(End::TimeUp);
        }
        if surface.is_pending() || !(redraw > Redraw::Nothing || exposed || state.is_moving()) || !pacer.tick(now) {
            continue;
        }
        // After a standstill time begins anew.
        let seconds = last.map_or(0.0, |at| (now - at).as_secs_f32().min(LONGEST_STEP));
        redraw = redraw.max(state.advance(seconds));
        last = state.is_moving().then_some(now);
        let mut parts = Vec::new();
        if redraw > Redraw::Nothing {
            parts = scene.draw(&state, surface.pixels(), redraw);
        }
        if exposed {
            parts = vec![Part {
                x: 0,
                y: 0,
                width: state.size.width,
                height: state.size.height,
            }];
        }
        surface.put(window, 0, 0, &parts)?;
        // Drawing takes at most half of a core, however large the window or slow the machine.
        pacer.hold(now + now.elapsed() * 2);
        (redraw, exposed) = (Redraw::Nothing, false);
    }
}

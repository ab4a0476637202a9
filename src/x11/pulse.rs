//! Whether a display, and the app that has the focus on it, still answer.
//!
//! A thread asks the display for a round trip about once a second, or less often where it is told so, and pings the active window (EWMH `_NET_WM_PING`)
//! where it takes part in that. What its silence means is decided in [`super::answers`]: whoever draws responds. It judges
//! nothing by the clock: it counts, and so does who reads the counts, so that neither a stopped host nor a suspended
//! machine makes anything look silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt as _, EventMask, Window,
};

use super::answers::Answers;
use super::connect::Display;
use super::{Cancel, DisplayAddress, X11Error};

/// Between two round trips.
const BEAT: Duration = Duration::from_secs(1);
/// How long the display may take to answer at start.
const CONNECT: Duration = Duration::from_secs(10);
/// More protocols than a window ever names.
const MAX_PROTOCOLS: u32 = 64;

/// A running thread. Dropping it ends it.
#[derive(Debug)]
pub struct Pulse {
    counts: Arc<Counts>,
    cancel: Arc<Cancel>,
    thread: Thread,
}

#[derive(Debug)]
struct Counts {
    beats: AtomicU64,
    unanswered: AtomicU64,
    /// Between two round trips, in beats.
    pace: AtomicU32,
}

impl Counts {
    fn pause(&self) -> Duration {
        BEAT * self.pace.load(Ordering::Acquire)
    }
}

impl Pulse {
    /// Starts to ask.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(address: DisplayAddress) -> std::io::Result<Self> {
        let cancel = Arc::<Cancel>::default();
        let counts = Arc::new(Counts {
            beats: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            pace: AtomicU32::new(1),
        });
        let (of_thread, cancels) = (Arc::clone(&counts), Arc::clone(&cancel));
        let thread = thread::Builder::new().name("x-pulse".into()).spawn(move || {
            if let Err(error) = beat(&address, &of_thread, &cancels)
                && !cancels.is_cancelled()
            {
                log::debug!("display={address} pulse: {error}");
            }
        })?;
        Ok(Self {
            counts,
            cancel,
            thread: thread.thread().clone(),
        })
    }

    /// From now on it asks once in so many seconds.
    pub fn set_pace(&self, seconds: u32) {
        if self.counts.pace.swap(seconds, Ordering::AcqRel) > seconds {
            // Not only after the pause that has begun.
            self.thread.unpark();
        }
    }

    /// Round trips so far.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.counts.beats.load(Ordering::Relaxed)
    }

    /// For how many round trips the active window has left a ping unanswered, without anything being drawn; 0 while it
    /// answers, and for windows that do not take part or have never answered.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.counts.unanswered.load(Ordering::Relaxed)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.thread.unpark();
    }
}

fn beat(address: &DisplayAddress, counts: &Counts, cancel: &Cancel) -> Result<(), X11Error> {
    let display = Display::connect(address, CONNECT)?;
    cancel.attach(&display)?;
    let atoms = Atoms::of(&display)?;
    let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
    display.x.change_window_attributes(display.root(), &mask)?;
    let damage = watch_drawing(&display)?;
    let mut answers = Answers::default();
    loop {
        // Ends by its cancel, not by a deadline: who reads the count decides.
        let active = active_window(&display, &atoms)?;
        counts.beats.fetch_add(1, Ordering::Relaxed);
        let mut drawn = false;
        while let Some(event) = display.x.poll_for_event()? {
            match event {
                Event::ClientMessage(message) if message.type_ == atoms.protocols && message.format == 32 => {
                    let [protocol, serial, ..] = message.data.as_data32();
                    if protocol == atoms.ping {
                        answers.answered(serial);
                    }
                }
                Event::DestroyNotify(gone) => answers.gone(gone.window),
                Event::Error(error) => answers.gone(error.bad_value),
                Event::DamageNotify(_) => drawn = true,
                _ => {}
            }
        }
        if drawn && let Some(damage) = damage {
            // Only then is the next drawing told of: one event a beat, however much is drawn.
            display.x.damage_subtract(damage, x11rb::NONE, x11rb::NONE)?;
        }
        if let Some((window, serial)) = answers.beat(active, drawn)
            && (answers.takes_part(window) || answers_pings(&display, &atoms, window)?)
        {
            ping(&display, &atoms, window, serial)?;
            answers.asked(window, serial);
        }
        counts.unanswered.store(answers.silent(), Ordering::Relaxed);
        thread::park_timeout(counts.pause());
        if cancel.is_cancelled() {
            return Ok(());
        }
    }
}

/// Tells when anything is drawn on the display. `None` for a display without that extension, of which the capture tells.
fn watch_drawing(display: &Display) -> Result<Option<Damage>, X11Error> {
    // Refused before anything is sent where the server has none.
    let Ok(version) = display.x.damage_query_version(1, 1) else {
        return Ok(None);
    };
    version.reply().map_err(X11Error::reply("the version of DAMAGE"))?;
    let damage = display.x.generate_id()?;
    display
        .x
        .damage_create(damage, display.root(), ReportLevel::NON_EMPTY)?;
    Ok(Some(damage))
}

#[derive(Debug)]
pub(super) struct Atoms {
    pub(super) protocols: Atom,
    pub(super) ping: Atom,
    active: Atom,
}

impl Atoms {
    pub(super) fn of(display: &Display) -> Result<Self, X11Error> {
        let atom = |name: &[u8]| -> Result<Atom, X11Error> {
            let reply = display.x.intern_atom(false, name)?.reply();
            Ok(reply.map_err(X11Error::reply("an atom"))?.atom)
        };
        Ok(Self {
            protocols: atom(b"WM_PROTOCOLS")?,
            ping: atom(b"_NET_WM_PING")?,
            active: atom(b"_NET_ACTIVE_WINDOW")?,
        })
    }
}

/// The window that the window manager has given the focus, if there is both. A round trip.
fn active_window(display: &Display, atoms: &Atoms) -> Result<Option<Window>, X11Error> {
    let property = display
        .x
        .get_property(false, display.root(), atoms.active, AtomEnum::WINDOW, 0, 1)?;
    let property = property.reply().map_err(X11Error::reply("a property"))?;
    Ok(property
        .value32()
        .and_then(|mut values| values.next())
        .filter(|window| *window != x11rb::NONE))
}

pub(super) fn answers_pings(display: &Display, atoms: &Atoms, window: Window) -> Result<bool, X11Error> {
    let property = display
        .x
        .get_property(false, window, atoms.protocols, AtomEnum::ATOM, 0, MAX_PROTOCOLS)?;
    // The window may have gone meanwhile.
    Ok(property.reply().is_ok_and(|reply| {
        reply
            .value32()
            .is_some_and(|mut protocols| protocols.any(|protocol| protocol == atoms.ping))
    }))
}

/// EWMH, "_NET_WM_PING": the client sends the same message on to the root window. The number stands where a time stamp
/// is expected; it only has to come back. The end of the window is asked for as well: no answer comes after it.
pub(super) fn ping(display: &Display, atoms: &Atoms, window: Window, serial: u32) -> Result<(), X11Error> {
    let destroyed = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    display.x.change_window_attributes(window, &destroyed)?;
    let data = [atoms.ping, serial, window, 0, 0];
    let message = ClientMessageEvent::new(32, window, atoms.protocols, data);
    display.x.send_event(false, window, EventMask::NO_EVENT, message)?;
    display.x.flush()?;
    Ok(())
}

//! What comes out of a role: its output, its display number, its exit.

use std::io;

use nix::errno::Errno;
use nix::unistd::{Uid, geteuid, read};

use super::super::display_files::Display;
use super::super::look::Look;
use super::super::slot::Slot;
use super::{ALL, Out};
use crate::clock;
use crate::protocol::keeper::{Event, Exit};

/// Read at once; others have their turn before the next.
const CHUNK: usize = 64 * 1024;
/// After an exit at most so much is drained: the pipe's own capacity, and more only if others still write.
const MAX_DRAINED: usize = 1 << 20;
/// An X server writes a few digits and a line's end.
const MAX_DISPLAY_TEXT: usize = 16;

/// Reads each of its pipes once.
pub(super) fn read_output(slot: &mut Slot) {
    let mut buffer = vec![0; CHUNK];
    let (log, tail) = (&mut slot.log, &mut slot.tail);
    slot.outputs.retain(|pipe| match read(pipe, &mut buffer) {
        Ok(0) => false,
        Ok(count) => {
            log.write(&buffer[..count]);
            tail.push(&buffer[..count]);
            true
        }
        Err(Errno::EAGAIN | Errno::EINTR) => true,
        Err(errno) => {
            log::warn!("role={} output cannot be read: {errno}", slot.role);
            false
        }
    });
}

/// Reads its display number, if it is there.
pub(super) fn read_display(slot: &mut Slot, out: &mut Vec<Out>) {
    let Some(pipe) = &slot.display_pipe else { return };
    let mut buffer = [0; MAX_DISPLAY_TEXT];
    match read(pipe, &mut buffer) {
        Ok(0) => slot.display_pipe = None,
        Ok(count) => slot.display_text.extend_from_slice(&buffer[..count]),
        Err(Errno::EAGAIN | Errno::EINTR) => return,
        Err(errno) => {
            log::warn!("role={} display={} cannot be read", slot.role, io::Error::from(errno));
            slot.display_pipe = None;
        }
    }
    let Some(end) = slot.display_text.iter().position(|&b| b == b'\n') else {
        if slot.display_text.len() > MAX_DISPLAY_TEXT {
            log::warn!("role={} writes no display number", slot.role);
            slot.display_pipe = None;
        }
        return;
    };
    slot.display_pipe = None;
    let number = std::str::from_utf8(&slot.display_text[..end])
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let (Some(number), Some(main)) = (number, &mut slot.main) else {
        return;
    };
    let user = main.spec.user.map_or_else(geteuid, |user| Uid::from_raw(user.uid));
    main.display = Some(Display::of_running(number, user));
    log::info!("role={} display={number}", slot.role);
    out.push(Out::Event(Event::Display {
        role: slot.role.clone(),
        generation: slot.generation,
        number,
    }));
}

/// Our child was stopped by a signal, or goes on.
pub(super) fn held(slot: &mut Slot, held: bool, out: &mut Vec<Out>) {
    if let Some(main) = &mut slot.main {
        main.held = held;
    }
    stopped(slot, held, out);
}

/// It is stopped, or goes on.
fn stopped(slot: &mut Slot, stopped: bool, out: &mut Vec<Out>) {
    let Some(main) = &mut slot.main else { return };
    if std::mem::replace(&mut main.stopped, stopped) == stopped {
        return;
    }
    log::info!(
        "role={} pid={} generation={} {}",
        slot.role,
        main.pid,
        slot.generation,
        if stopped { "stopped" } else { "continued" }
    );
    if !slot.once {
        out.push(Out::Event(Event::Stopped {
            role: slot.role.clone(),
            generation: slot.generation,
            stopped,
        }));
    }
}

/// When the program of a sandbox is to be looked at.
pub(super) fn look_us(slot: &Slot) -> Option<u64> {
    let main = slot.main.as_ref().filter(|main| main.exit.is_none())?;
    main.look.as_ref().map(Look::due_us)
}

/// Looks at the program in a sandbox, if it is time to.
pub(super) fn look(slot: &mut Slot, now_us: u64, out: &mut Vec<Out>) {
    if look_us(slot).is_none_or(|at| at > now_us) {
        return;
    }
    let Some(main) = &mut slot.main else { return };
    let found = main.look.as_mut().and_then(|look| look.is_stopped(now_us));
    if let Some(found) = found {
        let held = main.held;
        stopped(slot, found || held, out);
    }
}

/// Its main process ended.
pub(super) fn exited(slot: &mut Slot, exit: Exit, now_us: u64, out: &mut Vec<Out>) {
    let sandboxed = slot.main.as_ref().is_some_and(|main| main.inside.is_some());
    let exit = if sandboxed { of_program(exit) } else { exit };
    // What it wrote before it died comes first.
    read_display(slot, out);
    drain(slot);
    let Some(main) = &mut slot.main else { return };
    main.exit = Some((exit, clock::unix_ms()));
    log::info!(
        "role={} pid={} generation={} ended: {exit}",
        slot.role,
        main.pid,
        slot.generation
    );
    if let Some(display) = main.display {
        display.free(main.pid);
    }
    if slot.current.is_some() {
        slot.wake_us = Some(now_us);
    }
    if !slot.once {
        let (role, generation) = (slot.role.clone(), slot.generation);
        out.push(Out::Event(Event::Exited {
            role,
            generation,
            exit,
            tail: slot.tail.newest(ALL),
        }));
    }
}

/// Bubblewrap tells a signal as shells do: 128 and its number.
fn of_program(exit: Exit) -> Exit {
    match exit {
        Exit::Code(code) if (129..=128 + libc::SIGRTMAX()).contains(&code) => Exit::Signal(code - 128),
        exit => exit,
    }
}

fn drain(slot: &mut Slot) {
    let mut buffer = vec![0; CHUNK];
    let Some(pipe) = slot.outputs.front() else { return };
    let mut drained = 0;
    while drained < MAX_DRAINED {
        match read(pipe, &mut buffer) {
            Ok(count) if count > 0 => {
                slot.log.write(&buffer[..count]);
                slot.tail.push(&buffer[..count]);
                drained += count;
            }
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

//! `--pattern`: a measuring target whose whole state can be read from its picture.
//!
//! # The picture
//!
//! Pixels of a window `w`×`h`, origin top left; `still` means `--content still`.
//!
//! | part | x | y | what |
//! |---|---|---|---|
//! | flip area | `0..w` if still, else `0..300` | `0..h-60` | `0x0000a0`, or `0xffe000` after an odd number of flips |
//! | cells, row 0 | `0..128` | `0..8` | number of flips, modulo 65536 |
//! | cells, row 1 | `0..128` | `8..16` | CRC-16 of the typed text |
//! | content | `300..w`, nothing if still | `0..h-60` | shapes, scrolling text, or noise (640×360 from (300, 0)) |
//! | typed text | `0..w` | `h-60..h-30` | light on black from x = 8, base line at `h-40` |
//! | bar | `0..w` | `h-30..h` | a white block 60 px wide, left to right at 240 px a second; black only if still or `--no-bar` |
//!
//! Measure the flip area anywhere but in the cells: (150, 200) lies in it at every window of 360×300 or more.
//!
//! A row of cells is 16 squares of 8×8 px, white for 1 and black for 0, the most significant bit leftmost: bit `b` is
//! at x `8*(15-b) .. 8*(15-b)+8`; its middle is at (`8*(15-b)+4`, 4) in row 0 and (…, 12) in row 1. The CRC is
//! CRC-16/CCITT-FALSE (polynomial 0x1021, from 0xffff, not reflected) of the text in UTF-8: 0xffff for no text.
//!
//! # What changes it
//!
//! Every press of a key (modifiers and auto-repeat included) or of a button (a wheel notch is a press of button 4 to
//! 7) flips, drawn and flushed at once, whatever the content is doing. Releases and motion change nothing. Keys that
//! have a character type it at the end of the text; Backspace takes the last one away, Return empties the line; the
//! text keeps its last 200 characters. The bits of a flip are drawn before its colour: who sees the new colour sees
//! the new number.
//!
//! # `--log-events`
//!
//! One line an event on stdout: `event us=<CLOCK_MONOTONIC µs at which it was read> kind=<key_press|key_release|
//! button_press|button_release|motion> …`, after the flip was flushed, whose time is `drawn_us`.
//!
//! - `layout`: where things are, the cells (pure)
//! - `typed`: the text and its checksum (pure)
//! - `paint`: the flip area, cells, text and bar in core requests
//! - `content` `shapes` `terminal` `noise`: what moves

mod content;
mod layout;
mod noise;
mod paint;
mod shapes;
mod terminal;
mod typed;

use std::time::Instant;

use crate::aids::{Aids, End};
use crate::args::{Args, Content};
use crate::error::DemoError;
use crate::time::{Pacer, monotonic_us};
use crate::window::{Happening, Window};
use content::Moving;
use layout::Layout;
use paint::Painter;
use typed::Typed;

/// Shows the pattern until the window is closed or the time is up.
///
/// # Errors
/// The display is lost or refuses a resource.
pub fn run(window: &mut Window, args: &Args, aids: &Aids) -> Result<End, DemoError> {
    println!("mode pattern content={:?} fps={}", args.content, args.fps);
    let mut layout = Layout::new(window.size(), args.content);
    let painter = Painter::new(window)?;
    let mut moving = Moving::new(window, args, &layout)?;
    let has_bar = args.content != Content::Still && !args.no_bar;
    let began = Instant::now();
    let mut pacer = Pacer::new(args.fps, began);
    let (mut flips, mut typed, mut bar) = (0_u16, Typed::default(), None);
    loop {
        let frame_at = (has_bar || moving.moves()).then(|| pacer.due_at());
        let happening = window.next(aids.sooner(frame_at))?;
        let read_us = monotonic_us();
        match happening {
            Some(Happening::Key {
                code,
                keysym,
                state,
                pressed,
            }) => {
                if pressed {
                    flips = flips.wrapping_add(1);
                    let text_changed = typed.key(keysym);
                    painter.flip(window, &layout, flips, typed.crc())?;
                    if text_changed {
                        painter.typed(window, &layout, typed.text())?;
                    }
                }
                if args.log_events {
                    let kind = if pressed { "key_press" } else { "key_release" };
                    log_event(
                        read_us,
                        kind,
                        pressed,
                        flips,
                        &format!("code={code} keysym={keysym:#x} state={state:#x}"),
                    );
                }
                if pressed {
                    aids.on_key(keysym);
                }
            }
            Some(Happening::Button { number, pressed, x, y }) => {
                if pressed {
                    flips = flips.wrapping_add(1);
                    painter.flip(window, &layout, flips, typed.crc())?;
                }
                if args.log_events {
                    let kind = if pressed { "button_press" } else { "button_release" };
                    log_event(read_us, kind, pressed, flips, &format!("button={number} x={x} y={y}"));
                }
            }
            Some(Happening::Motion { x, y }) if args.log_events => {
                log_event(read_us, "motion", false, flips, &format!("x={x} y={y}"));
            }
            Some(Happening::Exposed) => {
                painter.all(window, &layout, flips, &typed)?;
                moving.expose(window, &layout)?;
                bar = None;
            }
            Some(Happening::Resized(size)) => {
                layout = Layout::new(size, args.content);
                moving.resize(window, &layout)?;
                painter.all(window, &layout, flips, &typed)?;
                moving.expose(window, &layout)?;
                bar = None;
            }
            Some(Happening::Shown) => moving.shown(),
            Some(Happening::Close) => return Ok(End::Closed),
            Some(Happening::Motion { .. }) | None => {}
        }
        let now = Instant::now();
        if aids.time_is_up(now) {
            return Ok(End::TimeUp);
        }
        if frame_at.is_some() && pacer.tick(now) {
            let elapsed = now - began;
            moving.frame(window, &layout, elapsed)?;
            if has_bar {
                let to = layout.bar_x(elapsed);
                painter.bar(window, &layout, bar, to)?;
                bar = Some(to);
            }
        }
    }
}

fn log_event(read_us: u64, kind: &str, drawn: bool, flips: u16, rest: &str) {
    if drawn {
        println!(
            "event us={read_us} kind={kind} {rest} flips={flips} drawn_us={}",
            monotonic_us()
        );
    } else {
        println!("event us={read_us} kind={kind} {rest} flips={flips}");
    }
}

//! 640×360 random pixels, 30 times a second: the worst case of every encoder.

use std::time::Duration;

use super::layout::Layout;
use crate::args::Size;
use crate::error::DemoError;
use crate::surface::{Part, Surface};
use crate::window::Window;

const SIZE: Size = Size {
    width: 640,
    height: 360,
};
const PER_SECOND: u128 = 30;

/// The noise.
#[derive(Debug)]
pub struct Noise {
    surface: Surface,
    state: u64,
    shown: Option<u128>,
}

impl Noise {
    /// Makes the picture.
    ///
    /// # Errors
    /// The display is lost or refuses a resource.
    pub fn new(window: &Window, seed: u64) -> Result<Self, DemoError> {
        let surface = Surface::new(window, SIZE)?;
        println!("shared memory {}", if surface.is_shared() { "yes" } else { "no" });
        Ok(Self {
            surface,
            state: seed.wrapping_mul(2) | 1,
            shown: None,
        })
    }

    /// As [`super::content::Moving::frame`].
    pub fn frame(&mut self, window: &Window, layout: &Layout, elapsed: Duration) -> Result<(), DemoError> {
        let due = elapsed.as_millis() * PER_SECOND / 1000;
        let area = layout.content;
        let (width, height) = (SIZE.width.min(area.width), SIZE.height.min(area.height));
        if self.shown == Some(due) || self.surface.is_pending() || width == 0 || height == 0 {
            return Ok(());
        }
        self.shown = Some(due);
        for pixel in self.surface.pixels() {
            *pixel = next(&mut self.state);
        }
        self.surface.put(
            window,
            area.x,
            area.y,
            &[Part {
                x: 0,
                y: 0,
                width,
                height,
            }],
        )
    }

    /// As [`super::content::Moving::shown`].
    pub fn shown(&mut self) {
        self.surface.shown();
    }
}

/// A random colour (xorshift64*, Vigna 2016).
fn next(state: &mut u64) -> u32 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let top = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
    u32::try_from(top).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_every_brightness_and_does_not_repeat() {
        let mut state = 7;
        let drawn: Vec<u32> = (0..4096).map(|_| next(&mut state)).collect();
        assert!(drawn.iter().all(|c| *c <= 0xff_ffff));
        let distinct: std::collections::HashSet<u32> = drawn.iter().map(|c| c & 0xff).collect();
        assert_eq!(distinct.len(), 256);
    }
}

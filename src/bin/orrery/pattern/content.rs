//! What moves in the content area.

use std::time::Duration;

use super::layout::Layout;
use super::noise::Noise;
use super::shapes::Shapes;
use super::terminal::Terminal;
use crate::args::{Args, Content};
use crate::error::DemoError;
use crate::window::Window;

/// The content asked for.
#[derive(Debug)]
pub enum Moving {
    /// Nothing.
    Still,
    /// Shapes in lanes.
    Shapes(Shapes),
    /// A scrolling terminal.
    Terminal(Terminal),
    /// Random pixels.
    Noise(Noise),
}

impl Moving {
    /// Makes the content of `args`.
    ///
    /// # Errors
    /// The display is lost or refuses a resource.
    pub fn new(window: &Window, args: &Args, layout: &Layout) -> Result<Self, DemoError> {
        Ok(match args.content {
            Content::Still => Self::Still,
            Content::Animation => Self::Shapes(Shapes::new(window, layout)?),
            Content::Text => Self::Terminal(Terminal::new(window)?),
            Content::Noise => Self::Noise(Noise::new(window, args.seed)?),
        })
    }

    /// Whether frames are wanted at all.
    pub fn moves(&self) -> bool {
        !matches!(self, Self::Still)
    }

    /// Draws what has changed by `elapsed` since the start.
    pub fn frame(&mut self, window: &Window, layout: &Layout, elapsed: Duration) -> Result<(), DemoError> {
        match self {
            Self::Still => Ok(()),
            Self::Shapes(shapes) => shapes.frame(window, layout, elapsed),
            Self::Terminal(terminal) => terminal.frame(window, layout, elapsed),
            Self::Noise(noise) => noise.frame(window, layout, elapsed),
        }
    }

    /// The content area was cleared.
    pub fn expose(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        match self {
            Self::Shapes(shapes) => shapes.expose(window, layout),
            Self::Terminal(terminal) => terminal.expose(window, layout),
            Self::Still | Self::Noise(_) => Ok(()),
        }
    }

    /// The window has a new size.
    pub fn resize(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        match self {
            Self::Shapes(shapes) => shapes.resize(window, layout),
            Self::Still | Self::Terminal(_) | Self::Noise(_) => Ok(()),
        }
    }

    /// The server has read the last shared picture.
    pub fn shown(&mut self) {
        if let Self::Noise(noise) = self {
            noise.shown();
        }
    }
}

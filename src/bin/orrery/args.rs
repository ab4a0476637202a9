//! The command line.

use clap::{Parser, ValueEnum};

/// What the content area of the pattern shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Content {
    /// Nothing moves at all, not even the bar.
    Still,
    /// Shapes moving smoothly at the frame rate.
    Animation,
    /// A terminal scrolling 20 lines of 14 px a second.
    Text,
    /// 640×360 random pixels, 30 times a second.
    Noise,
}

/// Width and height in pixels, written `1280x720`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

/// An interactive orrery in software on X11, and a measuring target for remote displays.
#[derive(Debug, Parser)]
#[command(name = "heliostat-orrery", version)]
pub struct Args {
    /// Seed of the star field
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub seed: u64,
    /// Days of the solar system that pass in one second
    #[arg(long, default_value_t = 5.0, value_name = "DAYS")]
    pub speed: f64,
    /// Begin with the planets standing still
    #[arg(long)]
    pub paused: bool,
    /// Size of the window in pixels; a window manager may choose another
    #[arg(long, default_value = "1280x720", value_name = "WxH", value_parser = parse_size)]
    pub size: Size,
    /// Most frames drawn in a second; nothing is drawn while nothing changes
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=240))]
    pub fps: u32,
    /// Be the measuring target: flip between two colours at every key or button press
    #[arg(long)]
    pub pattern: bool,
    /// What the pattern shows beside the flipping area
    #[arg(long, value_enum, default_value_t = Content::Still, value_name = "KIND")]
    pub content: Content,
    /// Leave out the moving bar of the pattern (still content never has one)
    #[arg(long)]
    pub no_bar: bool,
    /// Print each input event of the pattern with its CLOCK_MONOTONIC microseconds
    #[arg(long)]
    pub log_events: bool,
    /// Test aid: exit by itself after so many milliseconds
    #[arg(long, value_name = "MS")]
    pub exit_after: Option<u64>,
    /// Test aid: the exit status used by --exit-after
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub exit_code: u8,
    /// Test aid: abort (SIGABRT) when F12 is pressed
    #[arg(long)]
    pub crash_key: bool,
    /// Test aid: handle nothing for 15 seconds when F9 is pressed
    #[arg(long)]
    pub hang_key: bool,
    /// Test aid: take memory until there is none left when F10 is pressed
    #[arg(long)]
    pub hunger_key: bool,
}

/// Reads `WxH`, each side from 64 to 8192 pixels.
fn parse_size(text: &str) -> Result<Size, String> {
    let side = |s: &str| s.parse::<u16>().ok().filter(|n| (64..=8192).contains(n));
    text.split_once(['x', 'X', '×'])
        .and_then(|(w, h)| {
            Some(Size {
                width: side(w)?,
                height: side(h)?,
            })
        })
        .ok_or_else(|| "expected WxH, each from 64 to 8192".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_numbers_within_limits() {
        assert_eq!(
            parse_size("800x600"),
            Ok(Size {
                width: 800,
                height: 600
            })
        );
        for bad in ["", "800", "0x600", "800x", "9000x600", "-1x5", "800x600x3"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}

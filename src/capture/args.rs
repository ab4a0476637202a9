//! The command line of the capture process.

use std::path::PathBuf;

/// `heliostat capture`: grabs a display and encodes it for the host that connects.
#[derive(Clone, Debug, clap::Args)]
pub struct CaptureArgs {
    /// Try this encoder, print what became of it as JSON, and end.
    #[arg(long, value_name = "ELEMENT")]
    pub probe: Option<String>,
    /// The number of the display.
    #[arg(long, required_unless_present = "probe", default_value_t = 0)]
    pub display: u32,
    /// The authority file that opens it.
    #[arg(long)]
    pub xauthority: Option<PathBuf>,
    /// Width of the picture in pixels.
    #[arg(long, default_value_t = 1280, value_parser = clap::value_parser!(u16).range(64..=7680))]
    pub width: u16,
    /// Height of the picture in pixels.
    #[arg(long, default_value_t = 720, value_parser = clap::value_parser!(u16).range(64..=7680))]
    pub height: u16,
    /// The highest frame rate.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=240))]
    pub fps: u16,
    /// The rate to begin with, in kbit/s.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(50..=500_000))]
    pub bitrate_kbps: u32,
    /// An element to try before the others of its codec; several are tried in their order. Otherwise the best that is
    /// installed.
    #[arg(long)]
    pub encoder: Vec<String>,
    /// An element that is not to be tried.
    #[arg(long)]
    pub without: Vec<String>,
    /// Let other processes of this user trace this one.
    #[arg(long)]
    pub debuggable: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: CaptureArgs,
    }

    #[test]
    fn the_probe_needs_no_display() {
        let probe = Cli::try_parse_from(["x", "--probe", "vp8enc"]).unwrap().args.probe;
        assert_eq!(probe.as_deref(), Some("vp8enc"));
        assert!(Cli::try_parse_from(["x"]).is_err());
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert!(Cli::try_parse_from(["x", "--display", "7", "--width", "8000"]).is_err());
        assert_eq!(Cli::try_parse_from(["x", "--display", "7"]).unwrap().args.width, 1280);
    }
}

//! How a capture process ends.

use std::process::ExitCode;

/// The exit status of a capture process; each tells its supervisor something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CaptureExit {
    /// Wrong arguments, or no listening socket was handed down (`EX_USAGE` of `sysexits.h`).
    Usage = 64,
    /// Something else that it needs cannot be had (`EX_OSERR`).
    System = 71,
    /// The display is gone or was never there: not the capture's fault.
    DisplayLost = 80,
    /// No encoder of a wanted codec works, or one failed or hung while running.
    EncoderFailed = 81,
}

impl CaptureExit {
    /// Reads an exit status, if it is one of these.
    #[must_use]
    pub const fn from_status(status: i32) -> Option<Self> {
        match status {
            64 => Some(Self::Usage),
            71 => Some(Self::System),
            80 => Some(Self::DisplayLost),
            81 => Some(Self::EncoderFailed),
            _ => None,
        }
    }
}

impl From<CaptureExit> for ExitCode {
    fn from(exit: CaptureExit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back() {
        for exit in [
            CaptureExit::Usage,
            CaptureExit::System,
            CaptureExit::DisplayLost,
            CaptureExit::EncoderFailed,
        ] {
            assert_eq!(CaptureExit::from_status(i32::from(exit as u8)), Some(exit));
        }
        assert_eq!(CaptureExit::from_status(0), None);
    }
}

//! The least and the most of what both the configuration and app entries set.

/// The smallest width or height of a picture, in pixels.
pub const MIN_SIDE: u64 = 64;
/// The largest width or height of a picture, in pixels.
pub const MAX_SIDE: u64 = 7680;
/// The lowest frame rate, per second.
pub const MIN_FPS: u64 = 1;
/// The highest frame rate, per second.
pub const MAX_FPS: u64 = 240;
/// The lowest bit rate of a picture, in kbit/s.
pub const MIN_BITRATE_KBPS: u64 = 100;
/// The highest bit rate of a picture, in kbit/s.
pub const MAX_BITRATE_KBPS: u64 = 200_000;

/// The least and the most of each limit of an app; 0 is none.
pub const MEMORY_MIB: (u64, u64) = (16, 1 << 20);
/// In percent of a core.
pub const CPU_PERCENT: (u64, u64) = (5, 100_000);
/// Processes and threads.
pub const PROCESSES: (u64, u64) = (8, 100_000);
/// Of a process.
pub const OPEN_FILES: (u64, u64) = (64, 1 << 20);
/// Homes and temporary folders.
pub const FOLDER_MIB: (u64, u64) = (1, 1 << 20);

//! The parts of a Desktop, as its facts name them.

use crate::source::PartSpec;

/// The X server.
pub(super) const DISPLAY: PartSpec = PartSpec {
    name: "display",
    starting: ("display_starting", "the display is starting"),
    needed: true,
};
/// The app; `Up` once it is ready.
pub(super) const RENDER: PartSpec = PartSpec {
    name: "render",
    starting: ("app_starting", "the app is starting"),
    needed: true,
};
/// The capture process; `Up` once it is connected.
pub(super) const CAPTURE: PartSpec = PartSpec {
    name: "capture",
    starting: ("capture_starting", "the picture is coming"),
    needed: true,
};
/// The connection that injects input; `Down` also where it is off for good.
pub(super) const INPUT: PartSpec = PartSpec {
    name: "input",
    starting: ("input_starting", "mouse and keyboard are being connected"),
    needed: false,
};

/// All of them, in the order in which they come up.
pub const PARTS: [PartSpec; 4] = [DISPLAY, RENDER, CAPTURE, INPUT];

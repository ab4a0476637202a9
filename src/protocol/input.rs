//! Input events of a viewer.

/// One input event, as a viewer sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// The pointer moved to a place.
    Move {
        /// 0 (left edge) to 65535 (right edge) of the picture.
        x: u16,
        /// 0 (top edge) to 65535 (bottom edge) of the picture.
        y: u16,
    },
    /// The pointer moved by a distance (pointer lock).
    RelativeMove {
        /// Pixels to the right.
        dx: i16,
        /// Pixels down.
        dy: i16,
    },
    /// A pointer button changed.
    Button {
        /// DOM `MouseEvent.button`: 0 left, 1 middle, 2 right, 3 back, 4 forward.
        number: u8,
        /// Whether it went down.
        pressed: bool,
        /// Place, as in [`InputEvent::Move`].
        x: u16,
        /// Place, as in [`InputEvent::Move`].
        y: u16,
    },
    /// The wheel turned.
    Wheel {
        /// 1/120 notches, positive to the right.
        dx: i16,
        /// 1/120 notches, positive down.
        dy: i16,
        /// Place, as in [`InputEvent::Move`].
        x: u16,
        /// Place, as in [`InputEvent::Move`].
        y: u16,
    },
    /// A key changed.
    Key {
        /// Whether it went down.
        pressed: bool,
        /// The physical key: usage of USB HID page 7 (keyboard), 0 = unknown.
        usage: u16,
        /// What it means in the viewer's layout: an X11 keysym, 0 = none.
        keysym: u32,
    },
    /// Text to type, from an input method or a paste.
    Text(String),
    /// Release everything that is down.
    ReleaseAll,
    /// The page went to the background.
    Hidden,
    /// The page came to the front.
    Visible,
    /// Asks for an echo.
    Ping {
        /// Opaque, echoed.
        t: u64,
    },
}

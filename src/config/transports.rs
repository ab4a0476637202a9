//! The ways by which browsers may get the picture.

use std::fmt;

/// Which ways are offered; at least one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transports {
    /// WebRTC.
    pub webrtc: bool,
    /// Encoded frames by a WebSocket.
    pub websocket: bool,
    /// VNC by a WebSocket, for browsers that can do neither.
    pub vnc: bool,
}

impl Transports {
    /// All of them.
    pub const ALL: Self = Self {
        webrtc: true,
        websocket: true,
        vnc: true,
    };

    /// Those of these names; `None` for no names, others, or one twice.
    pub(super) fn named(names: &[String]) -> Option<Self> {
        let mut found = Self {
            webrtc: false,
            websocket: false,
            vnc: false,
        };
        for name in names {
            let way = match name.as_str() {
                "webrtc" => &mut found.webrtc,
                "websocket" => &mut found.websocket,
                "vnc" => &mut found.vnc,
                _ => return None,
            };
            if std::mem::replace(way, true) {
                return None;
            }
        }
        (!names.is_empty()).then_some(found)
    }

    /// Their names, the best first.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let ways = [
            (self.webrtc, "webrtc"),
            (self.websocket, "websocket"),
            (self.vnc, "vnc"),
        ];
        ways.iter().filter(|(there, _)| *there).map(|(_, name)| *name).collect()
    }
}

impl fmt::Display for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Option<Transports> {
        Transports::named(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn ways_are_read_by_their_names_in_any_order() {
        assert_eq!(named("vnc webrtc websocket"), Some(Transports::ALL));
        assert_eq!(named("websocket").map(Transports::names), Some(vec!["websocket"]));
        assert_eq!(named("vnc webrtc").unwrap().to_string(), "webrtc, vnc");
    }

    #[test]
    fn what_is_no_list_of_ways_is_refused() {
        for text in ["", "WebRTC", "webrtc webrtc", "webrtc rdp"] {
            assert_eq!(named(text), None, "{text:?}");
        }
        assert_eq!(Transports::named(&[]), None, "nobody would see anything");
    }
}

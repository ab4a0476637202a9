//! The encoders and their settings: lowest latency, key frames on request only.

use std::fmt::Display;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::budget::{Budget, Share};
use super::{GstError, plugins};
use crate::media::Codec;

/// Rates beyond these make no picture or no sense; elements refuse some of them.
const MIN_KBPS: u32 = 50;
const MAX_KBPS: u32 = 500_000;
/// What the element x264enc takes at most.
const X264_MAX_KBPS: u32 = 2_048_000;
/// Differences that VP8 leaves as they are.
const VP8_STATIC: &str = "100";

/// An encoder element that can be used for a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// What it encodes.
    pub codec: Codec,
    /// The name of its element factory.
    pub element: &'static str,
    plugin: &'static str,
}

/// Every encoder, the best of each codec first.
pub const ENCODERS: [Encoder; 3] = [
    Encoder {
        codec: Codec::H264,
        element: "x264enc",
        plugin: "x264",
    },
    Encoder {
        codec: Codec::H264,
        element: "openh264enc",
        plugin: "openh264",
    },
    Encoder {
        codec: Codec::Vp8,
        element: "vp8enc",
        plugin: "vpx",
    },
];

impl Encoder {
    /// The encoder with this element name.
    #[must_use]
    pub fn by_element(element: &str) -> Option<Self> {
        ENCODERS.into_iter().find(|e| e.element == element)
    }

    /// Whether its plug-in is installed. Whether it works shows only when it encodes ([`super::probe`]).
    #[must_use]
    pub fn installed(&self) -> bool {
        plugins::installed(self.plugin)
    }

    /// Makes the element with its settings.
    pub(super) fn make(&self, kbps: u32, threads: usize) -> Result<gst::Element, GstError> {
        plugins::load(self.plugin);
        let element = make(self.element)?;
        for (name, value) in self.settings() {
            set(&element, name, value);
        }
        let threads = threads.to_string();
        set(
            &element,
            if self.element == "openh264enc" {
                "multi-thread"
            } else {
                "threads"
            },
            &threads,
        );
        self.set_rate(&element, kbps, Budget::first());
        Ok(element)
    }

    /// Whether its rate control counts frames, but can be told what time has passed.
    pub(super) const fn takes_shares(&self) -> bool {
        matches!(self.element.as_bytes(), b"x264enc")
    }

    /// Whether its rate control counts frames and cannot be told: OpenH264 answers each change of its rate with a key
    /// frame. It earns by pictures, not by time.
    #[must_use]
    pub const fn counts_frames(&self) -> bool {
        matches!(self.element.as_bytes(), b"openh264enc")
    }

    /// Sets the rate, and what the next picture may take of it; also while PLAYING.
    pub(super) fn set_rate(&self, element: &gst::Element, kbps: u32, share: Share) {
        let kbps = kbps.clamp(MIN_KBPS, MAX_KBPS);
        match self.element {
            "x264enc" => {
                // Its buffer is refilled with a frame's share of the rate after each frame, however late that comes.
                // So it is told a multiple of the rate, and of its buffer the part that leaves it as it is.
                let frames = share.frames.min(X264_MAX_KBPS / kbps).max(1);
                set(element, "bitrate", kbps * frames);
                set(element, "vbv-buf-capacity", share.window_ms.div_ceil(frames));
            }
            "openh264enc" => {
                // The upper limit first, or it refuses a rate above the old limit.
                set(element, "max-bitrate", u64::from(kbps) * 1500);
                set(element, "bitrate", u64::from(kbps) * 1000);
            }
            _ => set(element, "target-bitrate", u64::from(kbps) * 1000),
        }
    }

    /// Tells whether the pictures that follow are the last one once more, and nothing is missing of that.
    pub(super) fn set_still(&self, element: &gst::Element, still: bool) {
        if self.element == "vp8enc" {
            // It finds no end: 3 kB a frame of a photograph, where 240 bytes say that it is the same.
            set(element, "static-threshold", if still { "1000" } else { VP8_STATIC });
        }
    }

    /// Whether its rate control knows time, so that it makes a key frame right after another picture a coarse one.
    pub(super) const fn knows_time(&self) -> bool {
        matches!(self.element.as_bytes(), b"vp8enc")
    }

    /// What comes out.
    pub(super) fn caps(&self) -> gst::Caps {
        match self.codec {
            Codec::H264 => gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .field("profile", "constrained-baseline")
                .build(),
            Codec::Vp8 => gst::Caps::builder("video/x-vp8").build(),
        }
    }

    const fn settings(&self) -> &'static [(&'static str, &'static str)] {
        match self.element.as_bytes() {
            b"x264enc" => &[
                ("tune", "zerolatency"),
                ("speed-preset", "ultrafast"),
                ("bframes", "0"),
                ("rc-lookahead", "0"),
                // No better than this, and worse only where the rate does not allow it. Its own control of a rate pays
                // for a large frame with the next hundreds, which a still screen does not have (ADR 17).
                ("pass", "qual"),
                ("quantizer", "16"),
                ("qp-min", "12"),
                ("sliced-threads", "true"),
                ("key-int-max", "100000"),
                ("byte-stream", "true"),
                ("aud", "false"),
            ],
            b"openh264enc" => &[
                ("complexity", "low"),
                ("rate-control", "bitrate"),
                ("gop-size", "100000"),
                // Its settings for screens stop at 38 dB, those for what does not move at 41 dB (ADR 17).
                ("usage-type", "camera"),
                ("background-detection", "false"),
                ("adaptive-quantization", "false"),
                ("enable-frame-skip", "false"),
                ("scene-change-detection", "false"),
            ],
            _ => &[
                ("deadline", "1"),
                ("cpu-used", "8"),
                ("end-usage", "cbr"),
                ("keyframe-mode", "disabled"),
                ("keyframe-max-dist", "2147483647"),
                ("lag-in-frames", "0"),
                ("error-resilient", "default"),
                ("static-threshold", VP8_STATIC),
                ("buffer-initial-size", "400"),
                ("buffer-optimal-size", "200"),
                ("buffer-size", "400"),
                ("undershoot", "95"),
                ("overshoot", "100"),
                ("min-quantizer", "4"),
                ("max-quantizer", "56"),
                ("token-partitions", "1"),
            ],
        }
    }
}

/// Makes an element.
fn make(name: &str) -> Result<gst::Element, GstError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|error| GstError::Missing {
            element: name.into(),
            reason: error.to_string(),
        })
}

/// Sets a property from its text form. Versions of an encoder differ: one that is missing or refuses the value is
/// logged, and the encoder works without it.
fn set(element: &gst::Element, name: &str, value: impl Display) {
    let value = value.to_string();
    let done = element
        .find_property(name)
        .map(|property| glib::Value::deserialize_with_pspec(&value, &property));
    match done {
        Some(Ok(value)) => element.set_property_from_value(name, &value),
        _ => log::warn!("element={} does not take {name}={value}", element.name()),
    }
}

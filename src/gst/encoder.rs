//! What an encoder is, and how its element is made and told things.

use std::fmt::Display;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::budget::{Budget, Share};
use super::hardware::Hardware;
use super::records::ENCODERS;
use super::{GstError, plugins};
use crate::media::{Codec, Layout};

/// Rates beyond these make no picture or no sense; elements refuse some of them.
const MIN_KBPS: u32 = 50;
const MAX_KBPS: u32 = 500_000;
/// What the element x264enc takes at most, which is the only one that is told shares.
const MOST_SHARED_KBPS: u32 = 2_048_000;

/// An encoder element that can be used for a codec: all that is known about it ([`ENCODERS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// What it encodes.
    pub codec: Codec,
    /// Its name: that of its element, and where that encodes in a second way, a dash and which.
    pub element: &'static str,
    /// Debian's package of its plug-in.
    pub package: &'static str,
    /// What of the machine it needs; none: the processor does it.
    pub hardware: Option<Hardware>,
    /// Its plug-in.
    pub(super) plugin: &'static str,
    /// How it takes pictures.
    pub(super) input: Input,
    /// What it is told that the colours of pictures mean.
    pub(super) colours: &'static str,
    /// How it is told its rate.
    pub(super) rate: Rate,
    /// The property that says how many threads it has.
    pub(super) threads: Option<&'static str>,
    /// What its rate control knows.
    pub(super) control: Control,
    /// What it is told of a picture that stands still.
    pub(super) still: Option<Still>,
    /// How it is asked for a key frame where it does not hear the event that asks for one.
    pub(super) keys: Option<Keys>,
    /// Its properties, which never change: lowest latency, key frames on request only.
    pub(super) settings: &'static [(&'static str, &'static str)],
}

/// The layouts of pictures that encoders take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Three planes, as [`crate::media::PlanarPicture`] has them.
    I420,
    /// The same with the colour differences as large as the picture.
    Y444,
    /// The two colour differences in one plane, as hardware takes them.
    Nv12,
}

impl Input {
    /// Its name in caps.
    pub(super) const fn format(self) -> &'static str {
        match self {
            Self::I420 => "I420",
            Self::Y444 => "Y444",
            Self::Nv12 => "NV12",
        }
    }
}

/// In what a rate is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bits a second.
    Bits,
    /// Thousands of them.
    Kilobits,
}

/// How an encoder is told its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    /// By a property.
    Property {
        /// Its name.
        name: &'static str,
        /// What it counts.
        unit: Unit,
        /// A property for the upper limit, and what that is in percent of the rate.
        limit: Option<(&'static str, u32)>,
        /// A property for the size of its buffer, in ms.
        buffer: Option<&'static str>,
    },
    /// By a structure in text form, to whose end bits a second are added.
    Control {
        /// The property.
        property: &'static str,
        /// Its beginning.
        text: &'static str,
    },
    /// Not at all: a quantiser is chosen for each picture, and its settings are libx264's ([`super::x264`]).
    Quantisers,
}

/// What a rate control knows of the time between pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// It counts time.
    Time,
    /// It counts frames, but can be told what time has passed.
    Shares,
    /// It counts frames and cannot be told: it earns by pictures, and answers each change of its rate with a key frame
    /// (OpenH264), or may do so (drivers).
    Frames,
}

/// What an encoder is told of a picture that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Still {
    pub(super) property: &'static str,
    pub(super) moving: &'static str,
    pub(super) still: &'static str,
}

/// Properties with which every picture is a key frame, and those with which none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) every: &'static [(&'static str, &'static str)],
    pub(super) none: &'static [(&'static str, &'static str)],
}

impl Encoder {
    /// The encoder with this element name.
    #[must_use]
    pub fn by_element(element: &str) -> Option<Self> {
        ENCODERS.into_iter().find(|e| e.element == element)
    }

    /// Why it cannot be here at all: no plug-in, or no device. Whether it works shows only when it encodes
    /// ([`super::probe`]).
    #[must_use]
    pub fn absent(&self) -> Option<String> {
        if let Some(hardware) = self.hardware
            && hardware.nodes().is_empty()
        {
            return Some(format!("there is no {}", hardware.looked_for()));
        }
        let installed = if self.chooses_quantisers() {
            plugins::library_installed(self.plugin)
        } else {
            plugins::installed(self.plugin)
        };
        (!installed).then(|| format!("{} is not installed", self.package))
    }

    /// Whether it may be here.
    #[must_use]
    pub fn installed(&self) -> bool {
        self.absent().is_none()
    }

    /// The name of its element's factory.
    fn factory(&self) -> &'static str {
        self.element
            .split_once('-')
            .map_or(self.element, |(factory, _)| factory)
    }

    /// The layout of the pictures that it is given.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        match self.input {
            Input::Y444 => Layout::I444,
            Input::I420 | Input::Nv12 => Layout::I420,
        }
    }

    /// Makes the element with its settings.
    pub(super) fn make(&self, kbps: u32, threads: usize) -> Result<gst::Element, GstError> {
        plugins::load(self.plugin);
        let element = make(self.factory())?;
        Self::tell(&element, self.settings);
        if let Some(name) = self.threads {
            set(&element, name, threads);
        }
        self.set_rate(&element, kbps, Budget::first());
        Ok(element)
    }

    /// Whether it is no element of GStreamer: the quantiser of each picture is chosen here.
    #[must_use]
    pub fn chooses_quantisers(&self) -> bool {
        self.rate == Rate::Quantisers
    }

    /// Whether its rate control counts frames, but can be told what time has passed.
    pub(super) fn takes_shares(&self) -> bool {
        self.control == Control::Shares
    }

    /// Whether its rate control counts frames and cannot be told: it earns by pictures, not by time.
    #[must_use]
    pub fn counts_frames(&self) -> bool {
        self.control == Control::Frames
    }

    /// Whether its rate control knows time, so that it makes a key frame right after another picture a coarse one.
    pub(super) fn knows_time(&self) -> bool {
        self.control == Control::Time
    }

    /// Sets the rate, and what the next picture may take of it; also while PLAYING.
    pub(super) fn set_rate(&self, element: &gst::Element, kbps: u32, share: Share) {
        for (name, value) in self.rates(kbps, share) {
            set(element, name, value);
        }
    }

    /// The properties that tell a rate, in the order in which they are to be set.
    fn rates(&self, kbps: u32, share: Share) -> Vec<(&'static str, String)> {
        let kbps = kbps.clamp(MIN_KBPS, MAX_KBPS);
        match self.rate {
            Rate::Quantisers => Vec::new(),
            Rate::Control { property, text } => vec![(property, format!("{text}{}", u64::from(kbps) * 1000))],
            Rate::Property {
                name,
                unit,
                limit,
                buffer,
            } => {
                let counted = |kbps: u64| match unit {
                    Unit::Bits => kbps * 1000,
                    Unit::Kilobits => kbps,
                };
                // Where a buffer is refilled with a frame's share of the rate after each frame, however late that comes, it
                // is told a multiple of the rate, and of its buffer the part that leaves it as it is.
                let frames = match self.control {
                    Control::Shares => share.frames.min(MOST_SHARED_KBPS / kbps).max(1),
                    Control::Time | Control::Frames => 1,
                };
                let kbps = u64::from(kbps * frames);
                // The upper limit first, or a rate above the old limit is refused.
                let limit = limit.map(|(name, percent)| (name, counted(kbps) * u64::from(percent) / 100));
                let window = buffer.map(|name| (name, u64::from(share.window_ms.div_ceil(frames))));
                let told = limit.into_iter().chain([(name, counted(kbps))]).chain(window);
                told.map(|(name, value)| (name, value.to_string())).collect()
            }
        }
    }

    /// Tells whether the pictures that follow are the last one once more, and nothing is missing of that.
    pub(super) fn set_still(&self, element: &gst::Element, still: bool) {
        if let Some(told) = self.still {
            set(element, told.property, if still { told.still } else { told.moving });
        }
    }

    /// Sets these properties; also while PLAYING.
    pub(super) fn tell(element: &gst::Element, told: &[(&'static str, &'static str)]) {
        for (name, value) in told {
            set(element, name, value);
        }
    }

    /// What comes out.
    pub(super) fn caps(&self) -> gst::Caps {
        let h264 = |profile: &str| {
            gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .field("profile", profile)
                .build()
        };
        match self.codec {
            Codec::H264 => h264("constrained-baseline"),
            Codec::H264Full => h264("high-4:4:4"),
            Codec::Vp8 => gst::Caps::builder("video/x-vp8").build(),
            Codec::Vp9 => gst::Caps::builder("video/x-vp9").field("profile", "0").build(),
            Codec::Av1 => gst::Caps::builder("video/x-av1").field("alignment", "tu").build(),
        }
    }
}

/// Makes an element.
pub(super) fn make(name: &str) -> Result<gst::Element, GstError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(element: &str, kbps: u32, share: Share) -> Vec<(&'static str, String)> {
        Encoder::by_element(element).unwrap().rates(kbps, share)
    }

    #[test]
    fn each_is_told_its_rate_in_its_own_units() {
        let share = Share {
            frames: 1,
            window_ms: 200,
        };
        let pairs = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        let table = [
            ("x264enc", pairs(&[("bitrate", "4000"), ("vbv-buf-capacity", "200")])),
            (
                "openh264enc",
                pairs(&[("max-bitrate", "6000000"), ("bitrate", "4000000")]),
            ),
            ("nvh264enc", pairs(&[("max-bitrate", "6000"), ("bitrate", "4000")])),
            ("vah264enc", pairs(&[("bitrate", "4000")])),
            ("qsvh264enc", pairs(&[("bitrate", "4000")])),
            ("vp8enc", pairs(&[("target-bitrate", "4000000")])),
            ("vp9enc", pairs(&[("target-bitrate", "4000000")])),
            ("av1enc", pairs(&[("target-bitrate", "4000")])),
        ];
        for (element, wanted) in table {
            assert_eq!(told(element, 4000, share), wanted, "{element}");
        }
        let v4l2 = told("v4l2h264enc", 4000, share);
        assert!(v4l2[0].1.ends_with(",video_bitrate=4000000"), "{v4l2:?}");
    }

    #[test]
    fn only_who_can_be_told_shares_is_told_a_multiple() {
        let share = Share {
            frames: 10,
            window_ms: 200,
        };
        assert_eq!(told("x264enc", 4000, share)[0].1, "40000");
        assert_eq!(told("x264enc", 4000, share)[1].1, "20");
        assert_eq!(told("vp8enc", 4000, share)[0].1, "4000000");
        assert_eq!(told("x264enc", u32::MAX, share)[0].1, "2000000");
    }

    #[test]
    fn the_software_encoders_take_all_that_they_are_told() {
        plugins::init().unwrap();
        let elements = |encoder: &&Encoder| encoder.hardware.is_none() && !encoder.chooses_quantisers();
        for encoder in ENCODERS.iter().filter(elements) {
            let element = encoder.make(4000, 1).unwrap_or_else(|error| panic!("{error}"));
            let rates = encoder.rates(4000, Budget::first());
            let names = encoder.settings.iter().map(|(name, _)| *name);
            let still = encoder.still.map(|still| still.property);
            for name in names
                .chain(rates.iter().map(|(name, _)| *name))
                .chain(encoder.threads)
                .chain(still)
            {
                assert!(
                    element.find_property(name).is_some(),
                    "{} has no {name}",
                    encoder.element
                );
            }
        }
    }
}

//! What a capture is told of the encoders: which to try first, which not at all, and the devices that it needs. Pure but for
//! the look at which plug-ins and devices there are.

use std::path::PathBuf;

use crate::gst::{ENCODERS, Encoder};
use crate::media::Codec;

/// What a capture is told of the encoders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderSet {
    /// To be tried first, of codecs whose best has failed in this instance.
    pub first: Vec<&'static str>,
    /// Not to be tried: they did not work when the host tried them.
    pub without: Vec<&'static str>,
    /// Device files of the hardware that encodes.
    pub devices: Vec<PathBuf>,
}

impl EncoderSet {
    /// Of the encoders that work on this machine.
    #[must_use]
    pub fn new(first: Vec<&'static str>, usable: &[(Codec, &'static str)]) -> Self {
        Self::of(first, usable, Encoder::installed, |encoder| {
            encoder.hardware.map(|hardware| hardware.nodes()).unwrap_or_default()
        })
    }

    fn of(
        first: Vec<&'static str>,
        usable: &[(Codec, &'static str)],
        installed: impl Fn(&Encoder) -> bool,
        nodes: impl Fn(&Encoder) -> Vec<PathBuf>,
    ) -> Self {
        let works = |encoder: &Encoder| usable.iter().any(|(_, element)| *element == encoder.element);
        // Encoders of other codecs are asked for nothing.
        let wanted = |encoder: &Encoder| usable.iter().any(|(codec, _)| *codec == encoder.codec);
        let without = ENCODERS
            .iter()
            .filter(|encoder| wanted(encoder) && !works(encoder) && installed(encoder));
        let mut devices: Vec<PathBuf> = ENCODERS
            .iter()
            .filter(|encoder| works(encoder))
            .flat_map(nodes)
            .collect();
        devices.sort();
        devices.dedup();
        Self {
            without: without.map(|encoder| encoder.element).collect(),
            first: if usable.is_empty() {
                first
            } else {
                let known = |element: &&str| usable.iter().any(|(_, usable)| usable == element);
                first.into_iter().filter(known).collect()
            },
            devices,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(encoder: &Encoder) -> Vec<PathBuf> {
        let node = encoder
            .hardware
            .map(|hardware| PathBuf::from(format!("/dev/{hardware:?}")));
        node.into_iter().collect()
    }

    #[test]
    fn without_hardware_a_capture_is_given_no_device_and_told_nothing() {
        let usable = [
            (Codec::H264, "x264enc"),
            (Codec::H264, "openh264enc"),
            (Codec::H264, "libx264"),
            (Codec::Vp8, "vp8enc"),
        ];
        let software = |encoder: &Encoder| encoder.hardware.is_none();
        let set = EncoderSet::of(Vec::new(), &usable, software, nodes);
        assert_eq!(set, EncoderSet::default());
    }

    #[test]
    fn a_card_that_works_is_given_to_the_capture_once_and_one_that_does_not_is_neither_given_nor_tried() {
        let usable = [
            (Codec::H264, "vah264enc"),
            (Codec::H264, "vah264lpenc"),
            (Codec::H264, "x264enc"),
        ];
        let set = EncoderSet::of(Vec::new(), &usable, |_| true, nodes);
        assert_eq!(set.devices, [PathBuf::from("/dev/Dri")]);
        let without = ["nvh264enc", "qsvh264enc", "v4l2h264enc", "libx264", "openh264enc"];
        assert_eq!(set.without, without);
    }

    #[test]
    fn after_a_failure_the_order_names_only_what_works_here() {
        let usable = [(Codec::H264, "x264enc"), (Codec::H264, "openh264enc")];
        let first = vec!["nvh264enc", "openh264enc", "x264enc"];
        let set = EncoderSet::of(first, &usable, |encoder| encoder.hardware.is_none(), nodes);
        assert_eq!(set.first, ["openh264enc", "x264enc"]);
    }
}

//! What encoders there are: one record each. To add one is to add a record.
//!
//! The software encoders run here and in the tests. Those of graphics cards and boards are written by their documentation
//! (GStreamer 1.22): what is wrong about one shows when it is tried on a machine that has it, and costs that encoder alone.

use super::encoder::{Control, Encoder, Input, Keys, Rate, Still, Unit};
use super::hardware::Hardware;
use super::x264::LIBRARY;
use crate::media::Codec;

/// A distance of key frames that is never reached: they are made on request only.
const NEVER: &str = "100000";
/// The same for those that count to more.
const NEVER_EVER: &str = "2147483647";

/// Differences that VP8 and VP9 leave as they are.
const STATIC: &str = "100";

/// Range 16–235, the matrix of BT.601, and the transfer and primaries of BT.709, which are those of sRGB: what
/// [`crate::media::PlanarPicture`] holds. AV1 and VP8 do not say what they were told.
const COLOURS: &str = "2:4:5:1";

/// Bits a second, as most say it.
const BITS: Rate = Rate::Property {
    name: "target-bitrate",
    unit: Unit::Bits,
    limit: None,
    buffer: None,
};

/// Kilobits a second, as most drivers' elements say it.
const KILOBITS: Rate = Rate::Property {
    name: "bitrate",
    unit: Unit::Kilobits,
    limit: None,
    buffer: None,
};

/// With these `av1enc` makes no key frames. It does not hear the event that asks for one (GStreamer 1.22), and takes a distance
/// that it is told later only while the mode is not `disabled`.
const AV1_NO_KEYS: &[(&str, &str)] = &[("keyframe-mode", "disabled"), ("keyframe-max-dist", NEVER_EVER)];

/// Every encoder, the best of each codec first: hardware where there is one.
pub const ENCODERS: [Encoder; 12] = [
    Encoder {
        codec: Codec::H264,
        element: "nvh264enc",
        plugin: "nvcodec",
        package: "gstreamer1.0-plugins-bad",
        hardware: Some(Hardware::Nvidia),
        input: Input::Nv12,
        colours: COLOURS,
        rate: Rate::Property {
            name: "bitrate",
            unit: Unit::Kilobits,
            limit: Some(("max-bitrate", 150)),
            buffer: None,
        },
        threads: None,
        control: Control::Frames,
        still: None,
        keys: None,
        settings: &[
            ("preset", "low-latency-hp"),
            ("rc-mode", "cbr"),
            ("zerolatency", "true"),
            ("bframes", "0"),
            ("rc-lookahead", "0"),
            ("gop-size", "-1"),
            ("aud", "false"),
        ],
    },
    VA,
    Encoder {
        element: "vah264lpenc",
        ..VA
    },
    Encoder {
        codec: Codec::H264,
        element: "qsvh264enc",
        plugin: "qsv",
        package: "gstreamer1.0-plugins-bad",
        hardware: Some(Hardware::Dri),
        input: Input::Nv12,
        colours: COLOURS,
        rate: KILOBITS,
        threads: None,
        control: Control::Frames,
        still: None,
        keys: None,
        settings: &[
            ("rate-control", "cbr"),
            ("low-latency", "true"),
            ("b-frames", "0"),
            ("ref-frames", "1"),
            ("gop-size", NEVER),
            ("target-usage", "7"),
        ],
    },
    Encoder {
        codec: Codec::H264,
        element: "v4l2h264enc",
        plugin: "video4linux2",
        package: "gstreamer1.0-plugins-good",
        hardware: Some(Hardware::Video),
        input: Input::Nv12,
        colours: COLOURS,
        rate: Rate::Control {
            property: "extra-controls",
            // Of one key frame in so many pictures: V4L2 knows no "never".
            text: "controls,repeat_sequence_header=1,h264_i_frame_period=100000,video_bitrate_mode=1,video_bitrate=",
        },
        threads: None,
        control: Control::Frames,
        still: None,
        keys: None,
        settings: &[],
    },
    LIBX264,
    X264,
    X264_FULL,
    Encoder {
        codec: Codec::H264,
        element: "openh264enc",
        plugin: "openh264",
        package: "gstreamer1.0-plugins-bad",
        hardware: None,
        input: Input::I420,
        colours: COLOURS,
        rate: Rate::Property {
            name: "bitrate",
            unit: Unit::Bits,
            limit: Some(("max-bitrate", 150)),
            buffer: None,
        },
        threads: Some("multi-thread"),
        control: Control::Frames,
        still: None,
        keys: None,
        settings: &[
            ("complexity", "low"),
            ("rate-control", "bitrate"),
            ("gop-size", NEVER),
            // Its settings for screens stop at 38 dB, those for what does not move at 41 dB (ADR 17).
            ("usage-type", "camera"),
            ("background-detection", "false"),
            ("adaptive-quantization", "false"),
            ("enable-frame-skip", "false"),
            ("scene-change-detection", "false"),
        ],
    },
    Encoder {
        codec: Codec::Vp8,
        element: "vp8enc",
        plugin: "vpx",
        package: "gstreamer1.0-plugins-good",
        hardware: None,
        input: Input::I420,
        colours: COLOURS,
        rate: BITS,
        threads: Some("threads"),
        control: Control::Time,
        // It finds no end: 3 kB a frame of a photograph, where 240 bytes say that it is the same.
        still: Some(Still {
            property: "static-threshold",
            moving: STATIC,
            still: "1000",
        }),
        keys: None,
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "8"),
            ("end-usage", "cbr"),
            ("keyframe-mode", "disabled"),
            ("keyframe-max-dist", NEVER_EVER),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("static-threshold", STATIC),
            ("buffer-initial-size", "400"),
            ("buffer-optimal-size", "200"),
            ("buffer-size", "400"),
            ("undershoot", "95"),
            ("overshoot", "100"),
            ("min-quantizer", "4"),
            ("max-quantizer", "56"),
            ("token-partitions", "1"),
        ],
    },
    Encoder {
        codec: Codec::Vp9,
        element: "vp9enc",
        plugin: "vpx",
        package: "gstreamer1.0-plugins-good",
        hardware: None,
        input: Input::I420,
        // Of what streams can say, the nearest: its matrix is ours.
        colours: "bt601",
        rate: BITS,
        threads: Some("threads"),
        control: Control::Time,
        still: None,
        keys: None,
        settings: &[
            ("deadline", "1"),
            ("cpu-used", "8"),
            ("end-usage", "cbr"),
            ("keyframe-mode", "disabled"),
            ("keyframe-max-dist", NEVER_EVER),
            ("lag-in-frames", "0"),
            ("error-resilient", "default"),
            ("static-threshold", STATIC),
            ("buffer-initial-size", "400"),
            ("buffer-optimal-size", "200"),
            ("buffer-size", "400"),
            ("undershoot", "95"),
            ("overshoot", "100"),
            ("min-quantizer", "4"),
            ("max-quantizer", "56"),
            ("row-mt", "true"),
            ("tile-columns", "1"),
            ("frame-parallel-decoding", "false"),
        ],
    },
    Encoder {
        codec: Codec::Av1,
        element: "av1enc",
        plugin: "aom",
        package: "gstreamer1.0-plugins-bad",
        hardware: None,
        input: Input::I420,
        colours: COLOURS,
        rate: Rate::Property {
            name: "target-bitrate",
            unit: Unit::Kilobits,
            limit: None,
            buffer: None,
        },
        threads: Some("threads"),
        control: Control::Time,
        still: None,
        keys: Some(Keys {
            every: &[("keyframe-max-dist", "0"), ("keyframe-mode", "auto")],
            none: AV1_NO_KEYS,
        }),
        settings: &[
            ("usage-profile", "realtime"),
            ("cpu-used", "10"),
            ("end-usage", "cbr"),
            ("keyframe-mode", "disabled"),
            ("keyframe-max-dist", NEVER_EVER),
            ("lag-in-frames", "0"),
            ("buf-initial-sz", "400"),
            ("buf-optimal-sz", "200"),
            ("buf-sz", "400"),
            ("min-quantizer", "8"),
            ("max-quantizer", "56"),
            ("row-mt", "true"),
            ("tile-columns", "1"),
        ],
    },
];

/// VA-API, which Intel's and AMD's drivers have; some of Intel's have only its low power form.
const VA: Encoder = Encoder {
    codec: Codec::H264,
    element: "vah264enc",
    plugin: "va",
    package: "gstreamer1.0-plugins-bad",
    hardware: Some(Hardware::Dri),
    input: Input::Nv12,
    colours: COLOURS,
    rate: KILOBITS,
    threads: None,
    control: Control::Frames,
    still: None,
    keys: None,
    settings: &[
        ("rate-control", "cbr"),
        ("b-frames", "0"),
        ("ref-frames", "1"),
        ("key-int-max", "1024"),
        ("target-usage", "7"),
        ("aud", "false"),
    ],
};

/// What software encodes H.264 with, the faster one.
const X264: Encoder = Encoder {
    codec: Codec::H264,
    element: "x264enc",
    plugin: "x264",
    package: "gstreamer1.0-plugins-ugly",
    hardware: None,
    input: Input::I420,
    colours: COLOURS,
    rate: Rate::Property {
        name: "bitrate",
        unit: Unit::Kilobits,
        limit: None,
        buffer: Some("vbv-buf-capacity"),
    },
    threads: Some("threads"),
    control: Control::Shares,
    still: None,
    keys: None,
    settings: &[
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
        ("key-int-max", NEVER),
        ("byte-stream", "true"),
        ("aud", "false"),
    ],
};

/// The same library without GStreamer's element, for less of the processor and sharper pictures; not for lines on which each frame has to
/// be as small as it should (ADR 36).
const LIBX264: Encoder = Encoder {
    element: "libx264",
    plugin: LIBRARY,
    rate: Rate::Quantisers,
    threads: None,
    // It is told what has been saved.
    control: Control::Shares,
    settings: &[
        // Quantisers are told for each picture. They are held between that of key frames and that of pictures in both
        // directions, which nobody makes: 12 to 52 by these three.
        ("qp", "32"),
        ("ipratio", "10"),
        ("pbratio", "10"),
        ("keyint", "infinite"),
        // Without the look at pictures in small, what scrolls is found by a longer search, where something does.
        ("merange", "32"),
        // As `COLOURS`.
        ("fullrange", "off"),
        ("colorprim", "bt709"),
        ("transfer", "bt709"),
        ("colormatrix", "smpte170m"),
        ("force-cfr", "1"),
        ("log", "-1"),
    ],
    ..X264
};

/// The same with colours in full size.
const X264_FULL: Encoder = Encoder {
    codec: Codec::H264Full,
    element: "x264enc-444",
    input: Input::Y444,
    ..X264
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_is_described_twice_and_the_best_of_each_codec_comes_first() {
        let mut names: Vec<_> = ENCODERS.map(|encoder| encoder.element).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ENCODERS.len());
        for codec in Codec::ALL.into_iter().chain([Codec::H264Full]) {
            let of: Vec<_> = ENCODERS.iter().filter(|encoder| encoder.codec == codec).collect();
            assert!(!of.is_empty(), "{codec}");
            let software = of.iter().position(|encoder| encoder.hardware.is_none());
            assert!(
                of.iter()
                    .skip(software.unwrap())
                    .all(|encoder| encoder.hardware.is_none()),
                "{codec}: what a machine has only sometimes is tried before what every machine has"
            );
        }
    }

    #[test]
    fn what_needs_a_device_takes_pictures_as_devices_do_and_has_no_threads_of_ours() {
        for encoder in ENCODERS.iter().filter(|encoder| encoder.hardware.is_some()) {
            assert_eq!(encoder.input, Input::Nv12, "{}", encoder.element);
            assert_eq!(encoder.threads, None, "{}", encoder.element);
        }
    }
}

//! Whether what an encoder gave is the picture that went in: seen by a decoder, where one is installed.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::encoder::make;
use super::{GstError, plugins};
use crate::media::{Codec, Frame};

/// The decoders that are used for this, with their plug-ins and what they give.
const fn decoder(codec: Codec) -> (&'static str, &'static str, &'static str) {
    match codec {
        Codec::H264 => ("openh264", "openh264dec", "I420"),
        Codec::H264Full => ("libav", "avdec_h264", "Y444"),
        Codec::Vp8 => ("vpx", "vp8dec", "I420"),
        Codec::Vp9 => ("vpx", "vp9dec", "I420"),
        Codec::Av1 => ("aom", "av1dec", "I420"),
    }
}

/// For all frames of a trial together.
const DEADLINE: gst::ClockTime = gst::ClockTime::from_seconds(4);
/// Brightness is off by so much on average at most: at the rate of a trial encoders are within 3, and rubbish is not.
const OFF: u64 = 12;

/// Says why frames are not the picture whose brightness is `luma`, `size` in pixels; the last of them is looked at.
/// `None`: no decoder of the codec is installed.
///
/// # Errors
/// The decoder cannot be run, or refuses them.
pub(super) fn compare(
    frames: &[Frame],
    caps: &gst::Caps,
    luma: &[u8],
    size: (usize, usize),
) -> Result<Option<String>, GstError> {
    let Some(first) = frames.first() else {
        return Ok(Some("nothing came out".into()));
    };
    let (plugin, element, format) = decoder(first.rendition.track.codec());
    plugins::load(plugin);
    let Ok(decoder) = make(element) else { return Ok(None) };
    let failed = |reason: String| GstError::Failed {
        element: element.into(),
        reason,
    };
    let source = gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).build();
    let raw = gst::Caps::builder("video/x-raw").field("format", format).build();
    // overflow: the decoder waits; a trial is a few frames.
    let sink = gst_app::AppSink::builder()
        .caps(&raw)
        .sync(false)
        .max_buffers(64)
        .build();
    let pipeline = gst::Pipeline::new();
    let elements = [source.upcast_ref(), &decoder, sink.upcast_ref()];
    pipeline.add_many(elements).map_err(|error| failed(error.to_string()))?;
    gst::Element::link_many(elements).map_err(|error| failed(error.to_string()))?;
    pipeline
        .set_state(gst::State::Playing)
        .map_err(|error| failed(error.to_string()))?;
    for frame in frames {
        let mut buffer = gst::Buffer::from_slice(frame.data.clone());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_useconds(frame.pts_us));
        }
        if source.push_buffer(buffer).is_err() {
            break;
        }
    }
    let _ = source.end_of_stream();
    let mut last = None;
    for _ in frames {
        match sink.try_pull_sample(DEADLINE) {
            Some(sample) => last = Some(sample),
            None => break,
        }
    }
    let seen = last.as_ref().and_then(|sample| likeness(sample, luma, size));
    let _ = pipeline.set_state(gst::State::Null);
    Ok(match seen {
        Some(off) if off <= OFF => None,
        Some(off) => Some(format!("what came out is another picture (off by {off} of 255)")),
        None => Some("what came out cannot be decoded, or is of another size".into()),
    })
}

/// By how much the brightness is off on average; `None` where the picture is of another size.
fn likeness(sample: &gst::Sample, luma: &[u8], size: (usize, usize)) -> Option<u64> {
    let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
    if (frame.width() as usize, frame.height() as usize) != size {
        return None;
    }
    let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
    let plane = frame.plane_data(0).ok()?;
    // Every fifth row tells enough.
    let rows = luma.chunks_exact(size.0).zip(plane.chunks(stride)).step_by(5);
    let (mut off, mut pixels) = (0, 0);
    for (wanted, seen) in rows {
        pixels += size.0 as u64;
        off += wanted
            .iter()
            .zip(seen)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum::<u64>();
    }
    (pixels > 0).then(|| off / pixels)
}

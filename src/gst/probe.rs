//! Tries an encoder on real pictures: an installed plug-in may still refuse this machine, crash on it, or give rubbish.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::bitstream::key_frame;
use super::{Encoder, GstError, Picture, Pipeline, PipelineConfig, verify};
use crate::clock::monotonic_us;
use crate::media::{Codec, Frame, Planar, PlanarPicture};

/// How long an encoder may take for one frame.
const DEADLINE: Duration = Duration::from_secs(5);
/// Pictures after the first, whose times are measured.
const PICTURES: usize = 8;
/// Which of them is asked to be a key frame: who comes later has to get a picture.
const KEY: usize = 4;
/// What the pictures are of.
const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;
const FPS: u16 = 30;
const KBPS: u32 = 4000;
/// So far what is seen moves from picture to picture, in pixels.
const STEP: usize = 8;

/// What became of one encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it encodes.
    pub codec: Codec,
    /// The name of its element.
    pub element: String,
    /// Whether pictures came out that are those that went in.
    pub works: bool,
    /// How long it took from nothing to the first frame, in ms.
    pub ms: u64,
    /// How long a picture of 1280×720 that moves takes it, in µs: of the processor, or of its device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_us: Option<u64>,
    /// Why it does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Probe {
    /// One that does not work.
    #[must_use]
    pub fn failed(encoder: &Encoder, reason: impl Into<String>) -> Self {
        Self {
            codec: encoder.codec,
            element: encoder.element.to_owned(),
            works: false,
            ms: 0,
            picture_us: None,
            reason: Some(reason.into()),
        }
    }
}

/// Tries an encoder. Only to be called in a process that may crash or be killed; [`super::init`] comes first.
#[must_use]
pub fn probe(encoder: Encoder) -> Probe {
    #[cfg(debug_assertions)]
    super::sabotage::before(encoder.element);
    match attempt(encoder) {
        Ok(probe) => probe,
        Err(error) => Probe::failed(&encoder, error.to_string()),
    }
}

fn attempt(encoder: Encoder) -> Result<Probe, GstError> {
    let begin = Instant::now();
    let config = PipelineConfig {
        rendition: encoder.codec.into(),
        encoder,
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        kbps: KBPS,
        full_kbps: KBPS,
        threads: 1,
    };
    // overflow: one picture is on its way at a time, so that there is always room.
    let (answer, answers) = sync_channel(4);
    let pipeline = Pipeline::start(config, move |frame| {
        let _ = answer.try_send(frame);
    })?;
    let (planar, mut pattern) = (Planar::new(WIDTH, HEIGHT, encoder.layout()), pattern());
    let mut frames: Vec<Frame> = Vec::new();
    let (mut took, mut last, mut ms) = (Vec::new(), None, 0);
    for n in 0..=PICTURES {
        let Some(picture) = planar.convert(&pattern) else { break };
        if n == KEY {
            pipeline.force_key();
        }
        let (pushed, spent) = (Instant::now(), processor_time());
        pipeline.push(picture.clone(), None, monotonic_us(), Picture::New);
        frames.push(next(&pipeline, &answers)?);
        match n {
            0 => ms = millis(begin.elapsed()),
            // On a processor that others use, too, only its time tells what a picture costs.
            _ if encoder.hardware.is_none() => took.push(processor_time().saturating_sub(spent)),
            _ => took.push(pushed.elapsed()),
        }
        last = Some(picture);
        pattern.rotate_left(STEP * 4);
    }
    took.sort_unstable();
    #[cfg(debug_assertions)]
    super::sabotage::after(encoder.element, &mut frames);
    let reason = judge(&encoder, &frames, last.as_ref())?;
    Ok(Probe {
        codec: encoder.codec,
        element: encoder.element.to_owned(),
        works: reason.is_none(),
        ms,
        picture_us: took
            .get(took.len() / 2)
            .map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        reason,
    })
}

/// Why the frames are not what they should be; `None`: they are.
fn judge(encoder: &Encoder, frames: &[Frame], last: Option<&PlanarPicture>) -> Result<Option<String>, GstError> {
    let (Some(first), Some(last)) = (frames.first(), last) else {
        return Ok(Some("nothing came out".into()));
    };
    if !first.key {
        return Ok(Some("its first frame is not a key frame".into()));
    }
    if let Err(why) = key_frame(encoder.codec, &first.data) {
        return Ok(Some(why.into()));
    }
    if frames.get(KEY).is_some_and(|frame| !frame.key) {
        return Ok(Some("it makes no key frame when it is asked for one".into()));
    }
    let size = (usize::from(WIDTH), usize::from(HEIGHT));
    let luma = &last.as_ref()[..size.0 * size.1];
    verify::compare(frames, &encoder.caps(), luma, size)
}

fn next(pipeline: &Pipeline, answers: &Receiver<Option<Frame>>) -> Result<Frame, GstError> {
    if let Ok(Some(frame)) = answers.recv_timeout(DEADLINE) {
        return Ok(frame);
    }
    pipeline.check(monotonic_us(), 0)?;
    Err(GstError::Stalled {
        element: pipeline.config().encoder.element.into(),
        ms: millis(DEADLINE),
    })
}

/// What this process has had of the processor, which does nothing else meanwhile.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Stripes and boxes of all brightnesses, with sharp edges and smooth parts, four bytes a pixel.
fn pattern() -> Vec<u8> {
    let row = |phase: usize| -> Vec<u8> {
        let pixels = (0..usize::from(WIDTH)).flat_map(|x| {
            let grey = if (x / 80 + phase).is_multiple_of(2) {
                x * 255 / usize::from(WIDTH)
            } else {
                (x / 5 * 40 + phase * 60) % 256
            };
            // It is below 256.
            let grey = u8::try_from(grey).unwrap_or(u8::MAX);
            [grey, grey, grey, 0]
        });
        pixels.collect()
    };
    let rows = [row(0), row(1), row(2), row(3)];
    (0..usize::from(HEIGHT))
        .flat_map(|y| &rows[y / 24 % 4])
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::encoder::Input;
    use super::*;

    #[test]
    fn an_encoder_that_takes_two_planes_gets_the_same_picture() {
        super::super::init().unwrap();
        let x264 = Encoder::by_element("x264enc").unwrap();
        let as_hardware_does = Encoder {
            input: Input::Nv12,
            ..x264
        };
        let found = probe(as_hardware_does);
        assert!(found.works, "{found:?}");
    }

    #[test]
    fn libx264_itself_gives_the_same_picture_and_settings_that_it_does_not_know_are_refused() {
        super::super::init().unwrap();
        let libx264 = Encoder::by_element("libx264").unwrap();
        let found = probe(libx264);
        assert!(found.works, "{found:?}");
        let refusing = Encoder {
            settings: &[("unheard-of", "1")],
            ..libx264
        };
        let found = probe(refusing);
        assert!(
            !found.works && found.reason.as_deref().unwrap().contains("unheard-of"),
            "{found:?}"
        );
    }

    #[test]
    fn the_software_encoders_make_a_key_frame_when_they_are_asked_and_one_that_does_not_is_found() {
        super::super::init().unwrap();
        for encoder in super::super::ENCODERS
            .iter()
            .filter(|encoder| encoder.hardware.is_none())
        {
            let found = probe(*encoder);
            assert!(found.works, "{found:?}");
        }
        let deaf = Encoder {
            keys: None,
            ..Encoder::by_element("av1enc").unwrap()
        };
        let found = probe(deaf);
        assert!(
            !found.works && found.reason.as_deref().unwrap().contains("no key frame when"),
            "{found:?}"
        );
    }

    #[test]
    fn an_encoder_that_needs_what_is_not_there_says_so() {
        super::super::init().unwrap();
        let unheard_of = Encoder {
            element: "unheardofenc",
            ..Encoder::by_element("x264enc").unwrap()
        };
        let found = probe(unheard_of);
        assert!(
            !found.works && found.reason.as_deref().unwrap().contains("unheardofenc"),
            "{found:?}"
        );
    }
}

//! Tries every encoder on real pictures: an installed plug-in may still refuse this machine, or crash on it.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{ENCODERS, Encoder, GstError, Picture, Pipeline, PipelineConfig};
use crate::clock::monotonic_us;
use crate::media::{Codec, Frame, Planar};

/// How long one encoder may take for its first frame.
const DEADLINE: Duration = Duration::from_secs(5);
const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;

/// What became of one encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it encodes.
    pub codec: Codec,
    /// The name of its element.
    pub element: String,
    /// Whether a key frame came out.
    pub works: bool,
    /// How long that took from nothing, in ms.
    pub ms: u64,
    /// Why it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Tries every encoder. Only to be called in a process that may crash or be killed; [`super::init`] comes first.
#[must_use]
pub fn probe() -> Vec<Probe> {
    ENCODERS.into_iter().map(probe_one).collect()
}

fn probe_one(encoder: Encoder) -> Probe {
    let begin = Instant::now();
    let result = first_frame(encoder);
    let reason = match result {
        Ok(frame) if frame.key && !frame.data.is_empty() => None,
        Ok(_) => Some("its first frame is not a key frame".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    Probe {
        codec: encoder.codec,
        element: encoder.element.to_owned(),
        works: reason.is_none(),
        ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        reason,
    }
}

fn first_frame(encoder: Encoder) -> Result<Frame, GstError> {
    let config = PipelineConfig {
        rendition: encoder.codec.into(),
        encoder,
        width: WIDTH,
        height: HEIGHT,
        fps: 30,
        kbps: 1000,
        full_kbps: 1000,
        threads: 1,
    };
    // overflow: only the first answer matters, later ones are dropped.
    let (answer, answers) = mpsc::sync_channel(1);
    let pipeline = Pipeline::start(config, move |frame| {
        let _ = answer.try_send(frame);
    })?;
    let pattern: Vec<u8> = (0..usize::from(WIDTH) * usize::from(HEIGHT) * 4)
        .map(|n| (n / 7 % 251) as u8)
        .collect();
    if let Some(picture) = Planar::new(WIDTH, HEIGHT).convert(&pattern) {
        pipeline.push(picture, monotonic_us(), Picture::New);
    }
    match answers.recv_timeout(DEADLINE) {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) | Err(_) => {
            pipeline.check(monotonic_us(), 0)?;
            let ms = u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX);
            Err(GstError::Stalled {
                element: encoder.element.into(),
                ms,
            })
        }
    }
}

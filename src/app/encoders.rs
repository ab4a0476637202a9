//! Which codecs this machine really encodes: asked of a process of its own, because encoders may crash or hang.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::gst::{ENCODERS, Encoder, Probe};
use crate::media::Codec;

/// For all encoders together.
const DEADLINE: Duration = Duration::from_secs(30);

/// Why nothing is known about the encoders.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process cannot be run.
    #[error("the encoders cannot be tried")]
    Run(#[source] std::io::Error),
    /// It took too long.
    #[error("the encoders took longer than {} s to try", DEADLINE.as_secs())]
    Timeout,
    /// It ended without an answer.
    #[error("trying the encoders failed: {0}")]
    Failed(String),
}

/// Tries every encoder in a process of its own.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(program: &Path) -> Result<Vec<Probe>, ProbeError> {
    let mut command = Command::new(program);
    // What is told to fail in tests fails in use, not here.
    #[cfg(debug_assertions)]
    command.env_remove(crate::gst::FAIL_ENCODER);
    let child = command
        .args(["capture", "--probe"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(ProbeError::Run)?;
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .map_err(|_| ProbeError::Timeout)?
        .map_err(ProbeError::Run)?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        ProbeError::Failed(format!("{}, {error}: {}", output.status, said.trim()))
    })
}

/// The codecs that work, the preferred first.
#[must_use]
pub fn working(probes: &[Probe]) -> Vec<Codec> {
    Codec::ALL
        .into_iter()
        .filter(|codec| probes.iter().any(|p| p.codec == *codec && p.works))
        .collect()
}

/// The encoders that work, the best of each codec first.
#[must_use]
pub fn usable(probes: &[Probe]) -> Vec<(Codec, &'static str)> {
    let works = |encoder: &Encoder| probes.iter().any(|p| p.works && p.element == encoder.element);
    let usable = ENCODERS.into_iter().filter(works);
    usable.map(|encoder| (encoder.codec, encoder.element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_works_if_one_of_its_encoders_does() {
        let probe = |codec, works| Probe {
            codec,
            element: "x".into(),
            works,
            ms: 1,
            reason: None,
        };
        let probes = [
            probe(Codec::Vp8, true),
            probe(Codec::H264, false),
            probe(Codec::H264, true),
        ];
        assert_eq!(working(&probes), [Codec::H264, Codec::Vp8]);
        assert!(working(&probes[1..2]).is_empty());
    }

    #[test]
    fn an_encoder_is_usable_if_it_works_and_is_one_of_ours() {
        let probe = |element: &str, works| Probe {
            codec: Codec::H264,
            element: element.into(),
            works,
            ms: 1,
            reason: None,
        };
        let probes = [
            probe("openh264enc", true),
            probe("x264enc", false),
            probe("nosuchenc", true),
        ];
        assert_eq!(usable(&probes), [(Codec::H264, "openh264enc")]);
    }
}

//! Which encoders really work on this machine: each is tried in a process of its own, in the sandbox that captures have,
//! because encoders and their drivers may crash, hang, or give rubbish. That costs that encoder alone.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::config::VideoConfig;
use crate::desktop::commands::PATH;
use crate::folders::AppOwner;
use crate::gst::{ENCODERS, Encoder, Probe};
use crate::media::Codec;
use crate::sandbox::{HELPERS_HOME, SandboxPlan};

/// For one encoder.
const DEADLINE: Duration = Duration::from_secs(10);
/// An answer is a few hundred bytes.
const MOST_SAID: u64 = 64 * 1024;
/// As much is passed on of what a process said that failed.
const MOST_PASSED_ON: usize = 300;
/// So many are tried at once at most.
const AT_ONCE: usize = 4;

/// Frames a second of the streams that capacity is counted in, and what one picture takes beside its encoder (grabbing and
/// converting it: docs/benchmarks.md), in µs.
const STREAM_FPS: u64 = 30;
const BESIDE_US: u64 = 1500;

/// Why nothing is known about the encoders.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No process can be run.
    #[error("the encoders cannot be tried")]
    Run(#[source] io::Error),
}

/// How encoders are tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// This program, where the apps' user reaches it.
    pub program: PathBuf,
    /// The sandbox; none where there are none, or the program cannot be reached in it.
    pub sandbox: Option<SandboxPlan>,
    /// As whom, where the host is root.
    pub owner: Option<AppOwner>,
    /// Encoders of these codecs.
    pub codecs: Vec<Codec>,
    /// For one encoder.
    pub deadline: Duration,
}

impl Trial {
    /// Of all encoders of these codecs, without a sandbox.
    #[must_use]
    pub const fn new(program: PathBuf, codecs: Vec<Codec>) -> Self {
        Self {
            program,
            sandbox: None,
            owner: None,
            codecs,
            deadline: DEADLINE,
        }
    }

    /// Tries them.
    ///
    /// # Errors
    /// [`ProbeError`] where no process can be started at all.
    pub async fn run(&self) -> Result<Vec<Probe>, ProbeError> {
        let at_once = cores().min(AT_ONCE);
        let wanted = ENCODERS.into_iter().filter(|e| self.codecs.contains(&e.codec));
        let trials = futures::stream::iter(wanted.map(|encoder| self.one(encoder)));
        let all: Vec<_> = trials.buffered(at_once).collect().await;
        all.into_iter().collect()
    }

    async fn one(&self, encoder: Encoder) -> Result<Probe, ProbeError> {
        if let Some(why) = encoder.absent() {
            return Ok(Probe::failed(&encoder, why));
        }
        let mut child = self.command(&encoder).spawn().map_err(ProbeError::Run)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let answer = async {
            let (out, err) = tokio::join!(said(out), said(err));
            (child.wait().await, out, err)
        };
        let Ok((status, out, err)) = tokio::time::timeout(self.deadline, answer).await else {
            // The process is killed as its handle goes, and the sandbox ends with it.
            let _ = child.start_kill();
            let why = format!("it took longer than {} s", self.deadline.as_secs());
            return Ok(Probe::failed(&encoder, why));
        };
        let status = status.map_err(ProbeError::Run)?;
        Ok(match serde_json::from_slice::<Probe>(&out) {
            Ok(probe) if probe.element == encoder.element && probe.codec == encoder.codec => probe,
            _ => Probe::failed(&encoder, ended(status, &err)),
        })
    }

    fn command(&self, encoder: &Encoder) -> Command {
        let line = self.sandbox.as_ref().map(|plan| {
            let nodes = encoder.hardware.map(|hardware| hardware.nodes()).unwrap_or_default();
            plan.trial(&self.program, &nodes).argv
        });
        let mut command = match line.as_deref() {
            Some([bwrap, rest @ ..]) => {
                let mut command = Command::new(bwrap);
                command.args(rest).arg("--").arg(&self.program);
                command
            }
            _ => Command::new(&self.program),
        };
        command
            .args(["capture", "--probe", encoder.element])
            .env_clear()
            .envs([
                ("PATH", PATH),
                ("LANG", "C.UTF-8"),
                ("HOME", HELPERS_HOME),
                ("TMPDIR", HELPERS_HOME),
            ])
            .envs(std::env::var("RUST_LOG").map(|filter| ("RUST_LOG", filter)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // What is told to fail in tests in use does not fail here.
        #[cfg(debug_assertions)]
        command.envs(std::env::var(crate::gst::FAIL_PROBE).map(|told| (crate::gst::FAIL_PROBE, told)));
        if let Some(owner) = &self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        // SAFETY: a plain system call between fork and exec.
        unsafe {
            command.pre_exec(|| nix::sys::prctl::set_no_new_privs().map_err(Into::into));
        }
        command
    }
}

/// What a process says, up to a limit; beyond it, it waits until it is killed.
async fn said(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = stream.take(MOST_SAID).read_to_end(&mut bytes).await;
    }
    bytes
}

/// How a process ended that did not answer.
fn ended(status: ExitStatus, err: &[u8]) -> String {
    // Bubblewrap passes a signal on as a shell does.
    let signal = status
        .signal()
        .or_else(|| status.code().filter(|code| *code > 128).map(|code| code - 128));
    let how = match (signal, status.code()) {
        (Some(signal), _) => format!("trying it ended by signal {signal}"),
        (None, Some(code)) => format!("trying it ended with status {code}, without an answer"),
        (None, None) => "trying it gave no answer".to_owned(),
    };
    let words = String::from_utf8_lossy(err);
    let last = words.trim().lines().next_back().unwrap_or_default();
    if last.is_empty() {
        return how;
    }
    let last: String = last.chars().filter(|c| !c.is_control()).take(MOST_PASSED_ON).collect();
    format!("{how}: {last}")
}

/// How many cores the process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The codecs that the configuration names, in its order. With colours in full before without, where it wants them.
#[must_use]
pub fn codecs(video: &VideoConfig) -> Vec<Codec> {
    let named = video.codecs.iter().filter_map(|name| name.parse().ok());
    let full = |codec| (codec == Codec::H264 && video.full_colours).then_some(Codec::H264Full);
    named.flat_map(|codec| full(codec).into_iter().chain([codec])).collect()
}

/// Those codecs that work, in the order given. One in full is of no use without the one for what moves.
#[must_use]
pub fn working(probes: &[Probe], codecs: &[Codec]) -> Vec<Codec> {
    let works = |codec: Codec| probes.iter().any(|p| p.codec == codec && p.works);
    let both = |codec: &Codec| works(*codec) && works(codec.moving());
    codecs.iter().copied().filter(both).collect()
}

/// The encoders that work, the best of each codec first.
#[must_use]
pub fn usable(probes: &[Probe]) -> Vec<(Codec, &'static str)> {
    let works = |encoder: &Encoder| probes.iter().any(|p| p.works && p.element == encoder.element);
    let usable = ENCODERS.into_iter().filter(works);
    usable.map(|encoder| (encoder.codec, encoder.element)).collect()
}

/// How many streams of 1280×720 at 30 frames a second this encoder makes of moving pictures on so many cores, by what a
/// picture took when it was tried. The programs that draw them need the same cores.
#[must_use]
pub fn streams(probe: &Probe, cores: usize) -> Option<u64> {
    let picture_us = probe.picture_us.filter(|_| probe.works)?;
    let second = 1_000_000 / STREAM_FPS * cores as u64;
    let in_hardware = Encoder::by_element(&probe.element).is_some_and(|encoder| encoder.hardware.is_some());
    Some(if in_hardware {
        // The device does one picture after another, beside the processor.
        (1_000_000 / STREAM_FPS / picture_us.max(1)).min(second / BESIDE_US)
    } else {
        second / (picture_us + BESIDE_US)
    })
}

/// The streams of the encoder that is used first: of the best codec, the best encoder that works.
#[must_use]
pub fn capacity(probes: &[Probe], codecs: &[Codec]) -> Option<u64> {
    let best = working(probes, codecs).into_iter().next()?.moving();
    let first = probes.iter().find(|probe| probe.codec == best && probe.works)?;
    streams(first, cores())
}

/// One line about an encoder that was tried.
#[must_use]
pub fn describe(probe: &Probe) -> String {
    let Probe { codec, element, .. } = probe;
    if !probe.works {
        let reason = probe.reason.as_deref().unwrap_or("it does not say why");
        return format!("{element} does not encode {codec}: {reason}");
    }
    let mut text = format!("{element} encodes {codec}, first picture after {} ms", probe.ms);
    if let (Some(picture_us), Some(streams)) = (probe.picture_us, streams(probe, cores())) {
        #[allow(clippy::cast_precision_loss, reason = "it is a few milliseconds")]
        let ms = picture_us as f64 / 1000.0;
        text += &format!(", one of 1280×720 in {ms:.1} ms: about {streams} streams of 30 a second");
    }
    text
}

/// What the host says of its encoders at its start: a line each. What a machine just does not have is not worth a warning.
pub(super) fn log(probes: &[Probe]) {
    for probe in probes {
        let absent = Encoder::by_element(&probe.element).is_some_and(|encoder| encoder.absent().is_some());
        match (probe.works, absent) {
            (true, _) => log::info!("{}", describe(probe)),
            (false, true) => log::debug!("{}", describe(probe)),
            (false, false) => log::warn!("{}, it is left out", describe(probe)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(codec: Codec, element: &str, picture_us: Option<u64>) -> Probe {
        Probe {
            codec,
            element: element.into(),
            works: picture_us.is_some(),
            ms: 12,
            picture_us,
            reason: picture_us.is_none().then(|| "no such element".to_owned()),
        }
    }

    #[test]
    fn a_codec_works_if_one_of_its_encoders_does_and_the_order_is_the_configurations() {
        let probes = [
            probe(Codec::Vp8, "x", Some(1)),
            probe(Codec::H264, "x", None),
            probe(Codec::H264, "x", Some(1)),
        ];
        assert_eq!(working(&probes, &Codec::ALL), [Codec::H264, Codec::Vp8]);
        assert_eq!(working(&probes, &[Codec::Vp8, Codec::H264]), [Codec::Vp8, Codec::H264]);
        assert_eq!(working(&probes, &[Codec::Av1, Codec::Vp8]), [Codec::Vp8]);
        assert!(working(&probes[1..2], &Codec::ALL).is_empty());
        let full = probe(Codec::H264Full, "x264enc-444", Some(1));
        let wanted = [Codec::H264Full, Codec::H264];
        assert_eq!(
            working(std::slice::from_ref(&full), &wanted),
            [],
            "nothing for what moves"
        );
        assert_eq!(working(&[full, probe(Codec::H264, "x", Some(1))], &wanted), wanted);
    }

    #[test]
    fn an_encoder_is_usable_if_it_works_and_is_one_of_ours() {
        let probes = [
            probe(Codec::H264, "openh264enc", Some(1)),
            probe(Codec::H264, "x264enc", None),
            probe(Codec::H264, "nosuchenc", Some(1)),
        ];
        assert_eq!(usable(&probes), [(Codec::H264, "openh264enc")]);
    }

    #[test]
    fn hardware_that_works_comes_before_software_and_software_is_what_is_left_without_it() {
        let both = [
            probe(Codec::H264, "x264enc", Some(2000)),
            probe(Codec::H264, "vah264enc", Some(3000)),
        ];
        assert_eq!(usable(&both), [(Codec::H264, "vah264enc"), (Codec::H264, "x264enc")]);
        assert_eq!(usable(&both[..1]), [(Codec::H264, "x264enc")]);
    }

    #[test]
    fn a_capacity_follows_from_what_a_picture_took() {
        let table = [
            ("x264enc", 2000, 2, 19),
            ("x264enc", 2000, 16, 152),
            ("vp8enc", 7000, 2, 7),
            // Pictures of 60 ms are not 30 a second on one core.
            ("av1enc", 60_000, 1, 0),
            // One device, however many cores; and cores that only grab.
            ("nvh264enc", 2000, 64, 16),
            ("nvh264enc", 100, 2, 44),
        ];
        for (element, picture_us, cores, wanted) in table {
            let one = probe(Codec::H264, element, Some(picture_us));
            assert_eq!(
                streams(&one, cores),
                Some(wanted),
                "{element} {picture_us} µs, {cores} cores"
            );
        }
        assert_eq!(streams(&probe(Codec::H264, "x264enc", None), 2), None);
        assert_eq!(
            streams(&probe(Codec::H264, "x264enc", Some(0)), 1),
            Some(22),
            "no division by nothing"
        );
    }

    #[test]
    fn what_a_process_said_that_failed_is_passed_on_in_one_line() {
        let crash = ExitStatus::from_raw(libc::SIGSEGV);
        assert_eq!(ended(crash, b""), "trying it ended by signal 11");
        let passed_on = ExitStatus::from_raw((128 + 11) << 8);
        assert_eq!(
            ended(passed_on, b"one\ntwo\x1b[0m\n"),
            "trying it ended by signal 11: two[0m"
        );
        let long = ended(ExitStatus::from_raw(1 << 8), &[b'x'; 5000]);
        assert!(
            long.starts_with("trying it ended with status 1") && long.len() < 400,
            "{long}"
        );
    }
}

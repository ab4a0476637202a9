//! What an instance is made of, decided once at launch and kept in its folder.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{AppEntry, Config};
use crate::desktop::HomeFull;
use crate::files::{Folder, Readers};
use crate::ids::{InstanceId, SessionId};
use crate::protocol::signalling::AppLabel;
use crate::sandbox::{Confinement, Refused, Sandboxing};
use crate::store::StoreError;
use crate::supervision::ControlError;

/// The file of the spec in the instance's folder.
const FILE: &str = "instance.json";
/// An entry of the catalogue and what keeps its app apart have some kilobytes.
const MOST_BYTES: u64 = 4 << 20;

/// The smallest and largest side of a picture, in pixels.
pub const SIDE: std::ops::RangeInclusive<u16> = 64..=7680;
/// The lowest and highest frame rate, per second.
pub const FPS: std::ops::RangeInclusive<u16> = 1..=240;

/// Everything needed to start an instance, and to adopt it after the host was away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// The instance.
    pub id: InstanceId,
    /// The session that launched it.
    pub owner: SessionId,
    /// What its picture comes from.
    #[serde(flatten)]
    pub source: SourceSpec,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames a second at most.
    pub fps: u16,
    /// kbit/s.
    pub bitrate_kbps: u32,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// What an instance's picture comes from, decided once at launch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SourceSpec {
    /// A program on a display of its own.
    App {
        /// The catalogue's entry as it was at the launch.
        app: Box<AppEntry>,
        /// What keeps it apart from others.
        confinement: Box<Confinement>,
    },
}

impl SourceSpec {
    /// Whether it is kept apart from the machine.
    pub(super) fn is_confined(&self) -> bool {
        let Self::App { confinement, .. } = self;
        confinement.sandbox.is_some()
    }
}

/// What somebody asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchRequest {
    /// The id of a catalogue entry.
    pub app: String,
    /// Pixels; the app's or the configured width if missing.
    pub width: Option<i64>,
    /// Pixels.
    pub height: Option<i64>,
    /// Frames a second.
    pub fps: Option<i64>,
    /// For several machines; one region is served here.
    pub region: Option<String>,
}

/// Why an instance cannot be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No entry of the catalogue has this id.
    #[error("the catalogue has no app {0:?}")]
    UnknownApp(String),
    /// A number outside its limits.
    #[error("{what} is {value}, allowed is {min} to {max}")]
    OutOfRange {
        /// The field.
        what: &'static str,
        /// What was asked for.
        value: i64,
        /// The least allowed.
        min: u16,
        /// The most allowed.
        max: u16,
    },
    /// The network that its entry asks for cannot be made on this machine.
    #[error("the app's network cannot be made on this machine: {0}")]
    Network(String),
    /// It was launched without a sandbox, and this host lets no app run without.
    #[error("it was launched without a sandbox, and this host runs no app without one")]
    NoSandbox,
    /// Every place of this machine is taken.
    #[error("all {0} places of this machine are taken")]
    Capacity(usize),
    /// The session has as many instances as it may have.
    #[error("you have {0} instances, more are not allowed at once")]
    SessionLimit(usize),
    /// The database does not take the new instance.
    #[error("the instance cannot be recorded: {0}")]
    Store(#[source] StoreError),
    /// The host is going down.
    #[error("the host is shutting down")]
    Draining,
    /// There is no room for its files.
    #[error("the disk is full: {0}")]
    NoSpace(String),
    /// What its app keeps is larger than it may be.
    #[error("the app cannot be launched, {0}")]
    HomeFull(#[from] HomeFull),
    /// Its folder, or the tree of its actors, could not be made.
    #[error("the instance cannot be set up: {0}")]
    Setup(String),
}

impl LaunchError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownApp(_) => "unknown_app",
            Self::OutOfRange { .. } => "out_of_range",
            Self::Network(_) => "network_unavailable",
            Self::NoSandbox => "no_sandbox",
            Self::Capacity(_) => "capacity",
            Self::SessionLimit(_) => "session_limit",
            Self::Store(error) => error.code(),
            Self::Draining => "draining",
            Self::NoSpace(_) => "no_space",
            Self::HomeFull(_) => HomeFull::CODE,
            Self::Setup(_) => "setup_failed",
        }
    }

    /// Its tree was not begun.
    pub(super) fn tree(error: ControlError) -> Self {
        Self::Setup(error.to_string())
    }

    /// What went wrong with the instance's files.
    pub(super) fn files(error: &(dyn std::error::Error + 'static)) -> Self {
        let (mut words, mut full) = (String::new(), false);
        let mut next = Some(error);
        while let Some(error) = next {
            let separator = if words.is_empty() { "" } else { ": " };
            words.push_str(&format!("{separator}{error}"));
            full |= error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|e| matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
            next = error.source();
        }
        if full { Self::NoSpace(words) } else { Self::Setup(words) }
    }
}

impl InstanceSpec {
    /// Decides what an instance will be made of.
    ///
    /// # Errors
    /// [`LaunchError::UnknownApp`], [`LaunchError::OutOfRange`] and [`LaunchError::Network`].
    pub fn decide(
        id: InstanceId,
        request: &LaunchRequest,
        owner: SessionId,
        catalogue: &[AppEntry],
        config: &Config,
        sandboxing: &Sandboxing,
        created_ms: i64,
    ) -> Result<Self, LaunchError> {
        let app = catalogue
            .iter()
            .find(|app| app.id == request.app)
            .ok_or_else(|| LaunchError::UnknownApp(request.app.chars().take(64).collect()))?;
        let video = &config.video;
        Ok(Self {
            id,
            source: SourceSpec::App {
                confinement: sandboxing
                    .decide(id, app, config)
                    .map_err(|Refused(why)| LaunchError::Network(why))?
                    .into(),
                app: app.clone().into(),
            },
            owner,
            width: limited("width", request.width, app.width.unwrap_or(video.width), &SIDE)?,
            height: limited("height", request.height, app.height.unwrap_or(video.height), &SIDE)?,
            fps: limited("fps", request.fps, app.fps.unwrap_or(video.fps), &FPS)?,
            bitrate_kbps: video.bitrate_kbps,
            created_ms,
        })
    }

    /// What people know its source by.
    #[must_use]
    pub fn label(&self) -> AppLabel {
        let SourceSpec::App { app, .. } = &self.source;
        AppLabel {
            id: app.id.clone(),
            name: app.name.clone(),
            keyboard: Some(app.keyboard),
        }
    }

    /// The id of its app.
    #[must_use]
    pub fn app(&self) -> &str {
        let SourceSpec::App { app, .. } = &self.source;
        &app.id
    }

    /// Writes the spec into the instance's folder, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> std::io::Result<()> {
        Folder::open(folder)?.write(FILE, &serde_json::to_vec_pretty(self)?, Readers::Nobody)
    }

    /// Reads the spec of an instance that an earlier host launched.
    ///
    /// # Errors
    /// When there is none, or it is not one that this version understands.
    pub fn load(folder: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&Folder::open(folder)?.read(FILE, MOST_BYTES)?)?)
    }
}

fn limited(
    what: &'static str,
    asked: Option<i64>,
    default: u16,
    limits: &std::ops::RangeInclusive<u16>,
) -> Result<u16, LaunchError> {
    let Some(value) = asked else { return Ok(default) };
    u16::try_from(value)
        .ok()
        .filter(|v| limits.contains(v))
        .ok_or(LaunchError::OutOfRange {
            what,
            value,
            min: *limits.start(),
            max: *limits.end(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::SetupError;

    #[test]
    fn a_number_outside_its_limits_is_named_with_what_is_allowed() {
        for value in [i64::MIN, -1, 0, 63, 7681, 100_000, i64::MAX] {
            let error = limited("width", Some(value), 1280, &SIDE).unwrap_err();
            assert_eq!(error.code(), "out_of_range");
            assert_eq!(error.to_string(), format!("width is {value}, allowed is 64 to 7680"));
        }
        assert_eq!(limited("width", Some(64), 1280, &SIDE).unwrap(), 64);
        assert_eq!(limited("width", None, 1280, &SIDE).unwrap(), 1280);
    }

    #[test]
    fn what_a_host_has_written_of_an_instance_is_what_the_next_one_reads_that_of_an_earlier_version_too() {
        let folder = tempfile::tempdir().unwrap();
        let spec = InstanceSpec {
            id: InstanceId::new(),
            owner: SessionId::new(),
            source: SourceSpec::App {
                app: AppEntry::new("demo", "true").into(),
                confinement: Confinement::default().into(),
            },
            width: 640,
            height: 480,
            fps: 30,
            bitrate_kbps: 1000,
            created_ms: 7,
        };
        spec.save(folder.path()).unwrap();
        let written = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let flat: serde_json::Value = serde_json::from_str(&written).unwrap();
        // Where earlier versions had them.
        assert_eq!(flat["app"]["id"], "demo");
        assert!(flat["confinement"].is_object() && flat["source"].is_null(), "{written}");
        let read = InstanceSpec::load(folder.path()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), flat);
        assert_eq!((read.app(), read.id), ("demo", spec.id));
    }

    #[test]
    fn a_full_disk_is_told_apart_from_other_faults_of_files_however_deep_it_lies() {
        let io = |kind: ErrorKind| SetupError::Io {
            path: "/x".into(),
            source: kind.into(),
        };
        let full = LaunchError::files(&io(ErrorKind::StorageFull));
        assert_eq!(full.code(), "no_space");
        assert!(
            full.to_string().starts_with("the disk is full: /x cannot be written: "),
            "{full}"
        );
        assert_eq!(LaunchError::files(&io(ErrorKind::QuotaExceeded)).code(), "no_space");
        assert_eq!(
            LaunchError::files(&std::io::Error::from(ErrorKind::StorageFull)).code(),
            "no_space"
        );
        assert_eq!(
            LaunchError::files(&io(ErrorKind::PermissionDenied)).code(),
            "setup_failed"
        );
    }
}

//! The sources of the configuration: files, environment and flags, as values, so that tests can make their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::keys::{self, ENV_PREFIX};
use super::origin::Origin;
use super::suggest;
use super::value::Raw;

/// A key set on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as the user knows it, such as `--listen`.
    pub name: String,
    /// The key it sets.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Flag {
    /// The flag `name` sets `key` to `value`.
    #[must_use]
    pub fn new(name: &str, key: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// Everything that configures, apart from the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`. It must exist.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The flags, the last of a key wins.
    pub flags: Vec<Flag>,
    /// The folder the process runs in: looked at for `heliostat.toml`, and what relative paths relate to.
    pub folder: PathBuf,
}

/// A value that a source gives to a key, before it is known to be right.
pub(super) type Setting = (&'static str, Raw, Origin);

/// The name of a configuration file where none is named.
pub const FILE_NAME: &str = "heliostat.toml";

/// Variables by which the host's own processes and its tests find each other; not configuration.
const NOT_CONFIGURATION: &[&str] = &[
    "HELIOSTAT_BIN",
    "HELIOSTAT_DEBUG_WATCHDOG_TICKS",
    "HELIOSTAT_INSTANCE",
    "HELIOSTAT_LISTEN_FD",
    "HELIOSTAT_MARK",
    "HELIOSTAT_ROLE",
];

impl Sources {
    /// The sources of this process.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        Self {
            file,
            env: std::env::vars_os().collect(),
            flags,
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        }
    }

    /// The configuration file to read: the named one, else `./heliostat.toml`, else that of the user; `None` when
    /// there is none.
    #[must_use]
    pub fn file_to_read(&self) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            // A shell leaves the `~` of `--config=~/x` alone.
            let home = self.home();
            let below = file
                .strip_prefix("~")
                .ok()
                .zip(home)
                .map(|(rest, home)| home.join(rest));
            return Some(below.unwrap_or_else(|| self.folder.join(file)));
        }
        let here = self.folder.join(FILE_NAME);
        let of_user = self
            .absolute("XDG_CONFIG_HOME")
            .or_else(|| Some(self.absolute("HOME")?.join(".config")))
            .map(|folder| folder.join("heliostat").join(FILE_NAME));
        std::iter::once(here).chain(of_user).find(|path| path.is_file())
    }

    /// The state folder when nobody names one; `None` without a home.
    #[must_use]
    pub fn usual_state_folder(&self) -> Option<PathBuf> {
        self.absolute("XDG_STATE_HOME")
            .or_else(|| Some(self.absolute("HOME")?.join(".local/state")))
            .map(|folder| folder.join("heliostat"))
    }

    /// The folders of `PATH`.
    #[must_use]
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.env
            .get(Path::new("PATH").as_os_str())
            .map(|path| {
                std::env::split_paths(path)
                    .filter(|folder| folder.is_absolute())
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The XDG base directory specification has relative paths ignored.
    /// The home of the user who starts the host.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.absolute("HOME")
    }

    fn absolute(&self, variable: &str) -> Option<PathBuf> {
        self.env
            .get(Path::new(variable).as_os_str())
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// The keys set by the environment, and warnings about variables that look like keys but are none.
    ///
    /// # Errors
    /// A variable of a section that exists, or of a key nearly, but not quite, spelt right.
    pub(super) fn settings_of_env(&self) -> Result<(Vec<Setting>, Vec<String>), ConfigError> {
        let mut found = Vec::new();
        let mut strangers = Vec::new();
        if let Some(url) = self.env.get(Path::new("DATABASE_URL").as_os_str()) {
            found.push((
                "store.url",
                Raw::Text(lossy(url)),
                Origin::Env("DATABASE_URL".to_owned()),
            ));
        }
        for (name, value) in &self.env {
            let name = lossy(name);
            let Some(rest) = name.strip_prefix(ENV_PREFIX) else {
                continue;
            };
            if NOT_CONFIGURATION.contains(&name.as_str()) {
                continue;
            }
            let origin = Origin::Env(name.clone());
            if let Some(key) = keys::KEYS.iter().find(|key| key.variable() == name) {
                let raw = value
                    .to_str()
                    .map_or_else(|| Raw::Other(format!("{value:?}")), |text| Raw::Text(text.to_owned()));
                found.push((key.name, raw, origin));
                continue;
            }
            let variables: Vec<String> = keys::KEYS.iter().map(keys::Key::variable).collect();
            let of_a_section = keys::KEYS
                .iter()
                .any(|key| rest.starts_with(&format!("{}_", key.section().to_ascii_uppercase())));
            let names = || variables.iter().map(String::as_str);
            if of_a_section || suggest::misspelt(&name, names()).is_some() {
                let suggestion = suggest::nearest(&name, names()).map(str::to_owned);
                return Err(ConfigError::UnknownKey {
                    key: name,
                    origin,
                    suggestion,
                    existing: Vec::new(),
                });
            }
            strangers.push(name);
        }
        Ok((found, strangers))
    }

    /// The keys set by flags.
    ///
    /// # Errors
    /// A key that does not exist.
    pub(super) fn settings_of_flags(&self) -> Result<Vec<Setting>, ConfigError> {
        self.flags
            .iter()
            .map(|flag| {
                let origin = Origin::Flag(flag.name.clone());
                let key = keys::find(&flag.key).ok_or_else(|| unknown(&flag.key, origin.clone()))?;
                Ok((key.name, Raw::Text(flag.value.clone()), origin))
            })
            .collect()
    }
}

/// The error for a key that the table does not have.
pub(super) fn unknown(key: &str, origin: Origin) -> ConfigError {
    let suggestion = suggest::nearest(key, keys::KEYS.iter().map(|key| key.name)).map(str::to_owned);
    ConfigError::UnknownKey {
        key: key.chars().take(200).collect(),
        origin,
        suggestion,
        existing: keys::KEYS
            .iter()
            .filter(|known| Some(known.section()) == key.split_once('.').map(|(section, _)| section))
            .map(|known| known.name)
            .collect(),
    }
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

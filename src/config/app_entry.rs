//! One app of the catalogue: a command that can be launched, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::app_table::{self, FIELDS};
use super::bounds::{CPU_PERCENT, FOLDER_MIB, MAX_FPS, MAX_SIDE, MEMORY_MIB, MIN_FPS, MIN_SIDE, OPEN_FILES, PROCESSES};
use super::error::ConfigError;
use super::file::{Text, raw};
use super::ready::Ready;
use super::suggest;
use super::typed::choice;
use super::value::{Kind, Raw, Value};

/// One app of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppEntry {
    /// 1 to 40 of `a-z`, `0-9`, `-`.
    pub id: String,
    /// What users call it.
    pub name: String,
    /// What it is, for users; may be empty.
    pub description: String,
    /// A path, or a name to be found on the search path.
    pub command: String,
    /// Arguments, with placeholders (see [`Placeholders`]).
    pub args: Vec<String>,
    /// Variables added to the emptied environment, with placeholders.
    pub env: BTreeMap<String, String>,
    /// The folder to start in; `None`: its home.
    pub cwd: Option<PathBuf>,
    /// Whether its home outlives the instance.
    pub home: Home,
    /// Width in pixels; `None`: as configured.
    pub width: Option<u16>,
    /// Height in pixels; `None`: as configured.
    pub height: Option<u16>,
    /// Frames per second at most; `None`: as configured.
    pub fps: Option<u16>,
    /// Whether its command only starts it and returns: then it goes on while it has a window.
    #[serde(default)]
    pub launcher: bool,
    /// Whether it is started again when it ended.
    pub restart: RestartPolicy,
    /// What is done when it leaves its window manager's pings unanswered. Instances of a host before this key have none.
    #[serde(default)]
    pub on_hang: OnHang,
    /// Whether a window manager maximises its main window.
    pub window_manager: bool,
    /// How printable keys arrive.
    pub keyboard: Keyboard,
    /// What it reaches of the network, where apps are sandboxed.
    pub network: Network,
    /// Devices that it sees, where apps are sandboxed and the devices are there.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// Whether it may make user namespaces, as browsers do for sandboxes of their own, where apps are sandboxed.
    #[serde(default)]
    pub user_namespaces: bool,
    /// Files and folders that it may read beside the system's, where apps are sandboxed; absolute.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Limits of its own.
    #[serde(default)]
    pub limits: AppLimits,
    /// When it counts as started.
    pub ready: Ready,
}

/// What an app reaches of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Nothing but itself.
    #[default]
    None,
    /// Public addresses, not this machine nor its neighbours.
    Internet,
    /// What the host reaches.
    Full,
}

/// A kind of devices that an app may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Graphics cards: `/dev/dri`, `/dev/nvidia*`.
    Gpu,
    /// Making input devices: `/dev/uinput`.
    Uinput,
}

/// Limits of an app that differ from the configured ones; `None`: as configured. 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppLimits {
    /// Memory of all its processes together, in MiB.
    pub memory_mib: Option<u64>,
    /// Processor time, in percent of a core.
    pub cpu_percent: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// A home, in MiB.
    pub home_mib: Option<u64>,
    /// Its temporary folder, in MiB.
    pub tmp_mib: Option<u64>,
}

/// Whether the home of an app outlives its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    /// An empty home each time, removed with the instance.
    #[default]
    Ephemeral,
    /// One home per session and app.
    Keep,
}

/// Whether an app is started again when it has ended (the words of Erlang/OTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestartPolicy {
    /// Always.
    Permanent,
    /// When it failed.
    #[default]
    Transient,
    /// Never.
    Temporary,
}

/// What is done about an app that does not respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnHang {
    /// Viewers are told, and may restart it: it may only be busy.
    #[default]
    Report,
    /// It is killed and started again, if it is one that is restarted at all.
    Restart,
}

/// How printable keys arrive at an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keyboard {
    /// As what they print.
    #[default]
    Text,
    /// By their place on the keyboard.
    Physical,
}

/// What the placeholders in arguments and variables stand for.
#[derive(Debug, Clone)]
pub struct Placeholders<'p> {
    /// `{home}`: the app's home.
    pub home: &'p str,
    /// `{tmp}`: its temporary folder.
    pub tmp: &'p str,
    /// `{width}`: of the display, in pixels.
    pub width: u16,
    /// `{height}`: of the display, in pixels.
    pub height: u16,
    /// `{fps}`: the most frames per second.
    pub fps: u16,
}

impl Placeholders<'_> {
    /// The text with its placeholders filled in. What looks like another placeholder stays as it is. Nothing that
    /// was filled in is looked at again.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            let value = rest
                .find('}')
                .and_then(|close| Some((self.value(&rest[1..close])?, close)));
            match value {
                Some((value, close)) => {
                    filled.push_str(&value);
                    rest = &rest[close + 1..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "home" => Some(self.home.to_owned()),
            "tmp" => Some(self.tmp.to_owned()),
            "width" => Some(self.width.to_string()),
            "height" => Some(self.height.to_string()),
            "fps" => Some(self.fps.to_string()),
            _ => None,
        }
    }
}

/// Whether this can be the id of an app: 1 to 40 of `a-z`, `0-9`, `-`.
#[must_use]
pub fn is_app_id(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(fine)
}

impl AppEntry {
    /// An entry with nothing but what it needs; everything else as the table of defaults has it.
    #[must_use]
    pub fn new(id: &str, command: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            description: String::new(),
            command: command.to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            home: Home::default(),
            width: None,
            height: None,
            fps: None,
            launcher: false,
            restart: RestartPolicy::default(),
            on_hang: OnHang::default(),
            window_manager: true,
            keyboard: Keyboard::default(),
            network: Network::default(),
            devices: Vec::new(),
            user_namespaces: false,
            files: Vec::new(),
            limits: AppLimits::default(),
            ready: Ready::default(),
        }
    }

    /// Reads the table of an `[[app]]` entry that begins at byte `start` of the file.
    ///
    /// # Errors
    /// An unknown key, a wrong value, or neither id nor command.
    pub(super) fn parse(file: Text<'_>, table: &DeTable<'_>, start: usize) -> Result<Self, ConfigError> {
        let mut id = None;
        let mut name = None;
        let mut command = None;
        let mut entry = Self::new("", "");
        for (key, value) in table {
            let reader = Reader {
                file,
                key: key.get_ref(),
                at: key.span().start,
                value,
            };
            match reader.key {
                "id" => id = Some(reader.text(is_app_id)?),
                "name" => name = Some(reader.text(is_name)?),
                "description" => entry.description = reader.text(|text| text.chars().count() <= 1000)?,
                "command" => command = Some(reader.text(|text| !text.trim().is_empty() && !text.contains('\0'))?),
                "args" => entry.args = reader.strings()?,
                "env" => entry.env = reader.variables()?,
                "cwd" => {
                    entry.cwd = Some(
                        reader
                            .text(|text| text.starts_with('/') && !text.contains('\0'))?
                            .into(),
                    )
                }
                "home" => entry.home = reader.word()?,
                "width" => entry.width = Some(reader.number(MIN_SIDE, MAX_SIDE)?),
                "height" => entry.height = Some(reader.number(MIN_SIDE, MAX_SIDE)?),
                "fps" => entry.fps = Some(reader.number(MIN_FPS, MAX_FPS)?),
                "launcher" => entry.launcher = reader.truth()?,
                "restart" => entry.restart = reader.word()?,
                "on_hang" => entry.on_hang = reader.word()?,
                "window_manager" => entry.window_manager = reader.truth()?,
                "keyboard" => entry.keyboard = reader.word()?,
                "network" => entry.network = reader.word()?,
                "devices" => entry.devices = reader.words()?,
                "user_namespaces" => entry.user_namespaces = reader.truth()?,
                "files" => entry.files = reader.paths()?,
                "memory_mib" => entry.limits.memory_mib = Some(reader.amount(MEMORY_MIB)?),
                "cpu_percent" => entry.limits.cpu_percent = Some(reader.amount(CPU_PERCENT)?),
                "processes" => entry.limits.processes = Some(reader.amount(PROCESSES)?),
                "open_files" => entry.limits.open_files = Some(reader.amount(OPEN_FILES)?),
                "home_mib" => entry.limits.home_mib = Some(reader.amount(FOLDER_MIB)?),
                "tmp_mib" => entry.limits.tmp_mib = Some(reader.amount(FOLDER_MIB)?),
                "ready" => entry.ready = reader.ready()?,
                other => {
                    let suggestion = suggest::nearest(other, FIELDS.iter().map(|field| field.name));
                    return Err(ConfigError::UnknownKey {
                        key: format!("app.{}", other.chars().take(200).collect::<String>()),
                        origin: file.origin(reader.at),
                        suggestion: suggestion.map(|name| format!("app.{name}")),
                        existing: FIELDS.iter().map(|field| field.name).collect(),
                    });
                }
            }
        }
        let missing = |name: &str| ConfigError::MissingKey {
            key: format!("app.{name}"),
            origin: file.origin(start),
            allowed: allowed(name),
        };
        entry.id = id.ok_or_else(|| missing("id"))?;
        entry.command = command.ok_or_else(|| missing("command"))?;
        entry.name = name.unwrap_or_else(|| entry.id.clone());
        if entry.launcher && !entry.window_manager {
            return Err(ConfigError::BadValue {
                key: "app.launcher".into(),
                value: "true".into(),
                origin: file.origin(start),
                allowed: "`false` where `window_manager = false`, for nobody knows of its windows then".into(),
            });
        }
        Ok(entry)
    }
}

fn allowed(name: &str) -> String {
    app_table::find(name).map_or_else(String::new, |field| field.allowed.to_owned())
}

fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.chars().count()) && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// Names that a program's loader or the host itself gives a meaning are not an app entry's to set.
fn is_variable(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.bytes().all(fine)
        && !name.as_bytes()[0].is_ascii_digit()
        && !name.starts_with("HELIOSTAT_")
        && !name.starts_with("LD_")
}

/// One key of an entry with its value, to be read as what the key takes.
struct Reader<'r> {
    file: Text<'r>,
    key: &'r str,
    at: usize,
    value: &'r Spanned<DeValue<'r>>,
}

impl Reader<'_> {
    fn bad(&self) -> ConfigError {
        ConfigError::BadValue {
            key: format!("app.{}", self.key),
            value: raw(self.value).shown(),
            origin: self.file.origin(self.at),
            allowed: allowed(self.key),
        }
    }

    fn text(&self, fine: impl Fn(&str) -> bool) -> Result<String, ConfigError> {
        match raw(self.value) {
            Raw::Text(text) if fine(&text) => Ok(text),
            _ => Err(self.bad()),
        }
    }

    fn strings(&self) -> Result<Vec<String>, ConfigError> {
        match raw(self.value) {
            Raw::List(items) if items.iter().all(|item| !item.contains('\0')) => Ok(items),
            _ => Err(self.bad()),
        }
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, ConfigError> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.bad());
        };
        table
            .iter()
            .map(|(name, value)| match value.get_ref().as_str() {
                Some(text) if is_variable(name.get_ref()) && !text.contains('\0') => {
                    Ok((name.get_ref().to_string(), text.to_owned()))
                }
                _ => Err(ConfigError::BadValue {
                    key: format!("app.env.{}", name.get_ref()),
                    value: raw(value).shown(),
                    origin: self.file.origin(name.span().start),
                    allowed: allowed("env"),
                }),
            })
            .collect()
    }

    fn number(&self, low: u64, high: u64) -> Result<u16, ConfigError> {
        match Kind::Number(low, high).parse(&raw(self.value)) {
            Some(Value::Number(number)) => u16::try_from(number).map_err(|_| self.bad()),
            _ => Err(self.bad()),
        }
    }

    /// Zero for no limit, or a number within these.
    fn amount(&self, (low, high): (u64, u64)) -> Result<u64, ConfigError> {
        match Kind::Limit(low, high).parse(&raw(self.value)) {
            Some(Value::Number(number)) => Ok(number),
            _ => Err(self.bad()),
        }
    }

    fn paths(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let paths = self.strings()?;
        if paths.iter().all(|path| path.starts_with('/') && path.len() > 1) {
            Ok(paths.into_iter().map(PathBuf::from).collect())
        } else {
            Err(self.bad())
        }
    }

    fn words<T: DeserializeOwned + PartialEq>(&self) -> Result<Vec<T>, ConfigError> {
        let mut found = Vec::new();
        for text in self.strings()? {
            let value = choice(&text).ok_or_else(|| self.bad())?;
            if !found.contains(&value) {
                found.push(value);
            }
        }
        Ok(found)
    }

    fn truth(&self) -> Result<bool, ConfigError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.bad())
    }

    fn word<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.value.get_ref().as_str().and_then(choice).ok_or_else(|| self.bad())
    }

    fn ready(&self) -> Result<Ready, ConfigError> {
        self.value
            .get_ref()
            .as_str()
            .and_then(Ready::parse)
            .ok_or_else(|| self.bad())
    }
}

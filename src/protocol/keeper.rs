//! What a host and the keeper of an instance say to each other over `keeper.sock`.
//!
//! Frames are a length (u32, big endian, without itself) and that many bytes of JSON, at most [`MAX_MESSAGE`]. The host
//! sends [`Call`]s, the first of them [`Request::Hello`]; the keeper answers each with a [`Message::Reply`] of the same
//! id, not necessarily in order, and sends [`Message::Event`]s unasked. Both run the same binary or none: the version
//! is compared for equality.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::InstanceId;

mod frame;
mod sandbox;
mod spec;

pub use frame::{Decoder, FrameError, encode};
pub use sandbox::{Companion, Filter, Group, Sandbox};
pub use spec::{LISTEN_FD_VARIABLE, Limit, Resource, Spec, User};

/// The protocol's version; keeper and host must agree on it exactly.
pub const VERSION: u32 = 5;
/// The largest message body in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The most lines of output that a tail holds.
pub const MAX_TAIL_LINES: usize = 200;
/// The most bytes of a line of output (UTF-8), the rest of the line is dropped.
pub const MAX_LINE_BYTES: usize = 4096;
/// The most bytes that the lines of one tail take as JSON; older lines are left out.
pub const MAX_TAIL_BYTES: usize = 256 * 1024;
/// Environment variable that carries the instance id, for programs to read. It is no secret, and decides nothing.
pub const INSTANCE_VARIABLE: &str = "HELIOSTAT_INSTANCE";
/// Environment variable that carries the role: it tells the processes of one instance apart, never those of two.
pub const ROLE_VARIABLE: &str = "HELIOSTAT_ROLE";
/// Environment variable that carries [`Manifest::mark`] in the keeper and in every process that it starts.
pub const MARK_VARIABLE: &str = "HELIOSTAT_MARK";

/// What a process of an instance is for (`display`, `app`, `capture`, …); also the name of its log file.
///
/// 1 to 32 characters of `a-z 0-9 _ -`, beginning with a letter; not `keeper`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Role(String);

/// A text that is no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is 1 to 32 characters of a-z 0-9 _ - that begin with a letter, and not keeper")]
pub struct BadRole;

impl Role {
    /// The role's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        let fits = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if fits && text != "keeper" {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadRole)
        }
    }
}

impl TryFrom<String> for Role {
    type Error = BadRole;

    fn try_from(text: String) -> Result<Self, BadRole> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request with the id that its reply will carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the host, unique on its connection.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What a host asks of a keeper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// The first message of a connection. A greater epoch replaces the connection of a lesser one.
    Hello {
        /// [`VERSION`] of the host.
        version: u32,
        /// The instance that the host takes this keeper for.
        instance: InstanceId,
        /// Time of the connection by the host clock in µs: later connections have greater ones.
        epoch: u64,
    },
    /// Let this role run with this spec: attaches to it where it does, else (re)places it.
    Ensure {
        /// The role.
        role: Role,
        /// What shall run.
        spec: Spec,
        /// How long what ran before has between TERM and KILL.
        grace_ms: u64,
    },
    /// End all processes of the role: TERM, and KILL after the grace until none is left.
    Stop {
        /// The role.
        role: Role,
        /// Between TERM and KILL.
        grace_ms: u64,
    },
    /// Send a signal to the role's main process.
    Signal {
        /// The role.
        role: Role,
        /// Its number (signal(7)).
        signal: i32,
    },
    /// All roles that were ever started and how they are.
    Status,
    /// The last lines of the role's output.
    Tail {
        /// The role.
        role: Role,
        /// How many, at most [`MAX_TAIL_LINES`].
        lines: usize,
    },
    /// Run something once and tell how it ended; what it left running is ended with it.
    Run {
        /// A role that nothing else uses; it is forgotten afterwards.
        role: Role,
        /// What shall run.
        spec: Spec,
        /// Killed after this time.
        timeout_ms: u64,
    },
    /// End the instance: all processes, then the keeper.
    End {
        /// Between TERM and KILL.
        grace_ms: u64,
    },
}

/// What a keeper sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The answer to a [`Call`].
    Reply {
        /// Its id.
        id: u64,
        /// What came of it.
        result: Result<Reply, Failure>,
    },
    /// Something that happened.
    Event(Event),
}

/// The answer to a [`Request`] that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    /// To `Hello`: this connection is now the controlling one.
    Welcome {
        /// The keeper's own pid.
        pid: i32,
    },
    /// To `Ensure`.
    Started(Started),
    /// To `Stop` (no process of the role is left), `Signal` (sent) and `End` (nothing is left but the keeper).
    Done,
    /// To `Status`.
    Status {
        /// Every role, by name.
        roles: Vec<RoleStatus>,
    },
    /// To `Tail`.
    Tail {
        /// Oldest first.
        lines: Vec<String>,
    },
    /// To `Run`.
    Ran {
        /// How it ended.
        exit: Exit,
        /// The end of its output.
        tail: Vec<String>,
    },
}

/// A role that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The role.
    pub role: Role,
    /// Its main process.
    pub pid: i32,
    /// Counts the starts of the role, from 1.
    pub generation: u64,
    /// It was already running with an equal spec.
    pub attached: bool,
    /// The display number where it is already known; else an [`Event::Display`] follows.
    pub display: Option<u32>,
    /// It has been stopped (SIGSTOP) and not continued since; changes follow as [`Event::Stopped`].
    pub stopped: bool,
}

/// How a role is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleStatus {
    /// The role.
    pub role: Role,
    /// Its latest main process.
    pub pid: i32,
    /// Counts the starts of the role, from 1.
    pub generation: u64,
    /// When it was started, ms since 1970.
    pub started_ms: i64,
    /// How it ended; none while it runs.
    pub exit: Option<Exit>,
    /// When it ended, ms since 1970.
    pub exited_ms: Option<i64>,
    /// The number of the display that it reported.
    pub display: Option<u32>,
}

/// How a process ended (wait(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What happens to a role by itself or on request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The main process ended, on request or not.
    Exited {
        /// Its role.
        role: Role,
        /// Its generation.
        generation: u64,
        /// How.
        exit: Exit,
        /// The end of its output, oldest line first.
        tail: Vec<String>,
    },
    /// An X server said its number through its `-displayfd` pipe: it accepts connections.
    Display {
        /// Its role.
        role: Role,
        /// Its generation.
        generation: u64,
        /// `N` of `:N`.
        number: u32,
    },
    /// The main process was stopped by a signal, or continued (wait(2): WUNTRACED, WCONTINUED).
    Stopped {
        /// Its role.
        role: Role,
        /// Its generation.
        generation: u64,
        /// Stopped, or running again.
        stopped: bool,
    },
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure of this kind with this text.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The request or its spec is not well formed.
    BadRequest,
    /// The connection did not begin with `Hello`.
    HelloFirst,
    /// The keeper is another instance's.
    WrongInstance,
    /// The keeper speaks another version.
    WrongVersion,
    /// A host with a later epoch was here.
    StaleEpoch,
    /// Nothing was ever started under this role.
    UnknownRole,
    /// The role's main process has ended.
    NotRunning,
    /// The role is in use otherwise.
    Busy,
    /// No more roles can be added.
    TooManyRoles,
    /// The program does not exist.
    CommandNotFound,
    /// The program exists but cannot be executed by this user.
    NotExecutable,
    /// The working directory cannot be entered.
    BadDirectory,
    /// The keeper may not become this user.
    UserRefused,
    /// The system refused the process for another reason.
    SpawnFailed,
    /// The sandbox that it was to run in did not come about.
    SandboxFailed,
    /// A later request for the same role took this one's place.
    Superseded,
    /// A process outlived its KILL (it hangs in the kernel).
    Unkillable,
    /// It did not end in its time and was killed.
    TimedOut,
    /// The instance is being ended.
    Ending,
}

impl FailureCode {
    /// The stable name, as in the JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::HelloFirst => "hello_first",
            Self::WrongInstance => "wrong_instance",
            Self::WrongVersion => "wrong_version",
            Self::StaleEpoch => "stale_epoch",
            Self::UnknownRole => "unknown_role",
            Self::NotRunning => "not_running",
            Self::Busy => "busy",
            Self::TooManyRoles => "too_many_roles",
            Self::CommandNotFound => "command_not_found",
            Self::NotExecutable => "not_executable",
            Self::BadDirectory => "bad_directory",
            Self::UserRefused => "user_refused",
            Self::SpawnFailed => "spawn_failed",
            Self::SandboxFailed => "sandbox_failed",
            Self::Superseded => "superseded",
            Self::Unkillable => "unkillable",
            Self::TimedOut => "timed_out",
            Self::Ending => "ending",
        }
    }
}

/// `keeper.json`: who keeps this folder, for a host that wants to adopt the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The keeper's pid.
    pub pid: i32,
    /// Its start time: field 22 of `/proc/<pid>/stat` (proc(5)), which tells it from a later process of that pid.
    pub start_time: u64,
    /// The instance it keeps.
    pub instance: InstanceId,
    /// Its [`VERSION`].
    pub version: u32,
    /// A secret of 128 random bits that its processes carry: who outlives it is known by that. None before version 5.
    #[serde(default)]
    pub mark: Option<String>,
}

/// The newest of these lines that fit into a message (at most `count`, [`MAX_TAIL_LINES`], [`MAX_TAIL_BYTES`]),
/// oldest first.
pub fn newest_lines<'a>(lines: impl DoubleEndedIterator<Item = &'a str>, count: usize) -> Vec<String> {
    let mut room = MAX_TAIL_BYTES;
    let mut newest: Vec<String> = lines
        .rev()
        .take(count.min(MAX_TAIL_LINES))
        .take_while(|line| {
            let cost = 3 + line
                .bytes()
                .map(|b| {
                    if b == b'"' || b == b'\\' {
                        2
                    } else if b < 0x20 {
                        6
                    } else {
                        1
                    }
                })
                .sum::<usize>();
            room.checked_sub(cost).inspect(|left| room = *left).is_some()
        })
        .map(str::to_owned)
        .collect();
    newest.reverse();
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_safe_as_a_file_name() {
        for bad in ["", "A", "../x", "a/b", "a.b", "1a", "keeper", "a b", &"a".repeat(33)] {
            assert!(bad.parse::<Role>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Role>("\"../../etc\"").is_err());
        assert_eq!("window_manager-2".parse::<Role>().unwrap().as_str(), "window_manager-2");
    }

    #[test]
    fn the_code_of_a_failure_is_its_name_in_json() {
        for code in [
            FailureCode::BadRequest,
            FailureCode::CommandNotFound,
            FailureCode::StaleEpoch,
            FailureCode::Ending,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_tail_of_the_worst_lines_fits_into_a_message() {
        let worst = "\"".repeat(MAX_LINE_BYTES);
        let lines = vec![worst.as_str(); 500];
        let tail = newest_lines(lines.iter().copied(), usize::MAX);
        assert!(!tail.is_empty());
        let message = Message::Reply {
            id: 1,
            result: Ok(Reply::Tail { lines: tail }),
        };
        assert!(encode(&message).unwrap().len() <= MAX_TAIL_BYTES + 100);
    }

    #[test]
    fn a_tail_holds_the_newest_lines_in_their_order() {
        let lines = ["a", "b", "c", "d"];
        assert_eq!(newest_lines(lines.into_iter(), 2), ["c", "d"]);
        assert_eq!(newest_lines(lines.into_iter(), 9), lines);
    }

    #[test]
    fn a_request_is_tagged_by_its_type() {
        let call = Call {
            id: 7,
            request: Request::Stop {
                role: "app".parse().unwrap(),
                grace_ms: 5,
            },
        };
        let json = serde_json::to_value(&call).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"id": 7, "request": {"type": "stop", "role": "app", "grace_ms": 5}})
        );
    }
}

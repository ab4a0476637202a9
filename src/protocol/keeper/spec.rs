//! What a process of an instance is started with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Role;
use super::sandbox::{Group, Sandbox};

/// In the arguments, stands for the number of the descriptor that an X server writes its display number to.
const DISPLAY_FD: &str = "{displayfd}";
/// Environment variable with the number of the listening socket handed to a child.
pub const LISTEN_FD_VARIABLE: &str = "HELIOSTAT_LISTEN_FD";
/// More than any command line needs; keeps a spec within a message.
const MAX_BYTES: usize = 256 * 1024;

/// A command and everything that it may see of the machine. Two equal specs are the same running thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Program (looked up in `PATH` of `env` when it has no slash) and arguments. An argument `{displayfd}` becomes
    /// the descriptor's number where `display_fd` is set.
    pub argv: Vec<String>,
    /// The whole environment; the keeper adds `HELIOSTAT_INSTANCE`, `HELIOSTAT_ROLE` and, with `listen_socket`,
    /// `HELIOSTAT_LISTEN_FD`.
    pub env: BTreeMap<String, String>,
    /// Absolute working directory, entered as `user`.
    pub cwd: String,
    /// Who runs it, with no supplementary groups; none: the keeper's own user.
    pub user: Option<User>,
    /// Give it a pipe for `-displayfd {displayfd}` and report the number read from it.
    pub display_fd: bool,
    /// Name of a listening unix socket in the instance's folder, bound once, kept over restarts, handed over as
    /// descriptor 3.
    pub listen_socket: Option<String>,
    /// −1000..=1000 (proc(5)). Lowering it without privilege is silently not done.
    pub oom_score_adj: Option<i32>,
    /// −20..=19 (setpriority(2)). Lowering it without privilege is silently not done.
    pub nice: Option<i32>,
    /// Resource limits, soft and hard alike; core files are limited to 0 unless named here.
    pub limits: Vec<Limit>,
    /// The sandbox that it runs in; none: the machine as its user sees it.
    pub sandbox: Option<Sandbox>,
    /// It sees the files and the network of this role's sandbox, where that runs in one.
    pub within: Option<Role>,
    /// The control group that it and all its descendants belong to.
    pub group: Option<Group>,
}

/// An unprivileged user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// One limit of setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// Soft and hard limit, in the resource's unit (bytes, seconds or a count).
    pub value: u64,
}

/// The resources that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Bytes of a core file.
    Core,
    /// Seconds of processor time.
    Cpu,
    /// Bytes of a file.
    FileSize,
    /// Bytes of address space.
    AddressSpace,
    /// Bytes of private memory that it may write to (`RLIMIT_DATA`).
    Data,
    /// Open descriptors.
    OpenFiles,
    /// Processes of the user, all instances together.
    Processes,
}

impl Spec {
    /// Whether it is well formed; what it names may still not exist.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err("argv names no program".into());
        }
        let texts = || {
            self.argv
                .iter()
                .chain(self.env.keys())
                .chain(self.env.values())
                .chain([&self.cwd])
                .chain(self.sandbox.iter().flat_map(Sandbox::texts))
        };
        if self.sandbox.as_ref().is_some_and(|sandbox| !sandbox.is_whole()) {
            return Err("the sandbox names no program".into());
        }
        if texts().any(|text| text.contains('\0')) {
            return Err("argv, env, cwd and the sandbox cannot hold a NUL".into());
        }
        if texts().map(String::len).sum::<usize>() > MAX_BYTES {
            return Err(format!("argv, env, cwd and the sandbox exceed {MAX_BYTES} bytes"));
        }
        if self.env.keys().any(|name| name.is_empty() || name.contains('=')) {
            return Err("a name in env is empty or holds =".into());
        }
        if !self.cwd.starts_with('/') {
            return Err("cwd is not absolute".into());
        }
        if self.display_fd && !self.argv.iter().any(|argument| argument == DISPLAY_FD) {
            return Err("display_fd is set but no argument is {displayfd}".into());
        }
        match &self.listen_socket {
            Some(name) if !is_socket_name(name) => Err("listen_socket is not a name like capture.sock".into()),
            _ => Ok(()),
        }
    }

    /// The arguments with the descriptor's number in its place.
    pub fn arguments(&self, display_fd: i32) -> impl Iterator<Item = String> {
        self.argv.iter().map(move |argument| match argument.as_str() {
            DISPLAY_FD if self.display_fd => display_fd.to_string(),
            _ => argument.clone(),
        })
    }
}

fn is_socket_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".sock") else {
        return false;
    };
    (1..=40).contains(&stem.len())
        && stem != "keeper"
        && stem
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Spec {
        Spec {
            argv: vec!["true".into()],
            cwd: "/".into(),
            ..Spec::default()
        }
    }

    #[test]
    fn a_plain_command_is_well_formed() {
        assert_eq!(good().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_a_command_line_is_refused() {
        assert!(Spec { argv: vec![], ..good() }.check().is_err());
        assert!(
            Spec {
                argv: vec!["a\0b".into()],
                ..good()
            }
            .check()
            .is_err()
        );
        assert!(
            Spec {
                cwd: "tmp".into(),
                ..good()
            }
            .check()
            .is_err()
        );
        assert!(
            Spec {
                env: [("A=B".to_owned(), String::new())].into(),
                ..good()
            }
            .check()
            .is_err()
        );
        assert!(
            Spec {
                display_fd: true,
                ..good()
            }
            .check()
            .is_err()
        );
        assert!(
            Spec {
                argv: vec!["x".repeat(MAX_BYTES)],
                ..good()
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn a_listening_socket_stays_in_its_folder_and_is_not_the_keepers() {
        for bad in ["../x.sock", "/x.sock", "x", ".sock", "keeper.sock", "a/b.sock"] {
            assert!(
                Spec {
                    listen_socket: Some(bad.into()),
                    ..good()
                }
                .check()
                .is_err(),
                "{bad}"
            );
        }
        assert!(
            Spec {
                listen_socket: Some("capture.sock".into()),
                ..good()
            }
            .check()
            .is_ok()
        );
    }

    #[test]
    fn only_a_placeholder_alone_becomes_the_descriptor() {
        let argv = ["Xvfb", "-displayfd", "{displayfd}", "x{displayfd}"]
            .map(String::from)
            .to_vec();
        let spec = Spec {
            argv,
            display_fd: true,
            ..good()
        };
        assert_eq!(
            spec.arguments(4).collect::<Vec<_>>(),
            ["Xvfb", "-displayfd", "4", "x{displayfd}"]
        );
    }
}

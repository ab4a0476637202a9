//! What works here: a sandbox is made once, at the start of the host, as instances will have it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::arguments::trial;
use super::internet;
use crate::config::catalogue::find_program;
use crate::folders::AppOwner;
use crate::protocol::keeper::{Companion, User};

/// A sandbox takes milliseconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);
/// Where the tools are looked for.
const SEARCH_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// What sandboxes need, where a sandbox could be made.
#[derive(Debug, Clone)]
pub struct Ability {
    /// `bwrap`.
    pub program: PathBuf,
    /// `prlimit`, which limits processes within the sandbox; none: they are not limited by it.
    pub prlimit: Option<PathBuf>,
    /// Whether a sandbox can be made in a sandbox, as browsers do.
    pub nests: bool,
    /// What carries packets to public addresses, or what is missing for it.
    pub internet: Result<Companion, String>,
}

/// Makes a sandbox as apps have it, as their user. Blocks, for seconds at worst.
///
/// # Errors
/// Why there are none here, for people.
pub fn probe(owner: Option<&AppOwner>) -> Result<Ability, String> {
    let search_path = SEARCH_PATH.map(PathBuf::from);
    let program = find_program("bwrap", &search_path).ok_or("bubblewrap is not installed")?;
    attempt(&program, owner, &["/bin/true"])?;
    let user = owner.map(|owner| User {
        uid: owner.uid,
        gid: owner.gid,
    });
    let nesting = ["unshare", "--user", "--net", "--pid", "--fork", "true"];
    Ok(Ability {
        nests: attempt(&program, owner, &nesting).is_ok(),
        program,
        prlimit: find_program("prlimit", &search_path).filter(|_| counts_by_namespace()),
        internet: internet::companion(user, &search_path),
    })
}

/// Runs a command in a sandbox.
fn attempt(program: &Path, owner: Option<&AppOwner>, inside: &[&str]) -> Result<(), String> {
    let mut line = trial(program).into_iter();
    let mut command = Command::new(line.next().unwrap_or_default());
    command.args(line).arg("--").args(inside);
    command.env_clear().env("PATH", SEARCH_PATH.join(":"));
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    // SAFETY: a plain system call between fork and exec.
    unsafe {
        command.pre_exec(|| nix::sys::prctl::set_no_new_privs().map_err(Into::into));
    }
    let child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    outcome(child)
}

fn outcome(mut child: Child) -> Result<(), String> {
    let until = Instant::now() + DEADLINE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                let mut said = String::new();
                let stderr = child.stderr.take().map(|stderr| stderr.take(1000));
                let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut said));
                let said = said.trim().replace('\n', " · ");
                return Err(if said.is_empty() { status.to_string() } else { said });
            }
            Ok(None) if Instant::now() < until => sleep(LOOK),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("bubblewrap did not end within {} s", DEADLINE.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Whether the kernel counts a user's processes in each user namespace (Linux 5.14). Before, the instances of one user
/// would share the limit of one.
fn counts_by_namespace() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0u32));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (5, 14)
}

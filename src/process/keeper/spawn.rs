//! Starting a process from a spec: everything that allocates is prepared, then fork, then only system calls (see
//! `child`), and a pipe that closes with the exec or tells why there was none.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{getrlimit, rlim_t};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, pipe2};

use super::child::{self, DISPLAY_FD, Plan, Stage};
use super::lookup::candidates;
use crate::ids::InstanceId;
use crate::protocol::keeper::{
    Failure, FailureCode, INSTANCE_VARIABLE, LISTEN_FD_VARIABLE, ROLE_VARIABLE, Resource, Role, Spec,
};

/// A child has so long from fork to exec. More is a file system that hangs.
const EXEC_WITHIN_MS: u16 = 2_000;
/// Descriptors that the child is given are moved above those that it gets them as.
const FIRST_FREE_FD: RawFd = 10;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Spawned {
    /// Its pid.
    pub pid: i32,
    /// Both of its outputs, non-blocking.
    pub output: OwnedFd,
    /// Where its display number comes, non-blocking.
    pub display: Option<OwnedFd>,
}

/// Starts what a checked spec says.
pub(super) fn spawn(
    spec: &Spec,
    role: &Role,
    instance: InstanceId,
    listening: Option<BorrowedFd<'_>>,
) -> Result<Spawned, Failure> {
    let programs = candidates(&spec.argv[0], spec.env.get("PATH").map(String::as_str))?;
    let system = |error: io::Error| Failure::new(FailureCode::SpawnFailed, format!("no descriptors: {error}"));
    let (output, output_end) = pipe().map_err(system)?;
    let (display, display_end) = match spec.display_fd.then(pipe).transpose().map_err(system)? {
        Some((ours, its)) => (Some(ours), Some(its)),
        None => (None, None),
    };
    let (verdict, verdict_end) = pipe().map_err(system)?;
    let null = move_up(File::options().read(true).open("/dev/null").map_err(system)?.as_fd()).map_err(system)?;
    let listening = listening.map(move_up).transpose().map_err(system)?;

    let mut plan = Plan {
        programs: texts(programs.iter().cloned())?,
        argv: texts(spec.arguments(DISPLAY_FD))?,
        env: texts(environment(spec, role, instance))?,
        cwd: text(spec.cwd.clone())?,
        // Who is that user already needs no privilege.
        user: spec
            .user
            .filter(|user| geteuid().is_root() || user.uid != geteuid().as_raw() || user.gid != getegid().as_raw()),
        oom_score_adj: spec.oom_score_adj.map(|value| value.clamp(-1000, 1000).to_string()),
        nice: spec.nice.map(|value| value.clamp(-20, 19)),
        limits: limits(spec),
        null: null.as_raw_fd(),
        output: output_end.as_raw_fd(),
        display: display_end.as_ref().map(AsRawFd::as_raw_fd),
        listening: listening.as_ref().map(AsRawFd::as_raw_fd),
        verdict: verdict_end.as_raw_fd(),
        argv_pointers: Vec::new(),
        env_pointers: Vec::new(),
    };
    plan.point();

    // SAFETY: the process has one thread; the child runs system calls on prepared memory only, and never returns.
    let pid = match unsafe { fork() } {
        Ok(ForkResult::Child) => unsafe { child::become_program(&plan) },
        Ok(ForkResult::Parent { child }) => child,
        Err(errno) => return Err(Failure::new(FailureCode::SpawnFailed, format!("fork: {errno}"))),
    };
    drop((verdict_end, output_end, display_end));
    match read_verdict(verdict) {
        Ok(None) => Ok(Spawned {
            pid: pid.as_raw(),
            output,
            display,
        }),
        Ok(Some((stage, errno))) => {
            reap(pid);
            Err(explain(spec, &programs, stage, errno))
        }
        Err(error) => {
            let _ = kill(pid, Signal::SIGKILL);
            reap(pid);
            Err(Failure::new(
                FailureCode::SpawnFailed,
                format!("the program did not start: {error}"),
            ))
        }
    }
}

fn environment(spec: &Spec, role: &Role, instance: InstanceId) -> Vec<String> {
    let mut env = spec.env.clone();
    env.insert(INSTANCE_VARIABLE.into(), instance.to_string());
    env.insert(ROLE_VARIABLE.into(), role.to_string());
    if spec.listen_socket.is_some() {
        env.insert(LISTEN_FD_VARIABLE.into(), child::LISTEN_FD.to_string());
    }
    env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn limits(spec: &Spec) -> Vec<(child::ResourceNumber, libc::rlimit)> {
    let core = !spec.limits.iter().any(|limit| limit.resource == Resource::Core);
    let named = spec.limits.iter().map(|limit| (limit.resource, limit.value));
    core.then_some((Resource::Core, 0))
        .into_iter()
        .chain(named)
        .map(|(resource, value)| {
            let resource = number(resource);
            // Without privilege a hard limit can only be lowered.
            let hard = getrlimit(resource).map_or(rlim_t::MAX, |(_, hard)| hard);
            let value = if geteuid().is_root() { value } else { value.min(hard) };
            (
                resource as child::ResourceNumber,
                libc::rlimit {
                    rlim_cur: value,
                    rlim_max: value,
                },
            )
        })
        .collect()
}

fn number(resource: Resource) -> nix::sys::resource::Resource {
    use nix::sys::resource::Resource as Number;
    match resource {
        Resource::Core => Number::RLIMIT_CORE,
        Resource::Cpu => Number::RLIMIT_CPU,
        Resource::FileSize => Number::RLIMIT_FSIZE,
        Resource::AddressSpace => Number::RLIMIT_AS,
        Resource::OpenFiles => Number::RLIMIT_NOFILE,
        Resource::Processes => Number::RLIMIT_NPROC,
    }
}

/// A pipe whose reading end does not block and whose writing end is out of the way.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, its) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, move_up(its.as_fd())?))
}

fn move_up(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let moved = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(FIRST_FREE_FD))?;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

fn text(text: String) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::new(FailureCode::BadRequest, "a NUL in a text"))
}

fn texts(all: impl IntoIterator<Item = String>) -> Result<Vec<CString>, Failure> {
    all.into_iter().map(text).collect()
}

/// None when the pipe closed with the exec.
fn read_verdict(verdict: OwnedFd) -> io::Result<Option<(Stage, Errno)>> {
    let mut fds = [PollFd::new(verdict.as_fd(), PollFlags::POLLIN)];
    while match poll(&mut fds, PollTimeout::from(EXEC_WITHIN_MS)) {
        Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
        Ok(_) => false,
        Err(Errno::EINTR) => true,
        Err(errno) => return Err(errno.into()),
    } {}
    let mut bytes = Vec::new();
    File::from(verdict).take(5).read_to_end(&mut bytes)?;
    match bytes[..] {
        [] => Ok(None),
        [stage, a, b, c, d] => Ok(Some((
            Stage::from(stage),
            Errno::from_raw(i32::from_ne_bytes([a, b, c, d])),
        ))),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn reap(pid: Pid) {
    while waitpid(pid, None) == Err(Errno::EINTR) {}
}

fn explain(spec: &Spec, programs: &[String], stage: Stage, errno: Errno) -> Failure {
    let program = &spec.argv[0];
    let (code, text) = match (stage, errno) {
        (Stage::User, _) => {
            let user = spec.user.map_or(0, |user| user.uid);
            (FailureCode::UserRefused, format!("cannot become user {user}: {errno}"))
        }
        (Stage::Directory, _) => (FailureCode::BadDirectory, format!("cannot enter {}: {errno}", spec.cwd)),
        (Stage::Exec, Errno::ENOENT)
            if programs
                .iter()
                .any(|file| std::path::Path::new(&spec.cwd).join(file).exists()) =>
        {
            (
                FailureCode::NotExecutable,
                format!("the interpreter of {program} does not exist"),
            )
        }
        (Stage::Exec, Errno::ENOENT | Errno::ENOTDIR) => {
            (FailureCode::CommandNotFound, format!("{program} does not exist"))
        }
        (Stage::Exec, Errno::EACCES | Errno::EPERM | Errno::ENOEXEC | Errno::EISDIR) => (
            FailureCode::NotExecutable,
            format!("{program} cannot be executed: {errno}"),
        ),
        (Stage::Exec, _) => (
            FailureCode::SpawnFailed,
            format!("{program} cannot be executed: {errno}"),
        ),
        (Stage::Setup, _) => (FailureCode::SpawnFailed, format!("{program} cannot be set up: {errno}")),
    };
    Failure::new(code, text)
}

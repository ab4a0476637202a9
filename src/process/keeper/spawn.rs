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
use super::groups;
use super::lookup::candidates;
use super::sandbox::{Fabric, Inside};
use crate::ids::InstanceId;
use crate::protocol::keeper::{
    Failure, FailureCode, INSTANCE_VARIABLE, LISTEN_FD_VARIABLE, MARK_VARIABLE, ROLE_VARIABLE, Resource, Role, Spec,
    User,
};

/// A child has so long from fork to exec. More is a file system that hangs.
const EXEC_WITHIN_MS: u16 = 2_000;
/// Descriptors that the child is given are moved above those that it gets them as.
const FIRST_FREE_FD: RawFd = 10;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Spawned {
    /// The pid of our child: the program, or the outermost process of its sandbox.
    pub pid: i32,
    /// Both of its outputs, non-blocking.
    pub output: OwnedFd,
    /// Where its display number comes, non-blocking.
    pub display: Option<OwnedFd>,
    /// What is inside, where it runs in a sandbox.
    pub inside: Option<Inside>,
}

/// What a process starts with beside its spec.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    /// The listening socket of its role.
    pub listening: Option<BorrowedFd<'a>>,
    /// Namespaces to enter.
    pub join: Vec<OwnedFd>,
}

/// Whose a process is, as its environment says.
#[derive(Debug)]
pub(super) struct Marking<'a> {
    /// Of this role.
    pub role: &'a Role,
    /// Of this instance.
    pub instance: InstanceId,
    /// The keeper's secret.
    pub mark: &'a str,
}

impl Marking<'_> {
    /// The variables.
    pub(super) fn variables(&self) -> [(&'static str, String); 3] {
        [
            (INSTANCE_VARIABLE, self.instance.to_string()),
            (ROLE_VARIABLE, self.role.to_string()),
            (MARK_VARIABLE, self.mark.to_owned()),
        ]
    }
}

/// Starts what a checked spec says.
pub(super) fn spawn(spec: &Spec, marking: &Marking<'_>, given: &Given<'_>) -> Result<Spawned, Failure> {
    let programs = candidates(&spec.argv[0], spec.env.get("PATH").map(String::as_str))?;
    let (output, output_end) = pipe().map_err(no_descriptors)?;
    let (display, display_end) = match spec.display_fd.then(pipe).transpose().map_err(no_descriptors)? {
        Some((ours, its)) => (Some(ours), Some(its)),
        None => (None, None),
    };
    let listening = given.listening.map(move_up).transpose().map_err(no_descriptors)?;
    let fabric = spec
        .sandbox
        .as_ref()
        .map(Fabric::new)
        .transpose()
        .map_err(no_descriptors)?;
    let groups = spec.group.as_ref().map(groups::enter).unwrap_or_default();

    let mut plan = Plan {
        programs: texts(programs.iter().cloned())?,
        argv: texts(spec.arguments(DISPLAY_FD))?,
        env: texts(environment(spec, marking))?,
        cwd: text(spec.cwd.clone())?,
        user: foreign(spec.user),
        oom_score_adj: spec.oom_score_adj.map(|value| value.clamp(-1000, 1000).to_string()),
        nice: spec.nice.map(|value| value.clamp(-20, 19)),
        limits: limits(spec),
        groups: groups.iter().map(AsRawFd::as_raw_fd).collect(),
        join: given.join.iter().map(AsRawFd::as_raw_fd).collect(),
        given: [
            listening.as_ref().map(|fd| (fd.as_raw_fd(), child::LISTEN_FD)),
            display_end.as_ref().map(|fd| (fd.as_raw_fd(), DISPLAY_FD)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        ..Plan::new(output_end.as_raw_fd())
    };
    if let (Some(sandbox), Some(fabric)) = (&spec.sandbox, &fabric) {
        plan.check = std::mem::take(&mut plan.programs);
        plan.programs = texts([sandbox.argv[0].clone()])?;
        plan.argv = texts(fabric.arguments(sandbox, spec.arguments(DISPLAY_FD)))?;
        plan.given.extend(fabric.given());
    }
    let pid = launch(&mut plan).map_err(|failed| failed.explain(spec, &programs))?;
    let inside = match (&spec.sandbox, fabric) {
        (Some(sandbox), Some(fabric)) => {
            let inside = fabric.finish(pid, sandbox, marking, &output_end, &output);
            Some(inside.inspect_err(|_| {
                let _ = kill(pid, Signal::SIGKILL);
                reap(pid);
            })?)
        }
        _ => None,
    };
    Ok(Spawned {
        pid: pid.as_raw(),
        output,
        display,
        inside,
    })
}

/// Why a program did not start.
#[derive(Debug)]
pub(super) enum NotStarted {
    /// It said so, between fork and exec.
    Said(Stage, Errno),
    /// No descriptors, no process, or no word of it.
    System(String),
}

/// Forks, and waits until the child has become its program.
pub(super) fn launch(plan: &mut Plan) -> Result<Pid, NotStarted> {
    let system = |what: &str, error: io::Error| NotStarted::System(format!("{what}: {error}"));
    let (verdict, verdict_end) = pipe().map_err(|e| system("no descriptors", e))?;
    let null = File::options().read(true).open("/dev/null");
    let null = null.and_then(|null| move_up(null.as_fd()));
    let null = null.map_err(|e| system("/dev/null", e))?;
    plan.null = null.as_raw_fd();
    plan.verdict = verdict_end.as_raw_fd();
    plan.point();
    // SAFETY: the process has one thread; the child runs system calls on prepared memory only, and never returns.
    let pid = match unsafe { fork() } {
        Ok(ForkResult::Child) => unsafe { child::become_program(plan) },
        Ok(ForkResult::Parent { child }) => child,
        Err(errno) => return Err(system("fork", errno.into())),
    };
    drop(verdict_end);
    match read_verdict(verdict) {
        Ok(None) => Ok(pid),
        Ok(Some((stage, errno))) => {
            reap(pid);
            Err(NotStarted::Said(stage, errno))
        }
        Err(error) => {
            let _ = kill(pid, Signal::SIGKILL);
            reap(pid);
            Err(system("the program did not start", error))
        }
    }
}

/// Who is that user already needs no privilege.
pub(super) fn foreign(user: Option<User>) -> Option<User> {
    user.filter(|user| geteuid().is_root() || user.uid != geteuid().as_raw() || user.gid != getegid().as_raw())
}

pub(super) fn no_descriptors(error: io::Error) -> Failure {
    Failure::new(FailureCode::SpawnFailed, format!("no descriptors: {error}"))
}

fn environment(spec: &Spec, marking: &Marking<'_>) -> Vec<String> {
    let mut env = spec.env.clone();
    let ours = marking.variables();
    env.retain(|name, _| ours.iter().all(|(known, _)| known != name));
    if spec.listen_socket.is_some() {
        env.insert(LISTEN_FD_VARIABLE.into(), child::LISTEN_FD.to_string());
    }
    // Ours first: of a long environment only the beginning is read again.
    let ours = ours.map(|(name, value)| format!("{name}={value}")).into_iter();
    ours.chain(env.into_iter().map(|(name, value)| format!("{name}={value}")))
        .collect()
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
        Resource::Data => Number::RLIMIT_DATA,
        Resource::OpenFiles => Number::RLIMIT_NOFILE,
        Resource::Processes => Number::RLIMIT_NPROC,
    }
}

/// A pipe whose reading end does not block and whose writing end is out of the way.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, its) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, move_up(its.as_fd())?))
}

pub(super) fn move_up(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let moved = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(FIRST_FREE_FD))?;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

pub(super) fn text(text: String) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::new(FailureCode::BadRequest, "a NUL in a text"))
}

pub(super) fn texts(all: impl IntoIterator<Item = String>) -> Result<Vec<CString>, Failure> {
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

impl NotStarted {
    fn explain(self, spec: &Spec, programs: &[String]) -> Failure {
        match self {
            Self::Said(stage, errno) => explain(spec, programs, stage, errno),
            Self::System(text) => Failure::new(FailureCode::SpawnFailed, text),
        }
    }
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
            let advice = crate::config::catalogue::advice(program);
            (
                FailureCode::CommandNotFound,
                format!("{program} does not exist{advice}"),
            )
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

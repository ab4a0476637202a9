//! The child between fork and exec: async-signal-safe system calls on memory prepared by the parent (fork(2)).

use std::ffi::{CString, c_char};
use std::os::fd::RawFd;

use crate::protocol::keeper::User;

/// Where the child finds the listening socket.
pub(super) const LISTEN_FD: RawFd = 3;
/// Where an X server writes its number.
pub(super) const DISPLAY_FD: RawFd = 4;

/// The type of a resource's number, which differs between C libraries.
pub(super) type ResourceNumber = libc::__rlimit_resource_t;

/// What the child was at when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Setup,
    User,
    Directory,
    Exec,
}

impl From<u8> for Stage {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::User,
            2 => Self::Directory,
            3 => Self::Exec,
            _ => Self::Setup,
        }
    }
}

/// All that the child needs; its descriptors are above those that it makes of them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub programs: Vec<CString>,
    pub argv: Vec<CString>,
    pub env: Vec<CString>,
    pub argv_pointers: Vec<*const c_char>,
    pub env_pointers: Vec<*const c_char>,
    pub cwd: CString,
    pub user: Option<User>,
    pub oom_score_adj: Option<String>,
    pub nice: Option<i32>,
    pub limits: Vec<(ResourceNumber, libc::rlimit)>,
    /// Open `cgroup.procs` files: writing 0 to one moves the writer there.
    pub groups: Vec<RawFd>,
    /// Namespaces to enter.
    pub join: Vec<RawFd>,
    /// One of these must be executable, although another program is executed.
    pub check: Vec<CString>,
    pub null: RawFd,
    pub output: RawFd,
    /// Further descriptors, and the numbers that the program finds them under.
    pub given: Vec<(RawFd, RawFd)>,
    pub verdict: RawFd,
}

impl Plan {
    /// One whose output goes there.
    pub(super) fn new(output: RawFd) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }

    /// Makes the null-terminated arrays that execve(2) takes; the strings must not change afterwards.
    pub(super) fn point(&mut self) {
        let pointers = |texts: &[CString]| texts.iter().map(|t| t.as_ptr()).chain([std::ptr::null()]).collect();
        self.argv_pointers = pointers(&self.argv);
        self.env_pointers = pointers(&self.env);
    }
}

/// Never returns: becomes the program, or reports and exits.
///
/// # Safety
/// Only in a child of fork(2), after [`Plan::point`].
pub(super) unsafe fn become_program(plan: &Plan) -> ! {
    // SAFETY: system calls on live, null-terminated memory, and descriptors of the plan.
    unsafe {
        let (stage, errno) = match prepare(plan) {
            Ok(()) => (Stage::Exec, exec(plan)),
            Err(failure) => failure,
        };
        let mut report = [stage as u8, 0, 0, 0, 0];
        report[1..].copy_from_slice(&errno.to_ne_bytes());
        libc::write(plan.verdict, report.as_ptr().cast(), report.len());
        libc::_exit(127)
    }
}

fn errno() -> i32 {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

fn check(stage: Stage, result: libc::c_long) -> Result<(), (Stage, i32)> {
    if result == -1 { Err((stage, errno())) } else { Ok(()) }
}

unsafe fn prepare(plan: &Plan) -> Result<(), (Stage, i32)> {
    let setup = |result: i32| check(Stage::Setup, result.into());
    // SAFETY: as in `become_program`.
    unsafe {
        setup(libc::setsid())?;
        // Those that cannot be set fail harmlessly.
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        setup(libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()))?;
        libc::umask(0o022);

        // Everything else closes with the exec. An old kernel refuses: ours are made that way anyhow.
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        setup(libc::dup2(plan.null, 0))?;
        setup(libc::dup2(plan.output, 1))?;
        setup(libc::dup2(plan.output, 2))?;
        for (from, to) in &plan.given {
            setup(libc::dup2(*from, *to))?;
        }
        // First of all limits, and before the rights to it are given up. A group that takes nobody limits nobody.
        for group in &plan.groups {
            libc::write(*group, c"0".as_ptr().cast(), 1);
        }

        if let Some(text) = &plan.oom_score_adj {
            let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
            if file >= 0 {
                libc::write(file, text.as_ptr().cast(), text.len());
                libc::close(file);
            }
        }
        if let Some(nice) = plan.nice {
            libc::setpriority(libc::PRIO_PROCESS, 0, nice);
        }
        for (resource, limit) in &plan.limits {
            setup(libc::setrlimit(*resource, limit))?;
        }
        for namespace in &plan.join {
            setup(libc::setns(*namespace, 0))?;
        }
        // The system calls themselves: the C library's would speak to threads that are not here.
        if let Some(user) = plan.user {
            check(
                Stage::User,
                libc::syscall(libc::SYS_setgroups, 0usize, std::ptr::null::<libc::gid_t>()),
            )?;
            check(Stage::User, libc::syscall(libc::SYS_setgid, user.gid))?;
            check(Stage::User, libc::syscall(libc::SYS_setuid, user.uid))?;
        }
        // Nothing that an instance runs gains rights by executing a file.
        setup(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(Stage::Directory, libc::chdir(plan.cwd.as_ptr()).into())?;
        if plan.check.is_empty() {
            return Ok(());
        }
        find_executable(&plan.check)
    }
}

/// The sandbox would only say in words why its program does not start.
unsafe fn find_executable(programs: &[CString]) -> Result<(), (Stage, i32)> {
    let mut worst = libc::ENOENT;
    for program in programs {
        // SAFETY: as in `become_program`.
        if unsafe { libc::access(program.as_ptr(), libc::X_OK) } == 0 {
            return Ok(());
        }
        if errno() == libc::EACCES {
            worst = libc::EACCES;
        }
    }
    Err((Stage::Exec, worst))
}

/// Tries the candidates and gives the error that says most: a file that may not be executed beats one that is missing.
unsafe fn exec(plan: &Plan) -> i32 {
    let mut denied = None;
    let mut last = libc::ENOENT;
    for program in &plan.programs {
        // SAFETY: as in `become_program`.
        unsafe {
            libc::execve(
                program.as_ptr(),
                plan.argv_pointers.as_ptr(),
                plan.env_pointers.as_ptr(),
            )
        };
        last = errno();
        match last {
            libc::EACCES => denied = Some(last),
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return last,
        }
    }
    denied.unwrap_or(last)
}

//! The system calls that the programs of an instance lose (seccomp(2)): a list of what is refused, after those of Docker
//! and Flatpak. What has to be left open to apps: user namespaces and ptrace, for browsers' own sandboxes and crash
//! reports.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads, sock_filter,
};

use crate::protocol::keeper::Filter;

/// Whole calls: they change the machine, or are old ways into the kernel.
const REFUSED: &[libc::c_long] = &[
    // Keys are not kept apart by namespaces.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Programs in the kernel, and looking into it.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_syslog,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    // File systems, other than by bubblewrap before.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The machine as a whole.
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    // Into namespaces that others made.
    libc::SYS_setns,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_modify_ldt,
    libc::SYS_nfsservctl,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// What only apps need.
const REFUSED_TO_HELPERS: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_unshare,
    libc::SYS_chroot,
];
/// What a process that starts nothing does not need.
const EXECUTION: &[libc::c_long] = &[libc::SYS_execve, libc::SYS_execveat];

/// Sockets of other kinds reach past network namespaces (`AF_VSOCK`), or far into the kernel (`AF_ALG`).
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Displays are reached by Unix sockets, and reach nobody.
const FAMILIES_OF_HELPERS: [libc::c_int; 1] = [libc::AF_UNIX];
/// Typing into a terminal, and pasting into the console.
const TERMINALS: [u64; 2] = [libc::TIOCSTI, 0x541c];

/// The calls of the x32 interface have this bit; nobody uses them, and a list of the others would not hold them.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// The filter as the kernel takes it: `struct sock_filter`, one after the other (`bwrap --seccomp`).
#[must_use]
pub fn program(filter: Filter) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sock_filter { code, jt, jf, k } in of(filter, &[]) {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([jt, jf]);
        bytes.extend(k.to_ne_bytes());
    }
    bytes
}

/// Takes the calls of a helper away from this process, and with them those that start programs. It must not be able to
/// gain rights by an exec any more (`PR_SET_NO_NEW_PRIVS`).
///
/// # Errors
/// The kernel knows no filters, or the process may still gain rights.
pub fn apply() -> io::Result<()> {
    apply_filter_all_threads(&of(Filter::Helper, EXECUTION)).map_err(io::Error::other)
}

fn of(filter: Filter, further: &[libc::c_long]) -> BpfProgram {
    let program = build(filter, further).expect("the rules above are well formed, which a test shows");
    guarded(program)
}

fn build(filter: Filter, further: &[libc::c_long]) -> Result<BpfProgram, BackendError> {
    let (own, families): (&[libc::c_long], &[libc::c_int]) = match filter {
        Filter::App => (&[], &FAMILIES),
        Filter::Helper => (REFUSED_TO_HELPERS, &FAMILIES_OF_HELPERS),
    };
    let whole = [REFUSED, REFUSED_HERE, own, further].into_iter().flatten();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = whole.map(|&call| (call, Vec::new())).collect();
    let foreign = families
        .iter()
        .map(|&family| argument(0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(foreign)?]);
    let typing = TERMINALS
        .iter()
        .map(|&request| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_ioctl, typing);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

fn argument(number: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    // The kernel looks at the lower half only.
    SeccompCondition::new(number, SeccompCmpArgLen::Dword, is, value)
}

/// The same without the x32 interface: `no such call`.
#[cfg(target_arch = "x86_64")]
fn guarded(program: BpfProgram) -> BpfProgram {
    let statement = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut whole = vec![
        // The number of the call is the first field of `struct seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32_BIT),
        statement(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        ),
    ];
    whole.extend(program);
    whole
}

#[cfg(not(target_arch = "x86_64"))]
fn guarded(program: BpfProgram) -> BpfProgram {
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_make_a_program_of_whole_instructions_that_the_kernel_has_room_for() {
        for filter in [Filter::App, Filter::Helper] {
            build(filter, EXECUTION).unwrap();
            let program = program(filter);
            assert_eq!(program.len() % size_of::<libc::sock_filter>(), 0);
            assert!(program.len() / size_of::<libc::sock_filter>() < 4096);
        }
    }

    /// In a thread of its own, which ends with its filter.
    #[test]
    fn what_is_refused_fails_and_the_rest_goes_on() {
        let seen = std::thread::spawn(|| {
            nix::sys::prctl::set_no_new_privs().unwrap();
            seccompiler::apply_filter(&of(Filter::App, &[])).unwrap();
            // SAFETY: calls that are refused, or harmless.
            unsafe {
                let key = libc::syscall(libc::SYS_keyctl, 0, 0, 0);
                let key = (key, *libc::__errno_location());
                let vsock = libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0);
                let vsock = (vsock, *libc::__errno_location());
                let unix = libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0);
                libc::close(unix);
                let typed = libc::ioctl(0, libc::TIOCSTI as libc::Ioctl, c"x".as_ptr());
                let typed = (typed, *libc::__errno_location());
                (key, vsock, unix >= 0, typed)
            }
        });
        let (key, vsock, unix, typed) = seen.join().unwrap();
        assert_eq!(key, (-1, libc::EPERM));
        assert_eq!(vsock, (-1, libc::EPERM));
        assert!(unix);
        assert_eq!(typed, (-1, libc::EPERM));
    }

    #[test]
    fn a_helper_has_no_network_and_no_hold_on_others_and_the_capture_starts_nothing() {
        let seen = std::thread::spawn(|| {
            nix::sys::prctl::set_no_new_privs().unwrap();
            seccompiler::apply_filter(&of(Filter::Helper, EXECUTION)).unwrap();
            // SAFETY: calls that are refused, or harmless.
            unsafe {
                let last = |result: libc::c_long| (result, *libc::__errno_location());
                let socket = |family| libc::c_long::from(libc::socket(family, libc::SOCK_STREAM, 0));
                let nothing: *const *const libc::c_char = std::ptr::null();
                [
                    last(socket(libc::AF_INET)),
                    last(socket(libc::AF_NETLINK)),
                    last(libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0)),
                    last(libc::unshare(libc::CLONE_NEWUSER).into()),
                    last(libc::execve(c"/bin/true".as_ptr(), nothing, nothing).into()),
                    (socket(libc::AF_UNIX).min(0), 0),
                ]
            }
        });
        let seen = seen.join().unwrap();
        assert_eq!(seen[..5], [(-1, libc::EPERM); 5]);
        assert_eq!(seen[5].0, 0, "Unix sockets remain");
    }
}

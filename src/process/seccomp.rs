//! The system calls that the programs of an instance lose (seccomp(2)): a list of what is refused, after those of Docker
//! and Flatpak. What has to be left open to apps: ptrace, for crash reports, and to those whose entry says so user
//! namespaces, for sandboxes of their own.
//!
//! Who makes a user namespace has all rights in it, and with them the kernel's network administration within reach. So
//! even those find of netlink and of IP only what programs use.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads, sock_filter,
};

use crate::protocol::keeper::Filter;

/// What is refused of each call; whatever its arguments are, where there are no rules.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Whole calls that even a host and its keepers do without: they change the machine, or are old ways into the kernel.
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
];
/// Calls that not every C library names; new ones have one number everywhere.
const OPEN_TREE_ATTR: libc::c_long = 467;
const QUOTACTL_FD: libc::c_long = 443;
/// What makes sandboxes, and is refused to what is in them: other files, and namespaces that others made.
const MAKING: &[libc::c_long] = &[
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
    OPEN_TREE_ATTR,
    libc::SYS_open_by_handle_at,
    libc::SYS_setns,
    QUOTACTL_FD,
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
/// Flags of `clone(2)` and `unshare(2)` that make namespaces. The first gives the right to make the others.
const NAMESPACES: [libc::c_int; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    CLONE_NEWTIME,
];
/// Only of `unshare(2)`: for `clone(2)` it is part of the signal's number.
const CLONE_NEWTIME: libc::c_int = 0x80;
/// What a process that starts nothing does not need.
const EXECUTION: &[libc::c_long] = &[libc::SYS_execve, libc::SYS_execveat];

/// Sockets of other kinds reach past network namespaces (`AF_VSOCK`), or far into the kernel (`AF_ALG`).
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// What of netlink programs use: to hear of addresses and routes, and of devices. Not the packet filter, IPsec, or what
/// kernel modules offer under names of their own.
const NETLINK: [libc::c_int; 2] = [libc::NETLINK_ROUTE, libc::NETLINK_KOBJECT_UEVENT];
/// Kinds of sockets (`SOCK_STREAM`, `SOCK_DGRAM`, `SOCK_RAW`) and their protocols. Others load modules when asked for:
/// SCTP, DCCP, L2TP.
const IP_KINDS: [libc::c_int; 3] = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW];
const IP_PROTOCOLS: [libc::c_int; 6] = [
    libc::IPPROTO_IP,
    libc::IPPROTO_ICMP,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_ICMPV6,
    libc::IPPROTO_MPTCP,
];
/// The lower half of a socket's kind; the rest are flags.
const KIND: u64 = 0xf;
/// Options of IP by which IPsec (`IP_IPSEC_POLICY`, `IP_XFRM_POLICY`, and the same of IPv6) and packet filters were set before
/// netlink (`IPT_SO_SET_REPLACE`, `ARPT_`, `EBT_` and what follows each). The numbers of one level mean other things at another.
const SET: [(libc::c_int, &[u64]); 2] = [
    (libc::IPPROTO_IP, &[16, 17, 64, 65, 96, 97, 128, 129]),
    (libc::IPPROTO_IPV6, &[34, 35, 64, 65, 96, 97, 128, 129]),
];
/// Those that read packet filters, and load their modules (`IPT_SO_GET_INFO` and what follows). At IPv6, 66 and 67 are the
/// traffic class, and revisions are asked for by 68 and 69.
const GET: [(libc::c_int, &[u64]); 2] = [
    (libc::IPPROTO_IP, &[64, 65, 66, 67, 96, 97, 98, 99, 128, 129, 130, 131]),
    (
        libc::IPPROTO_IPV6,
        &[64, 65, 68, 69, 96, 97, 98, 99, 128, 129, 130, 131],
    ),
];
/// By which a process says that its environment and arguments lie elsewhere, as long as it likes: others read them.
const PR_SET_MM: u64 = 35;
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

/// Takes from this process, and so from all that it starts, the calls that a host and its keepers do without. Only for a
/// host whose apps are all in sandboxes, which take more from them.
///
/// # Errors
/// As of [`apply`].
pub fn apply_to_host() -> io::Result<()> {
    let program = compile(whole(&[REFUSED, REFUSED_HERE])).map_err(io::Error::other)?;
    apply_filter_all_threads(&guarded(program, false)).map_err(io::Error::other)
}

fn of(filter: Filter, further: &[libc::c_long]) -> BpfProgram {
    let program = build(filter, further).expect("the rules above are well formed, which a test shows");
    guarded(program, filter != Filter::Nesting)
}

fn build(filter: Filter, further: &[libc::c_long]) -> Result<BpfProgram, BackendError> {
    let (own, families): (&[libc::c_long], &[libc::c_int]) = match filter {
        Filter::App | Filter::Nesting => (&[], &FAMILIES),
        Filter::Helper => (REFUSED_TO_HELPERS, &FAMILIES_OF_HELPERS),
    };
    let mut rules = whole(&[REFUSED, REFUSED_HERE, MAKING, own, further]);
    rules.insert(libc::SYS_socket, sockets(families)?);
    rules.insert(libc::SYS_socketpair, vec![none_of(0, families, &[])?]);
    rules.insert(libc::SYS_setsockopt, options(&SET)?);
    rules.insert(libc::SYS_getsockopt, options(&GET)?);
    let memory = SeccompRule::new(vec![argument(0, SeccompCmpOp::Eq, PR_SET_MM)?])?;
    rules.insert(libc::SYS_prctl, vec![memory]);
    if filter != Filter::Nesting {
        // What is refused as a whole stays so.
        if !own.contains(&libc::SYS_unshare) {
            rules.insert(libc::SYS_unshare, with_any_flag(&NAMESPACES)?);
        }
        rules.insert(libc::SYS_clone, with_any_flag(&NAMESPACES[..NAMESPACES.len() - 1])?);
    }
    let typing = TERMINALS
        .iter()
        .map(|&request| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_ioctl, typing);
    compile(rules)
}

/// Calls that are refused whatever their arguments are.
fn whole(lists: &[&[libc::c_long]]) -> Rules {
    let calls = lists.iter().copied().flatten();
    calls.map(|&call| (call, Vec::new())).collect()
}

fn compile(rules: Rules) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Sockets of other families, and of those families what programs do not use.
fn sockets(families: &[libc::c_int]) -> Result<Vec<SeccompRule>, BackendError> {
    let is = |family: libc::c_int| argument(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()));
    let mut rules = vec![none_of(0, families, &[])?];
    if families.contains(&libc::AF_NETLINK) {
        rules.push(none_of(2, &NETLINK, &[is(libc::AF_NETLINK)?])?);
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        if families.contains(&family) {
            rules.push(none_of(2, &IP_PROTOCOLS, &[is(family)?])?);
            for kind in (0..=KIND).filter(|kind| IP_KINDS.iter().all(|known| u64::from(known.unsigned_abs()) != *kind))
            {
                rules.push(SeccompRule::new(vec![
                    is(family)?,
                    argument(1, SeccompCmpOp::MaskedEq(KIND), kind)?,
                ])?);
            }
        }
    }
    Ok(rules)
}

/// An argument that is none of these, where the rest holds.
fn none_of(number: u8, known: &[libc::c_int], rest: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    let others = known
        .iter()
        .map(|&value| argument(number, SeccompCmpOp::Ne, u64::from(value.unsigned_abs())))
        .collect::<Result<Vec<_>, _>>()?;
    SeccompRule::new(rest.iter().cloned().chain(others).collect())
}

/// These options of a socket, each at its level.
fn options(refused: &[(libc::c_int, &[u64])]) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |(level, option): (libc::c_int, u64)| {
        SeccompRule::new(vec![
            argument(1, SeccompCmpOp::Eq, u64::from(level.unsigned_abs()))?,
            argument(2, SeccompCmpOp::Eq, option)?,
        ])
    };
    let each = |&(level, options): &(libc::c_int, &[u64])| {
        options.iter().map(move |&option| (level, option)).collect::<Vec<_>>()
    };
    refused.iter().flat_map(each).map(rule).collect()
}

/// One of these in the flags of a call.
fn with_any_flag(flags: &[libc::c_int]) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |&flag: &libc::c_int| {
        let flag = u64::from(flag.unsigned_abs());
        SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    };
    flags.iter().map(rule).collect()
}

fn argument(number: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    // The kernel looks at the lower half only.
    SeccompCondition::new(number, SeccompCmpArgLen::Dword, is, value)
}

/// The same behind calls that are answered as if there were no such call: those of the x32 interface, and `clone3(2)`,
/// whose flags lie in memory where no filter looks. C libraries then take `clone(2)`.
fn guarded(program: BpfProgram, no_clone3: bool) -> BpfProgram {
    let statement = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let missing = statement(
        libc::BPF_RET | libc::BPF_K,
        0,
        0,
        libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
    );
    // The number of the call is the first field of `struct seccomp_data`.
    let mut whole = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    #[cfg(target_arch = "x86_64")]
    whole.extend([
        statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32_BIT),
        missing.clone(),
    ]);
    if no_clone3 {
        let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
        whole.extend([
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, clone3),
            missing,
        ]);
    }
    whole.extend(program);
    whole
}

#[cfg(test)]
mod tests;

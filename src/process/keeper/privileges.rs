//! What the keeper gives up: capabilities (capabilities(7)) that neither it nor what it starts needs, root's groups, and
//! gaining rights by executing a file.

use std::io;

use nix::sys::prctl;
use nix::unistd::{geteuid, setgroups};

/// It becomes other users and signals their processes, writes into the instance's folder and removes what a dead X server
/// left in a sticky one, looks into their environment and namespaces, makes sandboxes, and sets priorities and limits.
const KEPT: &[u8] = &[
    0,  // CAP_CHOWN
    1,  // CAP_DAC_OVERRIDE
    2,  // CAP_DAC_READ_SEARCH
    3,  // CAP_FOWNER
    5,  // CAP_KILL
    6,  // CAP_SETGID
    7,  // CAP_SETUID
    8,  // CAP_SETPCAP
    10, // CAP_NET_BIND_SERVICE and
    12, // CAP_NET_ADMIN, for a companion that carries the network of a sandbox
    18, // CAP_SYS_CHROOT
    19, // CAP_SYS_PTRACE
    21, // CAP_SYS_ADMIN
    23, // CAP_SYS_NICE
    24, // CAP_SYS_RESOURCE
];
/// Higher than any capability that there is.
const MOST: u8 = 63;
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Gives up all but the kept ones, also for everything that is executed from here on. Whoever is not root has some, too,
/// over the namespaces that it made.
pub(super) fn give_up() {
    let groups = if geteuid().is_root() { setgroups(&[]) } else { Ok(()) };
    if let Err(errno) = groups.and_then(|()| prctl::set_no_new_privs()) {
        log::warn!("groups and programs with rights of their own stay: {errno}");
    }
    for capability in (0..=MOST).filter(|capability| !KEPT.contains(capability)) {
        // SAFETY: plain system call; of capabilities that do not exist it fails harmlessly.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    }
    if let Err(error) = narrow() {
        log::warn!("capabilities stay as they are: {error}");
    }
}

fn narrow() -> io::Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut sets = [Sets::default(); 2];
    // SAFETY: the structures are those of capget(2) for this version: two sets for 64 capabilities.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let kept = KEPT.iter().fold(0u64, |mask, &capability| mask | 1 << capability);
    for (set, mask) in sets.iter_mut().zip([kept as u32, (kept >> 32) as u32]) {
        set.effective &= mask;
        set.permitted &= mask;
        set.inheritable = 0;
    }
    // SAFETY: as above.
    if unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

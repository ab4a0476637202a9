//! What a host and its keepers give up: capabilities (capabilities(7)) that neither they nor what they start need, root's
//! groups, and gaining rights by executing a file. What a host has given up, no keeper of it gets back, nor the binary that
//! it hands over to.

use std::io;

use nix::sys::prctl;
use nix::unistd::{geteuid, setgroups};

/// Ports below 1024; also of the next binary of a host that is not root.
pub const NET_BIND_SERVICE: u8 = 10;
/// They become other users and signal their processes, make and remove folders of theirs, and what a dead X server left in
/// a sticky one, look into their environment and namespaces, make sandboxes, and set limits. All but the last were
/// found to be needed by trying without.
const KEPT: &[(u8, &str)] = &[
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (3, "CAP_FOWNER"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    // Also for a companion that carries the network of a sandbox.
    (NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
    (18, "CAP_SYS_CHROOT"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    // A hard limit that is higher than the host's own.
    (24, "CAP_SYS_RESOURCE"),
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
/// over the namespaces that it made. For this thread and those that it starts afterwards.
///
/// `handed_on`: what programs keep that are executed as the same user, where that is not root and had it to hand on
/// (`AmbientCapabilities=` of systemd).
pub fn give_up(handed_on: &[u8]) {
    let groups = if geteuid().is_root() { setgroups(&[]) } else { Ok(()) };
    if let Err(errno) = groups.and_then(|()| prctl::set_no_new_privs()) {
        log::warn!("groups and programs with rights of their own stay: {errno}");
    }
    let is_kept = |capability: &u8| KEPT.iter().any(|(kept, _)| kept == capability);
    for capability in (0..=MOST).filter(|capability| !is_kept(capability)) {
        // SAFETY: plain system call; of capabilities that do not exist it fails harmlessly.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    }
    if let Err(error) = narrow(handed_on) {
        log::warn!("capabilities stay as they are: {error}");
    }
}

fn narrow(handed_on: &[u8]) -> io::Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut sets = [Sets::default(); 2];
    // SAFETY: the structures are those of capget(2) for this version: two sets for 64 capabilities.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let mask = |capabilities: &mut dyn Iterator<Item = u8>| capabilities.fold(0u64, |mask, number| mask | 1 << number);
    let halves = |mask: u64| [mask as u32, (mask >> 32) as u32];
    let kept = halves(mask(&mut KEPT.iter().map(|(number, _)| *number)));
    let handed_on = halves(mask(&mut handed_on.iter().copied()));
    for (set, (kept, handed_on)) in sets.iter_mut().zip(kept.into_iter().zip(handed_on)) {
        set.effective &= kept;
        set.permitted &= kept;
        // What is not inheritable is not ambient any more, either.
        set.inheritable &= handed_on;
    }
    // SAFETY: as above.
    if unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_systemd_leaves_a_host_what_it_keeps_and_no_more() {
        let unit = include_str!("../../scripts/heliostat.service");
        let set = unit
            .lines()
            .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
        let named: Vec<&str> = set.unwrap().split_whitespace().collect();
        let kept: Vec<&str> = KEPT.iter().map(|(_, name)| *name).collect();
        assert_eq!(named, kept);
        assert!(unit.lines().any(|line| line == "NoNewPrivileges=yes"));
    }
}

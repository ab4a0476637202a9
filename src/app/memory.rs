//! Memory that the allocator keeps. Hundreds of instances come and go; what they took is to be there for others.

/// Before there are threads: glibc gives threads heaps of their own, up to eight a core, of which each keeps what its
/// busiest moment took. The host's threads mostly wait, and need no more than a few (mallopt(3)).
pub(super) fn share_heaps() {
    #[cfg(target_env = "gnu")]
    {
        const HEAPS: libc::c_int = 4;
        // SAFETY: sets a number.
        if unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) } == 0 {
            log::debug!("the number of heaps stays as it is");
        }
    }
}

/// Gives the system what is free between what is still in use, and would stay with the process for good (malloc_trim(3)).
/// Takes milliseconds, in which others wait for the heap that it is at.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes locks of the allocator's own.
    unsafe {
        libc::malloc_trim(0);
    }
}

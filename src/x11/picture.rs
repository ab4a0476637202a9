//! Pictures in memory that is shared with the X server, handed on without a copy.

use std::fmt;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::lock;

/// A few slots of one size in a shared mapping.
#[derive(Clone, Debug)]
pub(super) struct PicturePool {
    shared: Arc<Shared>,
}

struct Shared {
    base: NonNull<u8>,
    size: usize,
    slots: usize,
    free: Mutex<Vec<usize>>,
}

// SAFETY: the mapping is only reached through slots, of which each has one owner while it is written and only readers
// afterwards; the list of free ones is behind a mutex.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("size", &self.size)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size and nothing refers to it any more: every slot holds an Arc.
        let _ = unsafe { munmap(self.base.cast(), self.size * self.slots) };
    }
}

/// A slot that nobody reads yet.
#[derive(Debug)]
pub(super) struct EmptySlot {
    slot: Slot,
}

#[derive(Debug)]
struct Slot {
    shared: Arc<Shared>,
    index: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.shared.free).push(self.index);
    }
}

/// A grabbed picture: 4 bytes a pixel (blue, green, red, unused), rows from the top without padding. Cheap to clone;
/// its memory is used again when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Picture {
    slot: Arc<Slot>,
}

impl PicturePool {
    /// Maps `slots` pictures of `size` bytes of a memory file that is large enough.
    pub(super) fn map(memory: BorrowedFd<'_>, size: usize, slots: usize) -> std::io::Result<Self> {
        let length = NonZeroUsize::new(size * slots).ok_or(std::io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, memory, 0)? };
        let free = Mutex::new((0..slots).collect());
        Ok(Self {
            shared: Arc::new(Shared {
                base: base.cast(),
                size,
                slots,
                free,
            }),
        })
    }

    /// A free slot, if there is one.
    pub(super) fn take(&self) -> Option<EmptySlot> {
        let index = lock(&self.shared.free).pop()?;
        Some(EmptySlot {
            slot: Slot {
                shared: Arc::clone(&self.shared),
                index,
            },
        })
    }
}

impl EmptySlot {
    /// Where the slot begins in the memory file, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.slot.index * self.slot.shared.size
    }

    /// Its memory has been written.
    pub(super) fn filled(self) -> Picture {
        Picture {
            slot: Arc::new(self.slot),
        }
    }
}

impl AsRef<[u8]> for Picture {
    fn as_ref(&self) -> &[u8] {
        let shared = &self.slot.shared;
        // SAFETY: the slot lies within the mapping, which lives as long as the slot. The X server writes to it only
        // between `take` and `filled`, when no `Picture` of it exists.
        unsafe { std::slice::from_raw_parts(shared.base.as_ptr().add(self.slot.index * shared.size), shared.size) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::{ftruncate, write};

    use super::*;

    #[test]
    fn a_slot_is_free_again_when_its_last_picture_is_gone() {
        let memory = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        write(&memory, b"aaaabbbb").unwrap();
        ftruncate(&memory, 8).unwrap();
        let pool = PicturePool::map(memory.as_fd(), 4, 2).unwrap();
        let first = pool.take().unwrap().filled();
        let second = pool.take().unwrap();
        assert!(pool.take().is_none());
        assert_eq!((first.as_ref(), second.offset()), (b"bbbb".as_slice(), 0));
        let copy = first.clone();
        drop(first);
        assert!(pool.take().is_none());
        drop((copy, pool.take()));
        assert_eq!(pool.take().unwrap().offset(), 4);
    }
}

//! A picture in memory that is shared with the X server.

use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A mapping that the X server writes to, and this process while the server does not.
#[derive(Debug)]
pub(super) struct Picture {
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: the mapping is this value's own, and written to through a mutable borrow alone.
unsafe impl Send for Picture {}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size, and what was borrowed from it cannot outlive `self`.
        let _ = unsafe { munmap(self.base.cast(), self.size) };
    }
}

impl Picture {
    /// Maps the first `size` bytes of a memory file that has them.
    pub(super) fn map(memory: BorrowedFd<'_>, size: usize) -> std::io::Result<Self> {
        let length = NonZeroUsize::new(size).ok_or(std::io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, memory, 0)? };
        Ok(Self {
            base: base.cast(),
            size,
        })
    }

    /// What the server wrote last. The server writes only while a grab is under way, which borrows the grabber mutably:
    /// nobody holds this then.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has this size and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.size) }
    }

    /// The same, to be put in order. While the server has not been asked to write.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and it can be written to.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.size) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::{ftruncate, write};

    use super::*;

    #[test]
    fn what_is_written_to_the_file_is_read_in_the_mapping() {
        let memory = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&memory, 8).unwrap();
        let mut picture = Picture::map(memory.as_fd(), 8).unwrap();
        assert_eq!(picture.bytes(), [0; 8]);
        write(&memory, b"aaaabbbb").unwrap();
        assert_eq!(picture.bytes(), b"aaaabbbb");
        picture.bytes_mut().copy_within(4.., 0);
        assert_eq!(picture.bytes(), b"bbbbbbbb");
    }

    #[test]
    fn nothing_cannot_be_mapped() {
        let memory = memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap();
        assert!(Picture::map(memory.as_fd(), 0).is_err());
    }
}

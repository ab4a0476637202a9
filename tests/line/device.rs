//! A TUN device in a network namespace.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};

use super::error::LineError;

/// The end of a line. It is there for as long as this is.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Makes a device in a namespace; without one, in that of the caller.
    ///
    /// # Errors
    /// The name is none, the namespace is not there, or the kernel makes no device.
    pub fn open(name: &str, netns: Option<&Path>) -> Result<Self, LineError> {
        let fits = (1..libc::IFNAMSIZ).contains(&name.len());
        if !fits || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            return Err(LineError::Name(name.to_owned()));
        }
        let Some(path) = netns else {
            return make(name);
        };
        let failed = |source: io::Error| LineError::Namespace {
            path: path.display().to_string(),
            source,
        };
        let namespace = File::open(path).map_err(failed)?;
        // A device belongs to the namespace of the thread that opens it: this one ends with it.
        let entered = std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| failed(errno.into()))?;
                make(name)
            });
            there.join()
        });
        entered.unwrap_or_else(|_| Err(failed(io::Error::other("the thread has panicked"))))
    }

    /// The next packet, if there is one; `room` is for the largest.
    ///
    /// # Errors
    /// The device is gone.
    pub fn receive(&self, room: &mut [u8]) -> Result<Option<Vec<u8>>, LineError> {
        match nix::unistd::read(&self.0, room) {
            Ok(length) => Ok(Some(room[..length].to_vec())),
            // EIO: the device is not up yet, or not any more.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => Ok(None),
            Err(source) => Err(LineError::Loop {
                what: "reading from a device",
                source,
            }),
        }
    }

    /// Gives a packet to the kernel, and says whether it took it: it does not while the device is down.
    pub fn send(&self, packet: &[u8]) -> bool {
        nix::unistd::write(&self.0, packet).is_ok_and(|length| length == packet.len())
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn make(name: &str) -> Result<Device, LineError> {
    let failed = |source| LineError::Device {
        name: name.to_owned(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")
        .map_err(failed)?;
    // SAFETY: a structure of C numbers, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    // Whole IP packets without a head of the device's own.
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call; the name ends with a zero.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 {
        return Err(failed(io::Error::last_os_error()));
    }
    Ok(Device(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_device_is_refused_before_the_kernel_is_asked() {
        for name in ["", "a/b", "a b", "sixteen-letters-", "ä"] {
            assert!(matches!(Device::open(name, None), Err(LineError::Name(_))), "{name}");
        }
        let nowhere = Device::open("hst-none", Some(Path::new("/nonexistent/netns")));
        let error = nowhere.expect_err("there is no such namespace").to_string();
        assert!(error.contains("/nonexistent/netns cannot be entered"), "{error}");
        // A file that is no namespace.
        let other = Device::open("hst-none", Some(Path::new("/proc/self/status")));
        assert!(matches!(other, Err(LineError::Namespace { .. })));
    }
}

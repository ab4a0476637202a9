//! What X servers have in `/tmp`: the folder of their sockets; and what a killed one leaves behind, its socket, and `.X<n>-lock` with its pid where it had its number
//! by command line. (One that chose its number itself, `-displayfd`, makes no lock.)

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Uid, fchownat, geteuid};

use super::super::proc::Process;
use crate::files::Folder;

/// From the making of a socket until its server listens.
const SETTLED: Duration = Duration::from_secs(10);
const FOLDER: &str = "/tmp/.X11-unix";
/// A killed server in a sandbox lives a little longer than what the sandbox was made by.
const UNHEARD_WITHIN: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A lock has eleven.
const MAX_LOCK_BYTES: u64 = 64;

/// A server's display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::process) struct Display {
    /// `N` of `:N`.
    pub number: u32,
    /// Whose the server is.
    user: Uid,
    /// Its socket.
    socket: Option<SocketId>,
}

/// Tells a socket from a later one of its name: device, inode, and when it was made (an inode number comes again).
type SocketId = (u64, u64, i64, i64);

/// Makes the folder of the sockets where there is none yet, as every X server does: in a sandbox it cannot.
pub(super) fn make_folder() -> io::Result<()> {
    let folder = Path::new(FOLDER);
    match fs::create_dir(folder) {
        // Everybody's, and each entry its maker's; not what the umask left of it.
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o1777)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => judge(folder, geteuid()),
        Err(error) => Err(error),
    }
}

/// Who owns the folder can put a socket of their own in the place of each in it, and is told the cookie of whoever connects.
/// For a host that is root it has to be root's, and sticky; others take what they find.
fn judge(folder: &Path, me: Uid) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    let is_kept = found.is_dir() && found.uid() == 0 && found.mode() & 0o1000 != 0;
    if is_kept || !me.is_root() {
        return Ok(());
    }
    let why = format!("{} is no sticky folder of root's: remove it", folder.display());
    Err(io::Error::other(why))
}

impl Display {
    /// The display of a server of this user that just said its number: the socket of that name is now its own, if it is
    /// a socket of that user. Root takes it over: of several servers of one user each could put a socket of its own in
    /// the place of another's, although the folder is sticky, or say another's number.
    pub(in crate::process) fn of_running(number: u32, user: Uid) -> Self {
        let path = socket(Path::new("/tmp"), number);
        let socket = match take_over(&path, user) {
            Ok(()) => socket_id(&path),
            Err(errno) => {
                log::warn!("display={number} its socket is not a server's of user {user}: {errno}");
                None
            }
        };
        Self { number, user, socket }
    }

    /// Frees the display after the server of this pid died. Another's is left alone: whatever a lock says, and whatever
    /// number the server said, a socket that somebody listens on is a living server's.
    pub(in crate::process) fn free(self, pid: i32) {
        self.free_in(Path::new("/tmp"), pid);
    }

    fn free_in(self, tmp: &Path, pid: i32) {
        if Process::read(pid).is_some_and(|process| process.alive) {
            return;
        }
        let socket = socket(tmp, self.number);
        let locked_by = holder(tmp, self.number, self.user);
        let is_its_own = self.socket.is_some() && socket_id(&socket) == self.socket;
        if locked_by == Some(pid) || (locked_by.is_none() && is_its_own) {
            // Another's that was just made may not be listened on yet.
            let is_old = is_its_own || is_settled(&socket, SystemTime::now());
            // The socket first: as long as the lock is there, no other server takes the number.
            if is_old && falls_silent(&socket) {
                log::info!("display={} pid={pid} socket of a dead server removed", self.number);
                let _ = fs::remove_file(socket);
            }
            if locked_by.is_some() {
                let _ = fs::remove_file(lock(tmp, self.number));
            }
        }
    }
}

/// Frees every display whose lock names one of these dead processes, given with their users.
pub(in crate::process) fn free_all(dead: &[(i32, Uid)]) {
    let Ok(entries) = fs::read_dir("/tmp") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(".X")?.strip_suffix("-lock")?.parse().ok());
        let Some(number) = number else { continue };
        for &(pid, user) in dead {
            if holder(Path::new("/tmp"), number, user) == Some(pid) {
                let socket = None;
                Display { number, user, socket }.free(pid);
            }
        }
    }
}

/// Makes it root's where we are root; its group stays, and tells it from what root has made itself.
fn take_over(socket: &Path, user: Uid) -> Result<(), Errno> {
    // By descriptor: what is looked at is what is changed.
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let socket = open(socket, flags, Mode::empty())?;
    let found = fstat(&socket)?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK {
        return Err(Errno::ENOTSOCK);
    }
    if found.st_uid != user.as_raw() {
        return Err(Errno::EPERM);
    }
    if !geteuid().is_root() {
        return Ok(());
    }
    fchownat(&socket, "", Some(Uid::from_raw(0)), None, AtFlags::AT_EMPTY_PATH)
}

/// Removes the sockets of this user's that nobody listens on any more, as a keeper leaves them that was killed: nobody
/// else may, and their numbers would stay taken.
pub(in crate::process) fn free_unheard() {
    free_unheard_in(Path::new("/tmp"), SystemTime::now());
}

fn free_unheard_in(tmp: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(tmp.join(".X11-unix")) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_prefix('X')?.parse().ok()) else {
            continue;
        };
        let Ok(found) = entry.metadata() else { continue };
        let is_old = is_settled(&entry.path(), now);
        let mine = found.uid() == geteuid().as_raw() && found.file_type().is_socket();
        if mine && is_old && !lock(tmp, number).exists() && is_unheard(&entry.path()) {
            log::info!("display={number} socket of a dead server removed");
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// One that was just made may not be listened on yet, unless it was taken over.
fn is_settled(socket: &Path, now: SystemTime) -> bool {
    let Ok(found) = fs::symlink_metadata(socket) else {
        return false;
    };
    let age = found.modified().ok().and_then(|made| now.duration_since(made).ok());
    age.is_some_and(|age| age >= SETTLED) || (found.uid() == 0 && found.gid() != 0)
}

/// Whether nobody listens on it, or not for much longer.
fn falls_silent(socket: &Path) -> bool {
    let until = Instant::now() + UNHEARD_WITHIN;
    while !is_unheard(socket) {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

/// A server that is only busy would let a connection wait.
fn is_unheard(path: &Path) -> bool {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let made = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None);
    let (Ok(socket), Ok(address)) = (made, UnixAddr::new(path)) else {
        return false;
    };
    connect(socket.as_raw_fd(), &address) == Err(Errno::ECONNREFUSED)
}

fn lock(tmp: &Path, number: u32) -> PathBuf {
    tmp.join(format!(".X{number}-lock"))
}

fn socket(tmp: &Path, number: u32) -> PathBuf {
    tmp.join(".X11-unix").join(format!("X{number}"))
}

fn socket_id(socket: &Path) -> Option<SocketId> {
    let metadata = fs::symlink_metadata(socket).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

/// The pid in a lock file: ten characters, right-aligned. Anybody can plant one: a link, another's file by a second name,
/// or what is neither root's nor of the user whose server it would be is no lock.
fn holder(tmp: &Path, number: u32, user: Uid) -> Option<i32> {
    let lock = Folder::open(tmp).ok()?.reader(&format!(".X{number}-lock")).ok()?;
    let found = lock.metadata().ok()?;
    if found.nlink() != 1 || (found.uid() != 0 && found.uid() != user.as_raw()) {
        return None;
    }
    let mut text = String::new();
    lock.take(MAX_LOCK_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Above the kernel's limit of 2^22, so never a process.
    const NOBODY: i32 = 1 << 30;

    fn tmp() -> tempfile::TempDir {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join(".X11-unix")).unwrap();
        fs::write(socket(tmp.path(), 7), "").unwrap();
        tmp
    }

    fn locked_by(pid: i32) -> tempfile::TempDir {
        let tmp = tmp();
        fs::write(lock(tmp.path(), 7), format!("{pid:>10}\n")).unwrap();
        tmp
    }

    fn display(tmp: &tempfile::TempDir) -> Display {
        Display {
            number: 7,
            user: geteuid(),
            socket: socket_id(&socket(tmp.path(), 7)),
        }
    }

    #[test]
    fn the_folder_of_sockets_is_roots_where_the_host_is_root() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join(".X11-unix");
        fs::create_dir(&folder).unwrap();
        let (root, somebody) = (Uid::from_raw(0), Uid::from_raw(1000));
        assert!(judge(&folder, root).is_err(), "not sticky");
        assert!(judge(&folder, somebody).is_ok());
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(judge(&folder, root).is_ok(), geteuid().is_root(), "whose it is");
        let link = tmp.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(judge(&link, root).is_err());
    }

    #[test]
    fn lock_and_socket_of_a_dead_server_go() {
        let tmp = locked_by(NOBODY);
        display(&tmp).free_in(tmp.path(), NOBODY);
        assert!(!lock(tmp.path(), 7).exists());
        assert!(!socket(tmp.path(), 7).exists());
    }

    #[test]
    fn those_of_another_or_a_living_server_stay() {
        let me = std::process::id() as i32;
        for (holder, asked) in [(NOBODY + 1, NOBODY), (me, me)] {
            let tmp = locked_by(holder);
            display(&tmp).free_in(tmp.path(), asked);
            assert!(lock(tmp.path(), 7).exists());
            assert!(socket(tmp.path(), 7).exists());
        }
    }

    #[test]
    fn neither_a_planted_lock_nor_a_number_that_is_not_its_own_frees_the_display_of_a_living_server() {
        for is_said in [false, true] {
            let tmp = locked_by(NOBODY);
            fs::remove_file(socket(tmp.path(), 7)).unwrap();
            let living = std::os::unix::net::UnixListener::bind(socket(tmp.path(), 7)).unwrap();
            let said = display(&tmp);
            let socket_said = said.socket.filter(|_| is_said);
            Display {
                socket: socket_said,
                ..said
            }
            .free_in(tmp.path(), NOBODY);
            assert!(socket(tmp.path(), 7).exists(), "its server lives");
            drop(living);
            said.free_in(tmp.path(), NOBODY);
            assert!(!socket(tmp.path(), 7).exists());
        }
    }

    #[test]
    fn a_lock_of_another_user_or_with_a_second_name_is_not_believed() {
        let me = geteuid();
        let tmp = locked_by(NOBODY);
        assert_eq!(holder(tmp.path(), 7, me), Some(NOBODY));
        fs::hard_link(lock(tmp.path(), 7), tmp.path().join("second")).unwrap();
        assert_eq!(holder(tmp.path(), 7, me), None, "a second name");
        fs::remove_file(tmp.path().join("second")).unwrap();
        if me.is_root() {
            std::os::unix::fs::chown(lock(tmp.path(), 7), Some(1), None).unwrap();
            assert_eq!(holder(tmp.path(), 7, Uid::from_raw(1)), Some(NOBODY));
            assert_eq!(holder(tmp.path(), 7, Uid::from_raw(2)), None, "somebody else's");
        }
    }

    #[test]
    fn without_a_lock_only_the_very_socket_goes() {
        let tmp = tmp();
        let display = display(&tmp);
        // A later server made its own in place of it.
        fs::remove_file(socket(tmp.path(), 7)).unwrap();
        fs::write(tmp.path().join("takes the inode"), "").unwrap();
        fs::write(socket(tmp.path(), 7), "").unwrap();
        display.free_in(tmp.path(), NOBODY);
        assert!(socket(tmp.path(), 7).exists());
        let later = self::display(&tmp);
        later.free_in(tmp.path(), NOBODY);
        assert!(!socket(tmp.path(), 7).exists());
    }

    #[test]
    fn only_a_socket_of_the_servers_user_is_taken_over() {
        let tmp = tmp();
        let me = geteuid();
        let other = Uid::from_raw(me.as_raw() + 1);
        let _server = std::os::unix::net::UnixListener::bind(socket(tmp.path(), 8)).unwrap();
        assert_eq!(take_over(&socket(tmp.path(), 8), me), Ok(()));
        assert_eq!(take_over(&socket(tmp.path(), 8), other), Err(Errno::EPERM));
        assert_eq!(take_over(&socket(tmp.path(), 7), me), Err(Errno::ENOTSOCK), "a file");
        std::os::unix::fs::symlink(socket(tmp.path(), 8), socket(tmp.path(), 9)).unwrap();
        assert_eq!(take_over(&socket(tmp.path(), 9), me), Err(Errno::ENOTSOCK), "a link");
        assert_eq!(take_over(&socket(tmp.path(), 10), me), Err(Errno::ENOENT));
    }

    #[test]
    fn sockets_that_nobody_listens_on_go_and_others_stay() {
        use std::os::unix::net::UnixListener;
        let tmp = tmp();
        let later = SystemTime::now() + 2 * SETTLED;
        let [heard, dead, locked] = [8, 9, 10].map(|number| UnixListener::bind(socket(tmp.path(), number)).unwrap());
        drop((dead, locked));
        fs::write(lock(tmp.path(), 10), "").unwrap();
        free_unheard_in(tmp.path(), SystemTime::now());
        assert!(socket(tmp.path(), 9).exists(), "it may have been made just now");
        free_unheard_in(tmp.path(), later);
        let left = [7, 8, 9, 10].map(|number| socket(tmp.path(), number).exists());
        assert_eq!(
            left,
            [true, true, false, true],
            "a file, one with a listener, a dead one, a locked one"
        );
        drop(heard);
        if geteuid().is_root() {
            let path = socket(tmp.path(), 9);
            drop(UnixListener::bind(&path).unwrap());
            std::os::unix::fs::chown(&path, None, Some(1)).unwrap();
            free_unheard_in(tmp.path(), SystemTime::now());
            assert!(!path.exists(), "one that was taken over was listened on");
        }
    }

    #[test]
    fn a_link_in_place_of_a_lock_is_not_followed() {
        let tmp = locked_by(NOBODY);
        let real = tmp.path().join("real");
        fs::rename(lock(tmp.path(), 7), &real).unwrap();
        std::os::unix::fs::symlink(&real, lock(tmp.path(), 7)).unwrap();
        Display {
            number: 7,
            user: geteuid(),
            socket: None,
        }
        .free_in(tmp.path(), NOBODY);
        assert!(socket(tmp.path(), 7).exists());
    }
}

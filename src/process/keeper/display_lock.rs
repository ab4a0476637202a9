//! What a killed X server leaves behind: `/tmp/.X<n>-lock` with its pid, and its socket.

use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::super::proc::Process;

/// Frees the display if its lock names this process and it is dead.
pub(in crate::process) fn free(number: u32, pid: i32) {
    free_in(Path::new("/tmp"), number, pid);
}

/// Frees every display whose lock names one of these dead processes.
pub(in crate::process) fn free_all(pids: &[i32]) {
    let Ok(entries) = fs::read_dir("/tmp") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(".X")?.strip_suffix("-lock")?.parse().ok());
        if let Some(number) = number
            && let Some(&pid) = pids.iter().find(|&&pid| holder(&entry.path()) == Some(pid))
        {
            free(number, pid);
        }
    }
}

fn free_in(tmp: &Path, number: u32, pid: i32) {
    let lock = tmp.join(format!(".X{number}-lock"));
    let socket = tmp.join(".X11-unix").join(format!("X{number}"));
    if Process::read(pid).is_some_and(|process| process.alive) {
        return;
    }
    match holder(&lock) {
        Some(held_by) if held_by != pid => return,
        // The server removed its own lock; then its socket too.
        None => return,
        Some(_) => {}
    }
    log::info!("display={number} pid={pid} lock and socket of a dead server removed");
    // The socket first: as long as the lock is there, no other server takes the number.
    let _ = fs::remove_file(socket);
    let _ = fs::remove_file(lock);
}

/// The pid in a lock file: ten characters, right-aligned. A link is somebody's trap, not a lock.
fn holder(lock: &Path) -> Option<i32> {
    let mut text = String::new();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(lock)
        .ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Above the kernel's limit of 2^22, so never a process.
    const NOBODY: i32 = 1 << 30;

    fn locked_by(pid: i32) -> tempfile::TempDir {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join(".X11-unix")).unwrap();
        fs::write(tmp.path().join(".X11-unix/X7"), "").unwrap();
        fs::write(tmp.path().join(".X7-lock"), format!("{pid:>10}\n")).unwrap();
        tmp
    }

    #[test]
    fn lock_and_socket_of_a_dead_server_go() {
        let tmp = locked_by(NOBODY);
        free_in(tmp.path(), 7, NOBODY);
        assert!(!tmp.path().join(".X7-lock").exists());
        assert!(!tmp.path().join(".X11-unix/X7").exists());
    }

    #[test]
    fn those_of_another_or_a_living_server_stay() {
        let me = std::process::id() as i32;
        for (holder, asked) in [(NOBODY + 1, NOBODY), (me, me)] {
            let tmp = locked_by(holder);
            free_in(tmp.path(), 7, asked);
            assert!(tmp.path().join(".X7-lock").exists());
            assert!(tmp.path().join(".X11-unix/X7").exists());
        }
    }

    #[test]
    fn a_link_in_place_of_a_lock_is_not_followed() {
        let tmp = locked_by(NOBODY);
        let real = tmp.path().join("real");
        fs::rename(tmp.path().join(".X7-lock"), &real).unwrap();
        std::os::unix::fs::symlink(&real, tmp.path().join(".X7-lock")).unwrap();
        free_in(tmp.path(), 7, NOBODY);
        assert!(tmp.path().join(".X11-unix/X7").exists());
    }
}

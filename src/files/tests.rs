use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

const MOST: u64 = 1024;

/// A folder, and beside it a file that nobody may touch.
fn place() -> (tempfile::TempDir, Folder, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::make(&place.path().join("folder")).unwrap();
    let precious = place.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o600)).unwrap();
    (place, folder, precious)
}

/// Everything that a program may have put in the place of a file.
fn plant(folder: &Folder, precious: &Path) -> [&'static str; 4] {
    symlink(precious, folder.path("link")).unwrap();
    fs::hard_link(precious, folder.path("second")).unwrap();
    nix::unistd::mkfifo(&folder.path("pipe"), OURS).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    ["link", "second", "pipe", "folder"]
}

/// Does it on another thread, and gives up where that hangs.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // overflow: one message is ever sent.
    let (done, wait) = mpsc::sync_channel(1);
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(Duration::from_secs(10)).expect("it hangs")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_written_takes_the_place_of_what_was_there_and_leads_nowhere() {
    let (place, folder, precious) = place();
    for name in plant(&folder, &precious) {
        let written = Folder::open(&place.path().join("folder")).unwrap();
        in_time(move || written.write(name, b"ours", Readers::Everybody)).unwrap();
        assert_eq!(folder.read(name, MOST).unwrap(), b"ours", "{name}");
        assert_eq!(mode(&folder.path(name)), 0o644, "{name}");
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(mode(&precious), 0o600);
    let left: Vec<_> = fs::read_dir(place.path().join("folder")).unwrap().flatten().collect();
    assert_eq!(left.len(), 4, "no draft stays");
}

#[test]
fn a_draft_that_somebody_planted_is_not_written_into() {
    let (_place, folder, precious) = place();
    symlink(&precious, folder.path("name.new")).unwrap();
    folder.write("name", b"ours", Readers::Nobody).unwrap();
    fs::hard_link(&precious, folder.path("name.new")).unwrap();
    folder.write("name", b"ours", Readers::Nobody).unwrap();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(mode(&folder.path("name")), 0o600);
}

#[test]
fn only_files_are_read_and_only_so_much_of_them() {
    let (place, folder, precious) = place();
    for name in ["link", "pipe", "folder"] {
        if !folder.path("second").exists() {
            plant(&folder, &precious);
        }
        let read = Folder::open(&place.path().join("folder")).unwrap();
        assert!(in_time(move || read.read(name, MOST)).is_err(), "{name}");
        assert!(!folder.has(name), "{name}");
    }
    folder.write("large", &[b'x'; 1025], Readers::Nobody).unwrap();
    assert!(folder.read("large", 1024).is_err());
    assert_eq!(folder.read("large", 1025).unwrap().len(), 1025);
    for name in ["", ".", "..", "../precious", "a/b"] {
        assert!(folder.read(name, MOST).is_err(), "{name:?}");
    }
}

#[test]
fn a_log_goes_on_where_it_is_ours_alone_and_begins_anew_where_it_is_not() {
    let (place, folder, precious) = place();
    for name in plant(&folder, &precious) {
        for expected in ["one", "oneone"] {
            let log = Folder::open(&place.path().join("folder")).unwrap();
            in_time(move || log.append(name).unwrap().write_all(b"one")).unwrap();
            assert_eq!(folder.read(name, MOST).unwrap(), expected.as_bytes(), "{name}");
        }
        assert_eq!(mode(&folder.path(name)), 0o600);
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_socket_is_for_its_owner_from_the_first_moment_and_replaces_what_was_there() {
    let (_place, folder, precious) = place();
    for name in plant(&folder, &precious) {
        let listener = folder.listen(name).unwrap();
        let found = fs::symlink_metadata(folder.path(name)).unwrap();
        assert!(found.file_type().is_socket(), "{name}");
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        std::os::unix::net::UnixStream::connect(folder.path(name)).unwrap();
        drop(listener);
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_folder_that_others_can_write_is_not_our_own() {
    let (place, _, _) = place();
    let path = place.path().join("folder");
    Folder::open_own(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
    assert!(Folder::open_own(&path).is_err());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&path, place.path().join("link")).unwrap();
    assert!(Folder::open_own(&place.path().join("link")).is_err());
    if geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert!(Folder::open_own(&path).is_err());
        assert!(Folder::make(&path).is_err());
    }
}

#[test]
fn a_group_reads_what_stays_ours() {
    let (_place, folder, _) = place();
    let group = nix::unistd::getegid().as_raw();
    folder.write("name", b"ours", Readers::Group(group)).unwrap();
    let found = fs::metadata(folder.path("name")).unwrap();
    assert_eq!((found.uid(), found.gid()), (geteuid().as_raw(), group));
    assert_eq!(found.mode() & 0o777, 0o640);
}

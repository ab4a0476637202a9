//! Displays: where their sockets are, whether one starts, and whether its picture can be grabbed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};

use super::finding::Finding;
use super::xvfb::{SIZE, Xvfb};
use crate::app::error::chain;
use crate::config::catalogue::find_program;
use crate::desktop::commands::VNC_SERVER;
use crate::folders::AppOwner;
use crate::x11::{DisplayAddress, Grabber, X11Error, check_display};

/// Where X servers have their sockets.
pub const FOLDER: &str = "/tmp/.X11-unix";

const SOCKETS: &str = "displays' folder";
const DISPLAY: &str = "display";
const GRAB: &str = "shared memory";
const WINDOW_MANAGER: &str = "window manager";
const VNC: &str = "VNC";

/// For a display to start.
const START: Duration = Duration::from_secs(15);
/// For one answer of a display.
const ANSWER: Duration = Duration::from_secs(5);

/// Whether X servers can make their sockets.
pub fn folder(path: &Path) -> Finding {
    let hint = format!(
        "as root: mkdir -p {0} && chown root: {0} && chmod 1777 {0}",
        path.display()
    );
    let found = match path.symlink_metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(SOCKETS, format!("{} is made by the first display", path.display()));
        }
        Err(error) => return Finding::problem(SOCKETS, format!("{}: {error}", path.display())).hint(hint),
    };
    if !found.is_dir() {
        return Finding::problem(SOCKETS, format!("{} is not a folder", path.display())).hint(hint);
    }
    if access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return Finding::problem(SOCKETS, format!("{} is not writable", path.display())).hint(hint);
    }
    if found.mode() & 0o7777 != 0o1777 {
        let text = format!(
            "{} has the mode {:04o}, 1777 is usual",
            path.display(),
            found.mode() & 0o7777
        );
        return Finding::note(SOCKETS, text).hint(hint);
    }
    Finding::ok(SOCKETS, path.display().to_string())
}

/// Starts an X server as instances do, asks it whether it is one, and grabs a picture of it.
pub fn check(search_path: &[PathBuf], owner: Option<&AppOwner>) -> Vec<Finding> {
    let Some(program) = find_program("Xvfb", search_path) else {
        return vec![Finding::problem(DISPLAY, "Xvfb is not installed").hint("apt-get install xvfb")];
    };
    let begin = Instant::now();
    let xvfb = match Xvfb::start(&program, owner, START) {
        Ok(xvfb) => xvfb,
        Err(error) => {
            return vec![
                Finding::problem(DISPLAY, format!("{}: {}", program.display(), chain(&error))).hint(
                    "apt-get install --reinstall xvfb xkb-data x11-xkb-utils; and see the displays' folder above",
                ),
            ];
        }
    };
    let address = xvfb.address();
    if let Err(error) = check_display(&address, ANSWER) {
        let text = format!("{} starts, but does not answer: {}", program.display(), chain(&error));
        return vec![Finding::problem(DISPLAY, text).hint("apt-get install --reinstall xvfb")];
    }
    let ms = begin.elapsed().as_millis();
    vec![
        Finding::ok(
            DISPLAY,
            format!("{} starts and answers within {ms} ms", program.display()),
        ),
        match grab(&address) {
            Ok(()) => Finding::ok(GRAB, "the display's picture can be grabbed (MIT-SHM, DAMAGE)"),
            Err(error) => Finding::problem(GRAB, format!("no picture can be grabbed: {}", chain(&error)))
                .hint("apt-get install --reinstall xvfb; a sandbox around the host must let memfd_create through"),
        },
    ]
}

fn grab(address: &DisplayAddress) -> Result<(), X11Error> {
    Grabber::connect(address, SIZE.0, SIZE.1, ANSWER)?.grab().map(|_| ())
}

/// Whether there is one for the apps that want it.
pub fn window_manager(search_path: &[PathBuf]) -> Finding {
    match find_program("openbox", search_path) {
        Some(program) => Finding::ok(WINDOW_MANAGER, program.display().to_string()),
        None => Finding::problem(
            WINDOW_MANAGER,
            "openbox is not installed: apps get neither their size nor the keyboard",
        )
        .hint("apt-get install openbox"),
    }
}

/// Whether browsers that can do nothing else get a picture; `wanted`: the configuration lets them.
pub fn vnc(search_path: &[PathBuf], wanted: bool) -> Finding {
    match find_program(VNC_SERVER, search_path) {
        _ if !wanted => Finding::ok(VNC, "not in video.transports"),
        Some(program) => Finding::ok(VNC, program.display().to_string()),
        None => Finding::note(
            VNC,
            "x11vnc is not installed: browsers with neither WebRTC nor WebCodecs see nothing",
        )
        .hint("apt-get install x11vnc"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::app::doctor::Level;

    #[test]
    fn the_displays_folder_may_be_missing_but_not_something_else() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("sockets");
        assert_eq!(folder(&path).level, Level::Ok);
        std::fs::write(&path, "").unwrap();
        assert_eq!(folder(&path).level, Level::Problem);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(folder(&path).level, Level::Note);
        std::fs::set_permissions(&path, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(folder(&path).level, Level::Ok);
    }

    #[test]
    fn what_is_not_installed_is_named_with_its_package() {
        let empty = [PathBuf::from("/does/not/exist")];
        assert_eq!(check(&empty, None)[0].hint.as_deref(), Some("apt-get install xvfb"));
        assert_eq!(window_manager(&empty).hint.as_deref(), Some("apt-get install openbox"));
        let missing = vnc(&empty, true);
        assert_eq!(missing.level, Level::Note);
        assert_eq!(missing.hint.as_deref(), Some("apt-get install x11vnc"));
        assert_eq!(vnc(&empty, false).level, Level::Ok);
    }

    #[test]
    fn something_else_in_the_place_of_xvfb_does_not_pass_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Xvfb");
        std::fs::write(&path, "#!/bin/sh\necho 4000007\nexec sleep 60\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let found = check(&[folder.path().to_owned()], None);
        assert_eq!(found[0].level, Level::Problem);
        assert!(found[0].text.contains("does not answer"), "{}", found[0].text);
    }
}

//! The catalogue: every app that can be launched.
//!
//! The project's demo, those of a few well-known programs that are installed, and the configuration's entries. An
//! entry of the configuration replaces a built-in one of the same id.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::app_entry::{AppEntry, Home, Network};

/// The id of the demo.
pub const DEMO: &str = "orrery";
/// The program of the demo, which stands beside the host's own.
pub const DEMO_PROGRAM: &str = "heliostat-orrery";

/// All apps, in the order in which they are shown: the demo, the installed ones, the configured ones.
///
/// `beside` is the folder of the running program, `search_path` the folders where programs are looked for, `locale` the
/// variables that every app has ([`super::Config::locale`]).
#[must_use]
pub fn catalogue(
    configured: &[AppEntry],
    beside: &Path,
    search_path: &[PathBuf],
    nesting: bool,
    locale: &BTreeMap<String, String>,
) -> Vec<AppEntry> {
    let mut apps = vec![demo(beside)];
    for app in builtin(nesting) {
        if let Some(program) = find_program(&app.command, search_path) {
            apps.push(AppEntry {
                command: program.to_string_lossy().into_owned(),
                ..app
            });
        }
    }
    for entry in configured {
        match apps.iter_mut().find(|app| app.id == entry.id) {
            Some(app) => *app = entry.clone(),
            None => apps.push(entry.clone()),
        }
    }
    for app in &mut apps {
        for (name, value) in locale {
            app.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    apps
}

/// The well-known programs that are offered where they are installed; their commands are names. `nesting`: an app in its
/// sandbox can make one of its own.
#[must_use]
pub fn builtin(nesting: bool) -> [AppEntry; 4] {
    [chromium(nesting), stellarium(), xterm(), glxgears()]
}

/// The program a command names: a path as it is, a name by the search path. `None` when there is no such file that
/// can be executed.
#[must_use]
pub fn find_program(command: &str, search_path: &[PathBuf]) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if command.contains('/') {
        return Some(PathBuf::from(command)).filter(is_program);
    }
    search_path.iter().map(|folder| folder.join(command)).find(is_program)
}

/// Entries whose program is not there, in words. It may be installed later, so an entry stays.
#[must_use]
pub fn missing_programs(configured: &[AppEntry], search_path: &[PathBuf]) -> Vec<String> {
    let missing = configured
        .iter()
        .filter(|app| find_program(&app.command, search_path).is_none());
    missing
        .map(|app| {
            format!(
                "app {}: there is no program {:?}{}",
                app.id,
                app.command,
                advice(&app.command)
            )
        })
        .collect()
}

/// What is to be done about a command that names no program.
#[must_use]
pub fn advice(command: &str) -> &'static str {
    if command.starts_with('~') {
        "; `~` means nothing in a command: give the whole path"
    } else if command.contains(char::is_whitespace) {
        "; a command is the program alone: its arguments belong in `args`"
    } else {
        ""
    }
}

fn app(id: &str, command: &str, name: &str, description: &str, args: &[&str]) -> AppEntry {
    AppEntry {
        name: name.to_owned(),
        description: description.to_owned(),
        args: args.iter().map(ToString::to_string).collect(),
        ..AppEntry::new(id, command)
    }
}

fn demo(beside: &Path) -> AppEntry {
    app(
        DEMO,
        &beside.join(DEMO_PROGRAM).to_string_lossy(),
        "Heliostat Orrery",
        "The planets on their orbits, drawn in software. Click a planet to follow it, drag to turn the view, \
         use the wheel to zoom, and + and - to change how fast time passes.",
        &[],
    )
}

fn chromium(nesting: bool) -> AppEntry {
    let mut entry = AppEntry {
        network: Network::Internet,
        user_namespaces: nesting,
        ..app(
            "chromium",
            "chromium",
            "Chromium",
            "A web browser that runs on the server, with a profile of its own that is forgotten when it ends.",
            &[
                "--user-data-dir={home}/chromium",
                "--window-size={width},{height}",
                "--window-position=0,0",
                "--start-maximized",
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--password-store=basic",
            ],
        )
    };
    if !nesting {
        // Its own sandbox needs user namespaces, which a container or an unprivileged user may not have; the instance's
        // sandbox, or the app's user and emptied environment, stand in for it. --test-type spares the user a warning.
        entry.args.extend(["--no-sandbox", "--test-type"].map(str::to_owned));
    }
    entry.args.push("about:blank".to_owned());
    entry
}

fn stellarium() -> AppEntry {
    AppEntry {
        home: Home::Keep,
        fps: Some(30),
        ..app(
            "stellarium",
            "stellarium",
            "Stellarium",
            "A planetarium: the sky as seen from any place at any time. Without a graphics card it draws slowly.",
            // In a window: the window manager then gives it the whole display, whatever size its settings name.
            &["--full-screen", "no"],
        )
    }
}

fn xterm() -> AppEntry {
    app(
        "xterm",
        "xterm",
        "Terminal",
        "A shell on the server, in an empty home of its own.",
        &[
            "-fa",
            "Monospace",
            "-fs",
            "12",
            "-bg",
            "#101418",
            "-fg",
            "#d8dee6",
            "-sl",
            "5000",
            "+sb",
            "-title",
            "Terminal",
        ],
    )
}

fn glxgears() -> AppEntry {
    AppEntry {
        // A display without a screen has no vertical sync that would hold it back: it draws as fast as a core lets
        // it, so it gets a small picture.
        width: Some(640),
        height: Some(480),
        fps: Some(30),
        ..app(
            "glxgears",
            "glxgears",
            "GLX gears",
            "Three turning gears drawn with OpenGL. Keeps a processor core busy.",
            &["-geometry", "{width}x{height}+0+0"],
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::app_entry::{Placeholders, is_app_id};
    use super::*;

    /// A folder with programs of these names.
    pub(crate) fn programs(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
            std::fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn ids(apps: &[AppEntry]) -> Vec<&str> {
        apps.iter().map(|app| app.id.as_str()).collect()
    }

    #[test]
    fn only_what_is_installed_is_offered_and_the_demo_always() {
        let folder = programs(&["xterm", "glxgears"]);
        std::fs::write(folder.path().join("chromium"), "not to be executed").unwrap();
        let apps = catalogue(
            &[],
            Path::new("/opt/heliostat"),
            &[folder.path().to_owned()],
            false,
            &BTreeMap::new(),
        );
        assert_eq!(ids(&apps), ["orrery", "xterm", "glxgears"]);
        assert_eq!(apps[0].command, "/opt/heliostat/heliostat-orrery");
        assert_eq!(apps[1].command, folder.path().join("xterm").to_str().unwrap());
    }

    #[test]
    fn a_configured_entry_replaces_the_builtin_one_in_its_place() {
        let folder = programs(&["xterm", "glxgears"]);
        let configured = [AppEntry::new("xterm", "/usr/bin/uxterm"), AppEntry::new("mine", "mine")];
        let apps = catalogue(
            &configured,
            Path::new("/x"),
            &[folder.path().to_owned()],
            false,
            &BTreeMap::new(),
        );
        assert_eq!(ids(&apps), ["orrery", "xterm", "glxgears", "mine"]);
        assert_eq!(apps[1].command, "/usr/bin/uxterm");
    }

    #[test]
    fn every_builtin_app_has_an_id_a_name_a_description_and_placeholders_that_are_filled() {
        let places = Placeholders {
            home: "/h",
            tmp: "/t",
            width: 800,
            height: 600,
            fps: 30,
        };
        for app in std::iter::once(demo(Path::new("/x")))
            .chain(builtin(true))
            .chain(builtin(false))
        {
            assert!(
                is_app_id(&app.id) && !app.name.is_empty() && app.description.len() > 20,
                "{}",
                app.id
            );
            for arg in &app.args {
                assert!(!places.fill(arg).contains(['{', '}']), "{arg}");
            }
        }
    }

    #[test]
    fn a_browser_gives_up_its_own_sandbox_only_where_it_could_make_none() {
        for nesting in [true, false] {
            let browser = chromium(nesting);
            assert_eq!(browser.user_namespaces, nesting);
            assert_eq!(browser.args.iter().any(|arg| arg == "--no-sandbox"), !nesting);
            assert_eq!(browser.args.last().map(String::as_str), Some("about:blank"));
        }
        let others = builtin(true).into_iter().skip(1);
        assert!(
            others.into_iter().all(|app| !app.user_namespaces),
            "nobody else needs namespaces"
        );
    }

    #[test]
    fn placeholders_are_filled_once_and_strangers_stay() {
        let places = Placeholders {
            home: "/h/{tmp}",
            tmp: "/t",
            width: 800,
            height: 600,
            fps: 30,
        };
        assert_eq!(places.fill("{width}x{height}@{fps}"), "800x600@30");
        assert_eq!(places.fill("{home}/x"), "/h/{tmp}/x");
        assert_eq!(places.fill("{\"a\": {tmp}} {x} {"), "{\"a\": /t} {x} {");
    }

    #[test]
    fn every_app_has_the_language_and_time_zone_of_the_host_unless_it_has_its_own() {
        let locale =
            [("LANG", "de_DE.UTF-8"), ("TZ", "Europe/Berlin")].map(|(name, value)| (name.into(), value.into()));
        let mut own = AppEntry::new("own", "/bin/true");
        own.env.insert("LANG".into(), "fr_FR.UTF-8".into());
        let apps = catalogue(&[own], Path::new("/x"), &[], false, &locale.into());
        let of = |id: &str| &apps.iter().find(|app| app.id == id).unwrap().env;
        assert_eq!(
            (of(DEMO)["LANG"].as_str(), of(DEMO)["TZ"].as_str()),
            ("de_DE.UTF-8", "Europe/Berlin")
        );
        assert_eq!(
            (of("own")["LANG"].as_str(), of("own")["TZ"].as_str()),
            ("fr_FR.UTF-8", "Europe/Berlin")
        );
    }

    #[test]
    fn an_entry_whose_program_is_missing_is_named_with_what_to_do() {
        let entries = ["xterm -e sh", "~/bin/viewer", "/no/such/program", "/bin/sh"].map(|c| AppEntry::new("it", c));
        let said = missing_programs(&entries, &[PathBuf::from("/bin")]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("\"xterm -e sh\"") && said[0].contains("belong in `args`"));
        assert!(said[1].contains("whole path"));
    }
}

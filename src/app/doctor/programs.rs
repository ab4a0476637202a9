//! What can be launched: the demo and the entries of the catalogue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::AppEntry;
use crate::config::catalogue::{DEMO, DEMO_PROGRAM, builtin, catalogue, find_program, missing_programs};

const DEMO_CHECK: &str = "demo";
const CATALOGUE: &str = "catalogue";

/// `host_path` is where the host looks for the built-in programs, `search_path` where an instance looks for a command.
pub fn check(configured: &[AppEntry], program: &Path, host_path: &[PathBuf], search_path: &[PathBuf]) -> Vec<Finding> {
    let beside = program.parent().unwrap_or(Path::new("/"));
    let apps = catalogue(configured, beside, host_path, false, &BTreeMap::new());
    let is_there = |app: &&AppEntry| find_program(&app.command, search_path).is_some();
    let mut found = Vec::new();
    if !configured.iter().any(|app| app.id == DEMO) {
        found.push(demo(beside));
    }
    let usable: Vec<&str> = apps.iter().filter(is_there).map(|app| app.id.as_str()).collect();
    found.push(if usable.is_empty() {
        Finding::problem(CATALOGUE, "there is no app to launch")
            .hint("install one, or add an [[app]] entry to the configuration")
    } else {
        Finding::ok(CATALOGUE, format!("{} can be launched", usable.join(", ")))
    });
    for text in missing_programs(configured, search_path) {
        found.push(Finding::note(CATALOGUE, text).hint("install it, or give its whole path as command"));
    }
    let missing: Vec<String> = builtin(false)
        .iter()
        .filter(|app| !apps.iter().any(|other| other.id == app.id))
        .map(|app| app.command.clone())
        .collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|command| package(command)).collect();
        found.push(
            Finding::note(
                CATALOGUE,
                format!("not installed and not offered: {}", missing.join(", ")),
            )
            .hint(format!("apt-get install {}", packages.join(" "))),
        );
    }
    found
}

fn demo(beside: &Path) -> Finding {
    let path = beside.join(DEMO_PROGRAM);
    match find_program(&path.to_string_lossy(), &[]) {
        Some(path) => Finding::ok(DEMO_CHECK, path.display().to_string()),
        None => Finding::note(DEMO_CHECK, format!("{} is missing", path.display()))
            .hint("put it beside this program; `cargo build` makes both"),
    }
}

/// The package of Debian that has the program.
fn package(command: &str) -> &str {
    match command {
        "glxgears" => "mesa-utils",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;
    use crate::config::catalogue::tests::programs;

    fn checked(configured: &[AppEntry], names: &[&str]) -> Vec<Finding> {
        let folder = programs(names);
        let path = [folder.path().to_owned()];
        check(configured, &folder.path().join("heliostat"), &path, &path)
    }

    #[test]
    fn what_is_missing_is_noted_with_its_packages() {
        let found = checked(&[], &[DEMO_PROGRAM, "xterm"]);
        assert_eq!((found[0].check, found[0].level), (DEMO_CHECK, Level::Ok));
        assert_eq!(
            (found[1].level, found[1].text.as_str()),
            (Level::Ok, "orrery, xterm can be launched")
        );
        assert_eq!(
            found[2].hint.as_deref(),
            Some("apt-get install chromium stellarium mesa-utils")
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn nothing_to_launch_is_a_problem() {
        let found = checked(&[], &[]);
        assert_eq!((found[0].level, found[1].level), (Level::Note, Level::Problem));
    }

    #[test]
    fn a_configured_app_without_its_program_is_named() {
        let found = checked(&[AppEntry::new("mine", "/opt/mine")], &["xterm"]);
        let finding = found.iter().find(|finding| finding.text.contains("/opt/mine")).unwrap();
        assert_eq!(finding.level, Level::Note);
    }
}

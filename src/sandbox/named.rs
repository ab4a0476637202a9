//! The files that an app's entry names by its command and its arguments, where its sandbox would not show them: a program
//! behind a symbolic link, the script of an interpreter, a document to open.

use std::path::{Component, Path, PathBuf};

use super::line::{SYSTEM, is_below};
use crate::config::AppEntry;

/// Where a command is looked for that is no path, as the app itself would.
const SEARCH_PATH: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/games", "/usr/games"];
/// As many links as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// What has to be shown for the entry's command and arguments to be found. Files only: a folder is named in `files`, by
/// who means all that is in it. Nothing of what is `hidden`. Blocks.
pub(super) fn named_files(app: &AppEntry, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let command = Path::new(&app.command);
    let programs = if command.is_absolute() {
        vec![command.to_owned()]
    } else if app.command.contains('/') {
        Vec::new()
    } else {
        SEARCH_PATH.map(|folder| Path::new(folder).join(command)).to_vec()
    };
    // `--option=/path` as well.
    let arguments = app.args.iter().flat_map(|argument| {
        let value = argument.split_once('=').map(|(_, value)| value);
        [Some(argument.as_str()), value]
            .into_iter()
            .flatten()
            .map(PathBuf::from)
    });
    let mut files = Vec::new();
    for path in programs.into_iter().chain(arguments).filter(|path| path.is_absolute()) {
        let Some(file) = first_unseen(&path, &SYSTEM.map(Path::new)) else {
            continue;
        };
        let real = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        let is_hidden = [&file, &real]
            .iter()
            .any(|path| is_below(path, hidden.iter().map(PathBuf::as_path)));
        if !is_hidden && !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// The first file on the way that the links of `path` take that is not below these folders. What is put in its place is
/// the file itself, however many more links lead there.
fn first_unseen(path: &Path, seen: &[&Path]) -> Option<PathBuf> {
    let mut path = without_steps_back(path);
    for _ in 0..MOST_LINKS {
        if !is_below(&path, seen.iter().copied()) {
            return path.is_file().then_some(path);
        }
        path = behind_first_link(&path)?;
    }
    None
}

/// Where the first symbolic link in a path leads to.
fn behind_first_link(path: &Path) -> Option<PathBuf> {
    let mut so_far = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        let folder = so_far.clone();
        so_far.push(part);
        if let Ok(target) = std::fs::read_link(&so_far) {
            return Some(without_steps_back(&folder.join(target).join(parts.as_path())));
        }
    }
    None
}

/// A path whose `..` are taken at their word: no link lies before them.
fn without_steps_back(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_followed_to_the_first_file_that_is_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["seen", "other", "other/v1"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("other/v1/tool"), "").unwrap();
        std::fs::write(at("seen/plain"), "").unwrap();
        symlink("v1", at("other/current")).unwrap();
        symlink("../other/current/tool", at("seen/tool")).unwrap();
        symlink("tool", at("seen/alias")).unwrap();
        symlink("plain", at("seen/inner")).unwrap();
        symlink("loop", at("seen/loop")).unwrap();
        symlink("/nowhere", at("seen/broken")).unwrap();
        let seen = at("seen");
        let find = |name: &str| first_unseen(&at(name), &[&seen]);
        // Inside, the link in `seen` leads to that path, not to where it ends.
        assert_eq!(find("seen/tool"), Some(at("other/current/tool")));
        assert_eq!(find("seen/alias"), Some(at("other/current/tool")));
        assert_eq!(find("other/v1/tool"), Some(at("other/v1/tool")));
        assert_eq!(find("seen/../other/v1/tool"), Some(at("other/v1/tool")));
        for nothing in [
            "seen/plain",
            "seen/inner",
            "seen/loop",
            "seen/broken",
            "other",
            "other/none",
        ] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn files_named_by_command_and_arguments_are_shown_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["program", "script", "config", "token"] {
            std::fs::write(at(name), "").unwrap();
        }
        let text = |name: &str| at(name).display().to_string();
        let mut app = AppEntry::new("demo", &text("program"));
        app.args = vec![
            text("script"),
            format!("--config={}", text("config")),
            text("token"),
            folder.path().display().to_string(),
            text("none"),
            "/usr/bin/env".into(),
            "{home}/x".into(),
            "script".into(),
            text("script"),
        ];
        let shown = named_files(&app, &[at("token")]);
        assert_eq!(shown, [at("program"), at("script"), at("config")]);
        assert_eq!(named_files(&AppEntry::new("demo", "sh"), &[]), Vec::<PathBuf>::new());
    }
}

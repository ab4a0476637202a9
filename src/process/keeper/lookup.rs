//! Which files a command's name may stand for (exec(3), `execvpe`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::catalogue::advice;
use crate::protocol::keeper::{Failure, FailureCode};

/// Where commands are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The files to try, in order. Whether the child may execute one is only known by trying, as its user.
pub(super) fn candidates(program: &str, path: Option<&str>) -> Result<Vec<String>, Failure> {
    if program.contains('/') {
        return Ok(vec![program.to_owned()]);
    }
    let path = path.unwrap_or(DEFAULT_PATH);
    let mut found = Vec::new();
    let mut not_executable = None;
    // A relative folder in PATH would mean whatever the working directory holds.
    for folder in path.split(':').filter(|folder| folder.starts_with('/')) {
        let file = format!("{folder}/{program}");
        match fs::metadata(Path::new(&file)) {
            Ok(metadata) if !metadata.is_file() => {}
            Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => not_executable = Some(file),
            Ok(_) => found.push(file),
            Err(_) => {}
        }
    }
    match (found.is_empty(), not_executable) {
        (false, _) => Ok(found),
        (true, Some(file)) => Err(Failure::new(
            FailureCode::NotExecutable,
            format!("{file} is not executable"),
        )),
        (true, None) => Err(Failure::new(
            FailureCode::CommandNotFound,
            format!("{program} is not in {path}{}", advice(program)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<Vec<String>, Failure>) -> FailureCode {
        result.unwrap_err().code
    }

    #[test]
    fn a_name_with_a_slash_is_taken_as_it_is() {
        assert_eq!(candidates("./x", None).unwrap(), ["./x"]);
    }

    #[test]
    fn every_folder_that_has_the_command_is_a_candidate_in_order() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let files = folders.each_ref().map(|folder| folder.path().join("tool"));
        for file in &files {
            fs::write(file, "").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!(
            "relative::/nowhere:{}:{}",
            folders[1].path().display(),
            folders[0].path().display()
        );
        assert_eq!(
            candidates("tool", Some(&path)).unwrap(),
            [files[1].to_str().unwrap(), files[0].to_str().unwrap()]
        );
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_not_executable() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("text"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let path = folder.path().to_str();
        assert_eq!(code(candidates("text", path)), FailureCode::NotExecutable);
        assert_eq!(code(candidates("folder", path)), FailureCode::CommandNotFound);
        assert_eq!(code(candidates("nothing", path)), FailureCode::CommandNotFound);
    }
}

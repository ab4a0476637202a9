//! Kept homes that are forgotten: first moved aside, where they can be brought back, and removed much later.
//!
//! `<root>/homes/aside/<session_id>.<when>/`, within the file system of the homes.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::apps_dir::AppsDir;
use super::removal::remove_tree;
use crate::ids::SessionId;

/// The kept homes of a session that were moved aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aside {
    /// When: what whoever moved them said.
    pub when: i64,
    /// Whose they are.
    pub session: SessionId,
}

impl Aside {
    fn parse(name: &str) -> Option<Self> {
        let (session, when) = name.split_once('.')?;
        Some(Self {
            when: when.parse().ok()?,
            session: session.parse().ok()?,
        })
    }
}

impl AppsDir {
    /// Moves the kept homes of a session aside. Nothing there is fine.
    ///
    /// # Errors
    /// They cannot be moved, and stay.
    pub fn set_aside(&self, session: SessionId, when: i64) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(self.aside_folder()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match std::fs::rename(self.homes_of(session), self.place(Aside { when, session })) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// What was moved aside, what was so first before the others.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn aside(&self) -> io::Result<Vec<Aside>> {
        let entries = match std::fs::read_dir(self.aside_folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(entry?.file_name().to_str().and_then(Aside::parse));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Brings back what was moved aside last of a session, unless it has kept homes by now. Says whether it did.
    ///
    /// # Errors
    /// It cannot be brought back, and stays aside.
    pub fn bring_back(&self, session: SessionId) -> io::Result<bool> {
        let homes = self.homes_of(session);
        if homes.symlink_metadata().is_ok() {
            return Ok(false);
        }
        let last = self.aside()?.into_iter().rev().find(|aside| aside.session == session);
        let Some(last) = last else { return Ok(false) };
        std::fs::rename(self.place(last), homes)?;
        Ok(true)
    }

    /// Removes what was moved aside.
    ///
    /// # Errors
    /// Something is left.
    pub fn remove_aside(&self, aside: Aside) -> io::Result<()> {
        remove_tree(&self.place(aside))
    }

    fn aside_folder(&self) -> PathBuf {
        self.root().join("homes/aside")
    }

    fn place(&self, Aside { when, session }: Aside) -> PathBuf {
        self.aside_folder().join(format!("{session}.{when}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::app_entry::Home;
    use crate::ids::InstanceId;

    #[test]
    fn homes_that_were_moved_aside_are_there_again_for_a_session_that_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let apps = AppsDir::at(folder.path().join("apps"), None).unwrap();
        let (session, other) = (SessionId::new(), SessionId::new());
        let make = |session| apps.make(InstanceId::new(), session, "demo", Home::Keep).unwrap().home;
        let home = make(session);
        std::fs::write(home.join("letter"), "dear").unwrap();
        apps.set_aside(session, 5).unwrap();
        apps.set_aside(other, 5).unwrap();
        assert!(!home.exists());
        assert!(apps.kept_homes().unwrap().is_empty());
        assert_eq!(apps.aside().unwrap(), [Aside { when: 5, session }]);
        assert!(!apps.bring_back(other).unwrap());
        make(other);
        assert!(!home.exists());
        assert_eq!(make(session), home);
        assert_eq!(std::fs::read_to_string(home.join("letter")).unwrap(), "dear");
        assert!(!apps.bring_back(session).unwrap());
        apps.set_aside(session, 7).unwrap();
        make(other);
        apps.remove_aside(Aside { when: 7, session }).unwrap();
        assert!(apps.aside().unwrap().is_empty());
        assert_eq!(apps.kept_homes().unwrap(), [other]);
    }
}

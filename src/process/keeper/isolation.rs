//! What the keeper parts from the machine before it starts anybody: shared memory and messages of System V, which the
//! instance's display and app have in common and nobody else, and folders of limited size.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// A folder that is to hold no more than this, in memory: what is in it goes with the keeper. As an argument
/// `SIZE:UID:GID:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizedFolder {
    /// Bytes.
    pub bytes: u64,
    /// Whose it is.
    pub uid: u32,
    /// Of which group.
    pub gid: u32,
    /// Where.
    pub path: PathBuf,
}

impl std::fmt::Display for SizedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bytes, uid, gid, path } = self;
        write!(f, "{bytes}:{uid}:{gid}:{}", path.display())
    }
}

impl FromStr for SizedFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected SIZE:UID:GID:PATH".to_owned();
        let mut parts = text.splitn(4, ':');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or_else(wrong);
        let (bytes, uid, gid) = (number()?, number()?, number()?);
        Ok(Self {
            bytes,
            uid: u32::try_from(uid).map_err(|_| wrong())?,
            gid: u32::try_from(gid).map_err(|_| wrong())?,
            path: parts
                .next()
                .filter(|path| path.starts_with('/'))
                .ok_or_else(wrong)?
                .into(),
        })
    }
}

/// Parts from the machine, all or nothing of it that is asked for.
///
/// # Errors
/// The system refuses: without user namespaces only root may.
pub(super) fn isolate(folders: &[SizedFolder]) -> io::Result<()> {
    let mut flags = CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNS;
    let (uid, gid) = (geteuid(), getegid());
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags)?;
    if !uid.is_root() {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    let none: Option<&str> = None;
    // What the machine mounts is seen on, what is mounted here stays here.
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)?;
    for SizedFolder { bytes, uid, gid, path } in folders {
        let options = format!("size={bytes},mode=0700,uid={uid},gid={gid}");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("heliostat"), path, Some("tmpfs"), flags, Some(options.as_str()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_as_it_is_written() {
        let folder = SizedFolder {
            bytes: 1 << 30,
            uid: 999,
            gid: 995,
            path: "/a/b:c".into(),
        };
        assert_eq!(folder.to_string().parse(), Ok(folder));
        for bad in [
            "",
            "1:2:3",
            "1:2:3:relative",
            "x:2:3:/a",
            "1:-2:3:/a",
            "1:4294967296:3:/a",
        ] {
            assert!(bad.parse::<SizedFolder>().is_err(), "{bad}");
        }
    }
}

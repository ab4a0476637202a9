//! The user that apps run as.

use std::fmt;

use nix::unistd::{Gid, Uid, User};

/// An unprivileged user, found in the machine's user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppOwner {
    /// Its name.
    pub name: String,
    /// Its user id, never 0.
    pub uid: u32,
    /// Its group id, never 0.
    pub gid: u32,
}

/// Why apps cannot run as the configured user.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// There is no such user.
    #[error(
        "`apps.user` = {0}: there is no such user; make one (`useradd --system --no-create-home --shell \
         /usr/sbin/nologin {0}`) or name another unprivileged user"
    )]
    Missing(String),
    /// The user is root, or in root's group.
    #[error("`apps.user` = {0}: apps do not run as root or in its group; name an unprivileged user")]
    Privileged(String),
    /// The user database cannot be read.
    #[error("`apps.user` = {name}: the users of this machine cannot be read")]
    Unreadable {
        /// The user looked for.
        name: String,
        /// Why.
        #[source]
        source: nix::Error,
    },
}

impl OwnerError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "apps_user_missing",
            Self::Privileged(_) => "apps_user_privileged",
            Self::Unreadable { .. } => "apps_user_unreadable",
        }
    }
}

impl AppOwner {
    /// Who apps of this process run as: the named user when this is root, else nobody but the user itself (`None`).
    ///
    /// # Errors
    /// This is root and there is no such user, or it is root, too.
    pub fn resolve(name: &str) -> Result<Option<Self>, OwnerError> {
        if Uid::effective().is_root() {
            Self::find(name).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The user of this name.
    ///
    /// # Errors
    /// There is no such user, or it is root.
    pub fn find(name: &str) -> Result<Self, OwnerError> {
        match User::from_name(name) {
            Ok(Some(user)) if user.uid.is_root() || user.gid == Gid::from_raw(0) => {
                Err(OwnerError::Privileged(name.to_owned()))
            }
            Ok(Some(user)) => Ok(Self {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }),
            Ok(None) => Err(OwnerError::Missing(name.to_owned())),
            Err(source) => Err(OwnerError::Unreadable {
                name: name.to_owned(),
                source,
            }),
        }
    }
}

impl fmt::Display for AppOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.uid, self.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unprivileged_user_is_found() {
        let owner = AppOwner::find("nobody").unwrap();
        assert_ne!((owner.uid, owner.gid), (0, 0));
    }

    #[test]
    fn root_and_those_who_do_not_exist_are_refused() {
        assert_eq!(AppOwner::find("root").unwrap_err().code(), "apps_user_privileged");
        assert_eq!(
            AppOwner::find("nobody-of-this-name").unwrap_err().code(),
            "apps_user_missing"
        );
    }
}

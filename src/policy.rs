//! Who may do what: one table, asked at every place that decides (REST, signalling, input). Pure.
//!
//! ```text
//!   admin       has shown the token      the host, and everybody's instances
//!   owner       launched it              their instances; to launch
//!   controller  by a link                to steer one instance
//!   spectator   by a link or the address to watch one instance
//! ```

use crate::ids::SessionId;
use crate::protocol::words::Role;

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the picture and the status, and have a peer connection.
    Watch,
    /// Have the picture as a file.
    Screenshot,
    /// Have one's mouse and keyboard applied, while one has control.
    SendInput,
    /// Take control, and let go of it.
    Control,
    /// Launch an app; who does owns the instance.
    Launch,
    /// Start the app anew.
    Restart,
    /// End the instance.
    Terminate,
    /// Hand control to another viewer.
    GiveControl,
    /// Make links to an instance, list and revoke them.
    MakeLinks,
    /// Look at the host itself and restart parts of it.
    Administer,
}

impl Action {
    /// Every action.
    pub const ALL: &'static [Self] = &[
        Self::Watch,
        Self::Screenshot,
        Self::SendInput,
        Self::Control,
        Self::Launch,
        Self::Restart,
        Self::Terminate,
        Self::GiveControl,
        Self::MakeLinks,
        Self::Administer,
    ];

    /// The least role that may do it.
    #[must_use]
    pub const fn needs(self) -> Role {
        match self {
            Self::Watch | Self::Screenshot => Role::Spectator,
            Self::SendInput | Self::Control => Role::Controller,
            Self::Launch | Self::Restart | Self::Terminate | Self::GiveControl | Self::MakeLinks => Role::Owner,
            Self::Administer => Role::Admin,
        }
    }

    /// Why it is refused, for people.
    #[must_use]
    pub const fn refusal(self) -> &'static str {
        match self {
            Self::Watch | Self::Screenshot => "this instance is watched by link only; ask its owner for one",
            Self::SendInput | Self::Control => "who watches this instance only may not steer it",
            Self::Launch => "guests watch what they were given the address of, and launch nothing",
            Self::Restart | Self::Terminate | Self::MakeLinks => "this instance belongs to another session",
            Self::GiveControl => "only the owner of this instance may give control",
            Self::Administer => "this is for who has shown the token of this host",
        }
    }
}

/// Whether `role` may do `action`.
#[must_use]
pub fn may(role: Role, action: Action) -> bool {
    role >= action.needs()
}

/// Who asks, as far as it matters for what they may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Their session, if they have one.
    pub session: Option<SessionId>,
    /// Whether that session may launch; a guest's may not.
    pub member: bool,
    /// Whether they have shown the token.
    pub admin: bool,
}

impl Standing {
    /// What they are at the host as a whole.
    #[must_use]
    pub const fn at_host(self) -> Role {
        match (self.admin, self.member) {
            (true, _) => Role::Admin,
            (false, true) => Role::Owner,
            (false, false) => Role::Spectator,
        }
    }

    /// What they are at an instance of `owner`; `given`: by links, or to everybody. `None`: nothing, they may not even
    /// watch. At an instance of their own everybody is its owner who may launch: whose session does so no longer, because
    /// the token by which it did was replaced, is what others are there.
    #[must_use]
    pub fn at_instance(self, owner: SessionId, given: Option<Role>) -> Option<Role> {
        if self.session == Some(owner) && self.member {
            Some(Role::Owner)
        } else if self.admin {
            Some(Role::Admin)
        } else {
            given
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/security.md`, a line an action: spectator, controller, owner, admin.
    const TABLE: &[(Action, [bool; 4])] = &[
        (Action::Watch, [true, true, true, true]),
        (Action::Screenshot, [true, true, true, true]),
        (Action::SendInput, [false, true, true, true]),
        (Action::Control, [false, true, true, true]),
        (Action::Launch, [false, false, true, true]),
        (Action::Restart, [false, false, true, true]),
        (Action::Terminate, [false, false, true, true]),
        (Action::GiveControl, [false, false, true, true]),
        (Action::MakeLinks, [false, false, true, true]),
        (Action::Administer, [false, false, false, true]),
    ];
    const ROLES: [Role; 4] = [Role::Spectator, Role::Controller, Role::Owner, Role::Admin];

    #[test]
    fn every_role_may_what_the_table_says_and_nothing_else() {
        assert_eq!(TABLE.len(), Action::ALL.len());
        for action in Action::ALL {
            let (_, row) = TABLE.iter().find(|(a, _)| a == action).unwrap();
            let actual = ROLES.map(|role| may(role, *action));
            assert_eq!(&actual, row, "{action:?}");
        }
    }

    #[test]
    fn roles_are_ordered_and_there_are_no_others() {
        assert!(Role::Admin > Role::Owner && Role::Owner > Role::Controller && Role::Controller > Role::Spectator);
        assert_eq!(Role::ALL, ROLES);
    }

    #[test]
    fn who_launched_it_owns_it_and_the_token_opens_everybodys() {
        let (mine, other) = (SessionId::new(), SessionId::new());
        for admin in [false, true] {
            let me = Standing {
                session: Some(mine),
                member: true,
                admin,
            };
            assert_eq!(me.at_instance(mine, None), Some(Role::Owner));
            assert_eq!(me.at_instance(other, None), admin.then_some(Role::Admin));
            let given = me.at_instance(other, Some(Role::Controller));
            assert_eq!(given, Some(if admin { Role::Admin } else { Role::Controller }));
        }
        let demoted = Standing {
            session: Some(mine),
            ..Standing::default()
        };
        assert_eq!(
            demoted.at_instance(mine, None),
            None,
            "the token by which it launched was replaced"
        );
        assert_eq!(demoted.at_instance(mine, Some(Role::Spectator)), Some(Role::Spectator));
        let nobody = Standing::default();
        assert_eq!(nobody.at_instance(mine, Some(Role::Spectator)), Some(Role::Spectator));
        assert_eq!(nobody.at_instance(mine, None), None);
    }

    #[test]
    fn at_the_host_only_the_token_makes_an_admin_and_only_members_launch() {
        let at = |member, admin| {
            Standing {
                session: None,
                member,
                admin,
            }
            .at_host()
        };
        assert_eq!([at(false, false), at(true, false)], [Role::Spectator, Role::Owner]);
        assert_eq!([at(false, true), at(true, true)], [Role::Admin, Role::Admin]);
    }
}

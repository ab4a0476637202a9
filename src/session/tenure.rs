//! Tenure: what somebody came with, for as long as all of it holds.
//!
//! ```text
//!   session (its secret) ─┐                 the session is closed, or gets another secret
//!   that it may launch   ─┼─ all hold ──▶   the token is replaced, where it came by that     ──▶ ended, for good
//!   the token            ─┘                 the token is replaced
//! ```
//!
//! A socket, and all that is opened by it, belongs to one tenure and ends with it: nobody keeps, or comes into, what a
//! request made now would not get.

use tokio::sync::watch;

use super::admins::Pass;
use crate::ids::SessionId;
use crate::policy::Standing;

/// Whether a session may launch, and by what.
#[derive(Clone, Debug)]
pub enum Membership {
    /// It may only watch what it was given.
    Guest,
    /// Everybody may launch here.
    Open,
    /// The token was shown for it: until that is replaced.
    Token(Pass),
}

impl Membership {
    /// Whether it may launch now.
    #[must_use]
    pub fn is_member(&self) -> bool {
        match self {
            Self::Guest => false,
            Self::Open => true,
            Self::Token(pass) => pass.holds(),
        }
    }

    /// Whether it is still what it was.
    fn holds(&self) -> bool {
        match self {
            Self::Guest | Self::Open => true,
            Self::Token(pass) => pass.holds(),
        }
    }
}

/// Where the book ends stays: one for each session that somebody is here with.
#[derive(Debug)]
pub(super) struct Host(watch::Sender<()>);

/// That a session still has the secret that it was found by.
#[derive(Clone, Debug)]
pub struct Stay(watch::Receiver<()>);

impl Host {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn stay(&self) -> Stay {
        Stay(self.0.subscribe())
    }

    /// Whether nobody would notice its end.
    pub(super) fn is_alone(&self) -> bool {
        self.0.receiver_count() == 0
    }
}

impl Stay {
    fn holds(&self) -> bool {
        // The book has dropped its end.
        self.0.has_changed().is_ok()
    }

    async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

/// What somebody came with.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// Their session.
    pub session: SessionId,
    pub(super) membership: Membership,
    pub(super) stay: Stay,
    /// That they have shown the token.
    pub(super) admin: Option<Pass>,
}

impl Tenure {
    /// Whether all of it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.stay.holds() && self.membership.holds() && self.admin.as_ref().is_none_or(Pass::holds)
    }

    /// As far as it matters for what they may do now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            session: Some(self.session),
            member: self.membership.is_member(),
            admin: self.admin.as_ref().is_some_and(Pass::holds),
        }
    }

    /// Returns when it no longer holds.
    pub async fn ended(mut self) {
        let membership = match &mut self.membership {
            Membership::Token(pass) => Some(pass),
            Membership::Guest | Membership::Open => None,
        };
        tokio::select! {
            () = self.stay.ended() => {}
            () = ended(membership) => {}
            () = ended(self.admin.as_mut()) => {}
        }
    }
}

async fn ended(pass: Option<&mut Pass>) {
    match pass {
        Some(pass) => pass.ended().await,
        None => std::future::pending().await,
    }
}

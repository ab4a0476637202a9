//! How viewers go: by themselves, or because what let them in has ended.

use std::time::Instant;

use super::events::InstanceEvent;
use super::outbound::Outbound;
use super::shared::InstanceShared;
use crate::ids::{SessionId, ViewerId};
use crate::protocol::signalling::{CloseReason, ServerMessage};
use crate::protocol::words::Role;

impl InstanceShared {
    /// A viewer goes, with its peer. `from`: only if it is still on this socket.
    pub fn leave(&self, viewer: ViewerId, from: Option<&Outbound>, reason: CloseReason) {
        let (holder, steered, session) = self
            .roster
            .with(|v| (v.holder(), v.may_steer(viewer), v.session_of(viewer)));
        let Some(peer) = self.roster.leave(viewer, from, Instant::now()) else {
            return;
        };
        // From here on its peer's input goes nowhere, releases included.
        if steered {
            self.release_input();
        }
        log::log!(
            self.lines.level(),
            "instance={} viewer={viewer} left={reason}",
            self.spec.id
        );
        self.visit(
            InstanceEvent::ViewerLeft,
            session,
            format!("viewer={viewer} reason={reason}"),
        );
        self.control_event(holder);
        if let Some(peer) = peer {
            self.close_peer(peer, reason);
        }
        self.roster.announce(Instant::now());
    }

    /// Decides anew what each viewer may: `decide` is told whose tab it is and what it was. Who may not watch any more is
    /// told so and closed. Needs no actor, so that a restart of one cannot keep anybody in.
    pub fn regrade(&self, decide: &dyn Fn(SessionId, Role) -> Option<Role>) {
        let holder = self.roster.with(|v| v.holder());
        let regraded = self.roster.regrade(decide);
        if self.roster.with(|v| v.holder()) != holder {
            self.release_input();
            self.control_event(holder);
        }
        if regraded.changed {
            self.roster.announce(Instant::now());
        }
        for viewer in regraded.out {
            let reason = CloseReason::AccessEnded;
            let why = "what let you in, a link or the token, was revoked or has expired";
            self.roster.tell(viewer, &ServerMessage::error(reason.as_str(), why));
            self.leave(viewer, None, reason);
        }
    }
}

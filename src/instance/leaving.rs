//! How viewers go: by themselves, or because what let them in has ended.

use std::time::Instant;

use super::events::InstanceEvent;
use super::shared::InstanceShared;
use super::speaker::Speaker;
use super::viewers::ControlError;
use crate::ids::{PeerId, ViewerId};
use crate::protocol::signalling::{CloseReason, ServerMessage};

impl InstanceShared {
    /// A viewer goes by itself, with its peer.
    pub fn leave(&self, who: &Speaker) {
        self.without(who.viewer, CloseReason::Requested, || {
            self.roster.leave(who, Instant::now())
        });
    }

    /// A viewer is put out, with its peer.
    pub fn put_out(&self, viewer: ViewerId, reason: CloseReason) {
        self.without(viewer, reason, || self.roster.remove(viewer, Instant::now()));
    }

    fn without(&self, viewer: ViewerId, reason: CloseReason, go: impl FnOnce() -> Option<Option<PeerId>>) {
        let (holder, steered, session) = self
            .roster
            .with(|v| (v.holder(), v.may_steer(viewer), v.session_of(viewer)));
        if go().is_none() {
            return;
        }
        // From here on its peer's input goes nowhere, releases included.
        if steered {
            self.hand_input_over();
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
        for peer in self.peers_of(viewer, &[]) {
            self.close_peer(peer, reason);
        }
        self.roster.announce(Instant::now());
    }

    /// Decides anew what each viewer may. Who may not watch any more is told so and closed. Needs no actor, so that a
    /// restart of one cannot keep anybody in.
    pub fn regrade(&self) {
        let holder = self.roster.with(|v| v.holder());
        let regraded = self.roster.regrade();
        if self.roster.with(|v| v.holder()) != holder {
            self.hand_input_over();
            self.control_event(holder);
        }
        if regraded.changed {
            self.roster.announce(Instant::now());
        }
        for (viewer, why) in regraded.out {
            let reason = match why {
                // Its socket is closed as well; who has another session by now comes back by itself.
                ControlError::Ended => CloseReason::SignedOut,
                _ => CloseReason::AccessEnded,
            };
            if reason == CloseReason::AccessEnded {
                let why = "what let you in, a link or the token, was revoked or has expired";
                self.roster.tell(viewer, &ServerMessage::error(reason.as_str(), why));
            }
            self.put_out(viewer, reason);
        }
    }
}

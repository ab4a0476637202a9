//! How viewers go: by themselves, or because what let them in has ended.

use std::time::Instant;

use crate::ids::{PeerId, ViewerId};
use crate::instance::lifecycle::events::InstanceEvent;
use crate::instance::shared::InstanceShared;
use crate::instance::viewing::speaker::Speaker;
use crate::instance::viewing::viewers::ControlError;
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

    /// Others are here than before, or they may something else: notes who steers now, and everybody is told.
    pub(in crate::instance) fn viewers_changed(&self) {
        if let Some(holder) = self.roster.newly_steers() {
            let who = holder.map_or_else(|| "nobody".to_owned(), |id| format!("viewer={id}"));
            self.visit(InstanceEvent::ControlChanged, None, who);
        }
        self.roster.announce(Instant::now());
    }

    fn without(&self, viewer: ViewerId, reason: CloseReason, go: impl FnOnce() -> Option<Option<PeerId>>) {
        let session = self.roster.with(|v| v.session_of(viewer));
        if go().is_none() {
            return;
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
        for peer in self.peers_of(viewer, &[]) {
            self.close_peer(peer, reason);
        }
        self.viewers_changed();
    }

    /// Decides anew what each viewer may. Who may not watch any more is told so and closed. Needs no actor, so that a
    /// restart of one cannot keep anybody in.
    pub fn regrade(&self) {
        let regraded = self.roster.regrade();
        if regraded.changed {
            self.viewers_changed();
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

//! What becomes of input where it changes who steers. Pure.

use std::collections::BTreeMap;

use crate::ids::{PeerId, ViewerId};
use crate::instance::viewing::viewers::Viewers;
use crate::protocol::input::InputEvent;
use crate::x11::InputQueue;

/// Who steers, and by which peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::instance) struct Steering(BTreeMap<ViewerId, Option<PeerId>>);

/// What becomes of what is held down, and of what waits to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::instance) enum Becomes {
    /// It stays.
    Kept,
    /// What is held down is let go: its release would come by a peer that nobody hears any more.
    Released,
    /// What waits is forgotten as well: it is somebody's who has no say any more.
    Forgotten,
}

impl Steering {
    /// As it is now.
    pub(in crate::instance) fn of(viewers: &Viewers) -> Self {
        let steering = viewers.iter().filter(|(id, _)| viewers.may_steer(*id));
        Self(steering.map(|(id, viewer)| (id, viewer.peer)).collect())
    }

    /// What follows where it has become `after`.
    pub(in crate::instance) fn becomes(&self, after: &Self) -> Becomes {
        let mut becomes = Becomes::Kept;
        for (viewer, peer) in &self.0 {
            match after.0.get(viewer) {
                None => return Becomes::Forgotten,
                Some(now) if peer.is_some() && now != peer => becomes = Becomes::Released,
                Some(_) => {}
            }
        }
        becomes
    }
}

impl Becomes {
    /// Does it. Never waits.
    pub(in crate::instance) fn apply(self, input: &InputQueue) {
        match self {
            Self::Kept => {}
            Self::Released => input.push(InputEvent::ReleaseAll),
            Self::Forgotten => input.hand_over(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_forgotten_with_its_viewer_and_what_is_held_is_released_with_its_peer() {
        let [mine, other] = [(); 2].map(|()| ViewerId::new());
        let [first, second] = [(); 2].map(|()| Some(PeerId::new()));
        let steering = |all: &[(ViewerId, Option<PeerId>)]| Steering(all.iter().copied().collect());
        for (before, after, becomes) in [
            (steering(&[]), steering(&[(mine, first)]), Becomes::Kept),
            (steering(&[(mine, first)]), steering(&[(mine, first)]), Becomes::Kept),
            (steering(&[(mine, None)]), steering(&[(mine, first)]), Becomes::Kept),
            (
                steering(&[(mine, first)]),
                steering(&[(mine, first), (other, second)]),
                Becomes::Kept,
            ),
            (
                steering(&[(mine, first)]),
                steering(&[(mine, second)]),
                Becomes::Released,
            ),
            (steering(&[(mine, first)]), steering(&[(mine, None)]), Becomes::Released),
            (
                steering(&[(mine, first)]),
                steering(&[(other, second)]),
                Becomes::Forgotten,
            ),
            (steering(&[(mine, None)]), steering(&[]), Becomes::Forgotten),
            (
                steering(&[(mine, first), (other, second)]),
                steering(&[(mine, second)]),
                Becomes::Forgotten,
            ),
        ] {
            assert_eq!(before.becomes(&after), becomes, "{before:?} → {after:?}");
        }
    }
}

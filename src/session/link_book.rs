//! The links that have not ended, and who came by them: what decides about roles. Pure: `now` is an argument.
//!
//! ```text
//!   made ──▶ living ── revoked, or expired, or its instance ended ──▶ forgotten, with all that it gave
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{InstanceId, LinkId, SessionId};
use crate::protocol::words::Role;

/// One link that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its public name.
    pub id: LinkId,
    /// What it shares.
    pub instance: InstanceId,
    /// What it makes of those who come by it.
    pub role: Role,
    /// When it was made, ms since 1970.
    pub created: i64,
    /// When it and all that it gave ends, ms since 1970.
    pub expires: i64,
    /// So many sessions may come by it; `None`: many.
    pub uses: Option<u32>,
    /// So many have.
    pub used: u32,
    /// Who has come by it.
    pub holders: BTreeSet<SessionId>,
}

impl Link {
    /// How often it may be used yet; `None`: as often as one likes.
    #[must_use]
    pub fn uses_left(&self) -> Option<u32> {
        self.uses.map(|uses| uses.saturating_sub(self.used))
    }
}

/// The links that have not ended.
#[derive(Debug, Default)]
pub struct LinkBook {
    links: BTreeMap<LinkId, Link>,
}

impl LinkBook {
    /// A link was made, or is as the database has it.
    pub fn put(&mut self, link: Link) {
        self.links.insert(link.id, link);
    }

    /// A session came by a link, which has been used so often now. `false`: the link has ended.
    pub fn grant(&mut self, id: LinkId, session: SessionId, used: u32) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return false;
        };
        link.holders.insert(session);
        // Two who come at once may be noted in another order than they came.
        link.used = link.used.max(used);
        true
    }

    /// A link of an instance was revoked. Says whether it was there.
    pub fn remove(&mut self, instance: InstanceId, id: LinkId) -> bool {
        let there = self.links.get(&id).is_some_and(|link| link.instance == instance);
        if there {
            self.links.remove(&id);
        }
        there
    }

    /// The links that have expired; they are forgotten.
    pub fn expire(&mut self, now: i64) -> Vec<Link> {
        let gone: Vec<LinkId> = self.all().filter(|l| l.expires <= now).map(|l| l.id).collect();
        gone.iter().filter_map(|id| self.links.remove(id)).collect()
    }

    /// When the next one expires, ms since 1970.
    #[must_use]
    pub fn next_end(&self) -> Option<i64> {
        self.all().map(|link| link.expires).min()
    }

    /// What links make of a session at an instance: the best of them.
    #[must_use]
    pub fn role_of(&self, session: SessionId, instance: InstanceId, now: i64) -> Option<Role> {
        let living = self.all().filter(|l| l.instance == instance && l.expires > now);
        living.filter(|l| l.holders.contains(&session)).map(|l| l.role).max()
    }

    /// The links of an instance, the oldest first.
    #[must_use]
    pub fn of(&self, instance: InstanceId) -> Vec<Link> {
        let mut links: Vec<_> = self.all().filter(|l| l.instance == instance).cloned().collect();
        links.sort_by_key(|l| (l.created, l.id));
        links
    }

    /// The instances that have links.
    #[must_use]
    pub fn instances(&self) -> BTreeSet<InstanceId> {
        self.all().map(|link| link.instance).collect()
    }

    /// All have ended.
    pub fn clear(&mut self) {
        self.links.clear();
    }

    /// An instance has ended, and its links with it.
    pub fn forget(&mut self, instance: InstanceId) {
        self.links.retain(|_, link| link.instance != instance);
    }

    fn all(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(instance: InstanceId, role: Role, expires: i64) -> Link {
        Link {
            id: LinkId::new(),
            instance,
            role,
            created: 0,
            expires,
            uses: Some(2),
            used: 0,
            holders: BTreeSet::new(),
        }
    }

    #[test]
    fn a_session_is_the_best_of_what_its_links_give_until_each_ends() {
        let (mut book, instance, session) = (LinkBook::default(), InstanceId::new(), SessionId::new());
        let (watch, steer) = (
            link(instance, Role::Spectator, 100),
            link(instance, Role::Controller, 50),
        );
        for one in [&watch, &steer] {
            book.put(one.clone());
            assert!(book.grant(one.id, session, 1));
        }
        assert_eq!(book.role_of(session, instance, 10), Some(Role::Controller));
        assert_eq!(book.role_of(SessionId::new(), instance, 10), None);
        assert_eq!(book.role_of(session, InstanceId::new(), 10), None);
        assert_eq!(
            book.role_of(session, instance, 50),
            Some(Role::Spectator),
            "also before anybody looks"
        );
        assert_eq!(book.next_end(), Some(50));
        assert_eq!(book.expire(60).iter().map(|l| l.id).collect::<Vec<_>>(), [steer.id]);
        assert!(!book.remove(InstanceId::new(), watch.id), "another instance's");
        assert!(book.remove(instance, watch.id));
        assert_eq!(book.role_of(session, instance, 70), None);
        assert!(
            !book.grant(watch.id, session, 2),
            "what was revoked meanwhile gives nothing"
        );
    }

    #[test]
    fn a_link_counts_down_whatever_order_its_users_are_noted_in() {
        let (mut book, instance) = (LinkBook::default(), InstanceId::new());
        let one = link(instance, Role::Spectator, 100);
        book.put(one.clone());
        book.grant(one.id, SessionId::new(), 2);
        book.grant(one.id, SessionId::new(), 1);
        assert_eq!(book.of(instance)[0].uses_left(), Some(0));
        assert_eq!(book.of(instance)[0].holders.len(), 2);
        book.forget(instance);
        assert!(book.instances().is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_given_by_a_link_that_has_ended(
            steps in prop::collection::vec((0u8..4, 0usize..4, 0usize..3, 1i64..200), 0..60)
        ) {
            let instances = [InstanceId::new(), InstanceId::new()];
            let sessions = [(); 3].map(|()| SessionId::new());
            let all: Vec<_> = (0..4).map(|n| link(instances[n % 2], Role::ALL[n % 2], 40 * (n as i64 + 1))).collect();
            let (mut book, mut now) = (LinkBook::default(), 0);
            let mut ended = BTreeSet::new();
            for one in &all {
                book.put(one.clone());
            }
            for (step, l, s, wait) in steps {
                match step {
                    0 => { prop_assert_eq!(book.grant(all[l].id, sessions[s], 1), !ended.contains(&all[l].id)); }
                    1 => { book.remove(all[l].instance, all[l].id); ended.insert(all[l].id); }
                    2 => { now += wait; }
                    _ => { ended.extend(book.expire(now).iter().map(|l| l.id)); }
                }
                for (session, instance) in sessions.iter().flat_map(|s| instances.iter().map(move |i| (s, i))) {
                    let role = book.role_of(*session, *instance, now);
                    let living = all.iter().filter(|l| l.instance == *instance && l.expires > now && !ended.contains(&l.id));
                    prop_assert!(role.is_none_or(|role| living.into_iter().any(|l| l.role == role)));
                }
            }
        }
    }
}

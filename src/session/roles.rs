//! What somebody is at an instance, and what happens there when that ends.

use std::time::Duration;

use super::link_book::Link;
use super::links::{LinkError, Links};
use super::secret::Secret;
use super::tenure::Tenure;
use crate::clock::unix_ms;
use crate::ids::{InstanceId, LinkId, SessionId};
use crate::instance::lifecycle::events::InstanceEvent;
use crate::instance::{ControlError, InstanceHandle, Manager, RoleNow};
use crate::policy::Standing;
use crate::protocol::words::Role;

/// Links are looked at so often at least: the clock may have been set, and instances have ended.
const LOOK: Duration = Duration::from_secs(30);

/// Who is what where. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roles {
    links: Links,
    manager: Manager,
    /// What the address of an instance makes of those who know it.
    bare: Option<Role>,
}

impl Roles {
    /// By links, and by the bare address as far as `bare` says.
    #[must_use]
    pub const fn new(links: Links, manager: Manager, bare: Option<Role>) -> Self {
        Self { links, manager, bare }
    }

    /// What somebody is at an instance of `owner`; `None`: they may not even watch.
    #[must_use]
    pub fn at(&self, who: Standing, instance: InstanceId, owner: SessionId) -> Option<Role> {
        who.at_instance(owner, self.given(who.session, instance))
    }

    /// The same, whenever it is asked, for who came with `tenure`: nothing once that has ended.
    #[must_use]
    pub fn from_now_on(&self, tenure: &Tenure, handle: &InstanceHandle) -> RoleNow {
        let (roles, tenure) = (self.clone(), tenure.clone());
        let (instance, owner) = (handle.spec().id, handle.spec().owner);
        RoleNow::new(move || {
            if !tenure.holds() {
                return Err(ControlError::Ended);
            }
            roles
                .at(tenure.standing(), instance, owner)
                .ok_or(ControlError::NoAccess)
        })
    }

    /// What links and the address give.
    fn given(&self, session: Option<SessionId>, instance: InstanceId) -> Option<Role> {
        let linked = session.and_then(|s| self.links.role_of(s, instance, unix_ms()));
        linked.max(self.bare)
    }

    /// The links.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// Exchanges the secret of a link; who watches already is more at once.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn exchange(&self, secret: &Secret, session: SessionId) -> Result<Link, LinkError> {
        let (link, used) = self.links.exchange(secret, session, unix_ms()).await?;
        if used {
            self.tell(&link, InstanceEvent::LinkUsed, format!("session={session}"));
            self.regrade(link.instance);
        }
        Ok(link)
    }

    /// Revokes a link: who came by it is out, or what something else makes of them.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn revoke(&self, instance: InstanceId, id: LinkId) -> Result<(), LinkError> {
        self.links.revoke(instance, id, unix_ms()).await?;
        log::info!("instance={instance} link={id} revoked");
        if let Some(handle) = self.manager.get(instance) {
            handle.event(InstanceEvent::LinkRevoked, format!("link={id}"));
        }
        self.regrade(instance);
        Ok(())
    }

    /// Notes something about a link.
    pub fn tell(&self, link: &Link, event: InstanceEvent, more: String) {
        log::info!(
            "instance={} link={} role={} {} {more}",
            link.instance,
            link.id,
            link.role,
            event.code()
        );
        if let Some(handle) = self.manager.get(link.instance) {
            handle.event(event, format!("link={} role={} {more}", link.id, link.role));
        }
    }

    /// Somebody's rights have ended, those of a session or of all who came by the token: what each viewer of each instance
    /// may is decided anew.
    pub fn regrade_all(&self) {
        for handle in self.manager.all() {
            handle.regrade();
        }
    }

    fn regrade(&self, instance: InstanceId) {
        if let Some(handle) = self.manager.get(instance) {
            handle.regrade();
        }
    }

    /// Ends what expires, and forgets what has ended, for ever.
    pub async fn keep(&self) {
        // Apart: what expires does not wait for the database.
        futures::join!(self.expire(), self.tidy());
    }

    async fn expire(&self) {
        loop {
            for link in self.links.expire(unix_ms()) {
                self.tell(&link, InstanceEvent::LinkExpired, String::new());
                self.regrade(link.instance);
            }
            let next = self
                .links
                .next_end()
                .map_or(i64::MAX, |end| end.saturating_sub(unix_ms()));
            let wait = Duration::from_millis(u64::try_from(next).unwrap_or(0)).min(LOOK);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.links.changed() => {}
            }
        }
    }

    async fn tidy(&self) {
        loop {
            let tidied = self.links.tidy(|id| self.manager.get(id).is_some(), unix_ms());
            if let Err(error) = tidied.await {
                log::warn!("code={} links of ended instances not forgotten: {error}", error.code());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

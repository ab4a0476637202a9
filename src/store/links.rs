//! Links: what shares an instance with those who have its secret, and who has come by it.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::{grants, links};
use super::text::AsText;
use crate::ids::{InstanceId, LinkId, SessionId};
use crate::protocol::words::Role;

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = links)]
pub struct LinkRow {
    /// Its public name.
    #[diesel(serialize_as = AsText<LinkId>, deserialize_as = AsText<LinkId>)]
    pub link_id: LinkId,
    /// What it shares.
    #[diesel(serialize_as = AsText<InstanceId>, deserialize_as = AsText<InstanceId>)]
    pub instance_id: InstanceId,
    /// What it makes of those who come by it.
    #[diesel(serialize_as = AsText<Role>, deserialize_as = AsText<Role>)]
    pub role: Role,
    /// When it and all that it gave ends, ms since 1970.
    pub expires_at: i64,
    /// SHA-256 of its secret, 64 hex digits.
    pub token_hash: String,
    /// When it was made, ms since 1970.
    pub created: i64,
    /// So many sessions may come by it; `None`: many.
    pub uses: Option<i32>,
    /// So many have.
    pub used: i32,
    /// When it was revoked, ms since 1970.
    pub revoked: Option<i64>,
    /// SHA-256 of the host's token when it was made, 64 hex digits; `None`: before that was noted.
    pub made_under: Option<String>,
}

/// What became of the exchange of a link's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanged {
    /// The session has what the link gives; `used`: one use more than before.
    Granted {
        /// The link as it is now.
        link: Box<LinkRow>,
        /// Whether the session has it only now.
        used: bool,
    },
    /// There is no such link, or its instance has ended.
    Unknown,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// Others have used it up.
    UsedUp,
}

impl Store {
    /// Keeps a new link, unless its instance has `most` living ones already. Says whether it is kept.
    ///
    /// # Errors
    /// There is no such instance (`database_refused`), or the database fails.
    pub async fn insert_link(&self, link: LinkRow, most: i64) -> Result<bool, StoreError> {
        self.change(move |connection| {
            let living: i64 = links::table
                .filter(links::instance_id.eq(link.instance_id.to_string()))
                .filter(links::revoked.is_null().and(links::expires_at.gt(link.created)))
                .count()
                .get_result(connection)?;
            if living >= most {
                return Ok(false);
            }
            diesel::insert_into(links::table).values(link).execute(connection)?;
            Ok(true)
        })
        .await
    }

    /// Whether there is, or was, a link with this secret.
    ///
    /// # Errors
    /// The database fails.
    pub async fn is_link(&self, token_hash: String) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let with_it = links::table.filter(links::token_hash.eq(token_hash));
            Ok(diesel::select(diesel::dsl::exists(with_it)).get_result(connection)?)
        })
        .await
    }

    /// Exchanges a link's secret for what it gives: all in one transaction, so that of two who come by the last use at
    /// once one is refused. A session that has it already uses nothing up. At most `most` sessions have one link.
    ///
    /// # Errors
    /// The database fails; nothing is used up then.
    pub async fn exchange_link(
        &self,
        token_hash: String,
        session: SessionId,
        now: i64,
        most: i32,
    ) -> Result<Exchanged, StoreError> {
        self.change(move |connection| {
            let found: Option<LinkRow> = links::table
                .filter(links::token_hash.eq(token_hash))
                .select(LinkRow::as_select())
                .first(connection)
                .optional()?;
            let Some(mut link) = found else {
                return Ok(Exchanged::Unknown);
            };
            if link.revoked.is_some() {
                return Ok(Exchanged::Revoked);
            }
            if link.expires_at <= now {
                return Ok(Exchanged::Expired);
            }
            let (id, session) = (link.link_id.to_string(), session.to_string());
            let has: Option<String> = grants::table
                .find((&id, &session))
                .select(grants::session_id)
                .first(connection)
                .optional()?;
            if has.is_some() {
                let link = Box::new(link);
                return Ok(Exchanged::Granted { link, used: false });
            }
            if link.used >= link.uses.unwrap_or(most).min(most) {
                return Ok(Exchanged::UsedUp);
            }
            link.used += 1;
            diesel::update(links::table.find(&id))
                .set(links::used.eq(link.used))
                .execute(connection)?;
            diesel::insert_into(grants::table)
                .values((
                    grants::link_id.eq(&id),
                    grants::session_id.eq(&session),
                    grants::created.eq(now),
                ))
                .execute(connection)?;
            let link = Box::new(link);
            Ok(Exchanged::Granted { link, used: true })
        })
        .await
    }

    /// Revokes a link of an instance, and with it what it gave, also one that has expired: by a clock that is put back it would
    /// live again. Says whether it was there and had not ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke_link(&self, instance: InstanceId, link: LinkId, now: i64) -> Result<bool, StoreError> {
        self.change(move |connection| {
            let target = links::table
                .find(link.to_string())
                .filter(links::instance_id.eq(instance.to_string()))
                .filter(links::revoked.is_null());
            let expires: Option<i64> = target.clone().select(links::expires_at).first(connection).optional()?;
            let Some(expires) = expires else { return Ok(false) };
            diesel::update(target).set(links::revoked.eq(now)).execute(connection)?;
            diesel::delete(grants::table.filter(grants::link_id.eq(link.to_string()))).execute(connection)?;
            Ok(expires > now)
        })
        .await
    }

    /// Revokes the links that were made under another token than the one with this hash, and with them what they gave. Those
    /// of a time when it was not noted were made under this one. Returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub async fn revoke_links_of_other_tokens(&self, token: String, now: i64) -> Result<usize, StoreError> {
        self.change(move |connection| {
            diesel::update(links::table.filter(links::made_under.is_null()))
                .set(links::made_under.eq(&token))
                .execute(connection)?;
            let others: Vec<String> = links::table
                .filter(links::made_under.ne(&token).and(links::revoked.is_null()))
                .select(links::link_id)
                .load(connection)?;
            for id in &others {
                diesel::update(links::table.find(id))
                    .set(links::revoked.eq(now))
                    .execute(connection)?;
                diesel::delete(grants::table.filter(grants::link_id.eq(id))).execute(connection)?;
            }
            Ok(others.len())
        })
        .await
    }

    /// The links that have not ended, each with the sessions that came by it; of one instance, or of all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn living_links(
        &self,
        instance: Option<InstanceId>,
        now: i64,
    ) -> Result<Vec<(LinkRow, Vec<SessionId>)>, StoreError> {
        self.read(move |connection| {
            let mut living = links::table
                .filter(links::revoked.is_null().and(links::expires_at.gt(now)))
                .order(links::link_id)
                .select(LinkRow::as_select())
                .into_boxed();
            if let Some(instance) = instance {
                living = living.filter(links::instance_id.eq(instance.to_string()));
            }
            let mut found = Vec::new();
            for link in living.load(connection)? {
                let sessions: Vec<AsText<SessionId>> = grants::table
                    .filter(grants::link_id.eq(link.link_id.to_string()))
                    .select(grants::session_id)
                    .load(connection)?;
                found.push((link, sessions.into_iter().map(|s| s.0).collect()));
            }
            Ok(found)
        })
        .await
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;

//! Retention: what nobody can come back to any more is forgotten, in the database and on disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::clock::unix_ms;
use crate::config::AppsDir;
use crate::instance::Services;
use crate::session::SessionBook;
use crate::store::{Keep, Store};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(600);

/// Looks again and again; never returns. `sessions` is told when some are forgotten.
pub async fn retention(services: &Arc<Services>, sessions: &SessionBook) {
    let config = &services.config;
    loop {
        let before = |age: Duration| unix_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        // Kept for ever: nothing is older than the beginning of time. Of events, and of what guests leave behind, there are
        // never too many.
        let mut keep = Keep {
            events: config.store.events,
            ..Keep::ALL
        };
        if let Some(kept) = config.store.retention {
            (keep.ended_before, keep.unused_since) = (before(kept), before(config.session.lifetime));
        }
        match services.store.delete_old(keep).await {
            Ok(removed) => {
                log::debug!("retention: {removed:?}");
                if removed.sessions > 0 {
                    sessions.reread();
                }
            }
            Err(error) => log::warn!("retention: {error}"),
        }
        forget_homes(&services.apps, &services.store).await;
        tokio::time::sleep(PERIOD).await;
    }
}

/// Removes the kept homes of sessions that are forgotten.
async fn forget_homes(apps: &AppsDir, store: &Store) {
    let look = apps.clone();
    // Before the database is asked: a session is stored before it has a home.
    let homes = match spawn_blocking(move || look.kept_homes()).await {
        Ok(Ok(homes)) => homes,
        Ok(Err(error)) => return log::warn!("retention: the kept homes cannot be listed: {error}"),
        Err(error) => return log::warn!("retention: {error}"),
    };
    if homes.is_empty() {
        return;
    }
    let in_use = match store.sessions_in_use().await {
        Ok(in_use) => in_use,
        Err(error) => return log::warn!("retention: {error}"),
    };
    for session in homes.into_iter().filter(|session| !in_use.contains(session)) {
        let apps = apps.clone();
        match spawn_blocking(move || apps.remove_kept_homes(session)).await {
            Ok(Ok(())) => log::info!("session={session} is forgotten, its kept homes are removed"),
            Ok(Err(error)) => log::warn!("session={session} kept homes not removed: {error}"),
            Err(error) => log::warn!("session={session} kept homes not removed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::app_entry::Home;
    use crate::ids::{InstanceId, SessionId};
    use crate::store::SessionRow;

    #[tokio::test]
    async fn kept_homes_go_with_their_session() {
        let folder = tempfile::tempdir().unwrap();
        let apps = AppsDir::at(folder.path().join("apps"), None).unwrap();
        let store = Store::open("sqlite:test.db", folder.path()).unwrap();
        let (known, forgotten) = (SessionId::new(), SessionId::new());
        let home = |session| apps.make(InstanceId::new(), session, "demo", Home::Keep).unwrap().home;
        let (kept, unreachable) = (home(known), home(forgotten));
        for session_id in [known, forgotten] {
            let row = SessionRow {
                session_id,
                secret_hash: format!("of {session_id}"),
                created: 1,
                modified: 1,
                token_hash: None,
            };
            store.create_session(row).await.unwrap();
        }
        forget_homes(&apps, &store).await;
        assert!(kept.exists() && unreachable.exists());
        store.delete_session(forgotten).await.unwrap();
        forget_homes(&apps, &store).await;
        assert!(kept.exists());
        assert!(!unreachable.exists());
    }
}

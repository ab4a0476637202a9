//! Retention: what nobody can come back to any more is forgotten, in the database and on disk.
//!
//! Nothing is forgotten on the word of one clock ([`super::reckoning`]). Kept homes of forgotten sessions are moved aside first,
//! and removed when hosts have run for [`ASIDE`] since then; of a session that is known again they are there again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::handover::write_json;
use super::reckoning::{Anchor, Jump, Reckoning, ms};
use crate::clock::{since_boot, unix_ms};
use crate::config::Config;
use crate::folders::{AppsDir, Aside};
use crate::instance::Services;
use crate::protocol::words::EventClass;
use crate::session::SessionBook;
use crate::store::{Journal, Keep, NewEvent, Removed, Store};

/// Between two looks at the clocks.
const TICK: Duration = Duration::from_secs(10);
/// Between two rounds.
const PERIOD: Duration = Duration::from_secs(600);
/// The time for a machine that has just started to get its clock right: before that nothing is forgotten for its age.
const SETTLE: Duration = Duration::from_secs(1800);
/// Kept homes lie aside for as long.
const ASIDE: Duration = Duration::from_secs(7 * 86_400);
/// In the state folder: what is known of time.
const FILE: &str = "clock.json";

/// Looks again and again; never returns. `sessions` is told when some are forgotten.
pub async fn retention(services: &Arc<Services>, sessions: &SessionBook) {
    let state = services.state.path();
    let before = read(state).await;
    let ages = Ages::of(&services.config);
    let (mut kept, jump) = Keeping::begin(ages, before, unix_ms(), since_boot());
    say(&services.journal, jump);
    let mut round: Option<tokio::time::Instant> = None;
    loop {
        let jump = kept.look(unix_ms(), since_boot());
        say(&services.journal, jump);
        if jump.is_some() || round.is_none_or(|last| last.elapsed() >= PERIOD) {
            round = Some(tokio::time::Instant::now());
            write(state, kept.reckoning).await;
            if kept.round(&services.store, &services.apps).await.sessions > 0 {
                sessions.reread();
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
struct Ages {
    /// What has ended; `None`: for ever, and sessions, too.
    ended: Option<Duration>,
    /// Sessions that nobody uses.
    unused: Duration,
    /// Events at most.
    events: u32,
}

impl Ages {
    fn of(config: &Config) -> Self {
        Self {
            ended: config.store.retention,
            unused: config.session.lifetime,
            events: config.store.events,
        }
    }
}

/// What one host keeps, by the clocks that it is told.
#[derive(Debug)]
struct Keeping {
    ages: Ages,
    reckoning: Reckoning,
    anchor: Anchor,
    began: Duration,
    looked: Duration,
}

impl Keeping {
    /// `now_ms` is what the clock says, `running` what the one says that nobody sets.
    fn begin(ages: Ages, before: Option<Reckoning>, now_ms: i64, running: Duration) -> (Self, Option<Jump>) {
        let shortest = ages.ended.map_or(ages.unused, |ended| ended.min(ages.unused));
        let (reckoning, anchor, jump) = Reckoning::resume(before, now_ms, running, shortest);
        let this = Self {
            ages,
            reckoning,
            anchor,
            began: running,
            looked: running,
        };
        (this, jump)
    }

    fn look(&mut self, now_ms: i64, running: Duration) -> Option<Jump> {
        let since = running.saturating_sub(self.looked);
        self.looked = running;
        let (reckoning, jump) = self.reckoning.look(&mut self.anchor, since, now_ms, running);
        self.reckoning = reckoning;
        jump
    }

    /// Forgets what may be forgotten by now.
    async fn round(&self, store: &Store, apps: &AppsDir) -> Removed {
        let settled = self.looked.saturating_sub(self.began) >= SETTLE;
        // Of events, and of what guests leave behind, there are never too many, however old.
        let mut keep = Keep {
            events: self.ages.events,
            ..Keep::ALL
        };
        if let (Some(ended), true) = (self.ages.ended, settled) {
            let older = |age| self.reckoning.older(age).unwrap_or(i64::MIN);
            (keep.ended_before, keep.unused_since) = (older(ended), older(self.ages.unused));
        }
        let (removed, outcome) = store.delete_old(keep).await;
        if let Err(error) = outcome {
            log::warn!("retention: {error}");
        }
        log::debug!("retention: {removed:?}");
        if settled {
            forget_homes(apps, store, self.reckoning.lived_ms).await;
        }
        removed
    }
}

/// Says it where it is not to be believed what time it is.
fn say(journal: &Journal, jump: Option<Jump>) {
    match jump {
        None => {}
        Some(Jump(0)) => {
            log::info!("retention: nothing is known of the time before; what is there grows old from now on")
        }
        Some(Jump(off)) => {
            let detail = format!(
                "the clock says {} s more than is known to have passed; what is there grows old from now on",
                off / 1000
            );
            log::warn!("retention: {detail}");
            journal.event(NewEvent {
                at: unix_ms(),
                actor: "root/store".into(),
                kind: "clock_jumped".into(),
                detail,
                class: EventClass::Supervision,
            });
        }
    }
}

async fn read(state: &Path) -> Option<Reckoning> {
    let path = state.join(FILE);
    let text = spawn_blocking(move || std::fs::read(path)).await.ok()?.ok()?;
    let read = serde_json::from_slice(&text);
    read.inspect_err(|error| log::warn!("{FILE} cannot be read: {error}"))
        .ok()
}

async fn write(state: &Path, reckoning: Reckoning) {
    let state = state.to_owned();
    if let Ok(Err(error)) = spawn_blocking(move || write_json(&state, FILE, &reckoning)).await {
        log::warn!("{FILE} cannot be written: {error}");
    }
}

/// Moves the kept homes of sessions that are forgotten aside, and removes what has lain there for long; `lived_ms`: for how
/// long hosts have run.
async fn forget_homes(apps: &AppsDir, store: &Store, lived_ms: i64) {
    let look = apps.clone();
    // Before the database is asked: a session is stored before it has a home.
    let found = spawn_blocking(move || Ok::<_, std::io::Error>((look.kept_homes()?, look.aside()?))).await;
    let (homes, aside) = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return log::warn!("retention: the kept homes cannot be listed: {error}"),
        Err(error) => return log::warn!("retention: {error}"),
    };
    if homes.is_empty() && aside.is_empty() {
        return;
    }
    let in_use = match store.sessions_in_use().await {
        Ok(in_use) => in_use,
        Err(error) => return log::warn!("retention: {error}"),
    };
    let apps = apps.clone();
    let work = spawn_blocking(move || {
        for session in homes.into_iter().filter(|session| !in_use.contains(session)) {
            match apps.set_aside(session, lived_ms) {
                Ok(()) => log::info!("session={session} is forgotten, its kept homes are moved aside"),
                Err(error) => log::warn!("session={session} kept homes not moved aside: {error}"),
            }
        }
        for aside in aside {
            let (session, known) = (aside.session, in_use.contains(&aside.session));
            match settle_aside(&apps, aside, known, lived_ms) {
                Ok(None) => {}
                Ok(Some(what)) => log::info!("session={session} {what}"),
                Err(error) => log::warn!("session={session} kept homes that lie aside: {error}"),
            }
        }
    });
    if let Err(error) = work.await {
        log::warn!("retention: {error}");
    }
}

/// What becomes of homes that lie aside; says it, where that is not to lie there. `known`: their session is known again.
fn settle_aside(apps: &AppsDir, aside: Aside, known: bool, lived_ms: i64) -> std::io::Result<Option<&'static str>> {
    let age = lived_ms.saturating_sub(aside.when);
    if known {
        let back = apps.bring_back(aside.session)?;
        return Ok(back.then_some("is known again, and has its kept homes"));
    }
    if age < 0 {
        // What was known of time is lost: it begins anew.
        apps.bring_back(aside.session)?;
        apps.set_aside(aside.session, lived_ms)?;
    } else if age >= ms(ASIDE) {
        apps.remove_aside(aside)?;
        return Ok(Some("was forgotten long ago, its kept homes are removed"));
    }
    Ok(None)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;

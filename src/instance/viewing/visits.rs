//! Who comes and goes, put together where it is too often to be written down one by one. Pure: `now` is an argument.
//!
//! ```text
//!   the first few of a session in a minute ──▶ written at once
//!   those after them ──▶ counted ── the minute is over ──▶ written as one, with their number
//! ```
//!
//! A browser can come and go fifty times a second on each of its sockets; what of it fills the history is bounded by the
//! number of sessions, and that of sessions told apart is bounded as well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ids::SessionId;
use crate::instance::lifecycle::events::InstanceEvent;

/// So many of a kind a session has written down at once…
const AT_ONCE: u32 = 3;
/// …within so long.
const PERIOD: Duration = Duration::from_secs(60);
/// Sessions told apart within that time; those beyond are counted together.
const MOST: usize = 64;

/// One of what happened, or the last of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// What.
    pub event: InstanceEvent,
    /// When, ms since 1970.
    pub at: i64,
    /// Who, for people.
    pub detail: String,
}

/// What is being counted.
#[derive(Debug, Default)]
pub struct Visits {
    counts: BTreeMap<Key, Count>,
}

/// A kind of event, and whose; `None`: of nobody's in particular.
type Key = (&'static str, Option<SessionId>);

#[derive(Debug)]
struct Count {
    begun: Instant,
    written: u32,
    more: u32,
    last: Visit,
}

impl Visits {
    /// Something happened. Gives it back when it is to be written down now.
    pub fn note(&mut self, session: Option<SessionId>, visit: Visit, now: Instant) -> Option<Visit> {
        let key = self.key(visit.event.code(), session);
        let count = self.counts.entry(key).or_insert_with(|| Count {
            begun: now,
            written: 0,
            more: 0,
            last: visit.clone(),
        });
        if count.written < AT_ONCE {
            count.written += 1;
            return Some(visit);
        }
        count.more += 1;
        count.last = visit;
        None
    }

    /// What was counted and is to be written down by `now`, or all of it; each begins anew.
    pub fn due(&mut self, now: Option<Instant>) -> Vec<Visit> {
        let over = |count: &Count| now.is_none_or(|now| now.saturating_duration_since(count.begun) >= PERIOD);
        let mut due: Vec<Visit> = Vec::new();
        self.counts.retain(|_, count| {
            let over = over(count);
            if over && count.more > 0 {
                let Visit { event, at, detail } = count.last.clone();
                let detail = format!("{detail} times={}", count.more);
                due.push(Visit { event, at, detail });
            }
            !over
        });
        due.sort_by_key(|visit| visit.at);
        due
    }

    fn key(&self, code: &'static str, session: Option<SessionId>) -> Key {
        let known = self.counts.contains_key(&(code, session));
        let others = || {
            self.counts
                .keys()
                .filter(|(of, session)| *of == code && session.is_some())
                .count()
        };
        // overflow: counted with those of nobody in particular.
        if known || others() < MOST {
            (code, session)
        } else {
            (code, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(at: i64) -> Visit {
        Visit {
            event: InstanceEvent::ViewerJoined,
            at,
            detail: format!("viewer={at}"),
        }
    }

    #[test]
    fn the_first_few_are_written_at_once_and_the_rest_as_one_with_their_number() {
        let (mut visits, now, session) = (Visits::default(), Instant::now(), Some(SessionId::new()));
        for at in 0..3 {
            assert_eq!(visits.note(session, joined(at), now), Some(joined(at)));
        }
        for at in 3..1000 {
            assert_eq!(visits.note(session, joined(at), now), None);
        }
        let other = Some(SessionId::new());
        assert!(visits.note(other, joined(7), now).is_some(), "others are not held up");
        assert_eq!(visits.due(Some(now + PERIOD / 2)), []);
        let due = visits.due(Some(now + PERIOD));
        let details: Vec<&str> = due.iter().map(|visit| visit.detail.as_str()).collect();
        assert_eq!(details, ["viewer=999 times=997"]);
        assert!(
            visits.note(session, joined(1), now + PERIOD).is_some(),
            "it begins anew"
        );
        assert_eq!(visits.due(None), []);
        assert!(visits.counts.is_empty());
    }

    proptest! {
        /// However often they come and from however many sessions: nothing is lost from the count, and little is written.
        #[test]
        fn nothing_goes_uncounted_and_no_more_is_written_than_the_sessions_told_apart_are_worth(
            steps in prop::collection::vec((0usize..200, 0u64..2000), 1..800),
        ) {
            let sessions: Vec<SessionId> = (0..200).map(|_| SessionId::new()).collect();
            let (mut visits, begun) = (Visits::default(), Instant::now());
            let (mut now, mut written, mut counted, mut noted) = (begun, 0usize, 0usize, 0usize);
            let mut tell = |due: Vec<Visit>, written: &mut usize| {
                *written += due.len();
                for visit in due {
                    let times = visit.detail.split("times=").nth(1).unwrap();
                    counted += times.parse::<usize>().unwrap();
                }
            };
            for (session, pause) in steps {
                now += Duration::from_millis(pause);
                tell(visits.due(Some(now)), &mut written);
                noted += 1;
                if visits.note(Some(sessions[session]), joined(1), now).is_some() {
                    written += 1;
                    noted -= 1;
                }
                prop_assert!(visits.counts.len() <= MOST + 1);
            }
            tell(visits.due(None), &mut written);
            prop_assert_eq!(counted, noted);
            let minutes = usize::try_from((now - begun).as_secs() / 60).unwrap() + 2;
            prop_assert!(written <= minutes * (MOST + 1) * (AT_ONCE as usize + 1));
        }
    }
}

use super::*;
use crate::config::Home;
use crate::ids::{InstanceId, SessionId};
use crate::store::SessionRow;

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_800_000_000_000;
const AGES: Ages = Ages {
    ended: Some(Duration::from_secs(30 * 86_400)),
    unused: Duration::from_secs(30 * 86_400),
    events: 1000,
};

struct Bench {
    folder: tempfile::TempDir,
    apps: AppsDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let apps = AppsDir::at(folder.path().join("apps"), None).unwrap();
        let store = Store::open("sqlite:test.db", folder.path()).unwrap();
        Self { folder, apps, store }
    }

    /// A session with a kept home, used at `at` by the clock.
    async fn session(&self, at: i64) -> (SessionId, std::path::PathBuf) {
        let session_id = SessionId::new();
        self.known(session_id, at).await;
        let home = self.apps.make(InstanceId::new(), session_id, "demo", Home::Keep);
        (session_id, home.unwrap().home)
    }

    async fn known(&self, session_id: SessionId, at: i64) {
        let row = SessionRow {
            session_id,
            secret_hash: format!("of {session_id}"),
            created: at,
            modified: at,
            token_hash: None,
        };
        self.store.create_session(row).await.unwrap();
    }

    async fn round(&self, kept: &Keeping) -> usize {
        kept.round(&self.store, &self.apps).await.sessions
    }

    fn aside(&self) -> usize {
        self.apps.aside().unwrap().len()
    }
}

fn days(n: i64) -> Duration {
    Duration::from_millis((n * DAY).unsigned_abs())
}

fn known(at: i64) -> Option<Reckoning> {
    Some(Reckoning::begin(at))
}

#[tokio::test]
async fn kept_homes_of_a_forgotten_session_lie_aside_for_days_before_they_are_removed() {
    let bench = Bench::new();
    let (session, home) = bench.session(NOW).await;
    let (mut kept, jump) = Keeping::begin(AGES, known(NOW), NOW, days(1));
    assert_eq!(jump, None);
    assert_eq!(kept.look(NOW + 29 * DAY, days(30)), None);
    assert_eq!(bench.round(&kept).await, 0);
    assert!(home.exists());
    kept.look(NOW + 31 * DAY, days(32));
    assert_eq!(bench.round(&kept).await, 1);
    assert!(!home.exists());
    assert_eq!(bench.aside(), 1);
    kept.look(NOW + 37 * DAY, days(38));
    bench.round(&kept).await;
    assert_eq!(bench.aside(), 1);
    // Its row is there again, as from a backup.
    bench.known(session, NOW + 37 * DAY).await;
    bench.round(&kept).await;
    assert!(home.exists() && bench.aside() == 0);
    bench.store.delete_session(session).await.unwrap();
    bench.round(&kept).await;
    // A clock that jumps does not make them older.
    kept.look(NOW + 90 * DAY, days(39));
    bench.round(&kept).await;
    assert_eq!(bench.aside(), 1);
    kept.look(NOW + 97 * DAY, days(46));
    bench.round(&kept).await;
    assert_eq!(bench.aside(), 0);
}

#[tokio::test]
async fn a_clock_that_is_forty_days_off_at_the_start_forgets_nobody() {
    for off in [40 * DAY, -40 * DAY] {
        let bench = Bench::new();
        let (_, home) = bench.session(NOW).await;
        // At the start of the machine; those who come meanwhile; then it is put right.
        let (mut kept, jump) = Keeping::begin(AGES, known(NOW), NOW + DAY + off, days(1));
        assert!(jump.is_some());
        let (_, meanwhile) = bench.session(NOW + DAY + off).await;
        for (now, running) in [
            (NOW + 2 * DAY + off, days(2)),
            (NOW + 3 * DAY, days(3)),
            (NOW + 4 * DAY, days(4)),
        ] {
            kept.look(now, running);
            assert_eq!(bench.round(&kept).await, 0);
        }
        assert!(home.exists() && meanwhile.exists());
        kept.look(NOW + 40 * DAY, days(40));
        assert!(bench.round(&kept).await >= 1, "they are not kept for ever");
    }
}

#[tokio::test]
async fn nobody_is_forgotten_before_the_clock_of_a_machine_that_has_just_started_can_be_right() {
    let bench = Bench::new();
    let (_, home) = bench.session(NOW).await;
    let before = Reckoning {
        seen_ms: NOW + 31 * DAY,
        ..Reckoning::begin(NOW)
    };
    let (mut kept, jump) = Keeping::begin(AGES, Some(before), NOW + 31 * DAY, Duration::ZERO);
    assert_eq!(jump, None);
    assert_eq!(bench.round(&kept).await, 0);
    let late = SETTLE.as_millis() as i64;
    kept.look(NOW + 31 * DAY + late - 1000, SETTLE - Duration::from_secs(1));
    assert_eq!(bench.round(&kept).await, 0);
    assert!(home.exists());
    kept.look(NOW + 31 * DAY + late, SETTLE);
    assert_eq!(bench.round(&kept).await, 1);
}

#[tokio::test]
async fn what_is_known_of_time_goes_from_one_host_to_the_next_and_is_doubted_when_it_is_lost() {
    let bench = Bench::new();
    let state = bench.folder.path();
    assert_eq!(read(state).await, None);
    let reckoning = Reckoning {
        lived_ms: 9 * DAY,
        ..Reckoning::begin(NOW)
    };
    write(state, reckoning).await;
    assert_eq!(read(state).await, Some(reckoning));
    let (session, _) = bench.session(NOW).await;
    bench.store.delete_session(session).await.unwrap();
    forget_homes(&bench.apps, &bench.store, 9 * DAY).await;
    std::fs::write(state.join(FILE), "{").unwrap();
    assert_eq!(read(state).await, None);
    // Lived anew: what lies aside does so from here on.
    for (lived, there) in [(0, 1), (6 * DAY, 1), (7 * DAY, 0)] {
        forget_homes(&bench.apps, &bench.store, lived).await;
        assert_eq!(bench.aside(), there);
    }
}

//! Crash loops of every period: each ends by its intensity, or settles for good, as docs/supervision.md says.

use super::*;
use crate::supervision::{ChildState, ExitReason};

const LIMIT: Intensity = Intensity::new(4, secs(60));

/// A child that fails after every `life`, with the default back-off. When its supervisor gave up, if it did within an
/// hour, and how many lives there were.
fn looping(life: Duration) -> (Option<Duration>, u64) {
    run(async move {
        let child = ChildSpec::task("a", Restart::Permanent, move |_| async move {
            tokio::time::sleep(life).await;
            failure()
        });
        let from = tokio::time::Instant::now();
        let mut tree = Tree::start(SupervisorSpec::new(Strategy::OneForOne, LIMIT).child(child));
        let ended = tokio::time::timeout(secs(3_600), tree.exited()).await;
        if let Ok(reason) = &ended {
            assert_eq!(reason.code(), "restart_intensity");
        }
        let lives = tree.view().snapshot().find("a").unwrap().generation;
        (ended.ok().map(|_| from.elapsed()), lives)
    })
}

#[test]
fn a_child_that_fails_more_than_max_times_in_a_period_ends_at_its_fifth_failure() {
    for life in [0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 12.0, 14.0, 14.9] {
        let (ended, lives) = looping(Duration::from_secs_f64(life));
        let ended = ended
            .unwrap_or_else(|| panic!("{life} s per life should end"))
            .as_secs_f64();
        assert_eq!(lives, 5, "{life}");
        // Five lives and the delays 0, 200, 400, 800 ms between them, each up to a quarter less.
        let (least, most) = (5.0 * life, 5.0 * life + 1.4 + 0.1);
        assert!(
            (least..=most).contains(&ended),
            "{life} s per life ended after {ended} s"
        );
    }
}

#[test]
fn a_child_that_fails_more_slowly_settles_for_ever() {
    for life in [16.0, 18.0, 20.0, 25.0, 30.0, 45.0, 60.0] {
        let (ended, lives) = looping(Duration::from_secs_f64(life));
        assert_eq!(ended, None, "{life} s per life");
        // It lives long enough to be restarted at once each time.
        assert!(
            (lives as f64 - 3_600.0 / life).abs() <= 1.5,
            "{life} s per life: {lives} lives"
        );
    }
}

#[test]
fn a_loop_of_lost_dependencies_never_ends_but_slows_down_to_the_longest_delay() {
    run(async {
        let child = ChildSpec::task("a", Restart::Permanent, |_| async {
            ExitReason::dependency("display_lost")
        });
        let tree = Tree::start(SupervisorSpec::new(Strategy::OneForOne, LIMIT).child(child));
        tokio::time::sleep(secs(3_600)).await;
        let seen = tree.view().snapshot().find("a").unwrap().clone();
        assert_eq!(seen.state, ChildState::Restarting);
        // One every 7.5 to 10 s, and a few more at the beginning.
        assert!((355..=495).contains(&seen.generation), "{}", seen.generation);
    });
}

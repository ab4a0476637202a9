use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const NOW: i64 = 1_800_000_000_000;
const KEPT: Duration = Duration::from_secs(30 * 86_400);

fn span(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

/// A host that looks, with the clock it has and with one that nobody sets.
struct Host {
    this: Reckoning,
    anchor: Anchor,
    /// What is true, ms.
    time: i64,
    /// What the clock says more.
    off: i64,
    jumped: Option<Jump>,
}

impl Host {
    fn new(off: i64) -> Self {
        let (this, anchor, jumped) = Reckoning::resume(None, NOW + off, span(NOW), KEPT);
        Self {
            this,
            anchor,
            time: NOW,
            off,
            jumped,
        }
    }

    fn look_after(&mut self, ms: i64) {
        self.time += ms;
        let (now, running) = (self.time + self.off, span(self.time));
        (self.this, self.jumped) = self.this.look(&mut self.anchor, span(ms), now, running);
    }

    fn next_host_after(&mut self, ms: i64, off: i64) {
        self.time += ms;
        self.off = off;
        let now = self.time + off;
        (self.this, self.anchor, self.jumped) = Reckoning::resume(Some(self.this), now, span(self.time), KEPT);
    }

    fn clock(&self) -> i64 {
        self.time + self.off
    }

    fn is_old(&self, used: i64) -> bool {
        self.this.older(KEPT).is_some_and(|before| used < before)
    }
}

#[test]
fn what_is_not_used_grows_old_by_a_clock_that_is_right() {
    let mut host = Host::new(0);
    let used = host.clock();
    host.look_after(29 * DAY);
    assert!(!host.is_old(used));
    host.next_host_after(HOUR, 0);
    assert_eq!(host.jumped, None);
    host.look_after(DAY);
    assert!(host.is_old(used));
    assert!(!host.is_old(host.clock() - 29 * DAY));
}

#[test]
fn forty_days_too_many_or_too_few_make_nothing_old() {
    for off in [40 * DAY, -40 * DAY] {
        // At the start of the machine, put right after a minute; and in the middle.
        let mut host = Host::new(0);
        let used = host.clock();
        host.look_after(DAY);
        host.next_host_after(DAY, off);
        assert_eq!(host.jumped, Some(Jump(DAY + off)));
        let meanwhile = host.clock();
        host.look_after(60_000);
        assert!(!host.is_old(used) && !host.is_old(meanwhile), "{off}");
        for now_off in [0, off, 0] {
            host.off = now_off;
            host.look_after(10_000);
            assert!(host.jumped.is_some());
            assert!(!host.is_old(used) && !host.is_old(meanwhile), "{off}");
        }
        host.look_after(29 * DAY);
        assert!(!host.is_old(used) && !host.is_old(meanwhile), "{off}");
        host.look_after(2 * DAY);
        assert!(host.is_old(used), "it is not kept for ever");
    }
}

#[test]
fn an_hour_back_in_the_middle_makes_nothing_old_and_is_said_once() {
    let mut host = Host::new(0);
    host.look_after(20 * DAY);
    host.off = -HOUR;
    host.look_after(10_000);
    assert_eq!(host.jumped, Some(Jump(-HOUR)));
    host.look_after(10_000);
    assert_eq!(host.jumped, None);
    assert_eq!(host.this.older(KEPT), None);
}

#[test]
fn a_long_time_without_a_host_is_doubted_and_a_short_one_is_not() {
    let mut host = Host::new(0);
    host.next_host_after(6 * DAY, 0);
    assert_eq!(host.jumped, None);
    host.next_host_after(2 * DAY, 0);
    assert_eq!(host.jumped, Some(Jump(2 * DAY)), "eight in all");
    host.next_host_after(6 * DAY, 0);
    assert_eq!(host.jumped, None);
}

#[test]
fn a_machine_that_is_off_every_night_forgets_as_any_other() {
    let mut host = Host::new(0);
    let used = host.clock();
    for _ in 0..31 {
        host.look_after(DAY / 2);
        host.next_host_after(DAY / 2, 0);
        assert_eq!(host.jumped, None);
    }
    assert!(host.is_old(used));
}

#[test]
fn only_time_with_a_host_is_lived() {
    let mut host = Host::new(0);
    host.look_after(HOUR);
    host.off = 40 * DAY;
    host.look_after(HOUR);
    host.next_host_after(40 * DAY, 0);
    assert_eq!(host.this.lived_ms, 2 * HOUR);
}

#[derive(Debug, Clone)]
enum Step {
    Use,
    Run(i64),
    SetClock(i64),
    Restart(i64, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let off = || prop_oneof![Just(0), -2000 * DAY..2000 * DAY, -HOUR..HOUR];
    let step = prop_oneof![
        3 => Just(Step::Use),
        3 => (0..20 * DAY).prop_map(Step::Run),
        2 => off().prop_map(Step::SetClock),
        2 => (0..10 * DAY, off()).prop_map(|(away, off)| Step::Restart(away, off)),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn whatever_clocks_do_nothing_is_old_before_its_time(first in -2000 * DAY..2000 * DAY, steps in steps()) {
        let mut host = Host::new(first);
        let mut used = Vec::new();
        let mut restarts = 0;
        for step in steps {
            match step {
                Step::Use => used.push((host.clock(), host.time)),
                Step::Run(ms) => host.look_after(ms),
                Step::SetClock(off) => {
                    host.off = off;
                    used.push((host.clock(), host.time));
                    host.look_after(0);
                }
                Step::Restart(away, off) => {
                    restarts += 1;
                    host.next_host_after(away, off);
                }
            }
            let sure = (ms(KEPT) - ABSENCE_MS - STEP_MS * (2 + restarts)) / 2;
            for (clock, time) in &used {
                prop_assert!(!host.is_old(*clock) || host.time - time >= sure);
            }
        }
    }
}

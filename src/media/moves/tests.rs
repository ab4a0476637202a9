use proptest::prelude::*;

use super::super::ladder::tests::usual;
use super::*;

const STEP: Duration = Duration::from_millis(50);

/// Viewers of one track, and the key frames that come when they are asked for.
struct Bench {
    moves: Moves,
    ladder: Ladder,
    now: Instant,
    /// Key frames on their way.
    coming: BTreeMap<u8, Instant>,
    key_takes: Duration,
    rates: BTreeMap<u8, u32>,
}

impl Bench {
    fn new() -> Self {
        Self {
            moves: Moves::default(),
            ladder: usual(),
            now: Instant::now(),
            coming: BTreeMap::new(),
            key_takes: Duration::from_millis(100),
            rates: BTreeMap::new(),
        }
    }

    /// With viewers of these capacities, who see something.
    fn of(capacities: &[Option<u32>]) -> Self {
        let mut bench = Self::new();
        for (id, capacity) in (0..).zip(capacities) {
            bench.join(id, *capacity);
        }
        bench.run(Duration::from_millis(400));
        bench
    }

    fn join(&mut self, id: u64, capacity: Option<u32>) {
        self.moves.join(id, false);
        if let Some(kbps) = capacity {
            self.moves.told(id, kbps);
        }
        self.look();
    }

    fn tell(&mut self, id: u64, kbps: u32) {
        self.moves.told(id, kbps);
        self.look();
    }

    fn look(&mut self) {
        let decided = self.moves.decide(&self.ladder, self.now);
        for rung in decided.keys {
            self.coming.entry(rung).or_insert(self.now + self.key_takes);
        }
        self.rates = self.moves.rates(&self.ladder);
    }

    fn step(&mut self) {
        self.now += STEP;
        let there: Vec<u8> = self
            .coming
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(r, _)| *r)
            .collect();
        for rung in there {
            self.coming.remove(&rung);
            // Nobody may want it any more.
            if self.rates.contains_key(&rung) {
                self.moves.key(rung);
            }
        }
        self.look();
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.step();
        }
    }

    fn watched(&self) -> Vec<u8> {
        self.moves
            .viewers
            .keys()
            .filter_map(|id| self.moves.watches(*id))
            .collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_viewer_alone_gets_what_its_line_bears() {
    for (kbps, rung, rate) in [
        (90_000, 0, 4000),
        (2000, 0, 2000),
        (1200, 0, 1200),
        (1100, 1, 1100),
        (399, 2, 399),
        (10, 2, 150),
    ] {
        let bench = Bench::of(&[Some(kbps)]);
        assert_eq!(bench.watched(), [rung], "{kbps}");
        assert_eq!(bench.rates, BTreeMap::from([(rung, rate)]), "{kbps}");
    }
    let silent = Bench::of(&[None]);
    assert_eq!((silent.watched(), silent.rates), (vec![0], BTreeMap::from([(0, 4000)])));
}

#[test]
fn a_viewer_whose_line_carries_far_less_than_another_s_goes_to_a_rendition_below() {
    let bench = Bench::of(&[Some(50_000), Some(2000), Some(500)]);
    assert_eq!(bench.watched(), [0, 1, 2]);
    assert_eq!(bench.rates, BTreeMap::from([(0, 4000), (1, 2000), (2, 500)]));
    let alike = Bench::of(&[Some(3600), Some(50_000)]);
    assert_eq!(alike.watched(), [0, 0], "a tenth less is borne together");
    assert_eq!(alike.rates, BTreeMap::from([(0, 3600)]));
}

#[test]
fn a_line_that_gets_worse_takes_nothing_from_others_even_before_its_viewer_is_moved() {
    let mut bench = Bench::of(&[None, Some(9000)]);
    assert_eq!(bench.watched(), [0, 0]);
    bench.tell(1, 600);
    assert_eq!(bench.rates[&0], 4000);
    bench.run(SECOND);
    assert_eq!(bench.watched(), [0, 1]);
    assert_eq!(bench.rates, BTreeMap::from([(0, 4000), (1, 600)]));
}

#[test]
fn a_mover_keeps_what_it_has_until_the_key_frame_of_the_new_rendition() {
    let mut bench = Bench::of(&[Some(5000)]);
    bench.key_takes = 4 * SECOND;
    bench.tell(0, 700);
    bench.run(2 * SECOND);
    assert_eq!(bench.watched(), [0]);
    assert_eq!(bench.rates, BTreeMap::from([(0, 700), (1, 700)]), "both are encoded");
    bench.run(3 * SECOND);
    assert_eq!(bench.watched(), [1]);
    assert_eq!(bench.rates, BTreeMap::from([(1, 700)]));
}

#[test]
fn a_key_frame_that_does_not_come_is_asked_for_again() {
    let mut bench = Bench::of(&[Some(5000)]);
    bench.tell(0, 700);
    let mut asked = 0;
    for _ in 0..200 {
        bench.now += STEP;
        let decided = bench.moves.decide(&bench.ladder, bench.now);
        asked += decided.keys.len();
        assert!(decided.due.is_some_and(|due| due > bench.now));
    }
    assert!((3..=4).contains(&asked), "{asked}");
}

#[test]
fn a_moment_of_less_moves_nobody_and_a_line_that_recovers_is_used_again() {
    let mut bench = Bench::of(&[Some(5000)]);
    bench.tell(0, 500);
    bench.run(DOWN_AFTER - STEP * 2);
    bench.tell(0, 5000);
    bench.run(SECOND);
    assert_eq!(bench.watched(), [0]);
    bench.tell(0, 300);
    bench.run(5 * SECOND);
    assert_eq!(bench.watched(), [2]);
    bench.tell(0, 5000);
    bench.run(10 * SECOND);
    assert_eq!(bench.watched(), [0], "within ten seconds");
}

#[test]
fn each_upgrade_that_fails_makes_the_next_wait_longer() {
    let mut bench = Bench::of(&[Some(1000)]);
    let mut waited = Vec::new();
    for _ in 0..6 {
        bench.tell(0, 2000);
        let since = bench.now;
        while bench.watched() == [1] {
            bench.step();
        }
        waited.push((bench.now - since).as_secs());
        bench.tell(0, 1000);
        bench.run(2 * SECOND);
        assert_eq!(bench.watched(), [1]);
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 32]);
    // After a good while it is as before.
    bench.run(FORGOTTEN_AFTER);
    bench.tell(0, 2000);
    bench.run(40 * SECOND);
    assert_eq!(bench.watched(), [0]);
    bench.tell(0, 1000);
    bench.run(2 * SECOND);
    bench.tell(0, 2000);
    bench.run(65 * SECOND);
    assert_eq!(bench.watched(), [0]);
}

#[test]
fn who_stalls_again_and_again_is_moved_down_whatever_it_says_of_its_line() {
    let mut bench = Bench::of(&[Some(90_000), Some(90_000)]);
    for n in 0..STALLS {
        assert_eq!(bench.watched(), [0, 0], "after {n}");
        bench.moves.stalled(1, &bench.ladder, bench.now);
        bench.run(Duration::from_millis(300));
    }
    assert_eq!(bench.watched(), [0, 1]);
    bench.run(4 * SECOND);
    assert_eq!(bench.watched(), [0, 0], "it is given another try");
    for _ in 0..10 {
        bench.moves.stalled(1, &bench.ladder, bench.now);
        bench.run(STALLS_WITHIN * 3 / 5);
    }
    assert_eq!(bench.watched(), [0, 0], "now and then is borne");
}

#[test]
fn a_viewer_can_choose_and_takes_nothing_from_others_by_that() {
    let mut bench = Bench::of(&[Some(50_000), Some(800), Some(50_000)]);
    bench.moves.pin(1, Some(0));
    bench.moves.pin(2, Some(9));
    bench.look();
    bench.run(SECOND);
    assert_eq!(bench.watched(), [0, 0, 2]);
    assert_eq!(bench.rates, BTreeMap::from([(0, 4000), (2, 800)]));
    bench.moves.pin(1, None);
    bench.run(SECOND);
    assert_eq!(bench.watched(), [0, 1, 2]);
}

#[test]
fn who_is_not_looked_at_counts_for_nothing_and_comes_back_where_its_line_is_then() {
    let mut bench = Bench::of(&[Some(1500)]);
    assert!(bench.moves.pause(0, true));
    assert!(!bench.moves.pause(0, true));
    bench.look();
    assert!(bench.rates.is_empty() && bench.watched().is_empty());
    bench.tell(0, 300);
    assert!(bench.moves.pause(0, false));
    bench.look();
    assert_eq!(bench.watched(), [2], "at once: it has no picture to go on with");
    assert_eq!(bench.coming.keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn who_waits_to_get_more_does_not_make_it_too_much_for_those_who_stay() {
    let mut bench = Bench::of(&[Some(50_000), Some(460), Some(460)]);
    assert_eq!(bench.watched(), [0, 1, 1]);
    bench.tell(2, 20_000);
    assert_eq!((bench.watched(), bench.rates[&1]), (vec![0, 1, 1], 460));
    bench.run(SECOND * 2);
    assert_eq!((bench.watched(), bench.rates[&1]), (vec![0, 1, 0], 460));
}

#[test]
fn where_there_is_one_rendition_all_follow_the_least() {
    let mut bench = Bench::new();
    bench.ladder = Ladder::single(4000);
    bench.join(0, Some(9000));
    bench.join(1, Some(700));
    bench.run(SECOND);
    assert_eq!((bench.watched(), bench.rates), (vec![0, 0], BTreeMap::from([(0, 700)])));
}

/// What happens to one of a few viewers.
#[derive(Clone, Copy, Debug)]
enum Event {
    Tells(u32),
    Pauses(bool),
    Stalls,
    Draws(usize),
    Comes,
    Goes,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => prop_oneof![0u32..6000, Just(u32::MAX), Just(0)].prop_map(Event::Tells),
        1 => any::<bool>().prop_map(Event::Pauses),
        1 => Just(Event::Stalls),
        2 => (0usize..9000).prop_map(Event::Draws),
        1 => Just(Event::Comes),
        1 => Just(Event::Goes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nobody_loses_by_another_s_line_and_nobody_is_sent_more_than_its_line_carries_for_long(
        events in prop::collection::vec((1u64..5, event(), 0u32..40), 1..120),
        key_ms in 0u64..400,
    ) {
        // 0 is on loopback; the others are what the world is like.
        let mut bench = Bench::of(&[Some(1_000_000)]);
        bench.key_takes = Duration::from_millis(key_ms);
        // It may have to go two rungs down, one after the other.
        let most = (DOWN_AFTER + bench.key_takes + STEP * 4) * 2;
        let (mut over, mut grabs): (BTreeMap<u64, Instant>, u64) = (BTreeMap::new(), 0);
        for (who, event, steps) in events {
            match event {
                Event::Tells(kbps) => bench.moves.told(who, kbps),
                Event::Pauses(paused) => drop(bench.moves.pause(who, paused)),
                Event::Stalls => bench.moves.stalled(who, &bench.ladder, bench.now),
                Event::Draws(bytes) => {
                    grabs += 1;
                    bench.moves.picture(grabs, bytes, bench.now);
                }
                // Some take colours in full.
                Event::Comes if !bench.moves.viewers.contains_key(&who) => bench.moves.join(who, who % 2 == 1),
                Event::Goes => bench.moves.leave(who),
                Event::Comes => {}
            }
            bench.look();
            for _ in 0..=steps {
                bench.step();
                prop_assert_eq!(bench.moves.watches(0), Some(0));
                prop_assert!(bench.rates[&0] >= 2800, "its picture: {:?}", bench.rates);
                over.retain(|id, _| bench.moves.viewers.contains_key(id));
                for (id, viewer) in &bench.moves.viewers {
                    let rate = bench.moves.watches(*id).map_or(0, |rung| bench.rates[&rung]);
                    if rate <= viewer.carries() || rate <= 150 || !viewer.begun {
                        over.remove(id);
                        continue;
                    }
                    let since = *over.entry(*id).or_insert(bench.now);
                    prop_assert!(bench.now - since <= most, "viewer {id}: {viewer:?} at {rate}");
                }
            }
        }
    }

    #[test]
    fn a_line_that_changes_without_end_does_not_make_the_picture_flap(
        periods in prop::collection::vec((1u64..500, 1u64..500, 100u32..1100, 1300u32..6000), 4..24),
    ) {
        let mut bench = Bench::of(&[Some(3000)]);
        let mut raised: Vec<Instant> = Vec::new();
        let mut rung = 0;
        for (bad, good, low, high) in periods {
            for (steps, kbps) in [(bad, low), (good, high)] {
                bench.tell(0, kbps);
                for _ in 0..steps {
                    bench.step();
                    let now = bench.watched()[0];
                    if now < rung { raised.push(bench.now); }
                    rung = now;
                }
            }
        }
        for (n, from) in raised.iter().enumerate() {
            let within = raised[n..].iter().take_while(|at| **at - *from < 60 * SECOND).count();
            prop_assert!(within <= 12, "{within} upgrades in a minute");
        }
    }
}

use proptest::prelude::*;

use super::super::under_way::{Turn, UnderWay};
use super::*;

/// A line with a rate that changes, a queue without end, and a way that takes its time; and an encoder that follows what
/// is told, as far as it may, at 60 frames a second.
struct Trace {
    now: Instant,
    capacity: Capacity,
    under_way: UnderWay,
    /// When the line has sent all that waits.
    free: Instant,
    /// When each is taken.
    arriving: VecDeque<Instant>,
    taken: u32,
    most_kbps: f64,
    /// The longest that a frame was under way.
    longest: Duration,
    random: u32,
}

impl Trace {
    fn new(most_kbps: f64) -> Self {
        let now = Instant::now();
        let mut under_way = UnderWay::new(now);
        under_way.take(0, now + Duration::from_millis(20)).unwrap();
        Self {
            now: now + Duration::from_millis(20),
            capacity: Capacity::new(),
            under_way,
            free: now,
            arriving: VecDeque::new(),
            taken: 0,
            most_kbps,
            longest: Duration::ZERO,
            random: 1,
        }
    }

    fn jitter(&mut self, most_ms: u32) -> Duration {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Duration::from_millis(u64::from((self.random >> 16) % (most_ms + 1)))
    }

    /// So many seconds on a line of this rate; gives what is told at their end.
    fn run(&mut self, seconds: u64, line_kbps: f64, jitter_ms: u32) -> u32 {
        self.longest = Duration::ZERO;
        for frame in 0..seconds * 60 {
            self.now += Duration::from_micros(16_667);
            while self.arriving.front().is_some_and(|at| *at <= self.now) {
                let at = self.arriving.pop_front().unwrap();
                self.taken += 1;
                if let Some(sample) = self.under_way.take(self.taken, at).unwrap() {
                    self.longest = self.longest.max(sample.delay);
                    self.capacity.note(sample, at);
                }
            }
            if self.under_way.turn(None, self.capacity.told(), self.now) != Turn::Send {
                continue;
            }
            let kbps = f64::from(self.capacity.told()).min(self.most_kbps);
            // Some frames are larger than others.
            let share = match frame % 30 {
                0 => 3.0,
                // Hardly anything has changed.
                11 | 23 => 0.1,
                _ => 0.98,
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let bytes = (kbps * 1000.0 / 8.0 / 60.0 * share) as usize;
            self.under_way.send(bytes, frame == 0, self.now);
            let sending = Duration::from_secs_f64(bytes as f64 * 8.0 / 1000.0 / line_kbps);
            self.free = self.free.max(self.now) + sending;
            let at = self.free + Duration::from_millis(20) + self.jitter(jitter_ms);
            // What comes by TCP comes in its order.
            let at = self.arriving.back().map_or(at, |before| at.max(*before));
            self.arriving.push_back(at);
        }
        self.capacity.told()
    }
}

#[test]
fn a_line_that_carries_all_is_soon_told_to() {
    let mut trace = Trace::new(4000.0);
    assert!(trace.run(2, 1_000_000.0, 0) >= 4000);
    assert!(trace.longest < Duration::from_millis(40), "{:?}", trace.longest);
}

#[test]
fn a_slow_line_is_found_and_its_queue_stays_short() {
    for line in [500.0, 1000.0, 2000.0] {
        let mut trace = Trace::new(4000.0);
        trace.run(3, line, 0);
        for second in 0..100 {
            let told = f64::from(trace.run(1, line, 0));
            // More than it carries is tried now and then, and soon given up.
            assert!((0.75 * line..=1.25 * line).contains(&told), "{told} of {line}");
            assert!(
                trace.longest < Duration::from_millis(150),
                "{line}: {:?} in second {second}",
                trace.longest
            );
        }
    }
}

#[test]
fn the_kernel_is_paced_a_little_above_a_slow_line_and_not_at_all_on_a_fast_one() {
    let mut slow = Trace::new(4000.0);
    slow.run(10, 500.0, 0);
    let pace = slow.capacity.pace();
    assert!(pace.is_some_and(|kbps| (600..=900).contains(&kbps)), "{pace:?}");
    let mut fast = Trace::new(4000.0);
    assert_eq!(fast.capacity.pace(), None, "nothing is known yet");
    fast.run(10, 1_000_000.0, 0);
    assert_eq!(fast.capacity.pace(), None);
}

#[test]
fn a_page_that_takes_several_frames_at_once_has_no_faster_line() {
    let (mut capacity, mut now) = (Capacity::new(), Instant::now());
    for _ in 0..200 {
        // 1 Mbit/s: eight frames of 50 ms each, of which the page hears at once.
        now += Duration::from_millis(400);
        for n in 0..8u64 {
            let sample = Sample {
                bytes: 6250,
                time: Duration::from_millis(if n == 0 { 400 } else { 0 }),
                queued: true,
                delay: Duration::from_millis(450 - 50 * n),
                late: Duration::from_millis(400 - 50 * n),
            };
            capacity.note(sample, now);
        }
    }
    assert!(capacity.told() <= 1100, "{}", capacity.told());
}

#[test]
fn a_line_that_becomes_slow_and_fast_again_is_followed() {
    let mut trace = Trace::new(4000.0);
    trace.run(5, 10_000.0, 0);
    let slow = trace.run(5, 1000.0, 0);
    assert!((600..=1000).contains(&slow), "{slow}");
    let fast = trace.run(5, 10_000.0, 0);
    assert!(fast >= 4000, "{fast}");
}

#[test]
fn jitter_is_not_taken_for_a_slow_line() {
    let mut trace = Trace::new(4000.0);
    let told = trace.run(20, 50_000.0, 30);
    assert!(told >= 2000, "{told}");
}

#[test]
fn a_page_that_is_slow_to_take_what_has_come_is_not_taken_for_a_slow_line() {
    for late in [60, 150, 300] {
        let (mut capacity, mut now) = (Capacity::new(), Instant::now());
        let late = Duration::from_millis(late);
        for _ in 0..600 {
            now += Duration::from_millis(33);
            // An encoder follows what is told, so that no more than that can be seen to arrive.
            let bytes = usize::try_from(capacity.told().min(2000) * 33 / 8).unwrap();
            let sample = Sample {
                bytes,
                time: Duration::from_millis(33),
                queued: true,
                delay: late,
                late,
            };
            capacity.note(sample, now);
        }
        assert!(
            capacity.told() >= 1450,
            "{} where frames are {late:?} late",
            capacity.told()
        );
    }
}

#[test]
fn what_a_page_is_late_and_the_kernel_is_not_lowers_nothing() {
    let (mut slow, mut full) = (Capacity::new(), Capacity::new());
    let mut now = Instant::now();
    for _ in 0..200 {
        now += Duration::from_millis(33);
        let sample = Sample {
            bytes: 3000,
            time: Duration::from_millis(33),
            queued: true,
            delay: Duration::from_millis(220),
            late: Duration::from_millis(200),
        };
        slow.note(sample.at_most_late(Some(Duration::from_millis(5))), now);
        full.note(sample.at_most_late(Some(Duration::from_millis(300))), now);
    }
    assert!(slow.told() >= 2000, "{}", slow.told());
    assert!(full.told() < 800, "{}", full.told());
}

#[test]
fn the_first_frame_shows_a_slow_line_before_a_second_one_is_made_for_a_fast_one() {
    let now = Instant::now();
    let sample = Sample {
        bytes: 20_000,
        time: Duration::from_millis(320),
        queued: false,
        delay: Duration::from_millis(340),
        late: Duration::from_millis(320),
    };
    let told = Capacity::new().note(sample, now);
    assert!(told.is_some_and(|kbps| (400..=500).contains(&kbps)), "{told:?}");
    let told = Capacity::new().note(sample.at_most_late(Some(Duration::from_millis(1))), now);
    assert!(told.is_none_or(|kbps| kbps >= 2000), "the page was slow: {told:?}");
}

#[test]
fn a_still_picture_lowers_nothing() {
    let mut capacity = Capacity::new();
    let now = Instant::now();
    for second in 0..100 {
        let time = Duration::from_millis(second % 3);
        let sample = Sample {
            bytes: 12,
            time,
            queued: false,
            delay: time + Duration::from_millis(20),
            late: time,
        };
        assert_eq!(capacity.note(sample, now + Duration::from_secs(second)), None);
    }
}

#[test]
fn one_frame_that_was_long_in_coming_lowers_nothing() {
    let mut capacity = Capacity::new();
    let delay = Duration::from_secs(1);
    let sample = Sample {
        bytes: 2000,
        time: delay,
        queued: true,
        delay,
        late: delay,
    };
    assert_eq!(capacity.note(sample, Instant::now()), None);
}

proptest! {
    #[test]
    fn whatever_is_measured_what_is_told_is_a_rate(
        samples in prop::collection::vec((0usize..2_000_000, 0u64..20_000, any::<bool>(), 0u64..20_000, 0u64..3000), 1..300),
    ) {
        let (mut capacity, mut now) = (Capacity::new(), Instant::now());
        for (bytes, time, queued, delay, pause) in samples {
            now += Duration::from_millis(pause);
            let (time, delay) = (Duration::from_millis(time), Duration::from_millis(delay));
            if let Some(told) = capacity.note(Sample { bytes, time, queued, delay, late: delay }, now) {
                prop_assert_eq!(told, capacity.told());
            }
            prop_assert!((100..=100_000).contains(&capacity.told()));
            prop_assert!(capacity.taken.len() <= MOST_SAMPLES);
            prop_assert!(capacity.pace().is_none_or(|pace| (150..=30_000).contains(&pace)));
        }
    }
}

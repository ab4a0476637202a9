use proptest::prelude::*;

use super::*;

/// A picture that moves, or does not, for those who take its colours in full.
struct Screen {
    colours: Colours,
    now: Instant,
    grabs: u64,
    takers: Takers,
    keys: Vec<u8>,
    /// A key frame that was asked for comes at once.
    answers: bool,
}

impl Screen {
    fn new() -> Self {
        Self {
            colours: Colours::default(),
            now: Instant::now(),
            grabs: 0,
            takers: Takers::There,
            keys: Vec::new(),
            answers: true,
        }
    }

    fn look(&mut self) {
        let (key, due) = self.colours.decide(self.takers, self.now);
        assert!(due.is_none_or(|due| due > self.now), "{due:?} is over");
        if let Some(key) = key {
            self.keys.push(key);
            if self.answers {
                self.colours.key(key);
            }
        }
    }

    /// A picture of so many bytes, this long after the one before.
    fn picture(&mut self, bytes: usize, after_ms: u64) {
        self.rests(after_ms);
        self.grabs += 1;
        if self.colours.picture(self.grabs, bytes, self.now) {
            self.look();
        }
    }

    fn rests(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += Duration::from_millis(10);
            self.look();
        }
        self.now += Duration::from_millis(ms % 10);
    }

    /// One whose colours have come to be in full.
    fn full() -> Self {
        let mut screen = Self::new();
        screen.picture(90_000, 0);
        screen.rests(6_000);
        assert!(screen.colours.full());
        screen.keys.clear();
        screen
    }

    /// For how long pictures come until they are at half size.
    fn lasts(&mut self, bytes: usize, every_ms: u64) -> Option<u64> {
        (0..20_000 / every_ms).find_map(|n| {
            self.picture(bytes, every_ms);
            (!self.colours.full()).then_some(n * every_ms)
        })
    }
}

#[test]
fn a_picture_that_rests_gets_its_colours_in_full_after_some_seconds_and_with_one_key_frame() {
    let mut screen = Screen::new();
    screen.picture(90_000, 0);
    screen.rests(1_500);
    assert!(
        !screen.colours.full() && screen.colours.beside().is_none(),
        "not at once"
    );
    screen.rests(1_500);
    assert_eq!(screen.colours.beside(), Some(FULL), "encoded, and not yet shown");
    screen.rests(1_500);
    assert!(screen.colours.full());
    screen.rests(60_000);
    assert_eq!(screen.keys, [FULL]);
}

#[test]
fn what_people_do_with_text_leaves_the_colours_in_full() {
    for (what, bytes, every_ms) in [
        ("typing", 600, 80),
        ("typing in a line that is drawn anew each time", 2_500, 160),
        ("a caret", 200, 500),
        ("pages that are turned", 90_000, 400),
        ("a clock with a large face", 30_000, 1_000),
    ] {
        let mut screen = Screen::full();
        assert_eq!(screen.lasts(bytes, every_ms), None, "{what}");
        assert!(screen.keys.is_empty(), "{what}");
    }
    let mut screen = Screen::full();
    for _ in 0..12 {
        screen.picture(60_000, 16);
    }
    screen.rests(20_000);
    assert!(screen.colours.full() && screen.keys.is_empty(), "scrolling once");
}

#[test]
fn what_moves_goes_to_half_size_once_that_has_lasted_and_comes_back_when_it_is_calm() {
    for (what, bytes, every_ms, least_ms, most_ms) in [
        ("a film", 20_000, 33, 400, 900),
        ("an animation", 20_000, 16, 250, 500),
        ("the same on a busy machine", 4_000, 50, 1_000, 2_000),
        ("something small that turns", 500, 16, 1_000, 3_000),
    ] {
        let mut screen = Screen::full();
        let lasted = screen.lasts(bytes, every_ms).expect(what);
        assert!((least_ms..=most_ms).contains(&lasted), "{what}: {lasted} ms");
        for _ in 0..200 {
            screen.picture(bytes, every_ms);
        }
        assert!(!screen.colours.full(), "{what}");
        assert_eq!(screen.keys, [0], "{what}: it stays there");
        screen.rests(1_900);
        assert!(!screen.colours.full(), "{what}: it may go on");
        screen.rests(6_000);
        assert!(screen.colours.full(), "{what}");
        assert_eq!(screen.keys, [0, FULL], "{what}");
    }
}

#[test]
fn the_same_picture_in_another_form_or_once_more_is_no_movement() {
    let mut screen = Screen::full();
    for _ in 0..500 {
        screen.grabs -= 1;
        screen.picture(90_000, 16);
    }
    assert!(screen.colours.full());
}

#[test]
fn a_coarse_first_key_frame_is_not_shown_and_one_that_does_not_come_is_asked_for_again() {
    let mut screen = Screen::new();
    screen.answers = false;
    screen.picture(90_000, 0);
    screen.rests(2_500);
    assert!(!screen.colours.key(FULL) && !screen.colours.full());
    screen.rests(5_000);
    assert_eq!(screen.keys, [FULL, FULL]);
    assert!(screen.colours.key(FULL) && screen.colours.full());
}

#[test]
fn until_the_key_frame_at_half_size_is_there_the_colours_in_full_go_on() {
    let mut screen = Screen::full();
    screen.answers = false;
    for _ in 0..60 {
        screen.picture(20_000, 16);
    }
    assert!(screen.colours.full() && screen.colours.beside() == Some(0));
    assert!(!screen.colours.key(FULL) && screen.colours.key(0));
    assert!(!screen.colours.full() && screen.colours.beside().is_none());
}

#[test]
fn an_encoder_that_is_lost_means_half_size_for_ever() {
    let mut screen = Screen::full();
    screen.colours.end();
    screen.rests(60_000);
    assert!(!screen.colours.full() && screen.colours.beside().is_none());
}

#[test]
fn who_looks_away_comes_back_to_what_was_there_and_the_next_one_begins_anew() {
    let mut screen = Screen::full();
    screen.takers = Takers::Away;
    screen.rests(60_000);
    assert!(screen.colours.full());
    screen.takers = Takers::None;
    screen.rests(10);
    assert!(!screen.colours.full());
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Picture(usize),
    Takers(Takers),
    Key(u8),
    Rests(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let takers = prop_oneof![
        1 => Just(Takers::None),
        1 => Just(Takers::Away),
        6 => Just(Takers::There)
    ];
    prop_oneof![
        8 => (0usize..100_000).prop_map(Event::Picture),
        1 => takers.prop_map(Event::Takers),
        2 => prop_oneof![Just(0), Just(FULL), Just(1)].prop_map(Event::Key),
        4 => (0u64..3_000).prop_map(Event::Rests),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_change_is_at_a_key_frame_and_rest_brings_the_colours_back(
        events in prop::collection::vec(event(), 0..200), answers: bool
    ) {
        let mut screen = Screen::new();
        screen.answers = answers;
        for event in events {
            let before = screen.colours.full();
            match event {
                Event::Picture(bytes) => screen.picture(bytes, 16),
                Event::Takers(takers) => screen.takers = takers,
                Event::Key(rung) => {
                    let goes_on = screen.colours.key(rung);
                    prop_assert_eq!(goes_on, screen.colours.full() != before);
                    continue;
                }
                Event::Rests(ms) => screen.rests(ms),
            }
            if !answers && screen.takers != Takers::None {
                prop_assert_eq!(screen.colours.full(), before, "without a key frame");
            }
            prop_assert!(screen.colours.movement.owes(screen.now) <= MOST);
        }
        screen.takers = Takers::There;
        screen.answers = true;
        screen.picture(200, 10);
        screen.rests(20_000);
        prop_assert!(screen.colours.full());
        screen.keys.clear();
        screen.rests(20_000);
        prop_assert!(screen.keys.is_empty(), "no more key frames at rest");
    }
}

//! The control with an encoder that takes what its own model says, and is off by a factor.

use heliostat_scaling::{Blocks, Form, SAME};
use proptest::prelude::*;

use super::control::{Choice, Control, Wanted};
use super::model::{COARSEST, Census, FINEST, Kind, Model};
use crate::gst::budget::{Allowance, Budget};

const FORM: Form = Form {
    width: 640,
    height: 480,
    strides: (640, 320),
};
const FRAME: u64 = 16_667;

/// All of it new, with so much detail.
fn fresh(detail: u16) -> Blocks {
    let mut blocks = Blocks::new(FORM);
    blocks.detail.fill(detail);
    blocks.change.fill(detail);
    blocks
}

/// The same picture once more.
fn still(detail: u16) -> Blocks {
    let mut blocks = fresh(detail);
    blocks.all_same();
    blocks
}

/// What becomes of pictures.
struct Run {
    control: Control,
    budget: Budget,
    model: Model,
    shown: Vec<u8>,
    last: u8,
    now: u64,
    off: f32,
}

impl Run {
    fn new(kbps: u32, full_kbps: u32, off: f32) -> Self {
        let blocks = Blocks::new(FORM);
        Self {
            control: Control::new(&blocks),
            budget: Budget::new(kbps, full_kbps, 60).strict(),
            model: Model::new(),
            shown: vec![COARSEST; blocks.flags.len()],
            last: COARSEST,
            now: 1_000_000,
            off,
        }
    }

    fn bytes(&self, blocks: &Blocks, choice: Choice) -> u64 {
        let kind = if choice.key { Kind::Key } else { Kind::Change };
        let census = Census::new(blocks, &self.shown, self.last, kind);
        (self.model.predict(&census, choice.quantiser).bits() * self.off / 8.0) as u64
    }

    /// One picture after `us`: what went out, and how large it was.
    fn picture(&mut self, blocks: &Blocks, key: bool, change: bool, us: u64) -> (Choice, u64) {
        self.now = (self.now + us).max(self.budget.free_at(change));
        self.budget.next(self.now, key && !change);
        let allowance = self.budget.allowance(change, key && !change);
        let wanted = Wanted { key, change, allowance };
        let mut choice = self.control.choose(blocks, wanted);
        for tries in 0.. {
            assert!(tries < 4, "it ends");
            let bytes = self.bytes(blocks, choice);
            match self.control.came_out(blocks, bytes, wanted) {
                Some(coarser) => {
                    assert!(coarser.key && coarser.quantiser > choice.quantiser);
                    choice = coarser;
                }
                None => {
                    self.budget.spent(bytes);
                    self.last = choice.quantiser;
                    for (at, flag) in self.shown.iter_mut().zip(&blocks.flags) {
                        let keeps = *flag == SAME && !choice.key;
                        *at = if keeps {
                            choice.quantiser.min(*at)
                        } else {
                            choice.quantiser
                        };
                    }
                    return (choice, bytes);
                }
            }
        }
        unreachable!()
    }
}

#[test]
fn a_picture_that_stands_still_is_as_fine_as_it_gets_within_a_second_at_the_full_rate() {
    for off in [0.5, 1.0, 2.0] {
        let mut run = Run::new(4000, 4000, off);
        let (first, _) = run.picture(&fresh(400), true, true, FRAME);
        assert!(first.key && first.quantiser > FINEST, "{off}: {first:?}");
        let times = (0..30).find(|_| {
            run.picture(&still(400), false, false, 33_000);
            run.control.finished()
        });
        assert!(times.is_some(), "{off}");
    }
}

#[test]
fn it_also_ends_on_a_line_that_carries_little() {
    let mut run = Run::new(300, 4000, 1.0);
    run.picture(&fresh(600), true, true, FRAME);
    let begun = run.now;
    while !run.control.finished() {
        run.picture(&still(600), false, false, 100_000);
        assert!(run.now - begun < 12_000_000, "never");
    }
    // The picture is about 60 kB, which takes 1.6 s.
    assert!(run.now - begun > 1_000_000);
}

#[test]
fn a_small_change_of_a_finished_picture_is_fine_at_once() {
    let mut run = Run::new(4000, 4000, 1.0);
    run.picture(&fresh(400), true, true, FRAME);
    while !run.control.finished() {
        run.picture(&still(400), false, false, 33_000);
    }
    let mut caret = still(400);
    (caret.flags[77], caret.change[77]) = (0, 300);
    let (choice, bytes) = run.picture(&caret, false, true, 500_000);
    assert!(
        choice.quantiser <= FINEST + 2 && !choice.key && bytes < 300,
        "{choice:?} {bytes}"
    );
}

#[test]
fn a_key_frame_that_became_too_large_is_made_again_coarser_and_a_change_of_a_part_is_not() {
    let allowance = Allowance {
        bytes: 8_000,
        most: 10_000,
        full: true,
    };
    let wanted = Wanted {
        key: true,
        change: true,
        allowance,
    };
    let mut control = Control::new(&fresh(400));
    let first = control.choose(&fresh(400), wanted);
    let again = control.came_out(&fresh(400), 80_000, wanted).unwrap();
    assert!(again.key && again.quantiser > first.quantiser);
    assert_eq!(control.came_out(&fresh(400), 9_000, wanted), None);

    let mut part = still(400);
    part.flags[..100].fill(0);
    let wanted = Wanted { key: false, ..wanted };
    control.choose(&part, wanted);
    assert_eq!(control.came_out(&part, 80_000, wanted), None, "the next stand on it");
}

proptest! {
    #[test]
    fn the_rate_holds_while_all_of_it_moves_however_wrong_the_model_is(
        kbps in 500u32..8000,
        detail in 20u16..1500,
        off in 0.3f32..3.0,
    ) {
        let mut run = Run::new(kbps, 4000, off);
        run.picture(&fresh(detail), true, true, FRAME);
        let begun = run.now;
        let mut bytes = 0;
        for _ in 0..120 {
            bytes += run.picture(&fresh(detail), false, true, FRAME).1;
        }
        // What was saved, and what a line may be behind.
        let may = u64::from(kbps) * (run.now - begun + 1_700_000) / 8000;
        prop_assert!(bytes <= may + 20_000, "{bytes} of {may}");
    }

    #[test]
    fn whatever_comes_out_the_quantiser_is_one_that_there_is(
        sizes in prop::collection::vec((0u64..2_000_000, any::<bool>(), any::<bool>(), 0u16..4000), 1..60),
    ) {
        let mut control = Control::new(&fresh(0));
        for (bytes, key, change, detail) in sizes {
            let blocks = if change { fresh(detail) } else { still(detail) };
            let allowance = Allowance { bytes: bytes / 3, most: bytes / 2, full: !change };
            let wanted = Wanted { key, change, allowance };
            let mut choice = control.choose(&blocks, wanted);
            let mut tries = 0;
            loop {
                prop_assert!((FINEST..=COARSEST).contains(&choice.quantiser));
                prop_assert!(!key || choice.key);
                tries += 1;
                prop_assert!(tries < 5);
                match control.came_out(&blocks, bytes, wanted) {
                    Some(coarser) => choice = coarser,
                    None => break,
                }
            }
        }
    }
}

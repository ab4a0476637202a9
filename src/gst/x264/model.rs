//! What a picture will take at a quantiser, by what it shows. Pure.
//!
//! A block takes about as many bits as its detail has steps of the quantiser, by the logarithm: that of a photograph is small
//! and halves with each six of the quantiser, that of text is not. How far off that is shows by what frames took.

use heliostat_scaling::{Blocks, SAME};

/// The finest quantiser that is used, and the coarsest.
pub(super) const FINEST: u8 = 12;
pub(super) const COARSEST: u8 = 51;
/// One more than the largest there is.
const QUANTISERS: usize = 52;
/// Detail is sorted by its half logarithms: two for each doubling of up to 4096.
const CLASSES: usize = 26;
/// Bits of a block whose detail is e−1 steps of the quantiser. Measured; what it is off by is learned.
const BITS: f32 = 260.0;
/// What is learned is believed within these bounds: the next picture may be of another kind.
const LEARNED: (f32, f32) = (0.08, 4.0);
/// A frame's head.
const HEAD_BITS: f32 = 200.0;

/// What a picture is to be predicted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key frame: each block anew.
    Key,
    /// What has changed anew, and the rest finer where it was coarser.
    Change,
}

/// What was predicted for a picture: bits of what is new, and of what becomes finer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Predicted {
    new: f32,
    finer: f32,
}

impl Predicted {
    pub(super) fn bits(self) -> f32 {
        self.new + self.finer + HEAD_BITS
    }
}

/// How much of each class there is in a picture.
#[derive(Debug)]
pub(super) struct Census {
    kind: Kind,
    new: [u32; CLASSES],
    /// The quantiser of the picture before: what moved is taken from there, and is as coarse.
    last: usize,
    /// By the quantiser that it is shown at, what moved among it.
    old: Vec<[u32; CLASSES]>,
    /// Quantisers that any is shown at, the coarsest first.
    shown: Vec<usize>,
    changed: usize,
    blocks: usize,
}

impl Census {
    /// Of a picture, each block of which is shown at a quantiser until now.
    pub(super) fn new(blocks: &Blocks, shown_at: &[u8], last: u8, kind: Kind) -> Self {
        let last = usize::from(last).min(QUANTISERS - 1);
        let mut census = Self {
            kind,
            last: if kind == Kind::Key { 0 } else { last },
            new: [0; CLASSES],
            old: vec![[0; CLASSES]; QUANTISERS],
            shown: Vec::new(),
            changed: 0,
            blocks: blocks.flags.len(),
        };
        let each = blocks
            .flags
            .iter()
            .zip(&blocks.detail)
            .zip(&blocks.change)
            .zip(shown_at);
        for (((flag, detail), change), at) in each {
            let same = *flag == SAME;
            census.changed += usize::from(!same);
            if kind == Kind::Key {
                census.new[class(*detail)] += 1;
            } else if same {
                census.old[usize::from(*at).min(QUANTISERS - 1)][class(*detail)] += 1;
            } else {
                // What hardly changed need not be told anew.
                census.new[class((*detail).min(*change))] += 1;
                census.old[last][class((*detail).min(*change))] += 1;
            }
        }
        let any = |of: &[u32; CLASSES]| of.iter().any(|n| *n > 0);
        census.shown = (0..QUANTISERS).rev().filter(|q| any(&census.old[*q])).collect();
        census
    }

    /// Whether most of the picture is another one.
    pub(super) const fn mostly_new(&self) -> bool {
        self.changed * 2 > self.blocks
    }
}

/// What is known of what pictures take.
#[derive(Debug)]
pub(super) struct Model {
    /// Bits of a block of each class, by the quantiser.
    table: Vec<[f32; CLASSES]>,
    key: f32,
    change: f32,
    finer: f32,
}

impl Model {
    pub(super) fn new() -> Self {
        let table = (0..QUANTISERS).map(|quantiser| {
            let step = 0.625 * (quantiser as f32 / 6.0).exp2();
            std::array::from_fn(|class| {
                let detail = if class == 0 {
                    0.0
                } else {
                    ((class as f32 - 0.5) / 2.0).exp2() / 16.0
                };
                BITS * (detail / step).ln_1p()
            })
        });
        Self {
            table: table.collect(),
            key: 1.0,
            change: 1.0,
            finer: 1.0,
        }
    }

    /// What it would take.
    pub(super) fn predict(&self, census: &Census, quantiser: u8) -> Predicted {
        let at = usize::from(quantiser).min(QUANTISERS - 1);
        let here = &self.table[at];
        let moved = &self.table[at.max(census.last)];
        let sum = |of: &[u32; CLASSES]| of.iter().zip(moved).map(|(n, bits)| *n as f32 * bits).sum::<f32>();
        let finer = |shown: &usize| {
            let there = &self.table[*shown];
            let gains = census.old[*shown].iter().zip(here).zip(there);
            gains.map(|((n, here), there)| *n as f32 * (here - there)).sum::<f32>()
        };
        let scale = match census.kind {
            Kind::Key => self.key,
            Kind::Change => self.change,
        };
        let coarser = census.shown.iter().take_while(|shown| **shown > at);
        Predicted {
            new: sum(&census.new) * scale,
            finer: coarser.map(finer).sum::<f32>() * self.finer,
        }
    }

    /// The finest quantiser from `finest` on at which it takes no more than so many bits; the coarsest if there is none.
    pub(super) fn fitting(&self, census: &Census, finest: u8, bits: f32) -> u8 {
        let (mut low, mut high) = (finest.min(COARSEST), COARSEST);
        while low < high {
            let middle = low.midpoint(high);
            if self.predict(census, middle).bits() <= bits {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// A frame for which this was predicted took so many bits.
    pub(super) fn learn(&mut self, kind: Kind, predicted: Predicted, bits: f32) {
        let off = (bits.max(HEAD_BITS) / predicted.bits()).clamp(0.1, 10.0);
        let all = predicted.new + predicted.finer;
        // Of what is next to nothing nothing is learned.
        if all < 4.0 * HEAD_BITS {
            return;
        }
        let learn = |scale: &mut f32, part: f32| {
            *scale = (*scale * off.powf(0.7 * part / all)).clamp(LEARNED.0, LEARNED.1);
        };
        match kind {
            Kind::Key => learn(&mut self.key, predicted.new),
            Kind::Change => learn(&mut self.change, predicted.new),
        }
        learn(&mut self.finer, predicted.finer);
    }
}

/// The class of a detail in sixteenths.
fn class(detail: u16) -> usize {
    let Some(whole) = detail.checked_ilog2() else { return 0 };
    let half = if whole == 0 { 0 } else { detail >> (whole - 1) & 1 };
    (whole as usize * 2 + usize::from(half) + 1).min(CLASSES - 1)
}

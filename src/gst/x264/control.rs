//! Which quantiser a picture is encoded with. Pure: what it may take is told ([`Allowance`]).

use heliostat_scaling::{Blocks, SAME};

use super::model::{COARSEST, Census, FINEST, Kind, Model, Predicted};
use crate::gst::budget::Allowance;

/// The finest for what moves: what is seen for a moment need not be finer, and what stays becomes so.
const FINEST_MOVING: u8 = 13;
/// While it moves the quantiser goes down by so much or not at all: each step costs a look at all that has not changed.
const STEP: u8 = 2;
/// A frame of no more than this is never too large, in bytes.
const SMALL: u64 = 6_000;
/// A frame that is none gives way to one only when it is so many times too large: key frames take more.
const MUCH: u64 = 2;
/// So much coarser is a frame that takes the place of one that became too large, at least.
const COARSER: u8 = 2;
/// So often is a picture encoded anew at most.
const AGAIN: u8 = 2;

/// What is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As a picture that stands for itself.
    pub(super) key: bool,
    /// The screen has changed.
    pub(super) change: bool,
    /// What it may take.
    pub(super) allowance: Allowance,
}

/// How it is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) quantiser: u8,
    pub(super) key: bool,
}

/// Chooses, and learns from what came out.
#[derive(Debug)]
pub(super) struct Control {
    model: Model,
    /// The quantiser that each block is shown at.
    shown_at: Vec<u8>,
    last: u8,
    census: Census,
    predicted: Predicted,
    chosen: Choice,
    tries: u8,
}

impl Control {
    /// Of pictures of so many blocks.
    pub(super) fn new(blocks: &Blocks) -> Self {
        let shown_at = vec![COARSEST; blocks.flags.len()];
        Self {
            model: Model::new(),
            census: Census::new(blocks, &shown_at, COARSEST, Kind::Key),
            shown_at,
            last: COARSEST,
            predicted: Predicted::default(),
            chosen: Choice {
                quantiser: COARSEST,
                key: true,
            },
            tries: 0,
        }
    }

    /// Chooses for the next picture.
    pub(super) fn choose(&mut self, blocks: &Blocks, wanted: Wanted) -> Choice {
        let kind = if wanted.key { Kind::Key } else { Kind::Change };
        self.census = Census::new(blocks, &self.shown_at, self.last, kind);
        self.tries = 0;
        let finest = if wanted.change { FINEST_MOVING } else { FINEST };
        let fitting = self.model.fitting(&self.census, finest, bits(wanted.allowance.bytes));
        let quantiser = if wanted.key {
            fitting
        } else if wanted.change {
            if fitting < self.last && fitting + STEP > self.last {
                self.last
            } else {
                fitting
            }
        } else if fitting >= self.last && wanted.allowance.full {
            // Nothing more can be saved up for the next step.
            self.last.saturating_sub(1).max(finest)
        } else {
            fitting
        };
        self.chose(quantiser, wanted.key)
    }

    fn chose(&mut self, quantiser: u8, key: bool) -> Choice {
        self.predicted = self.model.predict(&self.census, quantiser);
        self.chosen = Choice { quantiser, key };
        self.chosen
    }

    /// A frame of so many bytes came out. What is to be encoded in its place, if it cannot be sent: a frame that the encoder
    /// has made is one that the next stand on, but for a key frame.
    pub(super) fn came_out(&mut self, blocks: &Blocks, bytes: u64, wanted: Wanted) -> Option<Choice> {
        let kind = if self.chosen.key { Kind::Key } else { Kind::Change };
        self.model.learn(kind, self.predicted, bits(bytes));
        let most = wanted.allowance.most.max(SMALL);
        let too_large = bytes > if self.chosen.key { most } else { MUCH * most };
        let can_be = self.chosen.key || self.census.mostly_new();
        if too_large && can_be && self.tries < AGAIN && self.chosen.quantiser < COARSEST {
            self.tries += 1;
            self.census = Census::new(blocks, &self.shown_at, self.last, Kind::Key);
            let fitting = self.model.fitting(&self.census, FINEST, bits(wanted.allowance.bytes));
            let coarser = fitting.max(self.chosen.quantiser + COARSER).min(COARSEST);
            return Some(self.chose(coarser, true));
        }
        self.last = self.chosen.quantiser;
        for (at, flag) in self.shown_at.iter_mut().zip(&blocks.flags) {
            *at = if *flag == SAME && !self.chosen.key {
                (*at).min(self.last)
            } else {
                self.last
            };
        }
        None
    }

    /// Whether all that is shown is as fine as it gets.
    pub(super) fn finished(&self) -> bool {
        self.shown_at.iter().all(|at| *at <= FINEST)
    }
}

fn bits(bytes: u64) -> f32 {
    bytes as f32 * 8.0
}

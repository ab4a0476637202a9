//! Whether what has changed is what was elsewhere before: what scrolls, or is dragged.

use memchr::memmem::Finder;

use super::blocks::{Blocks, Form, SAME, SIDE};

/// How far it is looked for, pixels each way.
const REACH: usize = 32;
/// What has moved by no more is found by any search.
const NEAR: usize = 3;
/// Blocks that are looked for at most, spread over all that have changed.
const SAMPLES: usize = 16;
/// One of so many is found: a part of the picture has moved.
const PART: usize = 8;
/// Where fewer blocks have changed, a long search costs less than to know whether it is worth it.
const FEW: usize = 64;
/// A block of less detail, in sixteenths of a step, is found anywhere.
const PLAIN: u16 = 8;

impl Blocks {
    /// Whether a long search for what has moved is worth its time: hardly anything has changed, or a part of what has is exactly
    /// what was farther away in the picture before. To be asked after [`Self::look`] at both.
    #[must_use]
    pub fn moves_far(&self, form: Form, now: &[u8], before: Option<&[u8]>) -> bool {
        let changed = || self.flags.iter().enumerate().filter(|(_, flag)| **flag != SAME);
        if changed().nth(FEW).is_none() {
            return changed().next().is_some();
        }
        let Some(before) = before.filter(|before| before.len() == now.len() && now.len() >= form.bytes()) else {
            return false;
        };
        let (across, _) = form.blocks();
        let whole = |n: usize| {
            let (left, top) = (n % across * SIDE, n / across * SIDE);
            (left + SIDE <= form.width && top + SIDE <= form.height).then_some((left, top))
        };
        let told: Vec<(usize, usize)> = changed()
            .filter(|(n, _)| self.detail[*n].min(self.change[*n]) >= PLAIN)
            .filter_map(|(n, _)| whole(n))
            .collect();
        let every = told.len().div_ceil(SAMPLES).max(1);
        let samples: Vec<_> = told.into_iter().step_by(every).collect();
        let found = samples.iter().filter(|place| was_elsewhere(form, **place, now, before));
        !samples.is_empty() && found.count() * PART >= samples.len()
    }
}

/// Whether a block was, as it is, farther away than [`NEAR`].
fn was_elsewhere(form: Form, (left, top): (usize, usize), now: &[u8], before: &[u8]) -> bool {
    let stride = form.strides.0;
    // A row in its middle is looked for first; where that is, the whole block.
    let middle = top + SIDE / 2;
    let row = Finder::new(row_at(now, middle * stride + left));
    let highest = middle.saturating_sub(REACH).max(SIDE / 2);
    let lowest = (middle + REACH).min(form.height - SIDE / 2);
    let (first, end) = (left.saturating_sub(REACH), (left + REACH + SIDE).min(form.width));
    (highest..=lowest).any(|y| {
        row.find_iter(&before[y * stride + first..y * stride + end]).any(|at| {
            let x = first + at;
            let is_far = y.abs_diff(middle) > NEAR || x.abs_diff(left) > NEAR;
            let (here, there) = (top * stride + left, (y - SIDE / 2) * stride + x);
            let mut rows = 0..SIDE;
            is_far && rows.all(|n| row_at(now, here + n * stride) == row_at(before, there + n * stride))
        })
    })
}

fn row_at(plane: &[u8], at: usize) -> &[u8] {
    &plane[at..at + SIDE]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        width: 320,
        height: 240,
        strides: (320, 160),
    };

    /// Something like text: no two blocks of it are alike.
    fn page(seed: usize) -> Vec<u8> {
        let mut state = (seed as u32).wrapping_mul(2_654_435_761) + 1;
        (0..FORM.bytes())
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 28 < 4 { 20 } else { 235 }
            })
            .collect()
    }

    /// The picture moved right and down, what comes in being new.
    fn moved(from: &[u8], right: isize, down: isize) -> Vec<u8> {
        let mut to = page(99);
        for y in 0..240_isize {
            for x in 0..320_isize {
                let (fx, fy) = (x - right, y - down);
                if (0..320).contains(&fx) && (0..240).contains(&fy) {
                    to[(y * 320 + x) as usize] = from[(fy * 320 + fx) as usize];
                }
            }
        }
        to
    }

    fn far(now: &[u8], before: &[u8]) -> bool {
        let mut blocks = Blocks::new(FORM);
        blocks.look(FORM, now, Some(before), None);
        blocks.moves_far(FORM, now, Some(before))
    }

    #[test]
    fn what_scrolls_or_is_dragged_moves_far_and_what_creeps_does_not() {
        let before = page(1);
        for (right, down) in [(0, 20), (0, -20), (31, 0), (-17, 9), (4, 0)] {
            assert!(far(&moved(&before, right, down), &before), "{right}, {down}");
        }
        for (right, down) in [(0, 3), (-2, 1)] {
            assert!(!far(&moved(&before, right, down), &before), "{right}, {down}");
        }
        assert!(!far(&moved(&before, 0, 40), &before), "farther than it is looked for");
    }

    #[test]
    fn another_picture_does_not_move_whether_it_has_detail_or_is_plain() {
        assert!(!far(&page(2), &page(1)));
        assert!(!far(&vec![200; FORM.bytes()], &vec![30; FORM.bytes()]));
        assert!(!far(&page(2), &vec![30; FORM.bytes()]));
        assert!(!far(&vec![30; FORM.bytes()], &page(2)));
    }

    #[test]
    fn a_window_that_is_dragged_over_a_still_page_moves_far() {
        let (mut before, mut now) = (page(1), page(1));
        let window = page(3);
        for y in 0..150 {
            for x in 0..150 {
                before[(20 + y) * 320 + 20 + x] = window[y * 320 + x];
                now[(28 + y) * 320 + 34 + x] = window[y * 320 + x];
            }
        }
        assert!(far(&now, &before));
    }

    #[test]
    fn where_little_has_changed_nothing_is_asked() {
        let before = page(1);
        let mut now = before.clone();
        assert!(!far(&now, &before), "nothing at all");
        now[..16].fill(77);
        assert!(far(&now, &before));
    }

    #[test]
    fn with_nothing_before_or_another_size_nothing_moves() {
        let (mut blocks, now) = (Blocks::new(FORM), page(1));
        blocks.look(FORM, &now, None, None);
        assert!(!blocks.moves_far(FORM, &now, None));
        assert!(!blocks.moves_far(FORM, &now, Some(&now[..100])));
    }
}

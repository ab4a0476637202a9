//! Which blocks of a picture are as they were in the one before, and how much there is to say about the others.

/// Pixels of a block's side, of the brightness.
pub(crate) const SIDE: usize = 16;
/// Flags of a block, as libx264 has them: it is as it was.
pub const SAME: u8 = 1;

/// A picture of a brightness and two colour differences of half its size both ways, planes one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row to the next, of the brightness and of the colour differences.
    pub strides: (usize, usize),
}

impl Form {
    /// Blocks a row, and rows of them.
    #[must_use]
    pub const fn blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(SIDE), self.height.div_ceil(SIDE))
    }

    /// Bytes of a picture.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.strides.0 * self.height + 2 * self.strides.1 * (self.height / 2)
    }
}

/// What is known of one picture: a value for each block, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// [`SAME`], or nothing.
    pub flags: Vec<u8>,
    /// How uneven its brightness is: the mean step from pixel to pixel, in sixteenths. Of a block that is as it was, what was
    /// found when it was not.
    pub detail: Vec<u16>,
    /// By how much its brightness is another one, a pixel, in sixteenths.
    pub change: Vec<u16>,
}

impl Blocks {
    /// Of pictures of this form, of which none has been seen.
    #[must_use]
    pub fn new(form: Form) -> Self {
        let (across, down) = form.blocks();
        Self {
            flags: vec![0; across * down],
            detail: vec![0; across * down],
            change: vec![0; across * down],
        }
    }

    /// Nothing has changed.
    pub fn all_same(&mut self) {
        self.flags.fill(SAME);
        self.change.fill(0);
    }

    /// Looks at a picture, and the one before it if there is one. Both have to have as many bytes as their form says; of
    /// others nothing is the same. What is not among the `suspects` is not looked at: it is known to be the same.
    pub fn look(&mut self, form: Form, now: &[u8], before: Option<&[u8]>, suspects: Option<Suspects<'_>>) {
        let before = before.filter(|before| before.len() == now.len());
        let (across, down) = form.blocks();
        if now.len() < form.bytes() || self.flags.len() != across * down {
            self.flags.fill(0);
            return;
        }
        for n in 0..across * down {
            let place = (n % across, n / across);
            let same = before.is_some_and(|before| {
                suspects.is_some_and(|suspects| !suspects.has(place)) || same(form, place, now, before)
            });
            self.flags[n] = if same { SAME } else { 0 };
            if same {
                self.change[n] = 0;
            } else {
                (self.detail[n], self.change[n]) = measure(form, place, now, before);
            }
        }
    }
}

/// Blocks that may be other ones than before, a bit for each.
#[derive(Clone, Copy, Debug)]
pub struct Suspects<'a> {
    /// Rows of words; the first block of a row is the lowest bit of its first word.
    pub bits: &'a [u64],
    /// Words a row.
    pub words: usize,
}

impl Suspects<'_> {
    /// Of a block beyond them it is not known.
    fn has(&self, (column, row): (usize, usize)) -> bool {
        let (word, bit) = (row * self.words + column / 64, column % 64);
        self.bits.get(word).is_none_or(|word| word >> bit & 1 == 1)
    }
}

/// The three planes, each with where it begins, its stride, its rows, and its part of a block.
const fn planes(form: Form) -> [(usize, usize, usize, usize); 3] {
    let (luma, chroma) = form.strides;
    let half = form.height / 2;
    let blue = luma * form.height;
    [
        (0, luma, form.height, SIDE),
        (blue, chroma, half, SIDE / 2),
        (blue + chroma * half, chroma, half, SIDE / 2),
    ]
}

/// Whether a block is the same in all planes.
fn same(form: Form, (column, row): (usize, usize), now: &[u8], before: &[u8]) -> bool {
    planes(form).into_iter().all(|(begin, stride, rows, side)| {
        let left = column * side;
        let width = side.min(stride - left);
        (row * side..((row + 1) * side).min(rows)).all(|y| {
            let at = begin + y * stride + left;
            let (now, before) = (&now[at..at + width], &before[at..at + width]);
            // Of a known length they are compared without a call.
            match width {
                16 => now[..16] == before[..16],
                8 => now[..8] == before[..8],
                _ => now == before,
            }
        })
    })
}

/// The detail of a block, and its change.
fn measure(form: Form, (column, row): (usize, usize), now: &[u8], before: Option<&[u8]>) -> (u16, u16) {
    let (stride, left) = (form.strides.0, column * SIDE);
    let width = SIDE.min(form.width - left);
    let rows = row * SIDE..((row + 1) * SIDE).min(form.height);
    let pixels = (width * rows.len()).max(1) as u32;
    let (mut steps, mut off) = (0_u32, 0_u32);
    let mut above: Option<&[u8]> = None;
    for y in rows {
        let at = y * stride + left;
        let line = &now[at..at + width];
        steps += line
            .windows(2)
            .map(|pair| u32::from(pair[0].abs_diff(pair[1])))
            .sum::<u32>();
        if let Some(above) = above {
            steps += distance(line, above);
        }
        off += before.map_or(255 * width as u32, |before| distance(line, &before[at..at + width]));
        above = Some(line);
    }
    let sixteenths = |sum: u32| (sum * 16 / pixels) as u16;
    (sixteenths(steps / 2), sixteenths(off))
}

fn distance(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        width: 40,
        height: 36,
        strides: (40, 20),
    };

    #[test]
    fn a_block_is_the_same_only_if_no_pixel_of_any_plane_of_it_is_another() {
        let before = vec![100_u8; FORM.bytes()];
        let blue = 40 * 36;
        // Of a pixel the block, by hand; blocks at the edges are smaller.
        let table = [
            (0, 0),
            (15 * 40 + 15, 0),
            (15 * 40 + 16, 1),
            (16 * 40 + 39, 5),
            (35 * 40 + 39, 8),
            (blue, 0),
            (blue + 8 * 20 + 7, 3),
            (blue + 20 * 18 + 17 * 20 + 19, 8),
        ];
        for (at, block) in table {
            let mut now = before.clone();
            now[at] = 101;
            let mut blocks = Blocks::new(FORM);
            blocks.look(FORM, &now, Some(&before), None);
            for (n, flag) in blocks.flags.iter().enumerate() {
                assert_eq!(*flag, u8::from(n != block), "byte {at}, block {n}");
            }
        }
    }

    #[test]
    fn only_suspects_are_looked_at_and_those_that_are_as_they_were_are_the_same() {
        let before = vec![100_u8; FORM.bytes()];
        let mut now = before.clone();
        now[0] = 101;
        now[16 * 40 + 39] = 101;
        // The first block and the fifth are others; of the first and the second it is said that they may be.
        let suspects = Suspects {
            bits: &[0b11, 0, 0],
            words: 1,
        };
        let mut blocks = Blocks::new(FORM);
        blocks.look(FORM, &now, Some(&before), Some(suspects));
        assert_eq!(blocks.flags, [0, 1, 1, 1, 1, 1, 1, 1, 1]);
        let short = Suspects { bits: &[0], words: 1 };
        blocks.look(FORM, &now, Some(&before), Some(short));
        assert_eq!(
            blocks.flags,
            [1, 1, 1, 1, 1, 0, 1, 1, 1],
            "rows of which nothing is said"
        );
        blocks.look(FORM, &now, None, Some(suspects));
        assert_eq!(blocks.flags, [0; 9], "nothing was before");
    }

    #[test]
    fn stripes_have_more_detail_than_a_plain_block_and_what_is_the_same_keeps_its_own() {
        let mut now = vec![100_u8; FORM.bytes()];
        for x in 0..8 {
            for y in 0..16 {
                now[y * 40 + x * 2] = 200;
            }
        }
        let mut blocks = Blocks::new(FORM);
        blocks.look(FORM, &now, None, None);
        assert!(blocks.detail[0] > 40 * 16 && blocks.detail[1] == 0, "{blocks:?}");
        assert!(blocks.flags.iter().all(|flag| *flag == 0));
        let detail = blocks.detail.clone();
        blocks.look(FORM, &now, Some(&now), None);
        assert_eq!(blocks.detail, detail);
        assert!(blocks.flags.iter().all(|flag| *flag == SAME));
    }

    #[test]
    fn a_picture_of_another_size_is_not_looked_at() {
        let mut blocks = Blocks::new(FORM);
        blocks.look(FORM, &[1, 2, 3], Some(&[1, 2, 3]), None);
        assert!(blocks.flags.iter().all(|flag| *flag == 0));
        blocks.look(FORM, &vec![9; FORM.bytes()], Some(&[1, 2, 3]), None);
        assert!(blocks.flags.iter().all(|flag| *flag == 0));
    }
}

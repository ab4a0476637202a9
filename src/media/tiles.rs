//! Which parts of a picture have changed, in squares of 16 pixels. Pure.

/// Width and height of a tile in pixels: those of a macroblock of H.264.
pub const TILE: u16 = 16;
const WORD: usize = 64;

/// A rectangle of pixels inside a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Pixels from the left.
    pub x: u16,
    /// Pixels from the top.
    pub y: u16,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

impl Area {
    /// A picture of this size.
    #[must_use]
    pub const fn whole((width, height): (u16, u16)) -> Self {
        let (x, y) = (0, 0);
        Self { x, y, width, height }
    }

    /// Pixels in it.
    #[must_use]
    pub fn pixels(&self) -> u32 {
        u32::from(self.width) * u32::from(self.height)
    }
}

/// A set of tiles of a picture: a bit for each, so that however many rectangles come together, it stays as small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiles {
    size: (u16, u16),
    /// Of a row of tiles.
    words: usize,
    bits: Vec<u64>,
}

impl Tiles {
    /// None of a picture of this size in pixels.
    #[must_use]
    pub fn none(size: (u16, u16)) -> Self {
        let words = usize::from(size.0.div_ceil(TILE)).div_ceil(WORD);
        let bits = vec![0; words * usize::from(size.1.div_ceil(TILE))];
        Self { size, words, bits }
    }

    /// All of a picture of this size.
    #[must_use]
    pub fn all(size: (u16, u16)) -> Self {
        let mut all = Self::none(size);
        let (width, height) = size;
        all.add((0, 0), (width, height));
        all
    }

    /// Of a picture of this size, in pixels.
    #[must_use]
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Tiles in a row, and rows; the last of each may be cut by the picture's edge.
    #[must_use]
    pub const fn grid(&self) -> (usize, usize) {
        let (width, height) = self.size;
        (width.div_ceil(TILE) as usize, height.div_ceil(TILE) as usize)
    }

    /// A bit for each, row by row, the leftmost of a row the lowest of its first word.
    #[must_use]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Words a row of those.
    #[must_use]
    pub const fn words(&self) -> usize {
        self.words
    }

    /// Adds those that a rectangle of pixels touches, which may lie outside of the picture.
    pub fn add(&mut self, (x, y): (i16, i16), (width, height): (u16, u16)) {
        let span = |from: i16, length: u16, side: u16| {
            let end = (i32::from(from) + i32::from(length)).min(side.into());
            let (from, last) = (i32::from(from).max(0), end - 1);
            let tile = |at: i32| usize::try_from(at / i32::from(TILE)).ok();
            (from <= last).then(|| Some((tile(from)?, tile(last)?))).flatten()
        };
        let columns = span(x, width, self.size.0);
        let rows = span(y, height, self.size.1);
        if let (Some((left, right)), Some((top, bottom))) = (columns, rows) {
            for row in top..=bottom {
                self.add_run(row, left, right);
            }
        }
    }

    fn add_run(&mut self, row: usize, left: usize, right: usize) {
        for word in left / WORD..=right / WORD {
            let mut mask = !0;
            if word == left / WORD {
                mask &= !0 << (left % WORD);
            }
            if word == right / WORD {
                mask &= !0 >> (WORD - 1 - right % WORD);
            }
            self.bits[row * self.words + word] |= mask;
        }
    }

    /// Adds those of another set; all, if that is of a picture of another size.
    pub fn union(&mut self, other: &Self) {
        if self.size != other.size {
            *self = Self::all(self.size);
            return;
        }
        for (mine, theirs) in self.bits.iter_mut().zip(&other.bits) {
            *mine |= theirs;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// Whether that tile is in it; of those outside of the picture none is.
    #[must_use]
    pub fn has(&self, column: usize, row: usize) -> bool {
        let (columns, rows) = self.grid();
        column < columns && row < rows && self.bits[row * self.words + column / WORD] >> (column % WORD) & 1 == 1
    }

    /// Exactly those, as few rectangles that do not overlap: rows of the same tiles are taken together.
    #[must_use]
    pub fn areas(&self) -> Vec<Area> {
        let mut areas = Vec::new();
        let mut rows = self.bits.chunks(self.words.max(1)).enumerate().peekable();
        while let Some((first, row)) = rows.next() {
            let mut last = first;
            while let Some((same, _)) = rows.next_if(|(_, next)| *next == row) {
                last = same;
            }
            areas.extend(runs(row).map(|columns| self.area(columns, (first, last))));
        }
        areas
    }

    /// Rows that hold them, each from the first to the last in it: no more than `most`, which hold more where they must.
    #[must_use]
    pub fn bands(&self, most: usize) -> Vec<Area> {
        let mut bands: Vec<((usize, usize), (usize, usize))> = Vec::new();
        for (at, row) in self.bits.chunks(self.words.max(1)).enumerate() {
            let Some((left, right)) = extent(row) else { continue };
            let full = bands.len() >= most;
            match bands.last_mut() {
                Some((columns, rows)) if full || rows.1 + 1 == at => {
                    *columns = (columns.0.min(left), columns.1.max(right));
                    rows.1 = at;
                }
                _ => bands.push(((left, right), (at, at))),
            }
        }
        bands
            .into_iter()
            .map(|(columns, rows)| self.area(columns, rows))
            .collect()
    }

    /// The pixels of tiles from the first to the last of a row and a column.
    fn area(&self, (left, right): (usize, usize), (top, bottom): (usize, usize)) -> Area {
        let edge = |tile: usize, side: u16| u16::try_from(tile * usize::from(TILE)).map_or(side, |at| at.min(side));
        let (x, y) = (edge(left, self.size.0), edge(top, self.size.1));
        Area {
            x,
            y,
            width: edge(right + 1, self.size.0) - x,
            height: edge(bottom + 1, self.size.1) - y,
        }
    }
}

/// The first and the last bit that is set.
fn extent(row: &[u64]) -> Option<(usize, usize)> {
    let first = row.iter().position(|word| *word != 0)?;
    let last = row.iter().rposition(|word| *word != 0)?;
    let left = first * WORD + row[first].trailing_zeros() as usize;
    let right = last * WORD + WORD - 1 - row[last].leading_zeros() as usize;
    Some((left, right))
}

/// The first and the last of each run of bits that are set.
fn runs(row: &[u64]) -> impl Iterator<Item = (usize, usize)> {
    let next = |from: usize, wanted: bool| {
        (from..row.len() * WORD).find(|bit| (row[bit / WORD] >> (bit % WORD) & 1 == 1) == wanted)
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        let left = next(at, true)?;
        at = next(left, false).unwrap_or(row.len() * WORD);
        Some((left, at - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains(area: &Area, x: usize, y: usize) -> bool {
        let inside = |at: usize, from: u16, length: u16| at >= usize::from(from) && at < usize::from(from + length);
        inside(x, area.x, area.width) && inside(y, area.y, area.height)
    }

    type Rectangle = ((i16, i16), (u16, u16));

    fn rectangles(most: usize) -> impl Strategy<Value = Vec<Rectangle>> {
        let one = ((-40_i16..1200, -40_i16..300), (0_u16..90, 0_u16..60));
        prop::collection::vec(one, 0..most)
    }

    #[test]
    fn the_last_tile_is_cut_by_the_edge() {
        let all = Tiles::all((1366, 770));
        assert_eq!(all.grid(), (86, 49));
        assert!(all.has(85, 48) && !all.has(86, 48) && !all.has(85, 49));
        assert_eq!(all.areas(), [Area::whole((1366, 770))]);
        assert_eq!(all.bands(8), [Area::whole((1366, 770))]);
    }

    #[test]
    fn what_lies_outside_or_has_no_pixels_adds_nothing() {
        let mut tiles = Tiles::none((64, 64));
        let nothing = [
            ((-5, 0), (5, 9)),
            ((64, 0), (1, 1)),
            ((0, 64), (u16::MAX, u16::MAX)),
            ((3, 3), (0, 5)),
            ((3, 3), (5, 0)),
            ((i16::MIN, i16::MIN), (7, 7)),
            ((i16::MAX, 0), (u16::MAX, 7)),
        ];
        for (at, size) in nothing {
            tiles.add(at, size);
            assert!(tiles.is_empty(), "{at:?} {size:?}");
        }
        tiles.add((i16::MIN, i16::MIN), (u16::MAX, u16::MAX));
        assert_eq!(tiles, Tiles::all((64, 64)));
    }

    #[test]
    fn a_picture_of_another_size_has_changed_everywhere() {
        let mut tiles = Tiles::none((64, 64));
        tiles.union(&Tiles::none((64, 66)));
        assert_eq!(tiles, Tiles::all((64, 64)));
    }

    #[test]
    fn a_picture_without_pixels_has_no_tiles() {
        for size in [(0, 0), (0, 16), (16, 0)] {
            assert!(Tiles::all(size).is_empty() && Tiles::all(size).areas().is_empty());
        }
    }

    proptest! {
        #[test]
        fn a_tile_is_in_it_where_a_rectangle_touches_it(
            size in (1_u16..1200, 1_u16..300), one in rectangles(6), two in rectangles(6),
        ) {
            let (mut tiles, mut other) = (Tiles::none(size), Tiles::none(size));
            one.iter().for_each(|(at, size)| tiles.add(*at, *size));
            two.iter().for_each(|(at, size)| other.add(*at, *size));
            tiles.union(&other);
            let (columns, rows) = tiles.grid();
            for (column, row) in (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))) {
                let touches = |&((x, y), (width, height)): &Rectangle| {
                    let overlap = |from: i16, length: u16, tile: usize, side: u16| {
                        let (from, tile) = (i32::from(from), tile as i32 * 16);
                        from.max(tile) < (from + i32::from(length)).min(tile + 16).min(side.into())
                    };
                    overlap(x, width, column, size.0) && overlap(y, height, row, size.1)
                };
                prop_assert_eq!(tiles.has(column, row), one.iter().chain(&two).any(touches), "{} {}", column, row);
            }
        }

        #[test]
        fn areas_hold_each_tile_once_and_bands_hold_all_in_few(
            size in (1_u16..1200, 1_u16..300), drawn in rectangles(12), most in 1_usize..9,
        ) {
            let mut tiles = Tiles::none(size);
            drawn.iter().for_each(|(at, size)| tiles.add(*at, *size));
            let (areas, bands) = (tiles.areas(), tiles.bands(most));
            prop_assert!(bands.len() <= most);
            for band in areas.iter().chain(&bands) {
                prop_assert!(band.x + band.width <= size.0 && band.y + band.height <= size.1 && band.pixels() > 0);
            }
            let (columns, rows) = tiles.grid();
            for (column, row) in (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))) {
                let (x, y) = (column * 16, row * 16);
                let (x_last, y_last) = ((x + 15).min(usize::from(size.0) - 1), (y + 15).min(usize::from(size.1) - 1));
                let holds = |area: &&Area| contains(area, x, y) && contains(area, x_last, y_last);
                prop_assert_eq!(areas.iter().filter(holds).count(), usize::from(tiles.has(column, row)));
                let banded = bands.iter().filter(holds).count();
                prop_assert!(banded <= 1 && banded >= usize::from(tiles.has(column, row)));
            }
        }
    }
}

//! Which parts of a picture were drawn on, in tiles of 32×32 pixels.

use crate::surface::Part;

/// Side of a tile in pixels.
pub const TILE: i32 = 32;

/// A set of tiles of one picture.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    width: i32,
    height: i32,
    across: i32,
    marked: Vec<bool>,
}

impl Tiles {
    /// No tile of a picture of `width`×`height` pixels.
    pub fn new(width: i32, height: i32) -> Self {
        let across = (width + TILE - 1) / TILE;
        let down = (height + TILE - 1) / TILE;
        Self {
            width,
            height,
            across,
            marked: vec![false; usize::try_from(across * down).unwrap_or(0)],
        }
    }

    /// Marks the tiles that hold pixels from (`x0`, `y0`) to (`x1`, `y1`), both included.
    pub fn mark(&mut self, x0: i32, y0: i32, x1: i32, y1: i32) {
        let (x0, x1) = (x0.max(0) / TILE, x1.min(self.width - 1));
        let (y0, y1) = (y0.max(0) / TILE, y1.min(self.height - 1));
        if x1 < 0 || y1 < 0 {
            return;
        }
        for y in y0..=y1 / TILE {
            for x in x0..=x1 / TILE {
                self.marked[(y * self.across + x) as usize] = true;
            }
        }
    }

    /// Marks every tile.
    pub fn mark_all(&mut self) {
        self.marked.fill(true);
    }

    /// Marks no tile.
    pub fn clear(&mut self) {
        self.marked.fill(false);
    }

    /// Adds the tiles of another set of the same picture.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.marked.iter_mut().zip(&other.marked) {
            *mine |= theirs;
        }
    }

    /// The marked tiles as few rectangles: runs of a row, joined with the same run of the row above.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let small = |n: i32| u16::try_from(n).unwrap_or(u16::MAX);
        for (row, tiles) in self.marked.chunks(self.across.max(1) as usize).enumerate() {
            let y = row as i32 * TILE;
            let height = small(TILE.min(self.height - y));
            let mut at = 0;
            while let Some(from) = tiles[at..].iter().position(|t| *t).map(|n| n + at) {
                let to = tiles[from..].iter().position(|t| !*t).map_or(tiles.len(), |n| n + from);
                let x = from as i32 * TILE;
                let width = small((to as i32 * TILE).min(self.width) - x);
                let above = parts
                    .iter_mut()
                    .rev()
                    .find(|p| i32::from(p.x) == x && p.width == width && i32::from(p.y) + i32::from(p.height) == y);
                match above {
                    Some(part) => part.height += height,
                    None => parts.push(Part {
                        x: small(x),
                        y: small(y),
                        width,
                        height,
                    }),
                }
                at = to;
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_what_was_marked_once_and_stay_inside(
            w in 1_i32..300, h in 1_i32..300,
            marks in prop::collection::vec((-50_i32..350, -50_i32..350, 0_i32..80, 0_i32..80), 0..6),
        ) {
            let mut tiles = Tiles::new(w, h);
            for (x, y, dx, dy) in &marks {
                tiles.mark(*x, *y, x + dx, y + dy);
            }
            let parts = tiles.parts();
            for y in 0..h {
                for x in 0..w {
                    let times = parts.iter().filter(|p| {
                        let (px, py) = (i32::from(p.x), i32::from(p.y));
                        x >= px && y >= py && x < px + i32::from(p.width) && y < py + i32::from(p.height)
                    }).count();
                    let wanted = marks.iter().any(|(mx, my, dx, dy)| x >= *mx && x <= mx + dx && y >= *my && y <= my + dy);
                    prop_assert!(times <= 1 && (times == 1 || !wanted));
                }
            }
            prop_assert!(parts.iter().all(|p| i32::from(p.x + p.width) <= w && i32::from(p.y + p.height) <= h));
        }
    }

    #[test]
    fn a_full_set_is_one_part() {
        let mut tiles = Tiles::new(1280, 720);
        tiles.mark_all();
        assert_eq!(
            tiles.parts(),
            [Part {
                x: 0,
                y: 0,
                width: 1280,
                height: 720
            }]
        );
    }
}

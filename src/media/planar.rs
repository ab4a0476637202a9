//! Pictures as encoders take them: I420, or I444 for colours in full; converted once for all who take the same.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use dcv_color_primitives::{ColorSpace, ImageFormat, PixelFormat, convert_image};

use super::changes::Changes;
use super::tiles::{Area, Tiles};

/// Pictures whose memory is kept for the next ones: one to be encoded again, one that each of two encoders still reads.
const KEPT: usize = 3;

/// As the display gives it; the fourth byte is not looked at.
const BGRX: ImageFormat = ImageFormat {
    pixel_format: PixelFormat::Bgra,
    color_space: ColorSpace::Rgb,
    num_planes: 1,
};
/// The size of the two colour differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// At half of the picture's both ways (4:2:0).
    I420,
    /// That of the picture (4:4:4).
    I444,
}

impl Layout {
    /// As encoders take it: BT.601, 16–235.
    const fn format(self) -> ImageFormat {
        ImageFormat {
            pixel_format: match self {
                Self::I420 => PixelFormat::I420,
                Self::I444 => PixelFormat::I444,
            },
            color_space: ColorSpace::Bt601,
            num_planes: 3,
        }
    }

    /// Bytes of the brightness, and of each colour difference.
    fn planes(self, width: u16, height: u16) -> (usize, usize) {
        let ((luma, chroma), height) = (strides(width), usize::from(height));
        match self {
            Self::I420 => (luma * height, chroma * height / 2),
            Self::I444 => (luma * height, luma * height),
        }
    }
}

/// A picture of three planes: brightness at full size, and the two colour differences as its [`Layout`] says.
///
/// BT.601 and limited range (16–235), which is what decoders take a stream for that does not say: VP8 cannot say.
/// Planes follow each other without a gap; rows are padded to four bytes, as GStreamer lays them out. Cheap to clone; its
/// memory is used again when the last clone is gone.
#[derive(Clone)]
pub struct PlanarPicture {
    shared: Arc<Memory>,
}

struct Memory {
    canvas: Canvas,
    home: Pool,
}

/// Memory that is being written to.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    pub(super) bytes: Vec<u8>,
    /// The picture that it holds, as [`Changes`] numbers them; 0: anything.
    number: u64,
}

/// Memory of pictures of one size, used again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Canvas>>>);

impl Pool {
    /// Memory of `size` bytes: what was let go last.
    pub(super) fn take(&self, size: usize) -> Canvas {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Canvas {
            bytes: vec![0; size],
            number: 0,
        })
    }

    /// A picture of memory that was taken here.
    pub(super) fn picture(&self, canvas: Canvas) -> PlanarPicture {
        let home = self.clone();
        PlanarPicture {
            shared: Arc::new(Memory { canvas, home }),
        }
    }
}

/// Bytes a row of the brightness, and of each colour difference.
#[must_use]
pub fn strides(width: u16) -> (usize, usize) {
    let padded = |n: usize| n.next_multiple_of(4);
    (padded(width.into()), padded(usize::from(width) / 2))
}

impl PlanarPicture {
    /// One of [`Layout::I420`] in two planes (NV12): brightness, and the two colour differences in turn. For this size; rows
    /// are padded to four bytes.
    #[must_use]
    pub fn nv12(&self, width: u16, height: u16) -> Vec<u8> {
        let (luma, chroma) = strides(width);
        let (height, source) = (usize::from(height), self.as_ref());
        let (bright, colour) = source.split_at((luma * height).min(source.len()));
        let (blue, red) = colour.split_at(colour.len() / 2);
        let mut bytes = Vec::with_capacity(luma * height * 3 / 2);
        bytes.extend_from_slice(bright);
        for (blue, red) in blue.chunks_exact(chroma).zip(red.chunks_exact(chroma)) {
            // The padding of two rows may be more than that of one.
            bytes.extend(blue.iter().zip(red).flat_map(|(u, v)| [*u, *v]).take(luma));
        }
        bytes
    }
}

impl fmt::Debug for PlanarPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanarPicture")
            .field("bytes", &self.shared.canvas.bytes.len())
            .finish()
    }
}

impl AsRef<[u8]> for PlanarPicture {
    fn as_ref(&self) -> &[u8] {
        &self.shared.canvas.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        // overflow: memory beyond what is kept goes back to the system.
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.canvas));
        }
    }
}

/// Converts pictures of one size to one layout.
#[derive(Debug)]
pub struct Planar {
    width: u16,
    height: u16,
    layout: Layout,
    free: Pool,
}

impl Planar {
    /// For pictures of this size in pixels, both even.
    #[must_use]
    pub fn new(width: u16, height: u16, layout: Layout) -> Self {
        Self {
            width,
            height,
            layout,
            free: Pool::default(),
        }
    }

    /// Bytes of a converted picture.
    #[must_use]
    pub fn size(&self) -> usize {
        let (bright, colour) = self.layout.planes(self.width, self.height);
        bright + 2 * colour
    }

    /// Converts a picture of 4 bytes a pixel (blue, green, red, unused), rows from the top without padding. `None` if it
    /// is not of this size.
    #[must_use]
    pub fn convert(&self, bgrx: &[u8]) -> Option<PlanarPicture> {
        let mut canvas = self.free.take(self.size());
        canvas.number = 0;
        self.area(bgrx, &mut canvas.bytes, Area::whole((self.width, self.height)))?;
        Some(self.free.picture(canvas))
    }

    /// [`Self::convert`] for the newest of pictures of which it is known where they differ; always the same [`Changes`]. What has not
    /// changed since the memory was last written to stays there: what nobody reads any more is used first, so that this
    /// is mostly what has changed since the last picture. Also says what was converted.
    #[must_use]
    pub fn convert_changed(&self, bgrx: &[u8], changes: &Changes) -> Option<(PlanarPicture, Tiles)> {
        let mut canvas = self.free.take(self.size());
        let changed = changes.since(canvas.number);
        for area in changed.areas() {
            self.area(bgrx, &mut canvas.bytes, area)?;
        }
        canvas.number = changes.number();
        Some((self.free.picture(canvas), changed))
    }

    /// Converts one area, whose sides are even and which begins where vectors of pixels begin: each pixel becomes what it
    /// becomes in the whole.
    fn area(&self, bgrx: &[u8], bytes: &mut [u8], area: Area) -> Option<()> {
        let row = usize::from(self.width) * 4;
        if bgrx.len() != row * usize::from(self.height) {
            return None;
        }
        let (luma, chroma) = strides(self.width);
        let (chroma, part) = match self.layout {
            Layout::I420 => (chroma, 2),
            Layout::I444 => (luma, 1),
        };
        let (bright, one) = self.layout.planes(self.width, self.height);
        let (y_plane, colour) = bytes.split_at_mut_checked(bright)?;
        let (u_plane, v_plane) = colour.split_at_mut_checked(one)?;
        let (x, y) = (usize::from(area.x), usize::from(area.y));
        let at = y / part * chroma + x / part;
        convert_image(
            area.width.into(),
            area.height.into(),
            &BGRX,
            Some(&[row]),
            &[bgrx.get(y * row + x * 4..)?],
            &self.layout.format(),
            Some(&[luma, chroma, chroma]),
            &mut [
                y_plane.get_mut(y * luma + x..)?,
                u_plane.get_mut(at..)?,
                v_plane.get_mut(at..)?,
            ],
        )
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Tiles;
    use proptest::prelude::*;

    fn solid(width: u16, height: u16, bgr: [u8; 3]) -> Vec<u8> {
        [bgr[0], bgr[1], bgr[2], 0].repeat(usize::from(width) * usize::from(height))
    }

    #[test]
    fn colours_are_those_of_bt_601_in_limited_range() {
        let layouts = [Layout::I420, Layout::I444].map(|layout| (layout, Planar::new(64, 32, layout)));
        // Brightness and the differences to blue and red, from the formulas of ITU-R BT.601.
        let known = [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [41, 240, 110]),
            ([0, 255, 0], [145, 54, 34]),
            ([0, 0, 255], [81, 90, 240]),
        ];
        for ((bgr, yuv), (layout, planar)) in known.iter().flat_map(|one| layouts.iter().map(move |two| (one, two))) {
            let picture = planar.convert(&solid(64, 32, *bgr)).unwrap();
            let bytes = picture.as_ref();
            let colour = if *layout == Layout::I420 { 32 * 16 } else { 64 * 32 };
            let at = [0, 64 * 32, 64 * 32 + colour];
            for (plane, wanted) in at.into_iter().zip(yuv) {
                assert!(
                    bytes[plane].abs_diff(*wanted) <= 1,
                    "{layout:?} {bgr:?}: {} not {wanted}",
                    bytes[plane]
                );
            }
        }
    }

    #[test]
    fn in_full_each_pixel_has_its_own_colour_up_to_the_last() {
        // Its rows are padded: blue and red in turn, one pixel wide.
        let (width, height) = (66, 4);
        let pair = [255, 0, 0, 0, 0, 0, 255, 0];
        let picture = Planar::new(width, height, Layout::I444);
        assert_eq!(picture.size(), 68 * 4 * 3);
        let picture = picture.convert(&pair.repeat(33 * 4)).unwrap();
        let (_, colour) = picture.as_ref().split_at(68 * 4);
        let (blue, red) = colour.split_at(68 * 4);
        for row in 0..4 {
            for x in 0..66 {
                let (u, v) = if x % 2 == 0 { (240, 110) } else { (90, 240) };
                let at = row * 68 + x;
                assert!(blue[at].abs_diff(u) <= 1 && red[at].abs_diff(v) <= 1, "{row} {x}");
            }
        }
    }

    #[test]
    fn rows_are_padded_to_four_bytes() {
        let planar = Planar::new(642, 2, Layout::I420);
        assert_eq!(planar.size(), (644 + 324) * 2);
        let picture = planar.convert(&solid(642, 2, [255, 255, 255])).unwrap();
        assert_eq!(picture.as_ref().len(), planar.size());
        assert_eq!(picture.as_ref()[644], 235, "the second row");
    }

    #[test]
    fn two_planes_hold_what_three_do() {
        for width in [64, 642] {
            let picture = Planar::new(width, 4, Layout::I420)
                .convert(&solid(width, 4, [0, 0, 255]))
                .unwrap();
            let bytes = picture.nv12(width, 4);
            let stride = usize::from(width).next_multiple_of(4);
            assert_eq!(bytes.len(), stride * 6, "{width}");
            let (bright, colour) = bytes.split_at(stride * 4);
            assert!(bright[..usize::from(width)].iter().all(|y| y.abs_diff(81) <= 1));
            for row in colour.chunks(stride) {
                for pair in row[..usize::from(width)].chunks(2) {
                    assert!(pair[0].abs_diff(90) <= 1 && pair[1].abs_diff(240) <= 1, "{pair:?}");
                }
            }
        }
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        assert!(Planar::new(64, 32, Layout::I420).convert(&[0; 64]).is_none());
    }

    #[test]
    fn memory_is_used_again_and_not_without_end() {
        let planar = Planar::new(64, 32, Layout::I420);
        let grey = solid(64, 32, [9, 9, 9]);
        let first = planar.convert(&grey).unwrap();
        let place = first.as_ref().as_ptr();
        let copy = first.clone();
        drop(first);
        assert_ne!(
            planar.convert(&grey).unwrap().as_ref().as_ptr(),
            place,
            "it is still read"
        );
        drop(copy);
        assert_eq!(planar.convert(&grey).unwrap().as_ref().as_ptr(), place);
        let many: Vec<_> = (0..9).map(|_| planar.convert(&grey)).collect();
        drop(many);
        assert_eq!(planar.free.0.lock().unwrap().len(), KEPT);
    }

    /// A change: where, how large, in which colour; and whether the encoder still reads the picture that comes of it.
    type Change = ((i16, i16), (u16, u16), [u8; 3], bool);

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let at = (-20_i16..220, -20_i16..90);
        let one = (at, (0_u16..120, 0_u16..60), any::<[u8; 3]>(), any::<bool>());
        prop::collection::vec(one, 1..30)
    }

    proptest! {
        #[test]
        fn what_has_changed_alone_makes_the_same_picture_as_all_of_it(
            half in (1_u16..110, 1_u16..45), first in any::<[u8; 3]>(), drawn in changes(),
            layout in prop::sample::select(vec![Layout::I420, Layout::I444]),
        ) {
            let size = (half.0 * 2, half.1 * 2);
            let (planar, whole) = (Planar::new(size.0, size.1, layout), Planar::new(size.0, size.1, layout));
            let mut bgrx = solid(size.0, size.1, first);
            // Each pixel is another.
            bgrx.iter_mut().enumerate().for_each(|(n, byte)| *byte = byte.wrapping_add((n * 7 % 251) as u8));
            let mut changes = Changes::new(size);
            changes.next(Tiles::all(size));
            let mut read = Vec::new();
            for (n, ((x, y), (width, height), colour, held)) in drawn.into_iter().enumerate() {
                let picture = planar.convert_changed(&bgrx, &changes).unwrap().0;
                let wanted = whole.convert(&bgrx).unwrap();
                prop_assert!(picture.as_ref() == wanted.as_ref(), "picture {} of {:?}", n, size);
                if held {
                    read.push((picture, wanted.as_ref().to_vec()));
                } else {
                    read.drain(..read.len() / 2);
                }
                let inside = |from: i16, length: u16, side: u16| {
                    let end = (i32::from(from) + i32::from(length)).clamp(0, side.into());
                    usize::try_from(i32::from(from).max(0)).unwrap()..usize::try_from(end).unwrap()
                };
                for row in inside(y, height, size.1) {
                    for column in inside(x, width, size.0) {
                        let at = (row * usize::from(size.0) + column) * 4;
                        bgrx[at..at + 3].copy_from_slice(&colour);
                    }
                }
                let mut changed = Tiles::none(size);
                changed.add((x, y), (width, height));
                changes.next(changed);
            }
            for (picture, wanted) in &read {
                prop_assert!(picture.as_ref() == wanted.as_slice(), "what an encoder reads was written to");
            }
        }
    }

    #[test]
    fn a_picture_that_was_converted_by_itself_is_not_taken_for_one_of_a_row() {
        let size = (64, 32);
        let planar = Planar::new(size.0, size.1, Layout::I420);
        let mut changes = Changes::new(size);
        changes.next(Tiles::all(size));
        let grey = planar.convert_changed(&solid(64, 32, [90; 3]), &changes).unwrap().0;
        let wanted = grey.as_ref().to_vec();
        drop(grey);
        drop(planar.convert(&solid(64, 32, [9; 3])).unwrap());
        changes.next(Tiles::none(size));
        let again = planar.convert_changed(&solid(64, 32, [90; 3]), &changes).unwrap().0;
        assert_eq!(again.as_ref(), wanted);
    }
}

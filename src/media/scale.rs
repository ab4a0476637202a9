//! Smaller pictures, for renditions below the whole.

use heliostat_scaling::{Plane, Scaling};

use super::planar::{PlanarPicture, Pool, strides};

/// No side is made smaller than this; encoders take no less.
const LEAST_SIDE: u16 = 16;
/// Widths are multiples of this, so that no plane's rows are padded.
const STEP: u32 = 8;

/// The size of a picture of `size` at so many percent of its width and height: even, and never larger.
#[must_use]
pub fn scaled(size: (u16, u16), percent: u8) -> (u16, u16) {
    if percent >= 100 {
        return size;
    }
    let of = |side: u16, step: u32| {
        let exact = u32::from(side) * u32::from(percent);
        let near = (exact + step * 50) / (step * 100) * step;
        let most = u32::from(side) / step * step;
        u16::try_from(near.max(LEAST_SIDE.into()).min(most)).unwrap_or(side)
    };
    (of(size.0, STEP), of(size.1, 2))
}

/// Scales pictures of one size down to another, in their three planes ([`Layout::I420`](super::Layout::I420)).
#[derive(Debug)]
pub struct Scaler {
    from: (u16, u16),
    to: (u16, u16),
    scaling: Scaling,
    free: Pool,
}

impl Scaler {
    /// Between these sizes, as [`scaled`] gives them.
    #[must_use]
    pub fn new(from: (u16, u16), to: (u16, u16)) -> Self {
        Self {
            from,
            to,
            scaling: Scaling::default(),
            free: Pool::default(),
        }
    }

    /// Scales a picture; `None` if it is not of the size that it should be.
    pub fn scale(&mut self, picture: &PlanarPicture) -> Option<PlanarPicture> {
        let (from, to) = (strides(self.from.0), strides(self.to.0));
        let [source_height, height] = [self.from.1, self.to.1].map(usize::from);
        let source = picture.as_ref();
        if source.len() != (from.0 + from.1) * source_height {
            return None;
        }
        let (y_from, colour) = source.split_at(from.0 * source_height);
        let (u_from, v_from) = colour.split_at(from.1 * source_height / 2);
        let mut canvas = self.free.take((to.0 + to.1) * height);
        let (y_to, colour) = canvas.bytes.split_at_mut(to.0 * height);
        let (u_to, v_to) = colour.split_at_mut(to.1 * height / 2);
        self.plane(y_from, y_to, from.0, to.0, 1)?;
        self.plane(u_from, u_to, from.1, to.1, 2)?;
        self.plane(v_from, v_to, from.1, to.1, 2)?;
        Some(self.free.picture(canvas))
    }

    /// One plane, whose sides are the picture's divided by `part`.
    fn plane(&mut self, from: &[u8], to: &mut [u8], from_stride: usize, to_stride: usize, part: u16) -> Option<()> {
        let plane = Plane {
            width: u32::from(self.from.0 / part),
            height: u32::from(self.from.1 / part),
            stride: u32::try_from(from_stride).ok()?,
        };
        // Only a picture that keeps its size has padded rows; they are filled.
        let size = (u32::try_from(to_stride).ok()?, u32::from(self.to.1 / part));
        self.scaling.scale(plane, from, size, to)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::time::{ClockId, clock_gettime};
    use proptest::prelude::*;

    use super::*;
    use crate::media::{Layout, Planar};

    #[test]
    fn sizes_are_even_and_close_to_what_is_asked_for() {
        assert_eq!(scaled((1280, 720), 67), (856, 482));
        assert_eq!(scaled((1280, 720), 50), (640, 360));
        assert_eq!(scaled((1920, 1080), 50), (960, 540));
        assert_eq!(scaled((1366, 768), 100), (1366, 768));
        assert_eq!(scaled((64, 64), 1), (16, 16));
    }

    /// A picture of 4 bytes a pixel, each by its place.
    fn drawn(size: (u16, u16), pixel: impl Fn(u16, u16) -> [u8; 3]) -> Vec<u8> {
        let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
        places
            .flat_map(|(x, y)| {
                let [b, g, r] = pixel(x, y);
                [b, g, r, 0]
            })
            .collect()
    }

    fn small(size: (u16, u16), percent: u8, pixel: impl Fn(u16, u16) -> [u8; 3]) -> (Vec<u8>, (u16, u16)) {
        let to = scaled(size, percent);
        let whole = Planar::new(size.0, size.1, Layout::I420)
            .convert(&drawn(size, pixel))
            .unwrap();
        let picture = Scaler::new(size, to).scale(&whole).unwrap();
        (picture.as_ref().to_vec(), to)
    }

    #[test]
    fn what_is_left_and_right_stays_there_in_all_three_planes() {
        // Its width is none that rows have without padding.
        let red_and_blue = |x, _| if x < 683 { [0, 0, 255] } else { [255, 0, 0] };
        let (bytes, (width, height)) = small((1366, 768), 50, red_and_blue);
        let [width, height] = [width, height].map(usize::from);
        assert_eq!((width, height), (680, 384));
        assert_eq!(bytes.len(), width * height * 3 / 2);
        let (luma, colour) = bytes.split_at(width * height);
        let (blue, red) = colour.split_at(width * height / 4);
        for row in [0, 100, height - 1] {
            assert_eq!(
                (luma[row * width], luma[row * width + width - 1]),
                (81, 41),
                "row {row}"
            );
        }
        for row in [0, 100, height / 2 - 1] {
            let at = row * width / 2;
            let ends = |plane: &[u8]| (plane[at], plane[at + width / 2 - 1]);
            assert_eq!((ends(blue), ends(red)), ((90, 240), (240, 110)), "row {row}");
        }
    }

    #[test]
    fn fine_lines_become_grey_and_not_stripes() {
        let lines = |x: u16, _| if x.is_multiple_of(2) { [255; 3] } else { [0; 3] };
        let (bytes, (width, height)) = small((640, 360), 50, lines);
        let luma = &bytes[..usize::from(width) * usize::from(height)];
        let inner = luma.chunks(usize::from(width)).flat_map(|row| &row[4..row.len() - 4]);
        assert!(inner.clone().all(|y| y.abs_diff(126) < 12), "{:?}", inner.max());
    }

    /// What this thread has had of the processor.
    fn spent() -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
    }

    #[test]
    fn scaling_keeps_up_with_the_screen_in_every_build() {
        let from = (1280, 720);
        let picture = Planar::new(from.0, from.1, Layout::I420)
            .convert(&vec![90; 1280 * 720 * 4])
            .unwrap();
        let mut scaler = Scaler::new(from, scaled(from, 67));
        let took = (0..10).map(|_| {
            let begin = spent();
            scaler.scale(&picture).unwrap();
            spent() - begin
        });
        // The best of some, of the processor: the machine may do other things meanwhile.
        let took = took.min().unwrap();
        assert!(took < Duration::from_millis(50), "{took:?}");
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        let picture = Planar::new(64, 32, Layout::I420)
            .convert(&drawn((64, 32), |_, _| [9; 3]))
            .unwrap();
        assert!(Scaler::new((64, 64), (32, 32)).scale(&picture).is_none());
    }

    proptest! {
        #[test]
        fn every_size_can_be_scaled(width in 8u16..500, height in 8u16..300, percent in 1u8..=100) {
            let size = (width * 2, height * 2);
            let (bytes, to) = small(size, percent, |_, _| [200, 100, 50]);
            prop_assert!(to.0 <= size.0 && to.1 <= size.1 && to.0 % 2 == 0 && to.1 % 2 == 0);
            let (luma, chroma) = strides(to.0);
            prop_assert_eq!(bytes.len(), (luma + chroma) * usize::from(to.1));
        }
    }
}

//! A picture of a display as a PNG file.

use std::time::Duration;

use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};

use super::connect::Display;
use super::{DisplayAddress, X11Error};

/// Takes a PNG picture of the whole screen, no wider than `max_width`. Blocks for at most about `deadline`.
///
/// # Errors
/// No display, a screen of another format than 32 bit a pixel, or too late.
pub fn screenshot(address: &DisplayAddress, max_width: Option<u16>, deadline: Duration) -> Result<Vec<u8>, X11Error> {
    let display = Display::connect(address, deadline)?;
    let screen = display.screen();
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
    let data = display.within(deadline, |display| {
        let reply = display
            .x
            .get_image(ImageFormat::Z_PIXMAP, display.root(), 0, 0, width, height, !0)?
            .reply()
            .map_err(X11Error::reply("a picture"))?;
        Ok(reply.data)
    })?;
    let (width, height) = (usize::from(width), usize::from(height));
    if data.len() != width * height * 4 {
        return Err(X11Error::Unsupported(format!(
            "{} bytes for {width} by {height} pixels",
            data.len()
        )));
    }
    let limit = max_width.map_or(width, |max| usize::from(max.max(1)));
    let factor = width.div_ceil(limit).max(1);
    let (rgb, width, height) = shrink(&data, width, height, factor);
    encode(&rgb, width, height)
}

/// Averages blocks of `factor` × `factor` pixels (BGRx) into one (RGB). Pixels beyond the last whole block are left
/// out. Pure.
fn shrink(data: &[u8], width: usize, height: usize, factor: usize) -> (Vec<u8>, usize, usize) {
    let factor = factor.min(height).max(1);
    let (out_width, out_height) = (width / factor, height / factor);
    let mut out = Vec::with_capacity(out_width * out_height * 3);
    let pixels = factor * factor;
    for y in 0..out_height {
        for x in 0..out_width {
            let mut sum = [0usize; 3];
            for row in 0..factor {
                let start = ((y * factor + row) * width + x * factor) * 4;
                for pixel in data[start..start + factor * 4].chunks_exact(4) {
                    for (sum, value) in sum.iter_mut().zip(pixel) {
                        *sum += usize::from(*value);
                    }
                }
            }
            for sum in sum.iter().rev() {
                out.push(u8::try_from(sum / pixels).unwrap_or(u8::MAX));
            }
        }
    }
    (out, out_width, out_height)
}

fn encode(rgb: &[u8], width: usize, height: usize) -> Result<Vec<u8>, X11Error> {
    let failed = |error: png::EncodingError| X11Error::Io {
        what: "write a PNG",
        source: error.into(),
    };
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size(width), size(height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Thumbnails are taken every few seconds: quick matters more than small.
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_averaged_and_colours_put_in_order() {
        let row = [[10, 20, 30, 0], [30, 40, 50, 0], [1, 1, 1, 0]].concat();
        let data = [row.clone(), row].concat();
        assert_eq!(shrink(&data, 3, 2, 2), (vec![40, 30, 20], 1, 1));
        assert_eq!(shrink(&data, 3, 2, 1).0[..3], [30, 20, 10]);
    }
}

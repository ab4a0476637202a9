//! A small software rasteriser: everything is anti-aliased by coverage and blended into `0x00RRGGBB` pixels.
//!
//! - `canvas`: pixels, blending, and which tiles were touched · `tiles`: those tiles, and the rectangles they make
//! - `line`: lines and circles · `shape`: cards, glow · `sphere`: textured, lit spheres · `rings`: a planet's rings
//! - `texture` `noise`: the surfaces of bodies · `font` `text`: a stroke font of our own

pub mod canvas;
pub mod font;
pub mod line;
pub mod noise;
pub mod rings;
pub mod shape;
pub mod sphere;
pub mod text;
pub mod texture;
pub mod tiles;

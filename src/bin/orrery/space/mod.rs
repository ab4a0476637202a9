//! The solar system as numbers: vectors, orbits, the bodies and the camera. Pure: no clock, no pixels.
//!
//! Lengths are *units* of the picture: orbits and bodies keep their order and their shape, but not their sizes, or
//! nothing but the sun could be seen. The plane of the Earth's orbit is z = 0, north is +z, the sun is the origin.
//! Times are days since J2000 (2000-01-01 12:00).
//!
//! - `vec3`: vectors · `orbit`: Kepler's ellipses · `bodies`: the data · `camera`: projection · `date`: the calendar

pub mod bodies;
pub mod camera;
pub mod date;
pub mod orbit;
pub mod vec3;

//! The bodies: orbits (E. M. Standish, "Keplerian Elements for Approximate Positions of the Major Planets", J2000),
//! looks, and what the panel tells (NASA planetary fact sheets, rounded).

use super::orbit::Elements;

/// How the surface of a body looks; the colours are `0xRRGGBB`.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// The sun.
    Star,
    /// Bare rock between two colours.
    Rock(u32, u32),
    /// Sea, land, ice and clouds.
    Earth,
    /// Rust with white poles.
    Mars,
    /// A veil of clouds between two colours.
    Clouds(u32, u32),
    /// Bands by latitude, from south to north, and how turbulent they are.
    Bands(&'static [u32], f32),
}

/// An orbit about the sun.
#[derive(Debug, Clone, Copy)]
pub struct Orbit {
    /// The real elements.
    pub elements: Elements,
    /// Semi-major axis as shown, in units.
    pub axis: f64,
}

/// A moon on a round orbit in the plane of its planet's equator.
#[derive(Debug, Clone, Copy)]
pub struct Moon {
    /// Radius as shown, in units.
    pub radius: f32,
    /// Distance from the planet as shown, in units.
    pub distance: f32,
    /// Period in days.
    pub period: f64,
    /// `0xRRGGBB`.
    pub colour: u32,
}

/// Rings in the plane of the equator: radii in radii of the planet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rings {
    /// Saturn's: wide, bright, with gaps.
    Wide,
    /// Uranus': one thin dark ring.
    Thin,
}

/// A body and all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: &'static str,
    /// Colour of its orbit and its label, `0xRRGGBB`.
    pub colour: u32,
    /// Colour of its air seen at the limb; 0 for none.
    pub air: u32,
    /// Radius as shown, in units.
    pub radius: f32,
    /// Tilt of the axis in degrees.
    pub tilt: f32,
    /// Where the axis leans to, degrees round the north axis: chosen for a good view of rings and bands.
    pub towards: f32,
    /// Length of its day in days, negative when it turns backwards.
    pub day: f32,
    /// Surface.
    pub look: Look,
    /// `None` for the sun.
    pub orbit: Option<Orbit>,
    /// Moons shown.
    pub moons: &'static [Moon],
    /// Rings shown.
    pub rings: Option<Rings>,
    /// Rows of the panel.
    pub rows: &'static [(&'static str, &'static str)],
    /// A paragraph for the panel.
    pub facts: &'static str,
}

const fn orbit(axis: f64, e: [f64; 5], period: f64) -> Option<Orbit> {
    let [eccentricity, inclination, longitude, perihelion, node] = e;
    Some(Orbit {
        elements: Elements {
            eccentricity,
            inclination,
            node,
            perihelion,
            longitude,
            period,
        },
        axis,
    })
}

const fn moon(radius: f32, distance: f32, period: f64, colour: u32) -> Moon {
    Moon {
        radius,
        distance,
        period,
        colour,
    }
}

/// Sun, the planets outwards, Pluto: the index is the key that selects them.
pub const BODIES: [Body; 10] = [
    Body {
        name: "Sun",
        kind: "Star",
        colour: 0xffd98a,
        air: 0,
        radius: 3.1,
        tilt: 7.25,
        towards: 40.0,
        day: 25.4,
        look: Look::Star,
        orbit: None,
        moons: &[],
        rings: None,
        rows: &[
            ("Diameter", "1 392 700 km"),
            ("Age", "4.6 billion years"),
            ("Rotation", "25 days"),
            ("Surface", "5 500 °C"),
            ("Light to Earth", "8 min 20 s"),
        ],
        facts: "Holds 99.86 % of the mass of the solar system. Every second it turns 600 million tonnes of hydrogen \
                into helium.",
    },
    Body {
        name: "Mercury",
        kind: "Rocky planet",
        colour: 0xb9a894,
        air: 0,
        radius: 0.44,
        tilt: 0.03,
        towards: 107.0,
        day: 58.6,
        look: Look::Rock(0x6b625a, 0xc2b5a6),
        orbit: orbit(
            6.4,
            [0.205_635_93, 7.004_979, 252.250_323, 77.457_796, 48.330_766],
            87.969,
        ),
        moons: &[],
        rings: None,
        rows: &[
            ("Diameter", "4 879 km"),
            ("Distance", "57.9 million km"),
            ("Year", "88 days"),
            ("Day", "176 days"),
            ("Moons", "none"),
        ],
        facts: "The smallest planet, and the fastest: 47 km a second. One day there, from noon to noon, lasts two of \
                its years.",
    },
    Body {
        name: "Venus",
        kind: "Rocky planet",
        colour: 0xe8cf9a,
        air: 0xffe9b8,
        radius: 0.74,
        tilt: 177.4,
        towards: 174.0,
        day: -243.0,
        look: Look::Clouds(0xc8a261, 0xf6e6bd),
        orbit: orbit(
            9.4,
            [0.006_776_72, 3.394_676, 181.979_1, 131.602_467, 76.679_843],
            224.701,
        ),
        moons: &[],
        rings: None,
        rows: &[
            ("Diameter", "12 104 km"),
            ("Distance", "108 million km"),
            ("Year", "225 days"),
            ("Day", "117 days"),
            ("Moons", "none"),
        ],
        facts: "Hotter than Mercury: 464 °C under clouds of sulphuric acid. It turns backwards, so the sun rises in \
                the west.",
    },
    Body {
        name: "Earth",
        kind: "Rocky planet",
        colour: 0x7fb8ff,
        air: 0x8cc4ff,
        radius: 0.8,
        tilt: 23.4,
        towards: 241.0,
        day: 1.0,
        look: Look::Earth,
        orbit: orbit(12.8, [0.016_711_23, 0.0, 100.464_572, 102.937_682, 0.0], 365.256),
        moons: &[moon(0.22, 1.55, 27.32, 0xc9c6c0)],
        rings: None,
        rows: &[
            ("Diameter", "12 756 km"),
            ("Distance", "149.6 million km"),
            ("Year", "365.26 days"),
            ("Day", "24 h"),
            ("Moons", "1"),
        ],
        facts: "The only place known to harbour life, and the only one from which somebody has sent a picture by \
                WebRTC.",
    },
    Body {
        name: "Mars",
        kind: "Rocky planet",
        colour: 0xe08a5c,
        air: 0xf0b090,
        radius: 0.58,
        tilt: 25.2,
        towards: 308.0,
        day: 1.03,
        look: Look::Mars,
        orbit: orbit(
            16.4,
            [0.093_394_1, 1.849_691, -4.553_432, -23.943_63, 49.559_539],
            686.98,
        ),
        moons: &[moon(0.09, 0.95, 3.2, 0xa89888), moon(0.08, 1.3, 8.3, 0xb0a090)],
        rings: None,
        rows: &[
            ("Diameter", "6 792 km"),
            ("Distance", "228 million km"),
            ("Year", "687 days"),
            ("Day", "24 h 40 min"),
            ("Moons", "2"),
        ],
        facts: "Olympus Mons rises 22 km above the plains, the highest mountain of any planet. Its red is rust.",
    },
    Body {
        name: "Jupiter",
        kind: "Gas giant",
        colour: 0xe3bd94,
        air: 0xf0d8b8,
        radius: 1.95,
        tilt: 3.1,
        towards: 190.0,
        day: 0.41,
        look: Look::Bands(
            &[
                0x8a7766, 0xa8917a, 0xc9b294, 0xa07a5a, 0xd9c7a8, 0xb98a62, 0xe9dcc2, 0xf3ead6, 0xc08a5c, 0x9c6a48,
                0xe6d6b8, 0xd8c09a, 0xb08a68, 0xcbb596, 0x9a8672, 0x84725f,
            ],
            0.035,
        ),
        orbit: orbit(
            22.8,
            [0.048_386_24, 1.304_397, 34.396_441, 14.728_48, 100.473_909],
            4_332.59,
        ),
        moons: &[
            moon(0.2, 2.75, 8.0, 0xe8d878),
            moon(0.18, 3.35, 13.0, 0xd8cbb8),
            moon(0.26, 4.1, 21.0, 0xb8a898),
            moon(0.24, 5.0, 33.0, 0x8c8278),
        ],
        rings: None,
        rows: &[
            ("Diameter", "142 984 km"),
            ("Distance", "779 million km"),
            ("Year", "11.9 years"),
            ("Day", "9 h 56 min"),
            ("Moons", "97"),
        ],
        facts: "More than twice the mass of all other planets together. The Great Red Spot is a storm wider than the \
                Earth.",
    },
    Body {
        name: "Saturn",
        kind: "Gas giant",
        colour: 0xe6d3a3,
        air: 0xf6e6c0,
        radius: 1.6,
        tilt: 26.7,
        towards: 336.0,
        day: 0.44,
        look: Look::Bands(
            &[
                0x9c8c6c, 0xb8a47c, 0xcbb68a, 0xd9c598, 0xcdb685, 0xe6d6ac, 0xf0e2bc, 0xe2cf9f, 0xd2bb88, 0xc4ae80,
                0xb3a078, 0xa3936f,
            ],
            0.012,
        ),
        orbit: orbit(
            30.0,
            [0.053_861_79, 2.485_992, 49.954_244, 92.598_878, 113.662_424],
            10_759.22,
        ),
        moons: &[moon(0.24, 4.5, 24.0, 0xe0b060), moon(0.13, 3.9, 15.0, 0xcfcac4)],
        rings: Some(Rings::Wide),
        rows: &[
            ("Diameter", "120 536 km"),
            ("Distance", "1.43 billion km"),
            ("Year", "29.4 years"),
            ("Day", "10 h 33 min"),
            ("Moons", "274"),
        ],
        facts: "Its rings span 280 000 km and are mostly some ten metres thick: ice, from dust to the size of houses. \
                The planet would float on water.",
    },
    Body {
        name: "Uranus",
        kind: "Ice giant",
        colour: 0xa5e3e6,
        air: 0xc0f4f4,
        radius: 1.2,
        tilt: 97.8,
        towards: 301.0,
        day: -0.72,
        look: Look::Bands(
            &[0x9fd6dc, 0xa8dee2, 0xb4e6e8, 0xbcecec, 0xb2e4e8, 0xa6dce2, 0xc6f0ee],
            0.008,
        ),
        orbit: orbit(
            37.0,
            [0.047_257_44, 0.772_638, 313.238_105, 170.954_276, 74.016_925],
            30_685.4,
        ),
        moons: &[moon(0.14, 3.1, 13.5, 0xc8c4c0)],
        rings: Some(Rings::Thin),
        rows: &[
            ("Diameter", "51 118 km"),
            ("Distance", "2.87 billion km"),
            ("Year", "84 years"),
            ("Day", "17 h 14 min"),
            ("Moons", "29"),
        ],
        facts: "It rolls on its side: each pole has 42 years of light and then 42 years of night.",
    },
    Body {
        name: "Neptune",
        kind: "Ice giant",
        colour: 0x7aa2ff,
        air: 0x88b0ff,
        radius: 1.15,
        tilt: 28.3,
        towards: 216.0,
        day: 0.67,
        look: Look::Bands(
            &[
                0x2c4fa8, 0x3560c4, 0x4a78de, 0x3a66cc, 0x5c8cf0, 0x3f6ed6, 0x4a7ae4, 0x3056b4,
            ],
            0.05,
        ),
        orbit: orbit(
            43.4,
            [0.008_590_48, 1.770_043, -55.120_03, 44.964_762, 131.784_226],
            60_189.0,
        ),
        moons: &[moon(0.17, 2.4, -15.9, 0xd8c8c0)],
        rings: None,
        rows: &[
            ("Diameter", "49 528 km"),
            ("Distance", "4.5 billion km"),
            ("Year", "165 years"),
            ("Day", "16 h 6 min"),
            ("Moons", "16"),
        ],
        facts: "Found in 1846 by calculation before anybody had seen it. Its winds blow at 2 000 km an hour.",
    },
    Body {
        name: "Pluto",
        kind: "Dwarf planet",
        colour: 0xcdb39a,
        air: 0,
        radius: 0.36,
        tilt: 122.5,
        towards: 283.0,
        day: -6.39,
        look: Look::Rock(0x7a5c48, 0xe6d6c2),
        orbit: orbit(
            49.0,
            [0.248_827_3, 17.140_012, 238.929_038, 224.068_916, 110.303_937],
            90_560.0,
        ),
        moons: &[moon(0.2, 0.8, 6.39, 0x9a948e)],
        rings: None,
        rows: &[
            ("Diameter", "2 377 km"),
            ("Distance", "5.9 billion km"),
            ("Year", "248 years"),
            ("Day", "6.4 days"),
            ("Moons", "5"),
        ],
        facts: "Its heart-shaped plain is a glacier of frozen nitrogen. Pluto and its moon Charon always show each \
                other the same face.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_orbits_never_cross_their_neighbours_nor_the_sun() {
        // Pluto's does cross Neptune's, in the sky as here.
        let mut before = f64::from(BODIES[0].radius);
        for body in &BODIES[1..9] {
            let orbit = body.orbit.unwrap();
            let e = orbit.elements.eccentricity;
            assert!(
                orbit.axis * (1.0 - e) - f64::from(body.radius) > before,
                "{}",
                body.name
            );
            before = orbit.axis * (1.0 + e) + f64::from(body.radius);
        }
    }

    #[test]
    fn moons_are_outside_their_planet_and_its_rings() {
        for body in &BODIES {
            let edge = if body.rings.is_some() {
                body.radius * 2.3
            } else {
                body.radius
            };
            assert!(body.moons.iter().all(|m| m.distance > edge + m.radius), "{}", body.name);
        }
    }

    #[test]
    fn years_follow_kepler_s_third_law() {
        let au = [0.0, 0.387, 0.723, 1.0, 1.524, 5.203, 9.537, 19.19, 30.07, 39.48];
        for (body, a) in BODIES.iter().zip(au).skip(1) {
            let period = body.orbit.unwrap().elements.period;
            assert!(
                (period / 365.256 / f64::powf(a, 1.5) - 1.0).abs() < 0.01,
                "{}",
                body.name
            );
        }
    }
}

//! Random numbers and smooth noise, the same for the same seed.

/// A stream of random numbers (SplitMix64; Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number from 0 to below 1.
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 40) as f32 / (1 << 24) as f32
    }
}

fn lattice(x: i32, y: i32, z: i32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ (z as u32).wrapping_mul(0xcb1a_b31f);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 / (1 << 24) as f32
}

/// Value noise from 0 to 1, smooth over one unit.
pub fn smooth(p: [f32; 3]) -> f32 {
    let base = p.map(|v| v.floor() as i32);
    let [x, y, z] = base;
    let f = [0, 1, 2].map(|i| {
        let t = p[i] - base[i] as f32;
        t * t * (3.0 - 2.0 * t)
    });
    let lerp = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let edge = |y, z| lerp(lattice(x, y, z), lattice(x + 1, y, z), f[0]);
    let face = |z| lerp(edge(y, z), edge(y + 1, z), f[1]);
    lerp(face(z), face(z + 1), f[2])
}

/// Noise of several octaves from 0 to 1.
pub fn fractal(mut p: [f32; 3], octaves: u8) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 0.5, 0.0);
    for _ in 0..octaves {
        sum += smooth(p) * weight;
        total += weight;
        weight *= 0.5;
        // Each octave is turned, so that the lattices do not line up into visible edges.
        let [x, y, z] = p.map(|v| v * 2.03);
        p = [
            0.8 * y + 0.6 * z + 11.7,
            -0.8 * x + 0.36 * y - 0.48 * z - 3.1,
            -0.6 * x - 0.48 * y + 0.64 * z + 7.9,
        ];
    }
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn noise_is_bounded_and_smooth(x in -50.0_f32..50.0, y in -50.0_f32..50.0, z in -50.0_f32..50.0) {
            let (a, b) = (fractal([x, y, z], 5), fractal([x + 0.001, y, z], 5));
            prop_assert!((0.0..=1.0).contains(&a));
            prop_assert!((a - b).abs() < 0.02);
        }
    }

    #[test]
    fn streams_repeat_by_seed_and_fill_the_range() {
        let numbers = |seed| {
            let mut r = Random::new(seed);
            (0..1000).map(|_| r.next()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(3), numbers(3));
        assert_ne!(numbers(3), numbers(4));
        let mean = numbers(3).iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05);
    }
}

//! Vectors of three numbers.

use std::ops::{Add, Mul, Neg, Sub};

/// A vector or a point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vec3 {
    /// Towards the spring equinox in space, right on the screen.
    pub x: f32,
    /// 90° east of it in space, up on the screen.
    pub y: f32,
    /// North in space, out of the screen towards the viewer.
    pub z: f32,
}

/// A vector from its parts.
pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Dot product.
    pub fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Cross product.
    pub fn cross(self, o: Self) -> Self {
        vec3(
            self.y * o.z - self.z * o.y,
            self.z * o.x - self.x * o.z,
            self.x * o.y - self.y * o.x,
        )
    }

    /// Length.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length 1; +x for the zero vector.
    pub fn unit(self) -> Self {
        let length = self.length();
        if length > 0.0 {
            self * (1.0 / length)
        } else {
            vec3(1.0, 0.0, 0.0)
        }
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        vec3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        vec3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, s: f32) -> Self {
        vec3(self.x * s, self.y * s, self.z * s)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// Three directions at right angles: two in a plane and its pole.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// First direction of the plane.
    pub e1: Vec3,
    /// Second direction, 90° further round the pole.
    pub e2: Vec3,
    /// The pole.
    pub pole: Vec3,
}

impl Frame {
    /// The frame of a body whose axis is tilted by `tilt` towards `towards` (both in degrees), turned by `spin`
    /// radians about its pole.
    pub fn tilted(tilt: f32, towards: f32, spin: f32) -> Self {
        let ((st, ct), (sd, cd)) = (tilt.to_radians().sin_cos(), towards.to_radians().sin_cos());
        let pole = vec3(st * cd, st * sd, ct);
        let a = vec3(-sd, cd, 0.0);
        let b = pole.cross(a);
        let (s, c) = spin.sin_cos();
        Self {
            e1: a * c + b * s,
            e2: b * c - a * s,
            pole,
        }
    }

    /// Each direction sent through `f`.
    pub fn map(self, f: impl Fn(Vec3) -> Vec3) -> Self {
        Self {
            e1: f(self.e1),
            e2: f(self.e2),
            pole: f(self.pole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_frame_is_right_handed_and_orthonormal(tilt in 0.0_f32..180.0, towards in 0.0_f32..360.0, spin in -9.0_f32..9.0) {
            let f = Frame::tilted(tilt, towards, spin);
            for (a, b) in [(f.e1, f.e2), (f.e2, f.pole), (f.pole, f.e1)] {
                prop_assert!(a.dot(b).abs() < 1e-5);
                prop_assert!((a.length() - 1.0).abs() < 1e-5);
            }
            prop_assert!((f.e1.cross(f.e2) - f.pole).length() < 1e-4);
            prop_assert!((f.pole.z - tilt.to_radians().cos()).abs() < 1e-5);
        }
    }
}

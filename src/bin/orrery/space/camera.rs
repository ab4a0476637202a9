//! The camera: where it stands, what lies where on the screen, and back.

use super::vec3::{Vec3, vec3};

/// Nothing nearer to the eye than this is shown.
const NEAR: f32 = 0.5;
/// Half of the vertical field of view, as its tangent (36° in all).
const HALF_VIEW: f32 = 0.325;
/// The pitch may not reach the poles, where left and right are undefined.
const STEEPEST: f32 = 1.55;
/// Limits of the distance.
const DISTANCES: (f32, f32) = (6.0, 400.0);
/// The target stays this near to the sun.
const FARTHEST: f32 = 60.0;

/// A camera that looks at a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// What it looks at.
    pub target: Vec3,
    /// Radians round the north axis.
    pub yaw: f32,
    /// Radians above the plane of the Earth's orbit.
    pub pitch: f32,
    /// Units from the target.
    pub distance: f32,
}

/// A point on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Pixels from the left.
    pub x: f32,
    /// Pixels from the top.
    pub y: f32,
    /// Units along the line of sight.
    pub depth: f32,
    /// Pixels that one unit is long at this depth.
    pub scale: f32,
}

/// A camera together with the screen it draws on.
#[derive(Debug, Clone, Copy)]
pub struct Lens {
    right: Vec3,
    up: Vec3,
    back: Vec3,
    eye: Vec3,
    focal: f32,
    middle: (f32, f32),
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            target: vec3(0.0, 0.0, 0.0),
            yaw: -1.9,
            pitch: 0.46,
            distance: 101.0,
        }
    }
}

impl Camera {
    /// The lens for a screen of `width`×`height` pixels.
    pub fn lens(&self, width: f32, height: f32) -> Lens {
        let ((sy, cy), (sp, cp)) = (self.yaw.sin_cos(), self.pitch.sin_cos());
        let back = vec3(cp * cy, cp * sy, sp);
        let right = vec3(-sy, cy, 0.0);
        // A narrow window shows the whole system too.
        let side = height.min(width * 0.62).max(1.0);
        Lens {
            right,
            up: back.cross(right),
            back,
            eye: self.target + back * self.distance,
            focal: side / 2.0 / HALF_VIEW,
            // A little above the middle: the near half of the orbits takes more room than the far half.
            middle: (width / 2.0, height * 0.46),
        }
    }

    /// Turns by a drag of pixels.
    pub fn turn(&mut self, dx: f32, dy: f32) {
        self.yaw -= dx * 0.006;
        self.pitch = (self.pitch + dy * 0.006).clamp(-STEEPEST, STEEPEST);
    }

    /// Comes nearer (`factor` < 1) or goes away, so that what lies in the plane of the orbits under the pixel (`x`,
    /// `y`) of a `width`×`height` screen stays there.
    pub fn zoom(&mut self, factor: f32, x: f32, y: f32, width: f32, height: f32) {
        let before = self.lens(width, height).on_plane(x, y);
        self.distance = (self.distance * factor).clamp(DISTANCES.0, DISTANCES.1);
        let after = self.lens(width, height).on_plane(x, y);
        if let (Some(before), Some(after)) = (before, after) {
            let target = self.target + before - after;
            // Near the horizon a pixel is a long way: there only the distance changes.
            if (before - after).length() < self.distance {
                self.target = target * (FARTHEST / target.length().max(FARTHEST));
            }
        }
    }

    /// Moves a share of the way (0 to 1) to `goal`; true when it has arrived.
    pub fn approach(&mut self, goal: &Self, share: f32) -> bool {
        let far = (goal.target - self.target).length() / goal.distance
            + (goal.yaw - self.yaw).abs()
            + (goal.pitch - self.pitch).abs()
            + (goal.distance / self.distance).ln().abs();
        if far < 0.0015 {
            *self = *goal;
            return true;
        }
        self.target = self.target + (goal.target - self.target) * share;
        self.yaw += (goal.yaw - self.yaw) * share;
        self.pitch += (goal.pitch - self.pitch) * share;
        self.distance *= (goal.distance / self.distance).powf(share);
        false
    }
}

impl Lens {
    /// A direction or difference as the viewer sees it: x right, y up, z towards the viewer.
    pub fn turn(&self, v: Vec3) -> Vec3 {
        vec3(v.dot(self.right), v.dot(self.up), v.dot(self.back))
    }

    /// Where a point appears; `None` when it is behind the eye.
    pub fn project(&self, p: Vec3) -> Option<Spot> {
        let v = self.turn(p - self.eye);
        self.spot(v)
    }

    /// Where a point infinitely far away in direction `v` appears.
    pub fn project_direction(&self, v: Vec3) -> Option<Spot> {
        self.spot(self.turn(v) * 1000.0)
    }

    fn spot(&self, v: Vec3) -> Option<Spot> {
        let depth = -v.z;
        (depth > NEAR).then(|| {
            let scale = self.focal / depth;
            Spot {
                x: self.middle.0 + v.x * scale,
                y: self.middle.1 - v.y * scale,
                depth,
                scale,
            }
        })
    }

    /// The direction from the eye through a pixel, in space, not of length 1.
    pub fn ray(&self, x: f32, y: f32) -> Vec3 {
        self.right * (x - self.middle.0) + self.up * (self.middle.1 - y) - self.back * self.focal
    }

    /// The point of the plane z = 0 under a pixel.
    fn on_plane(&self, x: f32, y: f32) -> Option<Vec3> {
        let ray = self.ray(x, y);
        let along = -self.eye.z / ray.z;
        (along.is_finite() && along > 0.0).then(|| self.eye + ray * along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn cameras()(yaw in -4.0_f32..4.0, pitch in -1.5_f32..1.5, distance in 10.0_f32..300.0,
                     x in -30.0_f32..30.0, y in -30.0_f32..30.0) -> Camera {
            Camera { target: vec3(x, y, 0.0), yaw, pitch, distance }
        }
    }

    #[test]
    fn the_target_is_a_little_above_the_middle_and_north_is_up() {
        let camera = Camera::default();
        let lens = camera.lens(1280.0, 720.0);
        let sun = lens.project(camera.target).unwrap();
        assert!((sun.x - 640.0).abs() < 1e-3 && (sun.y - 331.2).abs() < 1e-3);
        assert!((sun.depth - camera.distance).abs() < 1e-3);
        let north = lens.project(vec3(0.0, 0.0, 5.0)).unwrap();
        assert!((north.x - 640.0).abs() < 1e-3 && north.y < 331.0);
    }

    proptest! {
        #[test]
        fn a_point_lies_on_the_ray_of_its_pixel(camera in cameras(), px in -40.0_f32..40.0, py in -40.0_f32..40.0, pz in -5.0_f32..5.0) {
            let (lens, p) = (camera.lens(1280.0, 720.0), vec3(px, py, pz));
            if let Some(spot) = lens.project(p) {
                prop_assume!(spot.x.abs() < 4000.0 && spot.y.abs() < 4000.0);
                let ray = lens.ray(spot.x, spot.y).unit();
                let off = (p - lens.eye) - ray * (p - lens.eye).dot(ray);
                prop_assert!(off.length() < 1e-2 * camera.distance.max(10.0));
            }
        }

        #[test]
        fn zooming_keeps_what_is_under_the_pointer(x in 200.0_f32..1000.0, y in 250.0_f32..600.0, factor in 0.6_f32..1.5) {
            let mut camera = Camera::default();
            let held = camera.lens(1280.0, 720.0).on_plane(x, y);
            prop_assume!(held.is_some_and(|p| p.length() < 30.0));
            camera.zoom(factor, x, y, 1280.0, 720.0);
            let spot = camera.lens(1280.0, 720.0).project(held.unwrap()).unwrap();
            prop_assert!((spot.x - x).abs() < 1.0 && (spot.y - y).abs() < 1.0, "{spot:?} instead of {x} {y}");
        }

        #[test]
        fn an_approach_arrives(from in cameras(), goal in cameras()) {
            let mut camera = from;
            let frames = (0..200).take_while(|_| !camera.approach(&goal, 0.2)).count();
            prop_assert!(frames < 120);
            prop_assert_eq!(camera, goal);
        }

        #[test]
        fn turning_never_reaches_the_pole(camera in cameras(), dy in -9000.0_f32..9000.0) {
            let mut camera = camera;
            camera.turn(3.0, dy);
            prop_assert!(camera.pitch.abs() <= STEEPEST);
        }
    }
}

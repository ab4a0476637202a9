//! Kepler's ellipses: from elements and a time to a place.

use super::vec3::{Vec3, vec3};

/// Elements of an orbit at J2000, angles in degrees, as tables print them.
#[derive(Debug, Clone, Copy)]
pub struct Elements {
    /// Eccentricity, from 0 to below 1.
    pub eccentricity: f64,
    /// Inclination to the plane of the Earth's orbit.
    pub inclination: f64,
    /// Longitude of the ascending node.
    pub node: f64,
    /// Longitude of perihelion.
    pub perihelion: f64,
    /// Mean longitude.
    pub longitude: f64,
    /// Period in days.
    pub period: f64,
}

impl Elements {
    /// Mean anomaly in radians, `days` after J2000; not reduced to one turn.
    fn mean_anomaly(&self, days: f64) -> f64 {
        (self.longitude - self.perihelion).to_radians() + days / self.period * std::f64::consts::TAU
    }

    /// Eccentric anomaly in radians, `days` after J2000.
    pub fn eccentric_anomaly(&self, days: f64) -> f64 {
        let mean = self.mean_anomaly(days).rem_euclid(std::f64::consts::TAU);
        let e = self.eccentricity;
        // Newton's method; from here it converges for every ellipse as round as a planet's.
        (0..8).fold(mean + e * mean.sin(), |at, _| {
            at - (at - e * at.sin() - mean) / (1.0 - e * at.cos())
        })
    }

    /// The point of the ellipse at an eccentric anomaly (radians), for a semi-major axis of `axis` units.
    pub fn point(&self, axis: f64, anomaly: f64) -> Vec3 {
        let e = self.eccentricity;
        let (along, across) = (axis * (anomaly.cos() - e), axis * (1.0 - e * e).sqrt() * anomaly.sin());
        let argument = (self.perihelion - self.node).to_radians();
        let ((sw, cw), (sn, cn)) = (argument.sin_cos(), self.node.to_radians().sin_cos());
        let (si, ci) = self.inclination.to_radians().sin_cos();
        let (u, v) = (along * cw - across * sw, along * sw + across * cw);
        vec3(
            (u * cn - v * sn * ci) as f32,
            (u * sn + v * cn * ci) as f32,
            (v * si) as f32,
        )
    }

    /// Where the body is, `days` after J2000.
    pub fn place(&self, axis: f64, days: f64) -> Vec3 {
        self.point(axis, self.eccentric_anomaly(days))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::bodies::BODIES;
    use proptest::prelude::*;

    fn angle(v: Vec3) -> f64 {
        f64::from(v.y).atan2(f64::from(v.x)).to_degrees().rem_euclid(360.0)
    }

    #[test]
    fn the_earth_is_where_the_almanac_says() {
        // At the spring equinox (2000-03-20 07:35, day 78.816) the sun is seen at 0°, so the Earth stands at 180°.
        let earth = BODIES[3].orbit.unwrap();
        assert!((angle(earth.elements.place(1.0, 78.816)) - 180.0).abs() < 0.2);
    }

    #[test]
    fn jupiter_and_saturn_meet_in_december_2020() {
        // Great conjunction of 2020-12-21; as seen from the sun it fell on 2020-11-02 (day 7611).
        let at = |i: usize, days| angle(BODIES[i].orbit.unwrap().elements.place(1.0, days));
        assert!((at(5, 7611.0) - at(6, 7611.0)).abs() < 1.5);
    }

    proptest! {
        #[test]
        fn after_a_period_a_planet_is_back(planet in 1_usize..10, days in -40_000.0_f64..40_000.0) {
            let orbit = BODIES[planet].orbit.unwrap().elements;
            let (a, b) = (orbit.place(10.0, days), orbit.place(10.0, days + orbit.period));
            prop_assert!((a - b).length() < 1e-3);
            let half = orbit.place(10.0, days + orbit.period / 2.0);
            prop_assert!((a - half).length() > 10.0, "and elsewhere in between");
        }

        #[test]
        fn a_planet_stays_on_its_ellipse(planet in 1_usize..10, days in -40_000.0_f64..40_000.0) {
            // The distances to both foci add up to twice the semi-major axis.
            let orbit = BODIES[planet].orbit.unwrap().elements;
            let other = orbit.point(10.0, 0.0) + orbit.point(10.0, std::f64::consts::PI);
            let at = orbit.place(10.0, days);
            prop_assert!((at.length() + (at - other).length() - 20.0).abs() < 1e-3);
        }

        #[test]
        fn kepler_s_equation_is_solved(planet in 1_usize..10, days in -40_000.0_f64..40_000.0) {
            let orbit = BODIES[planet].orbit.unwrap().elements;
            let at = orbit.eccentric_anomaly(days);
            let wrong = at - orbit.eccentricity * at.sin() - orbit.mean_anomaly(days);
            prop_assert!((wrong / 2.0).sin().abs() < 1e-9);
        }
    }
}

//! Turns wheel movements into the button clicks that X programs know.

/// A notch, in the units of a high-resolution wheel.
const NOTCH: i32 = 120;
/// A single movement makes no more clicks than this, however far it claims to go.
const MAX_CLICKS: i32 = 30;

/// Adds up parts of a notch. Pure.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    x: i32,
    y: i32,
}

impl Wheel {
    /// The wheel turned by 1/120 notches (positive: right, down): the X buttons to click, 4 up, 5 down, 6 left,
    /// 7 right.
    pub(super) fn turn(&mut self, dx: i16, dy: i16) -> impl Iterator<Item = u8> + use<> {
        let down = clicks(&mut self.y, dy);
        let right = clicks(&mut self.x, dx);
        let buttons = |n: i32, negative: u8, positive: u8| {
            std::iter::repeat_n(if n < 0 { negative } else { positive }, n.unsigned_abs() as usize)
        };
        buttons(down, 4, 5).chain(buttons(right, 6, 7))
    }

    /// Forgets parts of a notch.
    pub(super) const fn reset(&mut self) {
        self.x = 0;
        self.y = 0;
    }
}

fn clicks(sum: &mut i32, delta: i16) -> i32 {
    let delta = i32::from(delta);
    // A change of direction begins anew, or its first notch would need up to two.
    if sum.signum() * delta.signum() < 0 {
        *sum = 0;
    }
    *sum += delta;
    let clicks = *sum / NOTCH;
    *sum %= NOTCH;
    clicks.clamp(-MAX_CLICKS, MAX_CLICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(wheel: &mut Wheel, dx: i16, dy: i16) -> Vec<u8> {
        wheel.turn(dx, dy).collect()
    }

    #[test]
    fn a_notch_is_a_click() {
        let mut wheel = Wheel::default();
        assert_eq!(turn(&mut wheel, 0, 120), [5]);
        assert_eq!(turn(&mut wheel, 0, -240), [4, 4]);
        assert_eq!(turn(&mut wheel, -120, 120), [5, 6]);
        assert_eq!(turn(&mut wheel, 120, 0), [7]);
    }

    #[test]
    fn parts_of_a_notch_add_up_and_a_change_of_direction_begins_anew() {
        let mut wheel = Wheel::default();
        assert!(turn(&mut wheel, 0, 70).is_empty());
        assert_eq!(turn(&mut wheel, 0, 70), [5]);
        assert!(turn(&mut wheel, 0, -119).is_empty());
        assert_eq!(turn(&mut wheel, 0, -1), [4]);
    }

    #[test]
    fn a_wild_movement_is_bounded() {
        assert_eq!(turn(&mut Wheel::default(), 0, i16::MAX).len(), 30);
    }
}

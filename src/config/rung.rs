//! A rendition of the picture, as it is written: `PERCENT/FPS/KBPS`.

use std::fmt;
use std::str::FromStr;

/// Renditions that there are at most.
const MOST: usize = 4;

/// One form that the picture can be had in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RungConfig {
    /// Its width and height, in percent of the screen's.
    pub percent: u8,
    /// Frames per second at most.
    pub fps: u16,
    /// The rate from which on it is used, in kbit/s.
    pub kbps: u32,
}

impl FromStr for RungConfig {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/').map(str::trim);
        let mut number = |low: u32, high: u32| {
            let number: u32 = parts.next()?.parse().ok()?;
            (low..=high).contains(&number).then_some(number)
        };
        let (percent, fps, kbps) = (number(10, 100), number(1, 240), number(0, 200_000));
        let (Some(percent), Some(fps), Some(kbps), None) = (percent, fps, kbps, parts.next()) else {
            return Err(());
        };
        Ok(Self {
            percent: percent.try_into().map_err(|_| ())?,
            fps: fps.try_into().map_err(|_| ())?,
            kbps,
        })
    }
}

impl fmt::Display for RungConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.percent, self.fps, self.kbps)
    }
}

/// Reads a ladder: the best first, each for lower rates than the one before, and not too many.
pub(super) fn ladder(items: &[String]) -> Option<Vec<RungConfig>> {
    let rungs: Vec<RungConfig> = items.iter().map(|item| item.parse().ok()).collect::<Option<_>>()?;
    let falls = rungs.windows(2).all(|two| two[1].kbps < two[0].kbps);
    ((1..=MOST).contains(&rungs.len()) && falls).then_some(rungs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<RungConfig>> {
        ladder(&text.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_ladder_is_read_as_it_is_written() {
        let rungs = read("100/240/1200, 67/30/400,50 / 15 / 0").unwrap();
        let written: Vec<_> = rungs.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["100/240/1200", "67/30/400", "50/15/0"]);
    }

    #[test]
    fn what_is_no_ladder_is_refused() {
        for text in [
            "",
            "100/60",
            "100/60/1200/1",
            "9/60/0",
            "101/60/0",
            "100/0/0",
            "100/241/0",
            "100/60/200001",
            "100/60/-1",
            "x/60/0",
            "100/60/400,50/30/400",
            "100/60/400,50/30/1200",
            "100/60/4,100/60/3,100/60/2,100/60/1,100/60/0",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

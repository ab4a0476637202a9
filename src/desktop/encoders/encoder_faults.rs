//! What encoders said when they failed, and whether one of a codec is left. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::media::Codec;

/// What each encoder said when it last failed.
#[derive(Clone, Debug, Default)]
pub struct EncoderFaults {
    said: BTreeMap<&'static str, (Instant, String)>,
}

/// Every encoder of a codec has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoneLeft {
    codec: Codec,
    /// Its encoders, the best first, with what each said.
    said: Vec<(&'static str, String)>,
}

impl EncoderFaults {
    /// This encoder has failed and said why.
    pub fn failed(&mut self, element: &'static str, why: &str, now: Instant) {
        self.said.insert(element, (now, why.to_owned()));
    }

    /// The codec of which every encoder that works on this machine (`usable`, the best of each codec first) has failed
    /// within the last `period`, if there is one.
    #[must_use]
    pub fn none_left(&self, usable: &[(Codec, &'static str)], period: Duration, now: Instant) -> Option<NoneLeft> {
        let lately = |element: &'static str| {
            let (at, why) = self.said.get(element)?;
            (now.saturating_duration_since(*at) <= period).then(|| (element, why.clone()))
        };
        Codec::ALL.into_iter().find_map(|codec| {
            let of_codec = usable.iter().filter(|(c, _)| *c == codec);
            let said: Option<Vec<_>> = of_codec.map(|(_, element)| lately(element)).collect();
            said.filter(|said| !said.is_empty())
                .map(|said| NoneLeft { codec, said })
        })
    }
}

impl fmt::Display for NoneLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no encoder of {} works any more", self.codec)?;
        let mut before = ": ";
        for (element, why) in &self.said {
            write!(f, "{before}{element} said “{why}”")?;
            before = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USABLE: [(Codec, &str); 3] = [(Codec::H264, "first"), (Codec::H264, "second"), (Codec::Vp8, "only")];
    const PERIOD: Duration = Duration::from_secs(60);

    #[test]
    fn all_are_named_with_what_they_said_once_none_of_a_codec_is_left() {
        let (mut faults, now) = (EncoderFaults::default(), Instant::now());
        faults.failed("first", "out of memory", now);
        assert_eq!(faults.none_left(&USABLE, PERIOD, now), None);
        faults.failed("second", "gave nothing for 4000 ms", now);
        let told = faults.none_left(&USABLE, PERIOD, now).unwrap().to_string();
        assert_eq!(
            told,
            "no encoder of h264 works any more: first said “out of memory”, second said “gave nothing for 4000 ms”"
        );
    }

    #[test]
    fn one_that_failed_long_ago_may_work_again() {
        let (mut faults, then) = (EncoderFaults::default(), Instant::now());
        faults.failed("first", "x", then);
        let now = then + PERIOD + Duration::from_secs(1);
        faults.failed("second", "y", now);
        assert_eq!(faults.none_left(&USABLE, PERIOD, now), None);
        faults.failed("first", "x", now);
        assert!(faults.none_left(&USABLE, PERIOD, now).is_some());
    }

    #[test]
    fn a_codec_without_encoders_has_lost_none() {
        let (mut faults, now) = (EncoderFaults::default(), Instant::now());
        assert_eq!(faults.none_left(&[], PERIOD, now), None);
        faults.failed("only", "z", now);
        assert_eq!(faults.none_left(&USABLE[..2], PERIOD, now), None);
        assert!(faults.none_left(&USABLE, PERIOD, now).is_some());
    }
}

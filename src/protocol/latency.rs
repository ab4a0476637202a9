//! What page and host say to each other about how long the picture takes: parts of what goes over the channel `input` and the
//! media socket, beside [`super::input`].

use super::input::{InputError, VERSION};

const SHOWN: u8 = 0x84;
const RTP: u8 = 0x86;

/// What was measured in the last minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The median, in tenths of a millisecond.
    pub p50: u16,
    /// The 95th percentile, in tenths of a millisecond; no less than the median.
    pub p95: u16,
    /// Of how many samples, at least 1.
    pub samples: u16,
}

/// How long the picture takes, as a page says of itself. Nothing but what is shown follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyReport {
    /// From a press to the picture that shows its effect.
    pub click: Option<Measured>,
    /// From the grab of a picture to its display.
    pub glass: Option<Measured>,
}

impl LatencyReport {
    pub(super) fn decode(body: &[u8], wrong_length: impl Fn() -> InputError) -> Result<Self, InputError> {
        let &[c0, c1, c2, c3, c4, c5, g0, g1, g2, g3, g4, g5] = body else {
            return Err(wrong_length());
        };
        Ok(Self {
            click: measured([c0, c1, c2, c3, c4, c5])?,
            glass: measured([g0, g1, g2, g3, g4, g5])?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for measured in [self.click, self.glass] {
            let (p50, p95, samples) = measured.map_or((0, 0, 0), |m| (m.p50, m.p95, m.samples));
            for number in [p50, p95, samples] {
                out.extend(number.to_le_bytes());
            }
        }
    }
}

fn measured(body: [u8; 6]) -> Result<Option<Measured>, InputError> {
    let [a, b, c, d, e, f] = body;
    let (p50, p95, samples) = (
        u16::from_le_bytes([a, b]),
        u16::from_le_bytes([c, d]),
        u16::from_le_bytes([e, f]),
    );
    if samples == 0 && (p50, p95) == (0, 0) {
        return Ok(None);
    }
    if samples == 0 || p95 < p50 {
        return Err(InputError::Range {
            field: "latency",
            value: p95.into(),
        });
    }
    Ok(Some(Measured { p50, p95, samples }))
}

/// Host to browser: the frame of time `pts_us` is the first to show a change after the press with the number `seq`. Times are of
/// the host's `CLOCK_MONOTONIC`, in µs: the press came and was injected, the change was heard of, its picture was grabbed,
/// converted and encoded, came to the host, and was handed to the network.
#[must_use]
pub fn encode_shown(seq: u32, pts_us: u64, times_us: [u64; 8]) -> Vec<u8> {
    let mut out = vec![VERSION, SHOWN];
    out.extend(seq.to_le_bytes());
    for time in std::iter::once(pts_us).chain(times_us) {
        out.extend(time.to_le_bytes());
    }
    out
}

/// Host to browser: the RTP time of a frame is this, and 90 000 for each second of the host's `CLOCK_MONOTONIC` at its grab,
/// modulo 2³².
#[must_use]
pub fn encode_rtp_offset(offset: u32) -> Vec<u8> {
    let mut out = vec![VERSION, RTP];
    out.extend(offset.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(numbers: [u16; 6]) -> Result<LatencyReport, &'static str> {
        let body: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        LatencyReport::decode(&body, || InputError::TooShort(0)).map_err(|e| e.code())
    }

    #[test]
    fn a_report_says_nothing_or_what_can_be() {
        let some = |p50, p95, samples| Some(Measured { p50, p95, samples });
        let report = |click, glass| Ok(LatencyReport { click, glass });
        for (numbers, read) in [
            ([0; 6], report(None, None)),
            ([180, 310, 12, 0, 0, 0], report(some(180, 310, 12), None)),
            ([0, 0, 0, 90, 90, 1], report(None, some(90, 90, 1))),
            (
                [u16::MAX; 6],
                report(some(u16::MAX, u16::MAX, u16::MAX), some(u16::MAX, u16::MAX, u16::MAX)),
            ),
            ([180, 179, 12, 0, 0, 0], Err("out_of_range")),
            ([0, 0, 0, 5, 6, 0], Err("out_of_range")),
        ] {
            assert_eq!(decoded(numbers), read, "{numbers:?}");
        }
    }

    #[test]
    fn what_the_host_says_is_laid_out_as_documented() {
        let shown = encode_shown(0x0403_0201, 5, [6, 7, 8, 9, 10, 11, 12, 258]);
        assert_eq!(shown[..8], [1, 0x84, 1, 2, 3, 4, 5, 0]);
        assert_eq!(shown.len(), 6 + 9 * 8);
        assert_eq!(shown[70..], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode_rtp_offset(258), [1, 0x86, 2, 1, 0, 0]);
    }
}

//! How long the picture takes at each peer's viewer, as the pages say. Nothing but what administrators are shown follows from it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ids::PeerId;
use crate::protocol::latency::{LatencyReport, Measured};

/// A page that reports more often is not listened to meanwhile.
const LEAST_BETWEEN: Duration = Duration::from_millis(500);
/// What was not said again for so long is not true of now: pages report every few seconds while somebody looks.
const TRUE_FOR: Duration = Duration::from_secs(20);

/// The last report of each peer. Bounded by the places for peers: one goes with its peer.
#[derive(Debug, Default)]
pub struct Latencies {
    peers: Mutex<BTreeMap<PeerId, (LatencyReport, Instant)>>,
}

impl Latencies {
    /// A page reports.
    pub fn report(&self, peer: PeerId, report: LatencyReport, now: Instant) {
        let mut peers = self.lock();
        let last = peers.get(&peer).map(|(_, at)| *at);
        if last.is_none_or(|at| now.saturating_duration_since(at) >= LEAST_BETWEEN) {
            peers.insert(peer, (report, now));
        }
    }

    /// Its peer has ended.
    pub fn forget(&self, peer: PeerId) {
        self.lock().remove(&peer);
    }

    /// Those of now, by peer, for administrators: milliseconds.
    #[must_use]
    pub fn told(&self, now: Instant) -> Value {
        let peers = self.lock();
        let now = peers
            .iter()
            .filter(|(_, (_, at))| now.saturating_duration_since(*at) <= TRUE_FOR)
            .map(|(peer, (report, _))| {
                let told = json!({ "click_to_photon": told(report.click), "glass_to_glass": told(report.glass) });
                (peer.to_string(), told)
            });
        Value::Object(now.collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, (LatencyReport, Instant)>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(measured: Option<Measured>) -> Value {
    let ms = |tenths: u16| f64::from(tenths) / 10.0;
    measured.map_or(
        Value::Null,
        |Measured { p50, p95, samples }| json!({ "p50_ms": ms(p50), "p95_ms": ms(p95), "samples": samples }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(p50: u16) -> LatencyReport {
        let measured = Measured {
            p50,
            p95: p50 + 5,
            samples: 3,
        };
        LatencyReport {
            click: None,
            glass: Some(measured),
        }
    }

    #[test]
    fn the_last_report_is_told_while_it_is_true_and_a_flood_changes_nothing() {
        let (latencies, peer, now) = (Latencies::default(), PeerId::new(), Instant::now());
        latencies.report(peer, report(181), now);
        for ms in 1..500 {
            latencies.report(peer, report(9), now + Duration::from_millis(ms));
        }
        let told = latencies.told(now + Duration::from_secs(1));
        assert_eq!(
            told[peer.to_string()],
            json!({ "click_to_photon": null, "glass_to_glass": { "p50_ms": 18.1, "p95_ms": 18.6, "samples": 3 } })
        );
        latencies.report(peer, report(20), now + Duration::from_millis(500));
        let told = latencies.told(now + Duration::from_secs(1));
        assert_eq!(told[peer.to_string()]["glass_to_glass"]["p50_ms"], 2.0);
        assert_eq!(latencies.told(now + Duration::from_secs(30)), json!({}));
    }

    #[test]
    fn what_a_peer_said_goes_with_it() {
        let (latencies, peer, now) = (Latencies::default(), PeerId::new(), Instant::now());
        latencies.report(peer, report(1), now);
        latencies.forget(peer);
        assert_eq!(latencies.told(now), json!({}));
    }
}

//! What has nothing to do where nobody watches, and when it has again.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::desktop::shared::DesktopShared;
use crate::media::{Hub, Rendition};

/// Whether anybody watches, by whatever way.
#[derive(Debug)]
pub(in crate::desktop) struct Watched {
    pictures: watch::Receiver<BTreeSet<Rendition>>,
    vnc: watch::Receiver<usize>,
}

impl Watched {
    /// Of this desktop.
    pub(in crate::desktop) fn new(shared: &DesktopShared) -> Self {
        Self {
            pictures: shared.hub.wanted(),
            vnc: shared.vnc.viewers(),
        }
    }

    /// As it is now.
    pub(in crate::desktop) fn now(&self) -> bool {
        !self.pictures.borrow().is_empty() || *self.vnc.borrow() > 0
    }

    /// Returns when it may have changed. Cancel safe.
    pub(in crate::desktop) async fn changed(&mut self) {
        let gone = tokio::select! {
            pictures = self.pictures.changed() => pictures.is_err(),
            vnc = self.vnc.changed() => vnc.is_err(),
        };
        if gone {
            pending().await
        }
    }
}

/// So much longer, at random up to as long again, goes each: where a host has just taken up hundreds of instances, their
/// captures would else end in the same moment.
pub(in crate::desktop) fn spread(within: Option<Duration>, chance: f64) -> Option<Duration> {
    within.map(|within| within.mul_f64(1.0 + chance.clamp(0.0, 1.0)))
}

/// Returns when nobody has wanted a picture of it for so long; `None`: never.
pub(in crate::desktop) async fn unwatched(hub: &Hub, within: Option<Duration>) {
    let Some(within) = within else { return pending().await };
    let mut wanted = hub.wanted();
    loop {
        if wanted.wait_for(BTreeSet::is_empty).await.is_err() {
            // There is no hub any more, and soon no capture.
            return pending().await;
        }
        let again = wanted.wait_for(|wanted| !wanted.is_empty());
        if timeout(within, again).await.is_err() {
            return;
        }
    }
}

/// Returns when somebody wants a picture of it.
pub(in crate::desktop) async fn watched(hub: &Hub) {
    if hub.wanted().wait_for(|wanted| !wanted.is_empty()).await.is_err() {
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::media::Codec;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn it_rests_when_nobody_has_watched_for_long_and_wakes_with_the_first_who_does() {
        let hub = Hub::new();
        let begun = Instant::now();
        let come_and_go = async {
            for _ in 0..3 {
                sleep(LONG / 2).await;
                let watching = hub.subscribe(Codec::H264);
                sleep(LONG * 2).await;
                drop(watching);
            }
        };
        tokio::join!(unwatched(&hub, Some(LONG)), come_and_go);
        let gone = 3 * (LONG / 2 + LONG * 2);
        assert_eq!(begun.elapsed().as_secs(), (gone + LONG).as_secs());
        assert!(timeout(LONG, watched(&hub)).await.is_err(), "nobody is there");
        let _watching = hub.subscribe(Codec::H264);
        watched(&hub).await;
    }

    #[test]
    fn each_goes_on_for_as_long_as_was_said_and_no_more_than_twice_that() {
        for (chance, seconds) in [(0.0, 60), (0.5, 90), (1.0, 120), (7.0, 120)] {
            assert_eq!(spread(Some(LONG), chance), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(spread(None, 0.5), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_to_rest_never_does_not() {
        assert!(timeout(LONG * 1000, unwatched(&Hub::new(), None)).await.is_err());
    }
}

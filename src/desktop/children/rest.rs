//! What has nothing to do where nobody watches, and when it has again.

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::desktop::shared::DesktopShared;
use crate::media::{Hub, Rendition};

/// So much less often is looked whether something answers where nobody watches: what hangs then is noticed later, and hundreds
/// of desktops that rest cost little.
const AT_REST: u32 = 5;

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

    /// The time between two looks: `usually`, or several times that while nobody watches; who comes meanwhile is not made to
    /// wait so long. `pace` is told how many times.
    pub(in crate::desktop) async fn pause(&mut self, usually: Duration, pace: impl Fn(u32)) {
        let begun = Instant::now();
        loop {
            let watched = !self.pictures.borrow().is_empty() || *self.vnc.borrow() > 0;
            let times = if watched { 1 } else { AT_REST };
            pace(times);
            tokio::select! {
                () = sleep_until(begun + usually * times) => return,
                () = self.changed() => {}
            }
        }
    }

    /// Returns when it may have changed. Cancel safe.
    async fn changed(&mut self) {
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
    use tokio::time::sleep;

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

    #[tokio::test(start_paused = true)]
    async fn what_nobody_watches_is_looked_at_less_often_until_somebody_comes() {
        let hub = Hub::new();
        let viewers = watch::Sender::new(0);
        let mut watched = Watched {
            pictures: hub.wanted(),
            vnc: viewers.subscribe(),
        };
        let paces = std::cell::RefCell::new(Vec::new());
        let mut lasts = async || {
            let begun = Instant::now();
            watched.pause(LONG, |pace| paces.borrow_mut().push(pace)).await;
            begun.elapsed().as_secs() / LONG.as_secs()
        };
        assert_eq!(lasts().await, u64::from(AT_REST));
        let comes = async {
            sleep(LONG * 2).await;
            hub.subscribe(Codec::H264)
        };
        let (lasted, watching) = tokio::join!(lasts(), comes);
        assert_eq!(lasted, 2, "who comes is seen to at once");
        assert_eq!(lasts().await, 1);
        drop(watching);
        assert_eq!(lasts().await, u64::from(AT_REST));
        viewers.send_replace(1);
        assert_eq!(lasts().await, 1, "by VNC as well");
        assert_eq!(paces.borrow().first(), Some(&AT_REST));
        assert_eq!(paces.borrow().last(), Some(&1));
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

//! One call from the offer to the end, with a browser that does its part all the while.

use std::time::Instant;

use super::browser::Browser;
use super::*;
use crate::protocol::signalling::CloseReason;

/// How a peer's end comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is closed.
    Close,
    /// It is closed, and again, for another reason.
    Twice,
    /// Its owner lets go of it.
    Drop,
    /// The task of its owner panics.
    Panic,
    /// The task of its owner is aborted.
    Abort,
}

impl Way {
    pub(super) const ALL: [Self; 5] = [Self::Close, Self::Twice, Self::Drop, Self::Panic, Self::Abort];

    /// The reason that has to be told.
    pub(super) const fn reason(self) -> CloseReason {
        match self {
            Self::Close | Self::Twice => CloseReason::Superseded,
            Self::Drop | Self::Panic | Self::Abort => CloseReason::Fault,
        }
    }

    /// Brings about the end.
    async fn end(self, peer: Peer) {
        match self {
            Self::Close => peer.close(CloseReason::Superseded),
            Self::Twice => {
                peer.close(CloseReason::Superseded);
                peer.close(CloseReason::HostShutdown);
            }
            Self::Drop => drop(peer),
            Self::Panic => {
                let owner = tokio::spawn(async move {
                    let _peer = peer;
                    // A panic that tells nobody: there are many.
                    std::panic::resume_unwind(Box::new("the owner of a peer breaks"));
                });
                assert!(owner.await.unwrap_err().is_panic());
            }
            Self::Abort => {
                let owner = tokio::spawn(async move {
                    let _peer = peer;
                    std::future::pending::<()>().await;
                });
                tokio::task::yield_now().await;
                owner.abort();
            }
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) reason: CloseReason,
    /// From the moment the end was asked for.
    pub(super) took: Duration,
    /// How far it had come at that moment.
    pub(super) state: ConnectionState,
}

/// A peer and its browser, which goes on connecting whatever happens to the peer.
pub(super) struct Call {
    peer: Peer,
    browser: Arc<Browser>,
    ended: JoinHandle<(CloseReason, Instant)>,
}

impl Call {
    pub(super) async fn begin(factory: &Arc<WebrtcFactory>, hub: &Arc<Hub>, sink: Arc<dyn InputSink>) -> Self {
        let browser = Arc::new(Browser::new().await);
        let options = PeerOptions {
            peer_id: PeerId::new(),
            offer: browser.offer().await,
            candidates: candidate::Intake::new(LOCAL, 30),
            hub: Arc::clone(hub),
            available: Codec::ALL.to_vec(),
            sink,
            steers: true,
            factory: Arc::<WebrtcFactory>::clone(factory),
            runtime: Handle::current(),
        };
        let (peer, orders) = Peer::new();
        let (answer, events) = peer.open(options, orders).await.unwrap();
        let ended = tokio::spawn(follow(Arc::clone(&browser), answer, events));
        Self { peer, browser, ended }
    }

    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) const fn browser(&self) -> &Arc<Browser> {
        &self.browser
    }

    pub(super) async fn connected(&self) -> bool {
        until(20, || self.peer.state() == ConnectionState::Connected).await
    }

    /// Gives the peer away, to one that ends it by itself.
    pub(super) fn split(self) -> (Peer, Follow) {
        let Self { peer, browser, ended } = self;
        (peer, Follow { browser, ended })
    }

    /// Ends it in that way and waits for its end.
    pub(super) async fn end(self, way: Way) -> Ended {
        let state = self.peer.state();
        let (peer, follow) = self.split();
        let asked = Instant::now();
        way.end(peer).await;
        let (reason, at) = follow.end().await;
        Ended {
            reason,
            took: at.duration_since(asked),
            state,
        }
    }
}

/// The rest of a call whose peer somebody else has.
pub(super) struct Follow {
    browser: Arc<Browser>,
    ended: JoinHandle<(CloseReason, Instant)>,
}

impl Follow {
    /// Waits for the peer's end, then closes the browser's tab.
    pub(super) async fn end(self) -> (CloseReason, Instant) {
        let ended = timeout(Duration::from_secs(30), self.ended).await.unwrap().unwrap();
        self.browser.connection.close().await.unwrap();
        ended
    }
}

/// Plays the browser's part, as far as it comes, and tells why and when the peer ended.
async fn follow(browser: Arc<Browser>, answer: PeerAnswer, mut events: PeerEvents) -> (CloseReason, Instant) {
    match answer.sdp().await {
        Ok(sdp) => browser.accept(sdp).await,
        Err(error) => assert_eq!(error, PeerError::Closing),
    }
    let mut end = None;
    while let Some(event) = events.next().await {
        assert_eq!(end, None, "nothing follows the end");
        match event {
            PeerEvent::LocalCandidate(Some(candidate)) => browser.candidate(candidate).await,
            PeerEvent::Closed(reason) => end = Some((reason, Instant::now())),
            PeerEvent::LocalCandidate(None) | PeerEvent::State(_) => {}
        }
    }
    end.unwrap()
}

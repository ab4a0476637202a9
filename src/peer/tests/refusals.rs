use super::browser::Browser;
use super::*;
use crate::protocol::signalling::{CloseReason, IceCandidate};

async fn refused(sdp: &str, available: &[Codec]) -> (PeerError, Arc<WebrtcFactory>) {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let factory = factory();
    let mut options = options(sdp, &hub, &sink);
    options.available = available.to_vec();
    options.factory = Arc::<WebrtcFactory>::clone(&factory);
    let error = Peer::answer(options).await.unwrap_err();
    assert_eq!(hub.subscribers(), 0);
    (error, factory)
}

fn candidate(line: &str) -> IceCandidate {
    IceCandidate {
        candidate: line.to_owned(),
        ..IceCandidate::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_cannot_be_answered_get_their_code_and_leave_no_port_behind() {
    let browser = Browser::new().await;
    let offer = browser.offer().await;
    let data_only = offer.replace("m=video", "m=audio");
    // Parses, but says nothing of ICE or DTLS: refused by the connection itself, after a port was taken.
    let no_transport: String = offer
        .split_inclusive('\n')
        .filter(|l| !l.starts_with("a=ice-") && !l.starts_with("a=fingerprint"))
        .collect();
    for (sdp, available, code) in [
        ("", &Codec::ALL[..], "bad_sdp"),
        ("v=0 rubbish", &Codec::ALL, "bad_sdp"),
        (&data_only, &Codec::ALL, "bad_sdp"),
        (&no_transport, &Codec::ALL, "bad_sdp"),
        (&offer, &[], "no_common_codec"),
        (
            &offer.replace("VP8/90000", "VP7/90000"),
            &[Codec::Vp8],
            "no_common_codec",
        ),
    ] {
        let (error, factory) = refused(sdp, available).await;
        assert_eq!(error.code(), code, "{error}");
        assert!(until(3, || factory.ports_leased() == 0).await);
    }
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_free_port_is_told_as_such() {
    let other = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let mut options = options(&browser.offer().await, &hub, &sink);
    let full = WebrtcOptions {
        ports: PortRange::new(port, port),
        disconnected_timeout: std::time::Duration::from_secs(3),
        failed_timeout: std::time::Duration::from_secs(5),
        addresses: MediaAddresses::of(&[LOCAL]),
        public: PublicAddresses::default(),
    };
    options.factory = Arc::new(WebrtcFactory::new(full));
    assert_eq!(Peer::answer(options).await.unwrap_err().code(), "no_udp_port");
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_candidates_are_refused_and_those_of_no_use_ignored() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let (peer, _answer, _events) = Peer::answer(options(&browser.offer().await, &hub, &sink))
        .await
        .unwrap();
    let long = format!("candidate:{}", "1".repeat(5000));
    for rubbish in [
        "rubbish",
        "candidate:1 1 udp x",
        "candidate:1 1 udp 1 nowhere x typ host",
        &long,
    ] {
        let error = peer.add_candidate(candidate(rubbish)).await.unwrap_err();
        assert_eq!(error.code(), "bad_candidate", "{rubbish}");
    }
    for fine in [
        "",
        "candidate:1 1 udp 2113937151 127.0.0.1 9 typ host",
        "candidate:1 1 udp 2113937151 0b1d4c0e-0000.local 9 typ host",
        "candidate:1 1 tcp 1518280447 127.0.0.1 9 typ host tcptype passive",
    ] {
        assert_eq!(peer.add_candidate(candidate(fine)).await, Ok(()), "{fine}");
    }
    let mut refused = 0;
    for _ in 0..120 {
        let one = candidate("candidate:1 1 udp 2113937151 127.0.0.1 9 typ host");
        refused += u32::from(peer.add_candidate(one).await.is_err());
    }
    assert!(refused >= 20, "{refused}");
    peer.close(CloseReason::Requested);
    assert!(until(8, || peer.state() == ConnectionState::Closed || hub.subscribers() == 0).await);
    browser.connection.close().await.unwrap();
}

//! What strangers send to the media port, and what a browser sends that is not ours.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;

use super::browser::Browser;
use super::*;
use crate::protocol::input::{InputEvent, encode};

/// Rubbish that looks like each of the protocols that share the port (RFC 7983): the first byte says which.
fn datagrams() -> Vec<Vec<u8>> {
    // A generator of its own, so that a failure can be repeated (xorshift, Marsaglia 2003).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    // A STUN binding request that nobody signed; a DTLS ClientHello cut short; RTP; an RTCP BYE; a TURN channel.
    let stun = [
        &[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..],
        &[7; 12],
        &[0, 6, 0, 4, b'a', b':', b'b', 0],
    ]
    .concat();
    let hello = [
        &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48][..],
        &[9; 30],
    ]
    .concat();
    let rtp = [&[0x80, 109, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1][..], &[5; 900]].concat();
    let bye = vec![0x81, 203, 0, 1, 0, 0, 0, 1];
    let report = [&[0x81, 201, 0, 7, 0, 0, 0, 1][..], &[0xff; 24]].concat();
    let channel = vec![0x40, 0, 0xff, 0xff, 1, 2, 3];
    let kinds = [
        stun,
        hello,
        rtp,
        bye,
        report,
        channel,
        vec![],
        vec![0],
        vec![22],
        vec![0x80],
    ];
    let mut all = Vec::new();
    for _ in 0..200 {
        for kind in &kinds {
            let mut bytes = kind.clone();
            for _ in 0..next() % 4 {
                if bytes.len() > 1 {
                    // The first byte stays, so that it reaches its protocol.
                    let at = 1 + usize::try_from(next()).unwrap_or(0) % (bytes.len() - 1);
                    bytes[at] = next().to_le_bytes()[0];
                }
            }
            if next() % 8 == 0 {
                bytes.truncate(bytes.len() / 2);
            }
            all.push(bytes);
        }
    }
    all
}

fn bombard(target: SocketAddr) {
    let stranger = UdpSocket::bind((LOCAL, 0)).unwrap();
    for datagram in datagrams() {
        // Full buffers lose some; that is as it would be.
        let _ = stranger.send_to(&datagram, target);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_at_the_media_port_disturbs_neither_connecting_nor_the_picture() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::H264);
    let browser = Browser::new().await;
    let options = options(&browser.offer().await, &hub, &sink);
    let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
    browser.accept(answer).await;
    let mut target = None;
    while peer.state() != ConnectionState::Connected {
        match timeout(Duration::from_secs(20), events.next()).await.unwrap() {
            Some(PeerEvent::LocalCandidate(Some(candidate))) => {
                let fields: Vec<&str> = candidate.candidate.split(' ').collect();
                let address = SocketAddr::new(fields[4].parse().unwrap(), fields[5].parse().unwrap());
                bombard(address);
                target = Some(address);
                browser.candidate(candidate).await;
            }
            Some(PeerEvent::Closed(reason)) => panic!("closed: {reason}"),
            Some(_) => {}
            None => panic!("the peer ended"),
        }
    }
    let frames = || browser.received.frames.load(Ordering::Relaxed);
    assert!(until(10, || frames() >= 20).await, "{}", frames());
    bombard(target.unwrap());
    let before = frames();
    assert!(until(10, || frames() >= before + 50).await, "the picture goes on");
    assert_eq!(peer.state(), ConnectionState::Connected);
    source.abort();
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_events_is_cut_to_the_rate_and_its_releases_pass() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let options = options(&browser.offer().await, &hub, &sink);
    let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
    browser.connect(answer, &mut events).await;
    browser.listen().await;
    let event = |seq: u32, event: InputEvent| encode(&InputFrame { seq, time_ms: 0, event });
    let begun = std::time::Instant::now();
    let sent = 30_000;
    for seq in 0..sent {
        Browser::send(&browser.moves, &event(seq, InputEvent::Move { x: 1, y: 1 })).await;
    }
    Browser::send(&browser.input, &event(sent, InputEvent::ReleaseAll)).await;
    let released = || sink.taken().iter().any(|(f, _)| f.event == InputEvent::ReleaseAll);
    assert!(until(30, released).await, "the release is not lost");
    let taken = sink.taken().len() as f64;
    let allowed = 2_000.0 + 2_000.0 * begun.elapsed().as_secs_f64() + 1.0;
    assert!(taken <= allowed, "{taken} of {sent} events in {:?}", begun.elapsed());
    assert_eq!(peer.state(), ConnectionState::Connected);
    browser.connection.close().await.unwrap();
}

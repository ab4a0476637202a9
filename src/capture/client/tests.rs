use bytes::Bytes;
use tokio::net::UnixListener;

use super::*;
use crate::protocol::capture::{CodecNumber, RenditionNumber};

/// Far beyond what anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// A capture process that greets, sends all these at once when it is told what is wanted, and stays.
async fn process(listener: UnixListener, version: u16, messages: Vec<CaptureMessage>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let hello = CaptureMessage::Hello {
        version,
        width: 64,
        height: 64,
        encoders: vec![(CodecNumber::H264, "x264enc".into())],
    };
    stream.write_all(&hello.encode()).await.unwrap();
    let mut greeting = HostMessage::Hello { version: VERSION }.encode();
    stream.read_exact(&mut greeting).await.unwrap();
    stream.read_u8().await.unwrap();
    let bytes: Vec<u8> = messages.iter().flat_map(CaptureMessage::encode).collect();
    stream.write_all(&bytes).await.unwrap();
    std::future::pending::<()>().await;
}

fn frame(number: u64) -> CaptureMessage {
    CaptureMessage::Frame {
        rendition: RenditionNumber {
            codec: CodecNumber::H264,
            rung: 0,
        },
        key: number == 0,
        pts_us: number,
        times_us: [0; 4],
        data: Bytes::from_static(b"frame"),
    }
}

#[tokio::test]
async fn frames_that_come_all_at_once_reach_who_keeps_up_all() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("capture.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    let watching = tokio::spawn(async move {
        let mut seen = 0;
        while seen < 200 {
            assert_eq!(viewer.next().await.unwrap().pts_us, seen);
            seen += 1;
        }
    });
    let _process = tokio::spawn(process(listener, VERSION, (0..200).map(frame).collect()));
    let config = CaptureClientConfig::new(socket);
    let _client = CaptureClient::start(&Handle::current(), config, Arc::clone(&hub));
    timeout(SOON, watching).await.expect("every frame comes").unwrap();
    assert_eq!(hub.stats().skipped, 0);
}

#[tokio::test]
async fn a_process_of_an_older_version_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("capture.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let _process = tokio::spawn(process(listener, VERSION - 1, Vec::new()));
    let config = CaptureClientConfig::new(socket);
    let mut client = CaptureClient::start(&Handle::current(), config, Hub::new());
    // Its supervisor ends it then, and starts one of its own version.
    let error = timeout(SOON, client.ended()).await.expect("it ends");
    assert_eq!(error.code(), "capture_protocol");
    assert!(error.to_string().contains("version"), "{error}");
}

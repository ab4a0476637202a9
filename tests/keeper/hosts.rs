//! Hosts that come, come back, or are not the ones they say they are.

use heliostat::ids::InstanceId;
use heliostat::process::{KeeperClient, KeeperOptions, SweepReport, sweep};
use heliostat::protocol::keeper::{Call, Decoder, Failure, FailureCode, Message, Reply, Request, VERSION, encode};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use tokio::time::timeout;

use super::support::{GRACE, LONG, Place, code, command, kill, lives, role, shell, until};

#[tokio::test]
async fn a_host_that_comes_back_finds_the_same_processes() {
    let place = Place::new();
    let app = role("app");
    let keeper = place.keeper().await;
    let pid = keeper
        .ensure(&app, command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap()
        .pid;
    drop(keeper);
    assert_eq!(
        sweep(&place.instances()),
        SweepReport {
            adoptable: vec![place.options.instance],
            ..SweepReport::default()
        }
    );
    let keeper = KeeperClient::spawn_or_connect(&place.options).await.unwrap();
    assert_eq!(
        keeper
            .ensure(&app, command(&["sleep", "1000"]), GRACE)
            .await
            .unwrap()
            .pid,
        pid
    );

    // A later connection takes over; the earlier one learns it.
    let later = KeeperClient::connect(&place.options).await.unwrap();
    timeout(LONG, keeper.gone()).await.unwrap();
    assert!(keeper.is_gone());
    assert_eq!(code(keeper.status().await), "keeper_gone");
    assert_eq!(later.status().await.unwrap()[0].pid, pid);
    assert_eq!(code(KeeperClient::spawn(&place.options).await), "keeper_not_started");
    assert!(lives(pid));
    later.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_listening_socket_outlives_its_role() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let capture = role("capture");
    let name = "capture.sock";
    let mut spec =
        shell("test -S /proc/self/fd/$HELIOSTAT_LISTEN_FD && echo has $HELIOSTAT_LISTEN_FD; exec sleep 1000");
    spec.listen_socket = Some(name.into());
    keeper.ensure(&capture, spec.clone(), GRACE).await.unwrap();
    let inode = || fs::metadata(place.file(name)).unwrap().ino();
    let before = inode();
    keeper.stop(&capture, GRACE).await.unwrap();
    // Between the two the socket still takes connections, for the next to accept.
    let waiting = tokio::net::UnixStream::connect(place.file(name)).await.unwrap();
    keeper.ensure(&capture, spec.clone(), GRACE).await.unwrap();
    let mut tail = Vec::new();
    while tail.is_empty() {
        tail = keeper.tail(&capture, 1).await.unwrap();
    }
    assert_eq!(tail, ["has 3"]);
    assert_eq!(inode(), before);
    assert_eq!(code(keeper.ensure(&role("thief"), spec, GRACE).await), "busy");
    drop(waiting);
    keeper.end(GRACE).await.unwrap();
    assert!(!place.file(name).exists());
}

#[tokio::test]
async fn a_keeper_of_another_instance_is_refused() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let other = KeeperOptions {
        instance: InstanceId::new(),
        ..place.options.clone()
    };
    assert_eq!(code(KeeperClient::connect(&other).await), "keeper_not_ours");
    assert!(!keeper.is_gone());
    keeper.status().await.unwrap();

    // Also where the manifest was forged.
    let manifest = fs::read_to_string(place.file("keeper.json")).unwrap();
    let forged = manifest.replace(&place.options.instance.to_string(), &other.instance.to_string());
    fs::write(place.file("keeper.json"), forged).unwrap();
    assert_eq!(code(KeeperClient::connect(&other).await), "keeper_not_ours");
    keeper.status().await.unwrap();
    keeper.end(GRACE).await.unwrap();
}

/// One call on a connection of its own, and what comes back; then whether the keeper closed it.
fn call_raw(place: &Place, request: Request) -> (Result<Reply, Failure>, bool) {
    let mut stream = UnixStream::connect(place.file("keeper.sock")).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(&encode(&Call { id: 9, request }).unwrap()).unwrap();
    let mut decoder = Decoder::default();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed without an answer");
        decoder.push(&buffer[..count]);
        if let Some(Message::Reply { id: 9, result }) = decoder.take().unwrap() {
            let closed = result.is_err() && stream.read(&mut buffer).unwrap() == 0;
            return (result, closed);
        }
    }
}

#[tokio::test]
async fn only_a_proper_hello_of_a_later_host_takes_control() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let instance = place.options.instance;
    let hello = |version, epoch| Request::Hello {
        version,
        instance,
        epoch,
    };
    let refused = |request| {
        let (result, closed) = call_raw(&place, request);
        assert!(closed);
        result.unwrap_err().code
    };
    assert_eq!(refused(Request::Status), FailureCode::HelloFirst);
    assert_eq!(refused(Request::End { grace_ms: 0 }), FailureCode::HelloFirst);
    assert_eq!(refused(hello(VERSION + 1, u64::MAX)), FailureCode::WrongVersion);
    assert_eq!(refused(hello(VERSION, 1)), FailureCode::StaleEpoch);
    assert!(!keeper.is_gone());
    keeper.status().await.unwrap();

    // Bytes that are no message cost only their own connection.
    let mut stream = UnixStream::connect(place.file("keeper.sock")).unwrap();
    stream.write_all(&[0xff; 64]).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    assert!(!matches!(stream.read(&mut [0; 16]), Ok(1..)));
    keeper.status().await.unwrap();
    let (result, _) = call_raw(&place, hello(VERSION, u64::MAX));
    assert_eq!(result, Ok(Reply::Welcome { pid: keeper.pid() }));
    timeout(LONG, keeper.gone()).await.unwrap();
    kill(keeper.pid(), libc::SIGTERM);
    until("the keeper's exit", || place.marked().is_empty()).await;
}

#[tokio::test]
async fn a_program_that_is_no_keeper_is_reported() {
    let mut place = Place::new();
    place.options.program = "/bin/false".into();
    assert_eq!(code(KeeperClient::spawn(&place.options).await), "keeper_not_started");
    place.options.program = "/no/such/program".into();
    assert_eq!(code(KeeperClient::spawn_or_connect(&place.options).await), "keeper_io");
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_io");
}

#[tokio::test]
async fn a_keeper_without_a_descriptor_for_another_host_does_not_spin_and_lets_it_in_when_there_is_one() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let pid = keeper.pid();
    // None is free below that; those that it has stay.
    let before = limit_descriptors(pid, 3);
    let busy = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let ticks: Vec<u64> = rest.split(' ').skip(11).take(2).map(|n| n.parse().unwrap()).collect();
        // Fields 14 and 15 of proc(5), in hundredths of a second.
        ticks[0] + ticks[1]
    };
    let knocking = UnixStream::connect(place.file("keeper.sock")).unwrap();
    let begun = busy();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let used = busy() - begun;
    assert!(used < 50, "{used} hundredths of a second in two");
    assert!(keeper.answers_within(LONG).await, "the one that it has is served");
    drop(knocking);
    limit_descriptors(pid, before);
    let later = timeout(LONG, KeeperClient::connect(&place.options))
        .await
        .unwrap()
        .unwrap();
    later.end(GRACE).await.unwrap();
}

/// How many descriptors a process may have from now on; gives how many before.
fn limit_descriptors(pid: i32, most: u64) -> u64 {
    let mut before = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain system calls on a place of ours.
    unsafe {
        assert_eq!(
            libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut before),
            0
        );
        let now = libc::rlimit {
            rlim_cur: most,
            ..before
        };
        assert_eq!(
            libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const now, std::ptr::null_mut()),
            0
        );
    }
    before.rlim_cur
}

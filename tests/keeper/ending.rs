//! The end of an instance, however it comes.

use heliostat::config::AppEntry;
use heliostat::desktop::{DesktopParts, DesktopShared, Layout, PARTS, StartTurns};
use heliostat::media::Hub;
use heliostat::process::{KeeperEvent, SweepReport, kill_left, sweep};
use heliostat::protocol::keeper::{Event, Spec};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use super::support::{GRACE, LONG, Place, command, exit_of, kill, lives, pid_in, role, shell, sleeper, until};

#[tokio::test]
async fn the_end_leaves_no_process_and_no_socket() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let daemon = place.file("daemon");
    let script = format!(
        "(setsid sh -c 'echo $$ > {}; exec sleep 1000' &); exec sleep 1000",
        daemon.display()
    );
    keeper.ensure(&role("app"), shell(&script), GRACE).await.unwrap();
    keeper
        .ensure(&role("other"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap();
    until("daemon", || pid_in(&daemon).is_some()).await;
    keeper.end(GRACE).await.unwrap();
    assert!(!place.file("keeper.sock").exists() && !place.file("keeper.json").exists());
    timeout(LONG, async {
        while events.recv().await.unwrap() != KeeperEvent::Gone {}
    })
    .await
    .unwrap();
    until("the keeper's exit", || place.marked().is_empty()).await;
    until("its reaping", || {
        !Path::new(&format!("/proc/{}", keeper.pid())).exists()
    })
    .await;
    assert!(!lives(pid_in(&daemon).unwrap()));
    // A new keeper may have the folder.
    place.keeper().await.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_keeper_without_a_host_ends_its_instance() {
    let mut place = Place::new();
    place.options.host_absence = Duration::from_millis(300);
    let keeper = place.keeper().await;
    let pid = sleeper(&keeper).await;
    assert!(lives(pid));
    drop(keeper);
    until("the end of the instance", || {
        place.marked().is_empty() && !place.file("keeper.json").exists()
    })
    .await;
}

#[tokio::test]
async fn sigterm_ends_the_instance() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let pid = sleeper(&keeper).await;
    kill(keeper.pid(), libc::SIGTERM);
    timeout(LONG, keeper.gone()).await.unwrap();
    until("the keeper's exit", || place.marked().is_empty()).await;
    assert!(!lives(pid));
}

#[tokio::test]
async fn what_a_killed_keeper_leaves_is_swept() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    let pid = keeper.ensure(&role("app"), stubborn, GRACE).await.unwrap().pid;
    let bystander = Place::new();
    let other = bystander.keeper().await;
    let spared = sleeper(&other).await;

    kill(keeper.pid(), libc::SIGKILL);
    timeout(LONG, keeper.gone()).await.unwrap();
    assert!(lives(pid), "the keeper's death alone ends nobody");
    until("the keeper's lock", || !lives(keeper.pid())).await;
    let instances = place.instances();
    let report = tokio::task::spawn_blocking(move || sweep(&instances)).await.unwrap();
    assert_eq!(
        report,
        SweepReport {
            swept: vec![place.options.instance],
            ..SweepReport::default()
        }
    );
    assert!(place.marked().is_empty());
    assert!(!place.file("keeper.sock").exists() && !place.file("keeper.json").exists());
    assert!(lives(spared), "another instance is not touched");
    other.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn an_x_server_says_its_number_and_its_display_is_free_after_it() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let display = role("display");
    let argv = [
        "Xvfb",
        "-displayfd",
        "{displayfd}",
        "-nolisten",
        "tcp",
        "-screen",
        "0",
        "320x240x24",
    ];
    let spec = Spec {
        display_fd: true,
        ..command(&argv)
    };
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let started = keeper.ensure(&display, spec.clone(), GRACE).await.unwrap();
        let number = timeout(LONG, async {
            loop {
                if let KeeperEvent::Said(Event::Display { generation, number, .. }) = events.recv().await.unwrap() {
                    assert_eq!(generation, started.generation);
                    return number;
                }
            }
        });
        let number = number.await.unwrap();
        let socket = || {
            let metadata = fs::metadata(format!("/tmp/.X11-unix/X{number}")).ok()?;
            Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
        };
        let its = socket();
        assert!(its.is_some());
        assert_eq!(keeper.status().await.unwrap()[0].display, Some(number));
        assert_eq!(
            keeper.ensure(&display, spec.clone(), GRACE).await.unwrap().display,
            Some(number)
        );
        keeper.signal(&display, signal).await.unwrap();
        exit_of(&mut events, &display).await;
        // Another server may have taken the number by now.
        assert_ne!(socket(), its);
    }
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_keeper_that_an_earlier_host_left_to_a_failed_instance_ends_with_that() {
    let place = Place::new();
    let keeper = place.keeper().await;
    keeper
        .ensure(&role("app"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap();
    drop(keeper);
    // As the next host takes it up: its link has nothing to do, and has met no keeper.
    let shared = next_hosts(&place);
    shared.end_keeper().await;
    until("its end", || place.marked().is_empty()).await;
    // And where there is none, or no folder any more, there is nothing to be done.
    shared.end_keeper().await;
    fs::remove_dir_all(&place.options.dir).unwrap();
    shared.end_keeper().await;
}

#[tokio::test]
async fn a_host_that_leaves_its_instances_leaves_keepers_that_it_has_not_met() {
    let place = Place::new();
    let keeper = place.keeper().await;
    drop(keeper);
    let shared = next_hosts(&place);
    shared.leave_processes();
    shared.end_keeper().await;
    assert_eq!(place.marked().len(), 1);
}

/// The Desktop of an instance as a host has it that has not met its keeper.
fn next_hosts(place: &Place) -> Arc<DesktopShared> {
    let file = |name: &str| place.file(name);
    let layout = Layout {
        app: AppEntry::new("demo", "true"),
        width: 64,
        height: 64,
        fps: 30,
        bitrate_kbps: 1000,
        home: file("home"),
        tmp: file("tmp"),
        xauthority: file("xauthority"),
        window_manager_config: file("openbox.xml"),
        program: place.options.program.clone(),
        vnc_folder: None,
        user: None,
        user_name: "heliostat".into(),
        confinement: heliostat::sandbox::Confinement::default(),
    };
    DesktopShared::new(DesktopParts {
        id: place.options.instance,
        layout,
        keeper_options: place.options.clone(),
        folder: place.options.dir.clone(),
        readiness_timeout: LONG,
        capture_idle_timeout: None,
        facts: heliostat::source::FactsCell::of(&PARTS),
        hub: Hub::new(),
        input: heliostat::x11::InputQueue::new().unwrap(),
        windows: tokio::sync::watch::Sender::new(Vec::new()),
        media: tokio::runtime::Handle::current(),
        encoders: Vec::new(),
        starts: StartTurns::default(),
    })
}

#[tokio::test]
async fn what_did_not_end_in_time_is_killed_also_where_its_keeper_was_stopped() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let daemon = place.file("daemon");
    let script = format!(
        "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$ > {}; while :; do sleep 1000; done' &); while :; do sleep 1000; done",
        daemon.display()
    );
    keeper.ensure(&role("app"), shell(&script), GRACE).await.unwrap();
    until("daemon", || pid_in(&daemon).is_some()).await;
    kill(keeper.pid(), libc::SIGSTOP);
    let instances = place.instances();
    let killed = tokio::task::spawn_blocking(move || kill_left(&instances, LONG))
        .await
        .unwrap();
    assert_eq!(killed, [place.options.instance]);
    assert_eq!(place.marked(), Vec::<i32>::new());
    assert!(!place.file("keeper.sock").exists() && !place.file("keeper.json").exists());
    assert_eq!(kill_left(&place.instances(), LONG), []);
}

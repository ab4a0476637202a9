//! Keepers that lie, and what is none: each is refused with its own word, and nothing is ended that is not ours.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use heliostat::ids::InstanceId;
use heliostat::process::{KeeperClient, SweepReport, sweep, sweep_instance};
use heliostat::protocol::keeper::{
    Call, Event, Exit, Failure, FailureCode, INSTANCE_VARIABLE, MARK_VARIABLE, MAX_MESSAGE, MAX_TAIL_LINES, Manifest,
    Message, Reply, Started, VERSION, encode,
};
use nix::fcntl::{Flock, FlockArg};
use tokio::time::timeout;

use super::fake::{Wire, fake, manifest, mark, own_pid, serve, start_time, write_manifest};
use super::support::{GRACE, LONG, Place, code, command, exit_of, is_root, lives, role};

/// A process that is nobody's of ours.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A reply to the call of this id.
fn reply(id: u64, result: Result<Reply, Failure>) -> Message {
    Message::Reply { id, result }
}

/// That the app of a test was started.
fn started(name: &str, pid: i32) -> Reply {
    Reply::Started(Started {
        role: role(name),
        pid,
        generation: 1,
        attached: true,
        display: None,
        stopped: false,
    })
}

#[tokio::test]
async fn a_manifest_that_does_not_fit_who_listens_is_refused() {
    let (place, stranger) = (Place::new(), Stranger::new());
    fake(&place, |wire| {
        wire.welcome();
        wire.stay();
    });
    let honest = manifest(place.options.instance);
    let lies = [
        Manifest {
            instance: InstanceId::new(),
            ..honest.clone()
        },
        Manifest {
            pid: 1,
            ..honest.clone()
        },
        // Somebody else's process, whose pid and start time are right.
        Manifest {
            pid: stranger.pid(),
            start_time: start_time(stranger.pid()),
            ..honest.clone()
        },
        // A pid that was given again.
        Manifest {
            start_time: honest.start_time + 1,
            ..honest.clone()
        },
    ];
    for lie in lies {
        write_manifest(&place, &lie);
        assert_eq!(
            code(KeeperClient::connect(&place.options).await),
            "keeper_not_ours",
            "{lie:?}"
        );
        assert_eq!(
            code(KeeperClient::spawn_or_connect(&place.options).await),
            "keeper_not_ours"
        );
    }
    write_manifest(&place, &honest);
    KeeperClient::connect(&place.options).await.unwrap();
    assert!(lives(stranger.pid()));
}

/// How a fake greets, and the word for it.
type Greeting = (fn(&mut Wire, u64), &'static str);

#[tokio::test]
async fn a_greeting_that_no_keeper_gives_is_refused_with_its_word() {
    let greetings: [Greeting; 10] = [
        (|wire, id| wire.answer(id, Reply::Welcome { pid: 1 }), "keeper_not_ours"),
        (
            |wire, id| wire.answer(id, Reply::Welcome { pid: own_pid() + 1 }),
            "keeper_not_ours",
        ),
        (
            |wire, id| wire.say(&reply(id, Err(Failure::new(FailureCode::WrongInstance, "another's")))),
            "keeper_not_ours",
        ),
        (
            |wire, id| wire.say(&reply(id, Err(Failure::new(FailureCode::WrongVersion, "version 1")))),
            "wrong_version",
        ),
        (
            |wire, id| wire.answer(id + 7, Reply::Welcome { pid: own_pid() }),
            "keeper_protocol",
        ),
        (|wire, id| wire.answer(id, Reply::Done), "keeper_protocol"),
        (
            |wire, _| {
                wire.say(&Message::Event(Event::Display {
                    role: role("app"),
                    generation: 1,
                    number: u32::MAX,
                }));
            },
            "keeper_protocol",
        ),
        (|wire, _| wire.raw(&u32::MAX.to_be_bytes()), "keeper_protocol"),
        (|wire, _| wire.raw(b"\0\0\0\x04nope"), "keeper_protocol"),
        (|_, _| (), "keeper_io"),
    ];
    for (number, (greet, word)) in greetings.into_iter().enumerate() {
        let place = Place::new();
        fake(&place, move |wire| {
            if let Some(Call { id, .. }) = wire.call() {
                greet(wire, id);
                if word != "keeper_io" {
                    wire.stay();
                }
            }
        });
        assert_eq!(
            code(KeeperClient::connect(&place.options).await),
            word,
            "greeting {number}"
        );
    }
}

#[tokio::test]
async fn one_that_says_nothing_or_never_comes_to_an_end_is_not_waited_for() {
    let (silent, endless) = (Place::new(), Place::new());
    fake(&silent, Wire::stay);
    fake(&endless, |wire| {
        let length = u32::try_from(MAX_MESSAGE).unwrap();
        wire.raw(&length.to_be_bytes());
        for _ in 0..100 {
            wire.raw(&[b' '; 64]);
            thread::sleep(Duration::from_millis(100));
        }
    });
    let codes = tokio::join!(
        timeout(LONG, KeeperClient::connect(&silent.options)),
        timeout(LONG, KeeperClient::connect(&endless.options))
    );
    assert_eq!(
        (code(codes.0.unwrap()), code(codes.1.unwrap())),
        ("keeper_timeout", "keeper_timeout")
    );
}

/// A client of a fake that greets as it should, and then deals so with the first call.
async fn client_of(place: &Place, act: impl Fn(&mut Wire, u64) + Send + 'static) -> KeeperClient {
    fake(place, move |wire| {
        wire.welcome();
        if let Some(Call { id, .. }) = wire.call() {
            act(wire, id);
        }
        wire.stay();
    });
    KeeperClient::connect(&place.options).await.unwrap()
}

#[tokio::test]
async fn one_that_speaks_of_processes_of_others_is_not_believed_any_more() {
    let host = i32::try_from(std::os::unix::process::parent_id()).unwrap();
    // The first process, the host's own, and one of somebody else.
    for pid in [1, own_pid(), host] {
        let place = Place::new();
        let keeper = client_of(&place, move |wire, id| wire.answer(id, started("app", pid))).await;
        let answer = keeper.ensure(&role("app"), command(&["sleep", "9"]), GRACE).await;
        assert_eq!(code(answer), "keeper_not_ours", "{pid}");
        timeout(LONG, keeper.gone()).await.unwrap();
        assert_eq!(keeper.lost().code(), "keeper_not_ours");
        assert_eq!(code(keeper.status().await), "keeper_gone");
    }
    let place = Place::new();
    let stranger = Stranger::new();
    let pid = stranger.pid();
    let keeper = client_of(&place, move |wire, id| wire.answer(id, started("other", pid))).await;
    let answer = keeper.ensure(&role("app"), command(&["sleep", "9"]), GRACE).await;
    assert_eq!(code(answer), "keeper_not_ours", "another role");

    let place = Place::new();
    let keeper = client_of(&place, move |wire, id| wire.answer(id, started("app", pid))).await;
    let answer = keeper.ensure(&role("app"), command(&["sleep", "9"]), GRACE).await;
    assert_eq!(answer.unwrap().pid, pid, "a child of the one that says so");
}

#[tokio::test]
async fn one_that_answers_what_nobody_asked_is_not_believed_any_more() {
    let lies: [fn(&mut Wire, u64); 6] = [
        |wire, id| wire.answer(id, Reply::Done),
        |wire, id| wire.answer(id + 1, Reply::Status { roles: Vec::new() }),
        |wire, id| {
            // Once is enough.
            wire.answer(id, Reply::Status { roles: Vec::new() });
            wire.answer(id, Reply::Status { roles: Vec::new() });
        },
        |wire, _| wire.raw(&[0xff; 64]),
        |wire, _| wire.raw(b"\0\0\0\x02{}"),
        // More than the host has time for.
        |wire, _| {
            let event = Message::Event(Event::Stopped {
                role: role("app"),
                generation: 1,
                stopped: true,
            });
            let bytes = encode(&event).unwrap().repeat(20_000);
            wire.raw(&bytes);
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let place = Place::new();
        let keeper = client_of(&place, lie).await;
        let _ = keeper.status().await;
        timeout(LONG, keeper.gone()).await.unwrap();
        assert_eq!(keeper.lost().code(), "keeper_protocol", "lie {number}");
    }
}

#[tokio::test]
async fn of_what_one_tells_no_more_is_kept_than_a_tail_holds() {
    let place = Place::new();
    let lines = || vec!["x".repeat(100); 5000];
    let keeper = client_of(&place, move |wire, id| {
        wire.say(&Message::Event(Event::Exited {
            role: role("app"),
            generation: 1,
            exit: Exit::Code(0),
            tail: lines(),
        }));
        wire.answer(id, Reply::Tail { lines: lines() });
    })
    .await;
    let mut events = keeper.events();
    let tail = keeper.tail(&role("app"), 10).await.unwrap();
    assert_eq!(tail.len(), MAX_TAIL_LINES);
    let (_, _, told) = exit_of(&mut events, &role("app")).await;
    assert_eq!(told.len(), MAX_TAIL_LINES);
}

/// What a sweep does not touch.
const NOTHING: SweepReport = SweepReport {
    adoptable: Vec::new(),
    swept: Vec::new(),
    replaced: Vec::new(),
};

#[tokio::test]
async fn what_lies_without_the_mark_is_left_alone_and_what_has_the_mark_is_ended() {
    let (place, stranger) = (Place::new(), Stranger::new());
    let instance = place.options.instance;
    let mut marked = Command::new("sleep")
        .arg("1000")
        .env(MARK_VARIABLE, mark(instance))
        .spawn()
        .unwrap();
    // The id is in every address.
    let other = Command::new("sleep")
        .arg("1000")
        .env(INSTANCE_VARIABLE, instance.to_string())
        .env(MARK_VARIABLE, mark(InstanceId::new()))
        .spawn();
    let other = Stranger(other.unwrap());
    let keeper = client_of(&place, |wire, id| wire.answer(id, started("app", 1))).await;
    let folder = File::open(&place.options.dir).unwrap();
    let lock = Flock::lock(folder, FlockArg::LockExclusiveNonblock).unwrap();
    // It would be this test's own end.
    keeper.kill();
    for lie in [
        // A keeper of another version, which this process is not.
        Manifest {
            version: VERSION + 1,
            ..manifest(instance)
        },
        Manifest {
            version: VERSION - 1,
            pid: stranger.pid(),
            start_time: start_time(stranger.pid()),
            ..manifest(instance)
        },
        Manifest {
            pid: 1,
            start_time: start_time(1),
            instance: InstanceId::new(),
            ..manifest(instance)
        },
    ] {
        write_manifest(&place, &lie);
        let instances = place.instances();
        let report = tokio::task::spawn_blocking(move || sweep(&instances)).await.unwrap();
        assert_eq!(report, NOTHING, "{lie:?}");
        assert!(lives(stranger.pid()) && lives(other.pid()));
    }

    // The instance has failed: what is left of it goes, whoever has its folder.
    write_manifest(&place, &manifest(instance));
    let dir = place.options.dir.clone();
    tokio::task::spawn_blocking(move || sweep_instance(&dir, instance))
        .await
        .unwrap();
    assert_eq!(marked.wait().unwrap().code(), None, "ended by a signal");
    assert!(lives(stranger.pid()) && lives(other.pid()));
    assert!(place.file("keeper.json").exists(), "the folder is somebody else's");
    drop(lock);
    assert_eq!(
        sweep(&place.instances()),
        SweepReport {
            swept: vec![instance],
            ..NOTHING
        }
    );
    assert!(!place.file("keeper.json").exists() && lives(stranger.pid()));
}

#[tokio::test]
async fn a_keeper_of_another_version_is_ended_with_all_that_it_kept() {
    for version in [VERSION - 1, VERSION + 1] {
        let place = Place::new();
        let keeper = place.keeper().await;
        let app = keeper
            .ensure(&role("app"), command(&["sleep", "1000"]), GRACE)
            .await
            .unwrap();
        let text = fs::read(place.file("keeper.json")).unwrap();
        let honest: Manifest = serde_json::from_slice(&text).unwrap();
        write_manifest(&place, &Manifest { version, ..honest });
        let instances = place.instances();
        let report = tokio::task::spawn_blocking(move || sweep(&instances)).await.unwrap();
        let expected = SweepReport {
            swept: vec![place.options.instance],
            replaced: vec![place.options.instance],
            ..NOTHING
        };
        assert_eq!(report, expected, "version {version}");
        assert!(!lives(app.pid) && place.marked().is_empty());
    }
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_socket_a_manifest_or_a_folder_is_not_followed() {
    let real = Place::new();
    let keeper = real.keeper().await;

    // A file, and a link to the socket of another instance.
    let place = Place::new();
    write_manifest(&place, &manifest(place.options.instance));
    fs::write(place.file("keeper.sock"), "no socket").unwrap();
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_io");
    fs::remove_file(place.file("keeper.sock")).unwrap();
    symlink(real.file("keeper.sock"), place.file("keeper.sock")).unwrap();
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_not_ours");

    // A manifest that is a link, a pipe that nobody writes to, or larger than any.
    for (index, what) in ["link", "pipe", "large"].into_iter().enumerate() {
        let place = Place::new();
        let (file, options) = (place.file("keeper.json"), place.options.clone());
        match index {
            0 => symlink(real.file("keeper.json"), file).unwrap(),
            1 => nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap(),
            _ => fs::write(file, vec![b' '; 1 << 20]).unwrap(),
        }
        let answer = timeout(LONG, KeeperClient::connect(&options)).await.unwrap();
        assert_eq!(code(answer), "keeper_io", "{what}");
    }

    // The folder of another state.
    let mut place = Place::new();
    fs::remove_dir(&place.options.dir).unwrap();
    symlink(&real.options.dir, &place.options.dir).unwrap();
    place.options.instance = real.options.instance;
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_io");
    assert_eq!(sweep(&place.instances()), NOTHING);
    place.options.dir = real.options.dir.clone();
    place.options.instance = InstanceId::new();
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_not_ours");

    assert!(!keeper.is_gone());
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn the_socket_of_another_user_is_refused() {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
    if !is_root() {
        return;
    }
    let place = Place::new();
    write_manifest(&place, &manifest(place.options.instance));
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let path = place.file("keeper.sock");
    bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &UnixAddr::new(&path).unwrap()).unwrap();
    // Whose a socket is, is who listens (unix(7)); the system call, unlike setuid(2), is for this thread alone.
    let listening = thread::spawn(move || {
        // SAFETY: plain system call.
        let refused = unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) };
        assert_eq!(refused, 0);
        listen(&socket, Backlog::new(4).unwrap()).unwrap();
        socket
    });
    serve(UnixListener::from(listening.join().unwrap()), |wire| {
        wire.welcome();
        wire.stay();
    });
    assert_eq!(code(KeeperClient::connect(&place.options).await), "keeper_not_ours");
}

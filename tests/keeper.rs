//! The keeper as a host meets it: a real process, real children, real signals.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heliostat::ids::InstanceId;
use heliostat::process::{KeeperClient, KeeperEvent, KeeperOptions, ProcessError, SweepReport, sweep};
use heliostat::protocol::keeper::{
    Call, Decoder, Exit, Failure, FailureCode, INSTANCE_VARIABLE, Limit, Message, Reply, Request, Resource, Role, Spec,
    User, VERSION, encode,
};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(5);

/// A state folder with one instance. What runs of it ends with it, also when a test fails.
struct Place {
    state: tempfile::TempDir,
    options: KeeperOptions,
}

impl Place {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let instance = InstanceId::new();
        let dir = state.path().join("instances").join(instance.to_string());
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let program = env!("CARGO_BIN_EXE_heliostat").into();
        let options = KeeperOptions {
            program,
            dir,
            instance,
            host_absence: Duration::from_secs(60),
        };
        Self { state, options }
    }

    async fn keeper(&self) -> KeeperClient {
        KeeperClient::spawn(&self.options).await.unwrap()
    }

    fn instances(&self) -> PathBuf {
        self.state.path().join("instances")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    /// The pids of everything that carries the instance's mark.
    fn marked(&self) -> Vec<i32> {
        let mark = format!("{INSTANCE_VARIABLE}={}", self.options.instance);
        let pids = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|&b| b == 0).any(|entry| entry == mark.as_bytes()) && lives(*pid)
        })
        .collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.marked() {
            kill(pid, libc::SIGKILL);
        }
    }
}

fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn kill(pid: i32, signal: i32) {
    // SAFETY: plain system call.
    unsafe { libc::kill(pid, signal) };
}

fn role(name: &str) -> Role {
    name.parse().unwrap()
}

fn command(argv: &[&str]) -> Spec {
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]);
    Spec {
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
        env,
        cwd: "/".into(),
        ..Spec::default()
    }
}

fn shell(script: &str) -> Spec {
    command(&["sh", "-c", script])
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn exit_of(events: &mut Receiver<KeeperEvent>, of: &Role) -> (u64, Exit, Vec<String>) {
    timeout(LONG, async {
        loop {
            match events.recv().await.unwrap() {
                KeeperEvent::Exited {
                    role,
                    generation,
                    exit,
                    tail,
                } if role == *of => return (generation, exit, tail),
                _ => {}
            }
        }
    })
    .await
    .unwrap()
}

fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn code(result: Result<impl std::fmt::Debug, ProcessError>) -> &'static str {
    result.unwrap_err().code()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn each_way_a_start_can_fail_has_its_own_code() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let app = role("app");
    let try_to = async |spec| code(keeper.ensure(&app, spec, GRACE).await);

    assert_eq!(try_to(command(&["no-such-command"])).await, "command_not_found");
    assert_eq!(try_to(command(&["/no/such/command"])).await, "command_not_found");
    assert_eq!(try_to(command(&["/etc/passwd"])).await, "not_executable");
    assert_eq!(try_to(command(&["/etc"])).await, "not_executable");
    let script = place.file("script");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(try_to(command(&[script.to_str().unwrap()])).await, "not_executable");
    assert_eq!(
        try_to(Spec {
            cwd: "/no/such/folder".into(),
            ..command(&["true"])
        })
        .await,
        "bad_directory"
    );
    assert_eq!(
        try_to(Spec {
            cwd: "relative".into(),
            ..command(&["true"])
        })
        .await,
        "bad_request"
    );
    if !is_root() {
        let user = Some(User { uid: 0, gid: 0 });
        assert_eq!(
            try_to(Spec {
                user,
                ..command(&["true"])
            })
            .await,
            "user_refused"
        );
    }
    assert!(keeper.status().await.unwrap().is_empty());
    assert_eq!(code(keeper.tail(&app, 1).await), "unknown_role");
    assert_eq!(code(keeper.signal(&app, libc::SIGTERM).await), "unknown_role");
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_child_gets_exactly_what_its_spec_says() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let script = "env | sort; pwd; id -u; id -G; ulimit -c; ulimit -n; ls /proc/$$/fd; \
                  readlink /proc/$$/fd/0; nice; cat /proc/$$/oom_score_adj; grep SigBlk /proc/self/status; grep SigIgn /proc/self/status";
    let mut spec = shell(script);
    spec.cwd = "/usr".into();
    spec.env.insert("GREETING".into(), "hello".into());
    spec.nice = Some(5);
    spec.oom_score_adj = Some(700);
    spec.limits = vec![Limit {
        resource: Resource::OpenFiles,
        value: 77,
    }];
    let user = User { uid: 65534, gid: 65534 };
    spec.user = is_root().then_some(user);
    let (exit, lines) = keeper.run(&role("probe"), spec, LONG).await.unwrap();
    assert_eq!(exit, Exit::Code(0), "{lines:?}");
    let has = |line: &str| lines.iter().any(|l| l == line);
    assert!(has("GREETING=hello") && has("HELIOSTAT_ROLE=probe"), "{lines:?}");
    assert!(has(&format!("HELIOSTAT_INSTANCE={}", place.options.instance)));
    let known = ["GREETING=", "HELIOSTAT_", "PATH=", "PWD=", "OLDPWD=", "SHLVL=", "_="];
    let environment = lines.iter().filter(|l| l.contains('='));
    assert!(
        environment.clone().all(|l| known.iter().any(|k| l.starts_with(k))),
        "{lines:?}"
    );
    let rest: Vec<&str> = lines.iter().skip(environment.count()).map(String::as_str).collect();
    let id = if is_root() {
        "65534".into()
    } else {
        nix::unistd::geteuid().to_string()
    };
    assert_eq!(rest[..2], ["/usr", &id]);
    if is_root() {
        assert_eq!(rest[2], "65534", "no supplementary groups");
    }
    assert_eq!(rest[3..11], ["0", "77", "0", "1", "2", "/dev/null", "5", "700"]);
    assert_eq!(rest[11], "SigBlk:\t0000000000000000");
    // The C library keeps signals 32 and 33 to itself.
    let ignored = u64::from_str_radix(rest[12].trim_start_matches("SigIgn:\t"), 16).unwrap();
    assert_eq!(ignored & !(3 << 31), 0);
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_killed_child_is_reported_with_its_signal_and_last_words() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let started = keeper
        .ensure(&app, shell("echo out; echo err >&2; kill -KILL $$"), GRACE)
        .await
        .unwrap();
    assert_eq!((started.generation, started.attached), (1, false));
    assert_eq!(
        exit_of(&mut events, &app).await,
        (1, Exit::Signal(9), vec!["out".into(), "err".into()])
    );
    let status = keeper.status().await.unwrap();
    assert_eq!((status.len(), status[0].exit), (1, Some(Exit::Signal(9))));
    assert_eq!(code(keeper.signal(&app, libc::SIGTERM).await), "not_running");

    keeper.ensure(&app, shell("exit 3"), GRACE).await.unwrap();
    assert_eq!(exit_of(&mut events, &app).await, (2, Exit::Code(3), vec![]));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_output_is_drained_capped_and_does_not_hold_up_the_keeper() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let noise = role("noise");
    keeper
        .ensure(&noise, command(&["yes", "an endless line of output"]), GRACE)
        .await
        .unwrap();
    keeper
        .ensure(&app, shell("seq 1 1000000; exit 7"), GRACE)
        .await
        .unwrap();
    let (_, exit, tail) = exit_of(&mut events, &app).await;
    assert_eq!(exit, Exit::Code(7));
    assert_eq!((tail.len(), tail.last().map(String::as_str)), (200, Some("1000000")));
    assert_eq!(keeper.tail(&noise, 5).await.unwrap().len(), 5);
    // While it writes, its log is missing for the moment between rotation and its successor.
    keeper.stop(&noise, GRACE).await.unwrap();
    for name in ["app.log", "app.log.1", "noise.log"] {
        assert!(
            fs::metadata(place.file("logs").join(name)).unwrap().len() <= 1 << 20,
            "{name}"
        );
    }
    let log = fs::read_to_string(place.file("logs/app.log")).unwrap();
    assert!(log.ends_with("1000000\n"));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn stopping_a_role_ends_daemons_that_left_group_session_and_environment() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let app = role("app");
    let (a, b, c) = (place.file("a"), place.file("b"), place.file("c"));
    // a: another session, orphaned; b: still a descendant, without the marks; c: orphaned in the session, unmarked.
    let script = format!(
        "(setsid sh -c 'echo $$ > {a}; exec sleep 1000' &) ; env -i setsid sh -c 'echo $$ > {b}; exec sleep 1000' & \
         (env -i sh -c 'echo $$ > {c}; exec sleep 1000' &) ; exec sleep 1000",
        a = a.display(),
        b = b.display(),
        c = c.display(),
    );
    let other = keeper
        .ensure(&role("other"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap();
    let started = keeper.ensure(&app, shell(&script), GRACE).await.unwrap();
    until("daemons", || [&a, &b, &c].iter().all(|path| pid_in(path).is_some())).await;
    let pids = [&a, &b, &c].map(|path| pid_in(path).unwrap());
    assert!(pids.iter().all(|&pid| lives(pid)));
    keeper.stop(&app, GRACE).await.unwrap();
    assert!(!pids.iter().any(|&pid| lives(pid)) && !lives(started.pid));
    assert!(lives(other.pid), "another role is not touched");
    keeper.end(GRACE).await.unwrap();
    assert!(!lives(other.pid));
}

#[tokio::test]
async fn what_outlives_its_main_process_is_stopped_too() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let left = place.file("left");
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & exit 0", left.display());
    keeper.ensure(&app, shell(&script), GRACE).await.unwrap();
    assert_eq!(exit_of(&mut events, &app).await.1, Exit::Code(0));
    until("daemon", || pid_in(&left).is_some()).await;
    let pid = pid_in(&left).unwrap();
    assert!(lives(pid), "an exit of the main process alone ends nobody");
    keeper.stop(&app, GRACE).await.unwrap();
    assert!(!lives(pid));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace_and_others_are_served_meanwhile() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    keeper.ensure(&app, stubborn, GRACE).await.unwrap();
    let mut ready = false;
    while !ready {
        ready = !keeper.tail(&app, 1).await.unwrap().is_empty();
    }
    let begin = Instant::now();
    let grace = Duration::from_millis(700);
    let (stopped, ()) = tokio::join!(keeper.stop(&app, grace), async {
        keeper
            .ensure(&role("other"), command(&["sleep", "1000"]), GRACE)
            .await
            .unwrap();
        assert!(begin.elapsed() < grace, "not held up by the stop");
    });
    stopped.unwrap();
    assert!(begin.elapsed() >= grace);
    assert_eq!(exit_of(&mut events, &app).await.1, Exit::Signal(9));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn ensure_attaches_to_an_equal_spec_and_replaces_another() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let app = role("app");
    let first = keeper.ensure(&app, command(&["sleep", "1000"]), GRACE).await.unwrap();
    let same = keeper.ensure(&app, command(&["sleep", "1000"]), GRACE).await.unwrap();
    assert_eq!((same.pid, same.generation, same.attached), (first.pid, 1, true));
    let other = keeper.ensure(&app, command(&["sleep", "1001"]), GRACE).await.unwrap();
    assert!(other.pid != first.pid && !lives(first.pid) && lives(other.pid));
    assert_eq!((other.generation, other.attached), (2, false));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn requests_for_one_role_are_carried_out_in_their_order() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let app = role("app");
    keeper.ensure(&app, command(&["sleep", "1000"]), GRACE).await.unwrap();
    let (stop, ensure) = tokio::join!(
        keeper.stop(&app, GRACE),
        keeper.ensure(&app, command(&["sleep", "1000"]), GRACE)
    );
    stop.unwrap();
    let started = ensure.unwrap();
    assert_eq!(
        (started.generation, started.attached, lives(started.pid)),
        (2, false, true)
    );

    // A stop takes the place of a start that still waits.
    let (ensure, stop) = tokio::join!(
        keeper.ensure(&app, command(&["sleep", "1002"]), GRACE),
        keeper.stop(&app, GRACE)
    );
    stop.unwrap();
    assert!(ensure.is_ok() || ensure.unwrap_err().code() == "superseded");
    assert!(keeper.status().await.unwrap()[0].exit.is_some());
    keeper.end(GRACE).await.unwrap();
}

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
            swept: vec![]
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
    let pid = keeper
        .ensure(&role("app"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap()
        .pid;
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
    let pid = keeper
        .ensure(&role("app"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap()
        .pid;
    kill(keeper.pid(), libc::SIGTERM);
    timeout(LONG, keeper.gone()).await.unwrap();
    until("the keeper's exit", || place.marked().is_empty()).await;
    assert!(!lives(pid));
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
                if let KeeperEvent::Display { generation, number, .. } = events.recv().await.unwrap() {
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
async fn what_a_killed_keeper_leaves_is_swept() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    let pid = keeper.ensure(&role("app"), stubborn, GRACE).await.unwrap().pid;
    let bystander = Place::new();
    let other = bystander.keeper().await;
    let spared = other
        .ensure(&role("app"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap()
        .pid;

    kill(keeper.pid(), libc::SIGKILL);
    timeout(LONG, keeper.gone()).await.unwrap();
    assert!(lives(pid), "the keeper's death alone ends nobody");
    until("the keeper's lock", || !lives(keeper.pid())).await;
    let instances = place.instances();
    let report = tokio::task::spawn_blocking(move || sweep(&instances)).await.unwrap();
    assert_eq!(
        report,
        SweepReport {
            adoptable: vec![],
            swept: vec![place.options.instance]
        }
    );
    assert!(place.marked().is_empty());
    assert!(!place.file("keeper.sock").exists() && !place.file("keeper.json").exists());
    assert!(lives(spared), "another instance is not touched");
    other.end(GRACE).await.unwrap();
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
async fn a_run_tells_its_end_leaves_nothing_and_keeps_its_time() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let left = place.file("left");
    let script = format!("sleep 1000 & echo $! > {}; echo done; exit 4", left.display());
    let (exit, tail) = keeper.run(&role("once"), shell(&script), LONG).await.unwrap();
    assert_eq!((exit, tail), (Exit::Code(4), vec!["done".to_owned()]));
    assert!(!lives(pid_in(&left).unwrap()));
    let begin = Instant::now();
    let result = keeper
        .run(&role("once"), command(&["sleep", "1000"]), Duration::from_millis(300))
        .await;
    assert_eq!(code(result), "timed_out");
    assert!(begin.elapsed() < LONG);
    assert!(keeper.status().await.unwrap().is_empty(), "a run is forgotten");
    keeper.end(GRACE).await.unwrap();
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
        if let Some(Message::Reply { id: 9, result }) = decoder.next().unwrap() {
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

//! Starting the processes of an instance.

use heliostat::protocol::keeper::{Exit, Limit, Resource, Spec, User};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::support::{GRACE, LONG, Place, code, command, is_root, lives, pid_in, role, shell};

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

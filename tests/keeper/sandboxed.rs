//! A role in a sandbox is to its host what any role is: started, stopped, continued, ended, with its own exit.

use heliostat::process::KeeperEvent;
use heliostat::protocol::keeper::{Event, Exit};

use super::boxed::Boxed;
use super::support::{GRACE, LONG, code, command, exit_of, kill, lives, role, until};

#[tokio::test]
async fn its_pid_is_the_programs_and_its_exit_the_programs() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let mut events = mine.keeper.events();
    let started = mine
        .keeper
        .ensure(&app, mine.script("exec sleep 1000"), GRACE)
        .await
        .unwrap();
    let name = || std::fs::read_to_string(Boxed::proc(started.pid, "comm")).unwrap_or_default();
    until("the program runs", || name() == "sleep\n").await;
    let same = mine
        .keeper
        .ensure(&app, mine.script("exec sleep 1000"), GRACE)
        .await
        .unwrap();
    assert_eq!((same.pid, same.attached), (started.pid, true));
    kill(started.pid, libc::SIGKILL);
    assert_eq!(exit_of(&mut events, &app).await.1, Exit::Signal(libc::SIGKILL));
    for (script, exit) in [
        ("exit 7", Exit::Code(7)),
        ("true", Exit::Code(0)),
        ("kill -SEGV $$", Exit::Signal(libc::SIGSEGV)),
    ] {
        assert_eq!(mine.run(script).await.0, exit, "{script}");
    }
    mine.end().await;
}

#[tokio::test]
async fn it_is_asked_to_end_before_it_is_killed() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let mut events = mine.keeper.events();
    let script = "trap 'echo saved; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    mine.keeper.ensure(&app, mine.script(script), GRACE).await.unwrap();
    let ready = async || mine.keeper.tail(&app, 1).await.unwrap() == ["ready"];
    while !ready().await {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    mine.keeper.stop(&app, LONG).await.unwrap();
    let (_, exit, tail) = exit_of(&mut events, &app).await;
    assert_eq!((exit, tail.last().map(String::as_str)), (Exit::Code(3), Some("saved")));
    mine.end().await;
}

#[tokio::test]
async fn a_stop_by_a_signal_is_noticed_and_continued() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let mut events = mine.keeper.events();
    let started = mine
        .keeper
        .ensure(&app, mine.script("exec sleep 1000"), GRACE)
        .await
        .unwrap();
    let mut next = async || {
        loop {
            let event = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
            if let KeeperEvent::Said(Event::Stopped { stopped, .. }) = event {
                return stopped;
            }
        }
    };
    kill(started.pid, libc::SIGSTOP);
    assert!(next().await);
    mine.keeper.signal(&app, libc::SIGCONT).await.unwrap();
    assert!(!next().await);
    assert!(lives(started.pid));
    mine.end().await;
}

#[tokio::test]
async fn what_it_left_running_goes_with_it_and_with_its_keeper() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let script = "setsid sleep 1000 & env -i setsid sleep 1000 & exec sleep 1000";
    let started = mine.keeper.ensure(&app, mine.script(script), GRACE).await.unwrap();
    let namespace = std::fs::read_link(Boxed::proc(started.pid, "ns/pid")).unwrap();
    let inside = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let same = |path: std::path::PathBuf| std::fs::read_link(path.join("ns/pid")).is_ok_and(|of| of == namespace);
        all.filter(|entry| same(entry.path())).count()
    };
    until("all have started", || inside() >= 4).await;
    kill(mine.keeper.pid(), libc::SIGKILL);
    until("nothing is left in the namespace", || inside() == 0).await;
}

#[tokio::test]
async fn why_it_does_not_start_is_told_by_its_code() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let with = |argv: &[&str]| heliostat::protocol::keeper::Spec {
        argv: command(argv).argv,
        ..mine.script("")
    };
    let try_to = async |spec| code(mine.keeper.ensure(&app, spec, GRACE).await);
    assert_eq!(try_to(with(&["no-such-command"])).await, "command_not_found");
    assert_eq!(try_to(with(&["/etc/passwd"])).await, "not_executable");
    let mut broken = mine.script("true");
    let sandbox = broken.sandbox.as_mut().unwrap();
    sandbox
        .argv
        .extend(["--ro-bind", "/no/such/folder", "/x"].map(str::to_owned));
    let error = mine.keeper.ensure(&app, broken, GRACE).await.unwrap_err();
    assert_eq!(error.code(), "sandbox_failed");
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    mine.end().await;
}

#[tokio::test]
async fn a_command_that_asks_whether_it_is_ready_sees_what_it_sees() {
    let mine = Boxed::plain().await;
    let app = role("render");
    let script = "echo up > /tmp/up; exec sleep 1000";
    mine.keeper.ensure(&app, mine.script(script), GRACE).await.unwrap();
    let ask = mine
        .layout
        .readiness_command(mine.display, "cat /tmp/up $TMPDIR/up; ls /root /home; id -u");
    let answer = async || {
        let asked = mine.keeper.run(&role("readiness"), ask.clone(), LONG).await.unwrap();
        asked.1.join("\n")
    };
    let mut said = answer().await;
    while !said.starts_with("up") {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        said = answer().await;
    }
    let user = mine
        .layout
        .user
        .map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid);
    assert!(
        said.starts_with("up\nup\n") && said.ends_with(&user.to_string()),
        "{said}"
    );
    assert!(said.contains("/root") && said.contains("No such file"), "{said}");
    mine.end().await;
}

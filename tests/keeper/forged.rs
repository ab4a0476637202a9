//! Programs that say they are another instance's: what somebody else's app carries in its environment costs nobody
//! anything, and is nobody's else to end.

use std::fs;
use std::time::{Duration, Instant};

use heliostat::process::{KeeperClient, sweep_instance};
use heliostat::protocol::keeper::{INSTANCE_VARIABLE, MARK_VARIABLE, ROLE_VARIABLE, Spec};

use super::boxed::Boxed;
use super::support::{GRACE, Place, command, kill, lives, role, shell, sleeper, until};

/// Far more than an instance takes that nobody disturbs, and far less than the grace of one that is waited for.
const QUICK: Duration = Duration::from_secs(2);

/// Ten loops of children that say they are this instance's app, and one such child that stays.
fn respawning(victim: &Place, further: &str, pid_file: &str) -> String {
    let says = format!(
        "{INSTANCE_VARIABLE}={} {ROLE_VARIABLE}=app {further}",
        victim.options.instance
    );
    format!(
        "trap '' TERM; for n in 1 2 3 4 5 6 7 8 9 10; do (while :; do {says} sleep 0.03; done) & done; \
         {says} sleep 1000 & echo $! > {pid_file}; wait"
    )
}

/// The victim's app is exchanged and its instance ended, both at once.
async fn goes_on_as_if_alone(victim: &KeeperClient) {
    let app = role("app");
    let before = Instant::now();
    victim.ensure(&app, command(&["sleep", "2000"]), GRACE).await.unwrap();
    println!("restarted within {:?}", before.elapsed());
    assert!(before.elapsed() < QUICK, "a restart took {:?}", before.elapsed());
    let before = Instant::now();
    victim.end(GRACE).await.unwrap();
    println!("ended within {:?}", before.elapsed());
    assert!(before.elapsed() < QUICK, "the end took {:?}", before.elapsed());
}

async fn pid_in(path: &std::path::Path) -> i32 {
    let read = || super::support::pid_in(path);
    until("the forgers run", || read().is_some()).await;
    read().unwrap()
}

/// The mark as it is read from a process, where nothing keeps apps from each other.
async fn mark_of(pid: i32) -> String {
    let read = || {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let entries = environment.split(|&byte| byte == 0);
        let mut entries = entries.map(String::from_utf8_lossy);
        entries.find(|e| e.starts_with(MARK_VARIABLE)).map(|e| e.into_owned())
    };
    // In the middle of an exec a process shows none.
    let mut mark = None;
    until("the process shows its mark", || {
        mark = read();
        mark.is_some()
    })
    .await;
    mark.unwrap()
}

#[tokio::test]
async fn an_app_that_carries_another_instances_marks_delays_neither_its_restart_nor_its_end() {
    let (place, forgers) = (Place::new(), Place::new());
    let victim = place.keeper().await;
    let pid = sleeper(&victim).await;
    let attacker = forgers.keeper().await;
    let pid_file = forgers.state.path().join("pid");
    let script = respawning(&place, &mark_of(pid).await, pid_file.to_str().unwrap());
    let app = role("app");
    let started = attacker.ensure(&app, shell(&script), GRACE).await.unwrap();
    let stays = pid_in(&pid_file).await;
    goes_on_as_if_alone(&victim).await;
    assert!(
        lives(started.pid) && lives(stays),
        "nothing of another instance is ended"
    );
    attacker.end(Duration::ZERO).await.unwrap();
    until("it is ended by its own keeper", || !lives(stays)).await;
}

#[tokio::test]
async fn an_app_in_its_sandbox_that_carries_another_instances_marks_delays_nobody_either() {
    let place = Place::new();
    let victim = place.keeper().await;
    sleeper(&victim).await;
    let forgers = Boxed::plain().await;
    let script = respawning(&place, "", "/dev/null") + " & exec sleep 1000";
    let app = role("render");
    let started = forgers
        .keeper
        .ensure(&app, forgers.script(&script), GRACE)
        .await
        .unwrap();
    goes_on_as_if_alone(&victim).await;
    assert!(lives(started.pid));
    forgers.end().await;
}

#[tokio::test]
async fn what_a_dead_keeper_left_is_ended_at_once_whoever_else_carries_its_mark() {
    let (place, forgers) = (Place::new(), Place::new());
    let victim = place.keeper().await;
    let pid = sleeper(&victim).await;
    let attacker = forgers.keeper().await;
    let pid_file = forgers.state.path().join("pid");
    let script = respawning(&place, &mark_of(pid).await, pid_file.to_str().unwrap());
    // Sweeps look for living keepers beside the one that is dead.
    let moved = place.instances().join(forgers.options.instance.to_string());
    attacker.ensure(&role("app"), shell(&script), GRACE).await.unwrap();
    let stays = pid_in(&pid_file).await;
    fs::rename(&forgers.options.dir, &moved).unwrap();
    kill(victim.pid(), libc::SIGKILL);
    let (dir, instance) = (place.options.dir.clone(), place.options.instance);
    let before = Instant::now();
    tokio::task::spawn_blocking(move || sweep_instance(&dir, instance))
        .await
        .unwrap();
    assert!(before.elapsed() < QUICK, "the sweep took {:?}", before.elapsed());
    assert!(!lives(pid), "what the keeper left is ended");
    assert!(lives(stays), "and nothing of a keeper that lives");
    attacker.end(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn no_two_keepers_have_the_same_mark_and_no_sandbox_shows_anothers() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let start = async |boxed: &Boxed| {
        let spec: Spec = boxed.script("exec sleep 1000");
        boxed.keeper.ensure(&role("render"), spec, GRACE).await.unwrap().pid
    };
    let (one, two) = (mark_of(start(&mine).await).await, mark_of(start(&other).await).await);
    assert_ne!(one, two);
    assert_eq!(one.len(), MARK_VARIABLE.len() + 1 + 32);
    let (_, seen) = mine
        .run(&format!(
            "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep ^{MARK_VARIABLE}= | sort -u"
        ))
        .await;
    assert_eq!(seen, one);
    mine.end().await;
    other.end().await;
}

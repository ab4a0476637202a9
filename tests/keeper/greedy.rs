//! Apps that take all they can get harm nobody but themselves.

use heliostat::config::AppEntry;
use heliostat::protocol::keeper::Exit;

use super::boxed::Boxed;
use super::support::{GRACE, lives, role, until};

/// A neighbour with an app that has to live on.
async fn neighbour() -> (Boxed, i32) {
    let other = Boxed::plain().await;
    let script = other.script("exec sleep 1000");
    let pid = other.keeper.ensure(&role("render"), script, GRACE).await.unwrap().pid;
    (other, pid)
}

async fn is_well(other: Boxed, pid: i32) {
    assert!(lives(pid), "the neighbour's app lives on");
    let (exit, said) = other
        .run("echo x > $HOME/x && dd if=/dev/zero bs=1M count=8 2>/dev/null | wc -c")
        .await;
    assert_eq!((exit, said.as_str()), (Exit::Code(0), "8388608"), "and can work");
    other.end().await;
}

fn small(app: &mut AppEntry) {
    app.limits.memory_mib = Some(96);
    app.limits.processes = Some(40);
    app.limits.home_mib = Some(8);
    app.limits.tmp_mib = Some(8);
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_app() {
    let (other, pid) = neighbour().await;
    let mine = Boxed::new(small).await;
    let app = role("render");
    let bomb = mine.script("bomb() { bomb | bomb & }; bomb; sleep 1000");
    mine.keeper.ensure(&app, bomb, GRACE).await.unwrap();
    until("it has taken its room", || mine.place.marked().len() >= 20).await;
    let mut most = 0;
    for _ in 0..10 {
        most = most.max(mine.place.marked().len());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // The keeper, the display, and what makes the sandbox stand outside of the limit.
    assert!((20..=48).contains(&most), "{most} processes");
    assert!(lives(pid));
    mine.end().await;
    is_well(other, pid).await;
}

#[tokio::test]
async fn an_app_that_takes_all_memory_is_ended_alone() {
    let (other, pid) = neighbour().await;
    let mine = Boxed::new(small).await;
    // One endless line, held in memory.
    let (exit, said) = mine.run("echo begun; exec tail /dev/zero").await;
    assert!(said.starts_with("begun") && exit != Exit::Code(0), "{exit} {said}");
    if mine.layout.confinement.of_process.len() == 1 {
        assert_eq!(exit, Exit::Signal(libc::SIGKILL), "by the kernel, for its group");
    }
    assert!(mine.run("echo again").await.1 == "again", "it can be started again");
    mine.end().await;
    is_well(other, pid).await;
}

#[tokio::test]
async fn an_app_that_fills_its_disk_is_told_so_alone() {
    let (other, pid) = neighbour().await;
    let mine = Boxed::new(small).await;
    let script = "for folder in $HOME $TMPDIR /dev/shm; do \
                  dd if=/dev/zero of=$folder/full bs=1M count=64 2>&1 | grep -o 'No space left'; \
                  stat -c %s $folder/full; rm $folder/full; done; \
                  for folder in / /dev /run /var /usr /etc; do echo > $folder/full && echo written $folder; done 2>/dev/null";
    let (_, said) = mine.run(script).await;
    let all: Vec<&str> = said.lines().collect();
    let one = ["No space left", "8388608"];
    assert_eq!(all, [one, one, one].concat(), "{said}");
    mine.end().await;
    is_well(other, pid).await;
}

#[tokio::test]
async fn a_home_outlives_a_crash_of_its_app() {
    let mine = Boxed::plain().await;
    mine.run("echo work > $HOME/work; echo t > /tmp/t; kill -SEGV $$").await;
    assert_eq!(mine.run("cat $HOME/work /tmp/t").await.1, "work\nt");
    mine.end().await;
}

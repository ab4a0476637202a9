//! Control groups of version 2, in the machine's own hierarchy: what can be had there differs from machine to machine.

use std::fs;
use std::path::PathBuf;

use heliostat::protocol::keeper::{Exit, Group};
use heliostat::sandbox::{Limits, detect_groups};

use super::boxed::Boxed;
use super::support::{GRACE, role, until};

/// A group of the test's own at the top of the hierarchy, or why there is none.
struct Branch(PathBuf);

impl Branch {
    fn new() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let mounted = mounts.lines().find_map(|line| {
            let mut words = line.split(' ');
            let place = words.nth(1)?;
            (words.next()? == "cgroup2").then_some(place)
        });
        let root = PathBuf::from(mounted.ok_or("there is no hierarchy of version 2")?);
        let name = format!(
            "heliostat-test-{}-{}",
            std::process::id(),
            heliostat::ids::InstanceId::new()
        );
        let branch = root.join(name);
        fs::create_dir(&branch).map_err(|error| format!("no group can be made: {error}"))?;
        Ok(Self(branch))
    }

    fn name(&self) -> String {
        self.0.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn root(&self) -> PathBuf {
        self.0.parent().unwrap().into()
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        // Whatever a failed test left in it.
        for inner in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = fs::write(inner.path().join("cgroup.kill"), "1");
            let _ = fs::remove_dir(inner.path());
        }
        let _ = fs::remove_dir(&self.0);
    }
}

fn group_of(pid: i32) -> String {
    let text = fs::read_to_string(Boxed::proc(pid, "cgroup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("0::"));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_group_of_version_2_holds_all_of_an_app_and_goes_with_it() {
    let branch = match Branch::new() {
        Ok(branch) => branch,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let mine = Boxed::plain().await;
    let folder = branch.0.join("app");
    let mut spec = mine.script("setsid sleep 1000 & (sleep 1000 &); exec sleep 1000");
    spec.group = Some(Group {
        folders: vec![folder.clone()],
        settings: vec![
            (folder.join("cgroup.max.descendants"), "0".to_owned()),
            // One that is not there costs that limit alone.
            (folder.join("no.such.controller"), "1".to_owned()),
        ],
    });
    let started = mine.keeper.ensure(&role("render"), spec, GRACE).await.unwrap();
    let inside = || {
        fs::read_to_string(folder.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    // Three of the app's, and the two that make its sandbox.
    until("all are in it", || inside() == 5).await;
    assert_eq!(group_of(started.pid), format!("/{}/app", branch.name()));
    assert_eq!(
        fs::read_to_string(folder.join("cgroup.max.descendants")).unwrap(),
        "0\n"
    );
    let populated = || {
        fs::read_to_string(folder.join("cgroup.events"))
            .unwrap()
            .contains("populated 1")
    };
    assert!(populated());
    mine.keeper.stop(&role("render"), GRACE).await.unwrap();
    until("nobody is left in it", || !populated()).await;
    mine.end().await;
    assert!(!folder.exists(), "it goes with its instance");
}

#[tokio::test]
async fn what_version_2_can_limit_here_is_limited_for_all_processes_together() {
    let branch = match Branch::new() {
        Ok(branch) => branch,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    // As a service has it that was started with `Delegate=yes` and `DelegateSubgroup=host`.
    fs::create_dir(branch.0.join("host")).unwrap();
    let own = format!("0::/{}/host\n", branch.name());
    let there = fs::read_to_string(branch.0.join("cgroup.controllers")).unwrap();
    let found = detect_groups(&branch.root(), &own);
    if !["memory", "pids", "cpu"]
        .iter()
        .any(|name| there.split_whitespace().any(|one| one == *name))
    {
        assert!(found.is_none(), "none is promised where none can be had");
        return eprintln!("skipped: no controller of version 2 is delegated here, only {there:?}");
    }
    let mine = Boxed::plain().await;
    let limits = Limits {
        memory: Some(96 << 20),
        processes: Some(40),
        ..Limits::default()
    };
    let group = found
        .expect("controllers are there")
        .of(mine.place.options.instance, &limits);
    let folder = group.folders[0].clone();
    if there.contains("memory") {
        let mut hog = mine.script("exec tail /dev/zero");
        hog.group = Some(group.clone());
        let mut events = mine.keeper.events();
        mine.keeper.ensure(&role("render"), hog, GRACE).await.unwrap();
        let (_, exit, _) = super::support::exit_of(&mut events, &role("render")).await;
        assert_eq!(exit, Exit::Signal(libc::SIGKILL));
    }
    if there.contains("pids") {
        let mut bomb = mine.script("bomb() { bomb | bomb & }; bomb; sleep 1000");
        bomb.group = Some(group);
        mine.keeper.ensure(&role("render"), bomb, GRACE).await.unwrap();
        let events = || fs::read_to_string(folder.join("pids.events")).unwrap_or_default();
        until("it was refused more", || !events().contains("max 0")).await;
        let count: u32 = fs::read_to_string(folder.join("pids.current"))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(count <= 40, "{count}");
    }
    mine.end().await;
    assert!(!folder.exists());
}

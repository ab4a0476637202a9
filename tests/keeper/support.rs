//! What the tests share: a place for an instance, and small commands.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use heliostat::ids::InstanceId;
use heliostat::process::{KeeperClient, KeeperEvent, KeeperOptions, ProcessError};
use heliostat::protocol::keeper::{Event, Exit, INSTANCE_VARIABLE, Role, Spec};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

pub const LONG: Duration = Duration::from_secs(20);
pub const GRACE: Duration = Duration::from_secs(5);

/// A state folder with one instance. What runs of it ends with it, also when a test fails.
pub struct Place {
    pub state: tempfile::TempDir,
    pub options: KeeperOptions,
}

impl Place {
    pub fn new() -> Self {
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
            apart: false,
            sized: Vec::new(),
        };
        Self { state, options }
    }

    pub async fn keeper(&self) -> KeeperClient {
        KeeperClient::spawn(&self.options).await.unwrap()
    }

    pub fn instances(&self) -> PathBuf {
        self.state.path().join("instances")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    /// The pids of everything that carries the instance's mark.
    pub fn marked(&self) -> Vec<i32> {
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

pub fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub fn kill(pid: i32, signal: i32) {
    // SAFETY: plain system call.
    unsafe { libc::kill(pid, signal) };
}

pub fn role(name: &str) -> Role {
    name.parse().unwrap()
}

pub fn command(argv: &[&str]) -> Spec {
    let env = BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]);
    Spec {
        argv: argv.iter().map(|s| (*s).to_owned()).collect(),
        env,
        cwd: "/".into(),
        ..Spec::default()
    }
}

pub fn shell(script: &str) -> Spec {
    command(&["sh", "-c", script])
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Starts an app that does nothing; gives its pid.
pub async fn sleeper(keeper: &KeeperClient) -> i32 {
    let (app, sleep) = (role("app"), command(&["sleep", "1000"]));
    keeper.ensure(&app, sleep, GRACE).await.unwrap().pid
}

pub async fn exit_of(events: &mut Receiver<KeeperEvent>, of: &Role) -> (u64, Exit, Vec<String>) {
    timeout(LONG, async {
        loop {
            match events.recv().await.unwrap() {
                KeeperEvent::Said(Event::Exited {
                    role,
                    generation,
                    exit,
                    tail,
                }) if role == *of => return (generation, exit, tail),
                _ => {}
            }
        }
    })
    .await
    .unwrap()
}

pub fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

pub fn code(result: Result<impl std::fmt::Debug, ProcessError>) -> &'static str {
    result.unwrap_err().code()
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

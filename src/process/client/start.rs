//! Starting a keeper, and taking control of one.

use std::io::{Read, Seek, SeekFrom};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::link::{Link, exchange};
use super::lost::Parting;
use super::{EVENTS, Inner, KeeperClient, KeeperOptions, UNSENT_CALLS};
use crate::clock;
use crate::files::Folder;
use crate::process::ProcessError;
use crate::process::keeper::folder::{SOCKET, manifest};
use crate::process::proc::{Identity, Mark, Process};
use crate::protocol::keeper::{
    Call, Decoder, FailureCode, INSTANCE_VARIABLE, MARK_VARIABLE, Manifest, Message, Reply, Request, VERSION, encode,
};

/// From the start of a keeper to its answer; it takes milliseconds.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// For connection and hello.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// A keeper that closes its connection ends within milliseconds, unless it was only let go of.
const REAP_EVERY: Duration = Duration::from_millis(100);
const REAP_TRIES: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The log of the keeper itself, in the instance's folder.
const LOG: &str = "keeper.log";
/// A log that has grown larger is begun anew with the next keeper.
const MAX_LOG_BYTES: u64 = 1 << 20;
/// As much of the log tells why it did not start.
const LOG_END_BYTES: u64 = 1000;

pub(super) async fn start(options: &KeeperOptions) -> Result<KeeperClient, ProcessError> {
    let mut child = apart(options, |options| {
        command(options)?
            .spawn()
            .map_err(ProcessError::io("the keeper cannot be started"))
    })
    .await?;
    let pid = child.id();
    let until = Instant::now() + READY_WITHIN;
    let result = loop {
        if let Ok(Some(status)) = child.try_wait() {
            let said = apart(options, |options| Ok(log_end(options))).await.unwrap_or_default();
            return Err(ProcessError::NotStarted(format!("{status}: {said}")));
        }
        // The folder may still hold what an earlier keeper left.
        let manifest = apart(options, |options| Ok(open(options)?.1)).await;
        if manifest.is_ok_and(|m| u32::try_from(m.pid).ok() == pid) {
            break connect(options).await;
        }
        if Instant::now() >= until {
            break Err(ProcessError::Timeout);
        }
        sleep(LOOK_EVERY).await;
    };
    if result.is_err() {
        // Nobody controls it: better none than one that waits for a host.
        let _ = child.start_kill();
    }
    tokio::spawn(reap(child));
    result
}

/// Work on the folder, which may block, on a thread for such work: where a disk hangs, only its instance waits.
async fn apart<T: Send + 'static>(
    options: &KeeperOptions,
    work: impl FnOnce(&KeeperOptions) -> Result<T, ProcessError> + Send + 'static,
) -> Result<T, ProcessError> {
    let options = options.clone();
    match timeout(READY_WITHIN, spawn_blocking(move || work(&options))).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(ProcessError::NotStarted(panic.to_string())),
        Err(_) => Err(ProcessError::Timeout),
    }
}

/// The folder, and the keeper that it says it has. Blocks.
fn open(options: &KeeperOptions) -> Result<(Folder, Manifest), ProcessError> {
    let folder = Folder::open(&options.dir).map_err(ProcessError::io("the instance's folder cannot be opened"))?;
    let manifest = manifest(&folder).map_err(ProcessError::io("the folder has no keeper"))?;
    Ok((folder, manifest))
}

/// While the host lives the keeper is its child: an exit must not leave a zombie.
async fn reap(mut child: Child) {
    let pid = child.id().unwrap_or_default();
    match child.wait().await {
        Ok(status) => log::info!("keeper={pid} ended: {status}"),
        Err(error) => log::warn!("keeper={pid} cannot be reaped: {error}"),
    }
}

/// A host that took over from another binary is the parent of keepers that it did not start itself: once such a one is
/// gone, its zombie is taken away.
pub(super) fn reap_adopted(pid: i32, mut gone: watch::Receiver<bool>) {
    tokio::spawn(async move {
        // An error means that the connection's task is no more.
        let _ = gone.wait_for(|gone| *gone).await;
        for _ in 0..REAP_TRIES {
            match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => sleep(REAP_EVERY).await,
                // It is nobody's of ours, or was reaped now.
                _ => return,
            }
        }
    });
}

/// Its command line, with its log open. Blocks.
fn command(options: &KeeperOptions) -> Result<Command, ProcessError> {
    let log = || {
        let file = Folder::open(&options.dir)?.append(LOG)?;
        if file.metadata()?.len() > MAX_LOG_BYTES {
            file.set_len(0)?;
        }
        std::io::Result::Ok(file)
    };
    let log = log().map_err(ProcessError::io("the keeper's log cannot be opened"))?;
    let mut mark = [0; 16];
    getrandom::fill(&mut mark).map_err(|error| ProcessError::NotStarted(format!("no random bytes: {error}")))?;
    let absence_ms = u64::try_from(options.host_absence.as_millis()).unwrap_or(u64::MAX);
    let mut command = Command::new(&options.program);
    command.arg("keep").arg("--dir").arg(&options.dir);
    command.arg("--instance").arg(options.instance.to_string());
    command.arg("--host-absence-ms").arg(absence_ms.to_string());
    if options.apart {
        command.arg("--apart");
        for folder in &options.sized {
            command.arg("--sized").arg(folder.to_string());
        }
    }
    // What it starts gets an environment of its own; the mark lets a sweep know the keeper itself. No argument: those can
    // be read by everybody.
    command.env_clear().env(INSTANCE_VARIABLE, options.instance.to_string());
    command.env(MARK_VARIABLE, hex::encode(mark));
    command.envs(
        ["PATH", "RUST_LOG"]
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(false);
    Ok(command)
}

/// Why it did not start. Blocks.
fn log_end(options: &KeeperOptions) -> String {
    let read = || {
        let mut file = Folder::open(&options.dir)?.reader(LOG)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_END_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).trim().replace('\n', " · "))
    };
    read().unwrap_or_default()
}

pub(super) async fn connect(options: &KeeperOptions) -> Result<KeeperClient, ProcessError> {
    timeout(HELLO_WITHIN, hello(options))
        .await
        .map_err(|_| ProcessError::Timeout)?
}

async fn hello(options: &KeeperOptions) -> Result<KeeperClient, ProcessError> {
    let (folder, manifest) = apart(options, open).await?;
    let path = folder.path(SOCKET);
    let mut stream = UnixStream::connect(path)
        .await
        .map_err(ProcessError::io("the keeper's socket cannot be connected"))?;
    let peer = stream
        .peer_cred()
        .map_err(ProcessError::io("the keeper cannot be identified"))?;
    let not_ours = |text: String| Err(ProcessError::NotOurs(text));
    if peer.uid() != geteuid().as_raw() && peer.uid() != 0 {
        return not_ours(format!("it runs as user {}", peer.uid()));
    }
    if peer.pid() != Some(manifest.pid) {
        return not_ours(format!(
            "pid {:?} listens, the manifest names {}",
            peer.pid(),
            manifest.pid
        ));
    }
    let identity = Identity {
        pid: manifest.pid,
        start_time: manifest.start_time,
    };
    let process = Process::read(manifest.pid).filter(|process| process.identity == identity);
    let Some(process) = process else {
        return not_ours(format!("pid {} is another process", manifest.pid));
    };
    if manifest.instance != options.instance {
        return not_ours(format!("it keeps instance {}", manifest.instance));
    }
    let mark = Mark::of(&manifest);
    // Its loss would cost the whole instance, its continuation costs nothing.
    if process.stopped && identity.signal_if(Signal::SIGCONT, || mark.is_on(manifest.pid)) {
        log::warn!(
            "instance={} keeper={} was stopped, continuing it",
            options.instance,
            manifest.pid
        );
    }

    let request = Request::Hello {
        version: VERSION,
        instance: options.instance,
        epoch: clock::monotonic_us(),
    };
    let mut decoder = Decoder::default();
    let message = exchange(&mut stream, &encode(&Call { id: 0, request })?, &mut decoder).await?;
    match message {
        Message::Reply {
            id: 0,
            result: Ok(Reply::Welcome { pid }),
        } if pid == manifest.pid => {}
        Message::Reply {
            id: 0,
            result: Ok(Reply::Welcome { pid }),
        } => return not_ours(format!("it says that it is pid {pid}, and is {}", manifest.pid)),
        Message::Reply {
            id: 0,
            result: Err(failure),
        } if failure.code == FailureCode::WrongInstance => {
            return not_ours(failure.message);
        }
        Message::Reply {
            id: 0,
            result: Err(failure),
        } => return Err(failure.into()),
        _ => return Err(ProcessError::Unexpected),
    }

    let parting = Parting::default();
    let (read, write) = stream.into_split();
    // overflow: see the ends that `Inner` keeps.
    let (calls, calls_out) = mpsc::channel(UNSENT_CALLS);
    let (events, _) = broadcast::channel(EVENTS);
    let (gone_in, gone) = watch::channel(false);
    // The task holds no client, so that the last one's end ends it.
    let link = Link {
        read,
        write,
        decoder,
        calls: calls_out,
        events: events.clone(),
        gone: gone_in,
        parting: parting.clone(),
    };
    tokio::spawn(link.run());
    Ok(KeeperClient {
        inner: Arc::new(Inner {
            identity,
            mark,
            parting,
            next: AtomicU64::new(1),
            calls,
            events,
            gone,
        }),
    })
}

//! `heliostat serve`: everything the host needs is made here, once, and put together.

use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::encoders::cores;
use super::entrance::Entrance;
use super::error::StartError;
use super::exports::folder_of;
use super::handback::{Before, HandedBack, Start};
use super::handover::{self, Handed, HandoverError, HostNote};
use super::notify::{self, News};
use super::parts::Parts;
use super::signals::{Signal, Signals};
use super::{control_socket, pages, public_address, sign_in, tree, watchdog};
use crate::config::{AppEntry, Config, Sources, catalogue};
use crate::desktop::commands;
use crate::folders::StateDir;
use crate::http::{Access, Api, Front, Limits, Watchers, bind};
use crate::ice::Handout;
use crate::instance::{Catalogue, Manager, Services};
use crate::process::privileges;
use crate::session::{Around, SessionBook, Sessions};
use crate::source::EndReason;
use crate::supervision::{SupervisorRef, Tree, TreeView};

/// Threads for frames, data channels and connections: one a core, since each viewer takes its share of one. Not fewer than
/// these, so that one that is held up holds not all, and not more than hundreds of viewers can use.
const MEDIA_THREADS: RangeInclusive<usize> = 2..=16;
/// Blocking work (database, screenshots, folders) at once.
const BLOCKING_THREADS: usize = 16;
/// For everything together, from the signal to the end of the process.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// Instances that take longer to end are cut off; the rest is for the tree's own stop and the last writes.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// For what has to be killed then.
const KILL_WITHIN: Duration = Duration::from_secs(1);
/// For what still runs on the media threads.
const MEDIA_DEADLINE: Duration = Duration::from_secs(1);
/// Between two looks at whether all instances have ended.
const LOOK: Duration = Duration::from_millis(50);
/// What the service manager takes for "start me again".
const EXIT_ESCALATED: u8 = 70;

/// Runs the host until it is told to stop; gives its exit status.
///
/// # Errors
/// [`StartError`] when it cannot start; nothing is left behind then.
pub fn run(sources: &Sources) -> Result<u8, StartError> {
    let start = Start::of_this(sources);
    let ended = catch_unwind(AssertUnwindSafe(|| run_watched(sources, &start)));
    match &ended {
        Ok(Ok(0)) => {}
        Ok(Ok(status)) => start.failed(&format!("it has ended with status {status}")),
        Ok(Err(error)) => start.failed(&format!("{}: {}", error.code(), super::error::chain(error))),
        Err(_) => start.failed("it panicked"),
    }
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

fn run_watched(sources: &Sources, start: &Start) -> Result<u8, StartError> {
    let (config, warnings) = Config::load(sources)?;
    super::logging::init(&config.log.filter);
    super::memory::share_heaps();
    allow_open_files();
    // Taken before anything else could have its number.
    let listener = match handover::inherited(config.server.listen) {
        Handed::Listener(listener) => listener,
        Handed::Another | Handed::Nothing => bind(config.server.listen)?,
    };
    for warning in warnings {
        log::warn!("config: {warning}");
    }
    say_missing(&config.apps);
    // The port was the last thing that may need more. Before there are other threads: rights are each thread's own.
    privileges::give_up(&[privileges::NET_BIND_SERVICE]);
    let media = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores().clamp(*MEDIA_THREADS.start(), *MEDIA_THREADS.end()))
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("media")
        .enable_all()
        .build()
        .map_err(StartError::Threads)?;
    let system = actix_rt::System::with_tokio_rt(|| {
        // Built the same way as actix's own, with fewer threads for blocking work.
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .expect("a current-thread runtime needs only an epoll descriptor")
    });
    let kept = listener.try_clone().map_err(StartError::Threads)?;
    let end = system.block_on(async { host(config, sources, &media, listener, start).await });
    media.shutdown_timeout(MEDIA_DEADLINE);
    match end? {
        End::Status(status) => Ok(status),
        End::Next {
            program,
            usual,
            mut signals,
            paths,
        } => {
            let before = Before::this(&usual, &arguments(), &paths.state);
            let mut command = Command::new(&program);
            command.args(arguments());
            Before::tell(before.as_ref(), &mut command);
            // One that came since would be lost with this program, and the next one would serve on.
            if system.block_on(signals.stop_waits()) {
                at_once(&paths);
            }
            let error = handover::become_it(command, &kept);
            log::error!("{} cannot be run: {error}", program.display());
            if let Some(before) = before {
                before.follow(sources, &kept.into(), &format!("it cannot be run: {error}"));
            }
            Ok(EXIT_ESCALATED)
        }
    }
}

/// Each socket and each connection's port is an open file: as many as the system lets this process have.
fn allow_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        log::warn!("the limit of open files stays as it is: {error}");
    }
}

/// What follows the host.
enum End {
    /// Nothing.
    Status(u8),
    /// Another binary, unless a signal says otherwise.
    Next {
        program: PathBuf,
        /// This one.
        usual: PathBuf,
        signals: Signals,
        paths: Paths,
    },
}

/// Where things are that outlive the host.
struct Paths {
    state: PathBuf,
    instances: PathBuf,
}

/// What this program was started with.
fn arguments() -> Vec<std::ffi::OsString> {
    std::env::args_os().skip(1).collect()
}

async fn host(
    config: Config,
    sources: &Sources,
    media: &Runtime,
    listener: TcpListener,
    start: &Start,
) -> Result<End, StartError> {
    let mut signals = Signals::new().map_err(StartError::Threads)?;
    let server = config.server.clone();
    let state = StateDir::open(&config.server.state)?;
    let folder = state.path().to_owned();
    let tls = pages::certificate(&server, state.path())?;
    let parts = Parts::make(config, state, sources, media).await?;
    let Parts {
        services,
        catalogue,
        manager,
        instances,
        public,
        adoptable,
    } = parts;
    let (entrance, fresh) = Entrance::make(&services, &manager).await?;
    for (id, row) in adoptable {
        // The request waits for the supervisor, which is started below.
        let manager = manager.clone();
        actix_rt::spawn(async move {
            if let Err(error) = manager.adopt(id, row).await {
                log::error!("instance={id} not adopted: {error}");
            }
        });
    }
    tokio::task::yield_now().await;
    let view = TreeView::default();
    let listening = Arc::new(listener);
    let host = make_tree(
        &services,
        &catalogue,
        &manager,
        instances,
        &entrance,
        Arc::clone(&listening),
        pages::front(&server, tls.clone()),
        view.clone(),
    );
    let host = match public_address::child(&services.config.ice, &public) {
        Some(child) => host.child(child),
        None => host,
    };
    let mut tree = Tree::start_in(&view, host);
    log::info!(
        "server={} listening on {}, codecs {:?}",
        services.server,
        server.listen,
        services.codecs
    );
    let _watchdog = watchdog::watch(watchdog::TICK, watchdog::judge(watchdog::limit())).map_err(StartError::Threads)?;
    start.serves();
    let back = HandedBack::of_environment();
    let mut note = HostNote::own(&services.program);
    let usual = back
        .as_ref()
        .map_or_else(|| services.program.clone(), |back| back.usual.clone());
    if let Some(back) = back {
        // The one that did not serve may have ended before it had a log.
        log::error!("the new binary did not serve: {}; this one follows", back.why);
        note = back.noted(note, HostNote::read(&folder).ok());
    }
    note.write(&folder);
    let secret = entrance.first_sign_in(fresh)?;
    let _told = sign_in::announce(&folder, &entrance, secret.as_ref(), tls.as_deref());
    notify::tell(News::Ready);
    let mut trial: Option<Trial> = None;
    let next = loop {
        tokio::select! {
            reason = tree.exited() => {
                log::error!("the tree has given up: {reason}");
                return Ok(End::Status(EXIT_ESCALATED));
            }
            signal = signals.next() => match signal {
                Signal::Reload => {
                    reload(sources.clone(), Arc::clone(&catalogue), services.sandboxing.nests());
                    if let Some(tls) = &tls {
                        tls.ask();
                    }
                }
                Signal::Stop => break None,
                Signal::Upgrade if trial.is_some() => log::info!("an upgrade is being tried already"),
                Signal::Upgrade => {
                    trial = Some(Box::pin(try_next(folder.clone(), usual.clone(), Arc::clone(&listening))));
                }
            },
            tried = finished(&mut trial) => match tried {
                Ok(program) => break Some(program),
                Err(error) => {
                    trial = None;
                    let why = super::error::chain(&error);
                    log::error!("upgrade refused, code={}: {why}", error.code());
                    note.refusals += 1;
                    note.refused = Some(why);
                    let (note, folder) = (note.clone(), folder.clone());
                    tokio::task::spawn_blocking(move || note.write(&folder));
                }
            },
        }
    };
    notify::tell(if next.is_some() {
        News::Reloading
    } else {
        News::Stopping
    });
    let reason = next.is_none().then_some(EndReason::HostShutdown);
    let paths = Paths {
        state: folder,
        instances: services.state.instances(),
    };
    tokio::select! {
        () = wind_up(tree, &manager, reason) => {}
        () = signals.another_stop() => at_once(&paths),
    }
    Ok(match next {
        Some(program) => End::Next {
            program,
            usual: services.program.clone(),
            signals,
            paths,
        },
        None => {
            kill_left(paths.instances).await;
            End::Status(0)
        }
    })
}

/// A binary that is being tried.
type Trial = std::pin::Pin<Box<dyn Future<Output = Result<PathBuf, HandoverError>>>>;

/// Tries the binary that was asked for; this one again where nobody named one.
async fn try_next(folder: PathBuf, own: PathBuf, listening: Arc<TcpListener>) -> Result<PathBuf, HandoverError> {
    let usual = own.clone();
    let state = folder.clone();
    let asked = tokio::task::spawn_blocking(move || handover::asked_for(&folder, &own));
    let program = asked.await.unwrap_or(usual);
    log::info!("upgrade to {}: trying it", program.display());
    handover::check(&program, &arguments(), &state, Some(&listening))
        .await
        .map(|()| program)
}

async fn finished(trial: &mut Option<Trial>) -> Result<PathBuf, HandoverError> {
    match trial {
        Some(trial) => trial.await,
        None => std::future::pending().await,
    }
}

/// Instances end, or are left to the next host; then the tree.
async fn wind_up(tree: Tree, manager: &Manager, reason: Option<EndReason>) {
    let began = tokio::time::Instant::now();
    drain(manager, reason).await;
    let rest = STOP_DEADLINE.saturating_sub(began.elapsed() + KILL_WITHIN + MEDIA_DEADLINE);
    if !tree.shutdown(rest).await {
        log::warn!("not everything stopped in time");
    }
}

/// Nobody would end what did not end in time.
async fn kill_left(instances: PathBuf) {
    let killed = tokio::task::spawn_blocking(move || crate::process::kill_left(&instances, KILL_WITHIN)).await;
    for instance in killed.unwrap_or_default() {
        log::warn!("instance={instance} did not end in time and was killed");
    }
}

/// Somebody does not want to wait: what is left is for the keepers, which end their instances by themselves.
fn at_once(paths: &Paths) -> ! {
    log::warn!("stopping at once");
    crate::process::end_keepers(&paths.instances);
    // Those who have them have no time to do it.
    sign_in::remove(&paths.state.join(control_socket::SOCKET));
    sign_in::remove(&paths.state.join(sign_in::FILE));
    std::process::exit(0)
}

#[allow(
    clippy::too_many_arguments,
    reason = "it is called once, where everything has been made"
)]
fn make_tree(
    services: &Arc<Services>,
    catalogue: &Arc<Catalogue>,
    manager: &Manager,
    instances: SupervisorRef,
    entrance: &Entrance,
    listener: Arc<TcpListener>,
    front: Front,
    tree: TreeView,
) -> crate::supervision::SupervisorSpec {
    let sessions = SupervisorRef::new();
    let ice = Arc::new(Handout::new(services.config.ice.clone()));
    let api = Api {
        access: Access::new(entrance.admins.clone(), services.server),
        sessions: SessionBook::new(
            services.store.clone(),
            Arc::clone(&services.journal),
            entrance.admins.clone(),
        ),
        live: Sessions::new(
            Around {
                manager: manager.clone(),
                roles: entrance.roles.clone(),
                ice: Arc::clone(&ice),
                transports: services.transports,
                journal: Arc::clone(&services.journal),
            },
            sessions.clone(),
        ),
        roles: entrance.roles.clone(),
        ice,
        manager: manager.clone(),
        catalogue: Arc::clone(catalogue),
        video: services.config.video.clone(),
        store: services.store.clone(),
        journal: Arc::clone(&services.journal),
        tree,
        watchers: Watchers::default(),
        limits: Arc::new(Limits::new(&services.config.limits)),
        messages_per_second: services.config.limits.messages_per_second,
    };
    let ending = manager.clone();
    // A host that starts anew finds its instances as they were.
    tree::host(services, manager, sessions, instances, api, entrance, front, listener)
        .on_escalation(move || ending.end_all(None))
}

/// Nothing is launched any more; instances end, or are left to the next host.
async fn drain(manager: &Manager, reason: Option<EndReason>) {
    log::info!(
        "stopping, {}",
        if reason.is_some() {
            "instances end"
        } else {
            "instances stay"
        }
    );
    manager.drain();
    manager.end_all(reason);
    if reason.is_none() {
        return;
    }
    let all_ended = async {
        while manager.capacity().used > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(DRAIN_DEADLINE, all_ended).await.is_err() {
        log::warn!("{} instances did not end in time", manager.capacity().used);
    }
}

/// Names the entries that cannot be launched as they stand.
fn say_missing(configured: &[AppEntry]) {
    let search_path: Vec<PathBuf> = std::env::split_paths(commands::PATH).collect();
    for missing in catalogue::missing_programs(configured, &search_path) {
        log::warn!("config: {missing}");
    }
}

/// Reads the catalogue again, away from the thread of the actors.
fn reload(sources: Sources, catalogue: Arc<Catalogue>, nesting: bool) {
    tokio::task::spawn_blocking(move || match Config::load(&sources) {
        // The configuration itself stays as it is; half of a broken file is not to be trusted.
        Ok((config, _)) => {
            say_missing(&config.apps);
            let old = catalogue.apps();
            // The demo stays where it was found at start.
            let beside = old
                .iter()
                .find(|a| a.id == "orrery")
                .map_or_else(PathBuf::new, |a| folder_of(Path::new(&a.command)));
            let apps = catalogue::catalogue(
                &config.apps,
                &beside,
                &sources.search_path(),
                nesting,
                &config.locale(&sources),
            );
            log::info!("catalogue read again, {} apps", apps.len());
            catalogue.replace(apps);
        }
        Err(error) => log::error!("the catalogue stays as it is: {error}"),
    });
}

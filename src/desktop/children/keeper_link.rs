//! The link to the instance's keeper: starts it, or finds the one that an earlier host left, and watches over it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::desktop::children::rest::Watched;
use crate::desktop::shared::DesktopShared;
use crate::desktop::starting::starts::Turn;
use crate::desktop::takeover::Tenure;
use crate::process::{KeeperClient, Lost, ProcessError, is_kept, sweep_instance};
use crate::source::Failure;
use crate::supervision::{ChildContext, ExitReason};

/// What the keeper gives what is left between TERM and KILL when the instance ends.
const END_GRACE: Duration = Duration::from_secs(2);
/// Between two questions whether it still answers. What it keeps goes on meanwhile, whatever became of it.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// It answers within a millisecond; its one thread waits for nothing but a disk.
const ANSWER: Duration = Duration::from_secs(4);
/// Questions in a row without an answer. More than one: after this host was stopped itself, the answer to the first may
/// be there and not yet read.
const MISSES: u32 = 3;

/// A keeper that has ended its instance ends itself within this time.
const PREDECESSOR: Duration = Duration::from_secs(3);
/// Between two tries.
const LOOK: Duration = Duration::from_millis(50);
/// A system that is short of processes or descriptors is given so long to have one.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries then.
const SHORTAGE: Duration = Duration::from_secs(1);

/// The life of the link. Once the keeper is lost there is nothing left that a restart could heal: the link after such a
/// failure has nothing to do, and its end is the Desktop's. A link that panics is followed by one to the same keeper.
pub async fn keeper_link(shared: Arc<DesktopShared>, cx: ChildContext) -> ExitReason {
    if shared.facts.get().failure.is_some() {
        return ExitReason::Normal;
    }
    // All that hung on the one before has let go by now.
    shared.expect_successor(false);
    // A keeper has one host at a time: the connection of an earlier link is of no more use.
    shared.keeper.send_replace(None);
    // A wait for a turn can be given up. A start cannot: it would leave a keeper that nobody knows.
    let Some(turn) = cx.unless_stopping(turn_of(&shared)).await else {
        return ExitReason::Shutdown;
    };
    let keeper = match start(&shared).await {
        Ok(keeper) => keeper,
        Err(error) => {
            let code = error.code();
            log::error!("instance={} code={code} keeper cannot be started: {error}", shared.id);
            // One that lives and is of no use would keep its processes running.
            sweep(&shared).await;
            return lost(&shared, code, format!("the keeper cannot be started: {error}"));
        }
    };
    if let Some(turn) = turn {
        // Ends by itself, within seconds.
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { turn.until_up(&shared.facts).await });
    }
    // The keeper stays known: whoever gives the instance up can end it.
    let tenure = Tenure::begin(&shared, &cx, |_| {});
    shared.keeper.send_replace(Some(keeper.clone()));
    cx.set_pid(u32::try_from(keeper.pid()).ok());
    tokio::select! {
        () = cx.stopping() => {}
        () = keeper.gone() => {
            let why = keeper.lost();
            let message = explain(why);
            log::error!("instance={} code={} {message}", shared.id, why.code());
            tenure.over();
            // One that is not believed any more is ended, if it is ours to end.
            if *why != Lost::Closed {
                keeper.kill();
            }
            sweep(&shared).await;
            return lost(&shared, why.code(), message);
        }
        () = silence(&shared, &keeper) => {
            log::error!("instance={} keeper={} does not answer, killing it", shared.id, keeper.pid());
            tenure.over();
            keeper.kill();
            sweep(&shared).await;
            return lost(&shared, "keeper_stalled", "the keeper of this instance did not answer any more".into());
        }
    }
    tenure.over();
    shared.keeper.send_replace(None);
    if !shared.leaves_processes()
        && let Err(error) = keeper.end(END_GRACE).await
    {
        log::warn!("instance={} keeper did not end: {error}", shared.id);
    }
    ExitReason::Shutdown
}

/// A turn to start; none where an earlier host has left a keeper, which is found at once.
async fn turn_of(shared: &DesktopShared) -> Option<Turn> {
    let folder = shared.folder.clone();
    let kept = tokio::task::spawn_blocking(move || is_kept(&folder)).await;
    if kept.unwrap_or(false) {
        return None;
    }
    Some(shared.starts.next().await)
}

/// Starts or finds the keeper. The one before it, told to end, may hold the folder for a moment longer.
async fn start(shared: &DesktopShared) -> Result<KeeperClient, ProcessError> {
    let (until, patient_until) = (Instant::now() + PREDECESSOR, Instant::now() + PATIENCE);
    loop {
        match KeeperClient::spawn_or_connect(&shared.keeper_options).await {
            Err(ProcessError::NotStarted(_)) if Instant::now() < until => tokio::time::sleep(LOOK).await,
            Err(error @ ProcessError::Io { .. }) if error.may_pass() && Instant::now() < patient_until => {
                log::warn!("instance={} keeper not started yet: {error}", shared.id);
                tokio::time::sleep(SHORTAGE).await;
            }
            result => return result,
        }
    }
}

/// Returns when the keeper does not answer. One that a signal has stopped is continued first: its loss costs the whole
/// instance, its continuation nothing.
async fn silence(shared: &DesktopShared, keeper: &KeeperClient) {
    let (mut watched, mut misses) = (Watched::new(shared), 0);
    loop {
        // One that has not answered is asked again soon, whoever watches.
        if misses == 0 {
            watched.pause(HEARTBEAT, |_| ()).await;
        } else {
            tokio::time::sleep(HEARTBEAT).await;
        }
        if keeper.wake() {
            log::warn!(
                "instance={} keeper={} was stopped, continuing it",
                shared.id,
                keeper.pid()
            );
        }
        misses = if keeper.answers_within(ANSWER).await {
            0
        } else {
            misses + 1
        };
        if misses >= MISSES && !keeper.is_gone() {
            return;
        }
    }
}

impl DesktopShared {
    /// Whether there is a keeper that its link has not ended.
    #[must_use]
    pub fn has_keeper(&self) -> bool {
        self.keeper.borrow().as_ref().is_some_and(|keeper| !keeper.is_gone())
    }

    /// Ends the keeper, with all that it keeps, where the link did not get to do it: it, or a supervisor above it,
    /// panicked; or the instance had failed under an earlier host, which went before it had ended the keeper.
    pub async fn end_keeper(&self) {
        let known = self.keeper.send_replace(None);
        if self.leaves_processes() {
            return;
        }
        let keeper = match known {
            Some(keeper) => keeper,
            None => match self.unmet_keeper().await {
                Some(keeper) => keeper,
                None => return,
            },
        };
        if keeper.is_gone() {
            return;
        }
        log::warn!(
            "instance={} keeper={} was left behind, ending it",
            self.id,
            keeper.pid()
        );
        if let Err(error) = keeper.end(END_GRACE).await {
            log::warn!("instance={} keeper did not end: {error}", self.id);
            keeper.kill();
            sweep(self).await;
        }
    }

    /// A keeper that lives in the folder though no link of this host has met it. One that cannot be talked to is swept.
    async fn unmet_keeper(&self) -> Option<KeeperClient> {
        let folder = self.folder.clone();
        let kept = tokio::task::spawn_blocking(move || is_kept(&folder)).await;
        if !kept.unwrap_or(false) {
            return None;
        }
        match KeeperClient::connect(&self.keeper_options).await {
            Ok(keeper) => Some(keeper),
            Err(error) => {
                log::warn!("instance={} its keeper cannot be talked to: {error}", self.id);
                sweep(self).await;
                None
            }
        }
    }
}

/// Its processes are orphans now; nothing else would end them.
async fn sweep(shared: &DesktopShared) {
    shared.keeper.send_replace(None);
    let (folder, id) = (shared.folder.clone(), shared.id);
    let _ = tokio::task::spawn_blocking(move || sweep_instance(&folder, id)).await;
}

fn explain(why: &Lost) -> String {
    match why {
        Lost::Closed => "the keeper of this instance was killed".into(),
        Lost::Protocol(text) => format!("the keeper of this instance sent what no keeper sends: {text}"),
        Lost::NotOurs(text) => format!("the keeper of this instance is none of ours: {text}"),
    }
}

fn lost(shared: &DesktopShared, code: &'static str, message: String) -> ExitReason {
    let output = shared.last_output();
    shared.facts.update(|f| {
        f.failure.get_or_insert(Failure {
            code: code.into(),
            message,
            output,
        });
    });
    ExitReason::Normal
}

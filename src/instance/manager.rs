//! The instances of this host: launching, adopting, finding and counting them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast};

use super::catalogue::Catalogue;
use super::handle::InstanceHandle;
use super::lifecycle::events::InstanceEvent;
use super::lifecycle::making::make;
use super::lifecycle::mending::Mending;
use super::services::Services;
use super::spec::{InstanceSpec, LaunchError, LaunchRequest};
use super::storage::folder_work;
use super::storage::rows::Reviving;
use super::tree::instance;
use crate::clock::unix_ms;
use crate::ids::{InstanceId, SessionId};
use crate::protocol::words::InstanceStatus;
use crate::source::{EndReason, Failure};
use crate::store::InstanceRow;
use crate::supervision::{ChildRef, ControlError, SupervisorRef};

/// From the request to the start of the tree.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// For the end of a tree that was not to begin.
const UNDO_DEADLINE: Duration = Duration::from_secs(2);
/// Trees that are asked for at once; the others wait for their turn. Their supervisor has room for twice as many requests.
const STARTS: usize = 32;
/// How long a turn may take to come, with as many instances as there can be.
const TURN_DEADLINE: Duration = Duration::from_secs(60);
/// Between two tries of something that may get better: a database that does not answer, a full disk.
const RETRY: Duration = Duration::from_secs(2);
/// So often an instance's files are tried to be written again before it is given up.
const ADOPTION_TRIES: u32 = 60;
/// Rows started again that a session may still have to hear of.
const REVIVALS: usize = 64;

/// The instances of this host. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct Manager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    services: Arc<Services>,
    catalogue: Arc<Catalogue>,
    supervisor: SupervisorRef,
    instances: Mutex<BTreeMap<InstanceId, InstanceHandle>>,
    starts: Semaphore,
    draining: AtomicBool,
    reviving: Reviving,
    mending: Mending,
    revived: broadcast::Sender<InstanceId>,
}

/// How many instances there can be, and are.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// On this machine.
    pub total: usize,
    /// Taken.
    pub used: usize,
    /// One session may have.
    pub per_session: usize,
    /// Streams of 1280×720 at 30 frames a second that the encoders can make here, where that was measured.
    pub streams: Option<u64>,
}

impl Manager {
    /// A manager of no instances yet; `supervisor` will run them.
    #[must_use]
    pub fn new(services: Arc<Services>, catalogue: Arc<Catalogue>, supervisor: SupervisorRef) -> Self {
        Self {
            inner: Arc::new(Inner {
                services,
                catalogue,
                supervisor,
                instances: Mutex::default(),
                starts: Semaphore::new(STARTS),
                draining: AtomicBool::new(false),
                reviving: Reviving::default(),
                mending: Mending::default(),
                // overflow: who is too slow is told so, and looks at everything that it waits for.
                revived: broadcast::Sender::new(REVIVALS),
            }),
        }
    }

    /// Launches an app for a session. What is begun is carried through, or undone, whether or not the one who asks still
    /// waits for the answer.
    ///
    /// # Errors
    /// [`LaunchError`]; nothing is left behind then.
    pub async fn launch(&self, request: &LaunchRequest, owner: SessionId) -> Result<InstanceHandle, LaunchError> {
        let services = &self.inner.services;
        let apps = self.inner.catalogue.apps();
        let spec = InstanceSpec::decide(
            InstanceId::new(),
            request,
            owner,
            &apps,
            &services.config,
            &services.sandboxing,
            unix_ms(),
        )?;
        let manager = self.clone();
        let launching = services.media.spawn(async move { manager.carry_through(spec).await });
        let launched = launching.await;
        launched.unwrap_or_else(|e| Err(LaunchError::Setup(e.to_string())))
    }

    async fn carry_through(&self, spec: InstanceSpec) -> Result<InstanceHandle, LaunchError> {
        let (id, owner) = (spec.id, spec.owner);
        let handle = self.set_up(spec).await?;
        if let Err(error) = self.begin(&handle).await {
            log::error!("instance={id} not launched: {error}");
            self.undo(&handle).await;
            self.end_row(id, &error);
            return Err(error);
        }
        log::info!("instance={id} app={} session={owner} launched", handle.spec().app());
        Ok(handle)
    }

    /// Nothing of an instance that did not begin is left, but its row.
    pub(super) async fn undo(&self, handle: &InstanceHandle) {
        let id = handle.spec().id;
        // Its tree may be there all the same, where only the answer came too late.
        let _ = self.inner.supervisor.stop_child(&id.to_string(), UNDO_DEADLINE).await;
        self.forget(id);
        handle.shared.remove_folders().await;
    }

    async fn begin(&self, handle: &InstanceHandle) -> Result<(), LaunchError> {
        let spec = handle.spec();
        let inserted = self.services().store.insert_instance(self.row_of(spec)).await;
        inserted.map_err(LaunchError::Store)?;
        let who = format!("app={} session={}", spec.app(), spec.owner);
        handle.shared.event(InstanceEvent::Created, who);
        self.start(handle).await.map_err(LaunchError::tree)?;
        handle.shared.event(InstanceEvent::Launched, "");
        Ok(())
    }

    /// Takes up an instance that an earlier host left running. One that had failed or was being ended when that host
    /// went, as its `row` says, goes on from there.
    ///
    /// Reads the folder on the thread that calls: the host is only just starting, and those who ask for the instance at
    /// once shall find it.
    ///
    /// # Errors
    /// [`LaunchError::Setup`] when it cannot be understood, or its tree does not begin for a minute; it has failed then, and
    /// nothing of it runs any more.
    pub async fn adopt(&self, id: InstanceId, row: Option<InstanceRow>) -> Result<(), LaunchError> {
        let handle = match self.found(id).await {
            Ok(handle) => handle,
            Err(error) => {
                self.abandon(id, row, &error).await;
                return Err(error);
            }
        };
        match row {
            Some(row) => resume(&handle, row),
            None => log::warn!("instance={id} has no row that says it lives"),
        }
        self.lock().insert(id, handle.clone());
        let app = format!("app={}", handle.spec().app());
        log::info!("instance={id} {app} adopted");
        handle.shared.event(InstanceEvent::Adopted, app);
        if self.starts(id, &handle).await {
            return Ok(());
        }
        self.give_up(id, &handle).await;
        Err(LaunchError::Setup("its tree did not begin".into()))
    }

    /// What an earlier host left of an instance, made ready to be started. A disk that is full for a while is waited for:
    /// its program runs, and knows nothing of that.
    async fn found(&self, id: InstanceId) -> Result<InstanceHandle, LaunchError> {
        let folder = self.inner.services.state.instance(id);
        let spec = InstanceSpec::load(&folder).map_err(|e| LaunchError::Setup(e.to_string()))?;
        if spec.id != id {
            return Err(LaunchError::Setup(format!("it is described as {}", spec.id)));
        }
        if self.inner.services.sandboxing.is_needed() && !spec.source.is_confined() {
            return Err(LaunchError::NoSandbox);
        }
        let mut tries = ADOPTION_TRIES;
        loop {
            tries -= 1;
            match self.prepare(&spec, false) {
                Err(error) if tries > 0 => log::warn!("instance={id} cannot be adopted yet: {error}"),
                result => return result,
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The supervisor of the instances has been started anew, and does not know those that it had let go: they are taken
    /// up again, as by the next host.
    pub async fn take_up_again(&self) {
        let services = &self.inner.services;
        let rows = loop {
            match services.store.instances_not_ended(services.server).await {
                Ok(rows) => break rows,
                Err(error) if self.is_draining() => return log::warn!("code={} {error}", error.code()),
                Err(error) => log::warn!("code={} instances wait to be taken up again: {error}", error.code()),
            }
            tokio::time::sleep(RETRY).await;
        };
        // Those that are being launched are here already.
        for row in rows.into_iter().filter(|row| self.get(row.instance_id).is_none()) {
            let id = row.instance_id;
            match self.adopt(id, Some(row)).await {
                Ok(()) => self.announce_revival(id),
                Err(error) => log::error!("instance={id} not taken up again: {error}"),
            }
        }
    }

    /// One that a test has made is here from now on.
    #[cfg(test)]
    pub(super) fn place(&self, handle: InstanceHandle) {
        self.lock().insert(handle.spec().id, handle);
    }

    /// The instance of this id, if it is here.
    #[must_use]
    pub fn get(&self, id: InstanceId) -> Option<InstanceHandle> {
        self.lock().get(&id).cloned()
    }

    /// The instances of a session, the oldest first.
    #[must_use]
    pub fn of_session(&self, session: SessionId) -> Vec<InstanceHandle> {
        let mut mine: Vec<_> = self
            .lock()
            .values()
            .filter(|i| i.spec().owner == session)
            .cloned()
            .collect();
        mine.sort_by_key(|i| i.spec().created_ms);
        mine
    }

    /// All instances.
    #[must_use]
    pub fn all(&self) -> Vec<InstanceHandle> {
        self.lock().values().cloned().collect()
    }

    /// How many there can be, and are.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        let limits = &self.inner.services.config.instances;
        Capacity {
            total: limits.capacity,
            used: self.lock().len(),
            per_session: limits.per_session,
            streams: self.inner.services.streams,
        }
    }

    /// Whether launches are accepted.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Acquire)
    }

    /// From now on nothing is launched.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Release);
    }

    /// The ids of failed rows that are started again, and of instances that are taken up again, from now on.
    #[must_use]
    pub fn revivals(&self) -> broadcast::Receiver<InstanceId> {
        self.inner.revived.subscribe()
    }

    pub(super) fn announce_revival(&self, id: InstanceId) {
        // Nobody may be waiting.
        let _ = self.inner.revived.send(id);
    }

    /// Whether apps run in sandboxes.
    #[must_use]
    pub fn has_sandboxes(&self) -> bool {
        self.inner.services.sandboxing.missing().is_none()
    }

    pub(super) fn services(&self) -> &Services {
        &self.inner.services
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    pub(super) fn mending(&self) -> &Mending {
        &self.inner.mending
    }

    pub(super) fn reviving(&self) -> &Reviving {
        &self.inner.reviving
    }

    /// Ends every instance, or leaves their processes to the next host.
    pub fn end_all(&self, reason: Option<EndReason>) {
        for handle in self.all() {
            match reason {
                Some(reason) => handle.end(reason),
                None => handle.leave_processes(),
            }
        }
    }

    /// Has the tree of an instance begun.
    ///
    /// # Errors
    /// [`ControlError`] of the supervisor of all instances; where that answers too late, the tree may be there all the same.
    pub(super) async fn start(&self, handle: &InstanceHandle) -> Result<(), ControlError> {
        let id = handle.spec().id;
        let (manager, tree) = (Arc::downgrade(&self.inner), instance(&handle.shared, &handle.actor));
        let spec = tree.on_end(move || {
            if let Some(inner) = manager.upgrade() {
                Self { inner }.tree_ended(id);
            }
        });
        let turn = tokio::time::timeout(TURN_DEADLINE, self.inner.starts.acquire());
        let _turn = turn.await.map_err(|_| ControlError::Timeout)?;
        self.inner.supervisor.start_child(spec, START_DEADLINE).await
    }

    /// Everything that an instance which starts here needs before its tree, and a place; all of it or nothing.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub(super) async fn set_up(&self, spec: InstanceSpec) -> Result<InstanceHandle, LaunchError> {
        let (id, owner) = (spec.id, spec.owner);
        // Who will be refused costs no folder. Whether there is a place is decided below.
        self.refusal(&self.lock(), owner).map_or(Ok(()), Err)?;
        let (making, undoing) = (self.clone(), self.clone());
        let make = move || {
            let save = |handle: InstanceHandle| {
                let saved = spec.save(&making.services().state.instance(id));
                saved.map_or_else(|e| Err(LaunchError::files(&e)), |()| Ok(handle))
            };
            let made = making.prepare(&spec, true).and_then(save);
            made.inspect_err(|_| folder_work::remove(making.services(), id))
        };
        let undo = move |_| {
            // A second try may have been luckier.
            if undoing.get(id).is_none() {
                folder_work::remove(undoing.services(), id);
            }
        };
        let handle = folder_work::apart(make, undo).await?;
        if let Err(error) = self.reserve(&handle) {
            handle.shared.remove_folders().await;
            return Err(error);
        }
        Ok(handle)
    }

    /// Everything of a new or adopted instance but its tree. Blocks.
    fn prepare(&self, spec: &InstanceSpec, fresh: bool) -> Result<InstanceHandle, LaunchError> {
        Ok(InstanceHandle {
            shared: make(&self.inner.services, spec, fresh)?,
            actor: ChildRef::new(),
        })
    }

    /// Takes a place, if one is free: decided under one lock, so that no two launches take the same.
    fn reserve(&self, handle: &InstanceHandle) -> Result<(), LaunchError> {
        let mut instances = self.lock();
        if let Some(error) = self.refusal(&instances, handle.spec().owner) {
            return Err(error);
        }
        instances.insert(handle.spec().id, handle.clone());
        Ok(())
    }

    /// Why a session gets no place now.
    fn refusal(&self, instances: &BTreeMap<InstanceId, InstanceHandle>, owner: SessionId) -> Option<LaunchError> {
        let limits = &self.inner.services.config.instances;
        let mine = instances.values().filter(|i| i.spec().owner == owner).count();
        if self.is_draining() {
            Some(LaunchError::Draining)
        } else if instances.len() >= limits.capacity {
            Some(LaunchError::Capacity(limits.capacity))
        } else if mine >= limits.per_session {
            Some(LaunchError::SessionLimit(mine))
        } else {
            None
        }
    }

    pub(super) fn forget(&self, id: InstanceId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, InstanceHandle>> {
        self.inner.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the row of an adopted instance says about its end or failure is so still.
fn resume(handle: &InstanceHandle, row: InstanceRow) {
    let facts = &handle.shared.facts;
    match row.status {
        InstanceStatus::Failed => {
            let output = row.output_lines();
            let failure = Failure {
                code: row.exit_reason.unwrap_or_default().into(),
                message: row.message.unwrap_or_default(),
                output,
            };
            facts.update(|f| f.failure = Some(failure));
        }
        InstanceStatus::Deinitializing | InstanceStatus::Terminated => {
            let reason = row.exit_reason.as_deref().and_then(EndReason::from_code);
            facts.update(|f| f.ending = Some(reason.unwrap_or(EndReason::Requested)));
        }
        _ => {}
    }
}

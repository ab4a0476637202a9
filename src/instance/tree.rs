//! The supervision tree of one instance.

use std::sync::Arc;
use std::time::Duration;

use super::actor::InstanceActor;
use super::peers::places::Places;
use super::shared::InstanceShared;
use crate::supervision::{AutoShutdown, ChildRef, ChildSpec, Intensity, Restart, Shutdown, Strategy, SupervisorSpec};

/// The actor panics more often than this: the instance's tree is given up, its processes are swept.
const ACTOR_INTENSITY: Intensity = Intensity::new(5, Duration::from_secs(60));
/// It looks at its viewers every second; one that does not any more waits for something that never comes.
const ACTOR_STALL: Duration = Duration::from_secs(15);
/// No peer is ever restarted, so none is charged.
const PEERS_INTENSITY: Intensity = Intensity::new(0, Duration::from_secs(1));

/// Peers, source and actor of an instance; the actor's end is the instance's.
#[must_use]
pub fn instance(shared: &Arc<InstanceShared>, actor: &ChildRef<InstanceActor>) -> ChildSpec {
    let (id, shared, actor) = (shared.spec.id.to_string(), Arc::clone(shared), actor.clone());
    ChildSpec::supervisor(id, Restart::Temporary, move || {
        SupervisorSpec::new(Strategy::OneForOne, ACTOR_INTENSITY)
            .reference(&shared.parts)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(peers(&shared))
            .child(source(&shared))
            .child(actor_child(&shared, &actor))
    })
    // What the manager knows of it ends with it.
    .once()
}

fn peers(shared: &Arc<InstanceShared>) -> ChildSpec {
    let shared = Arc::clone(shared);
    ChildSpec::supervisor("peers", Restart::Permanent, move || {
        // Who gets in is decided by the places.
        let most = Places::children(shared.services.config.limits.peers_per_instance);
        SupervisorSpec::dynamic(PEERS_INTENSITY, most).reference(&shared.peers)
    })
}

/// A source that gives up has failed: not even once is it restarted by itself.
fn source(shared: &Arc<InstanceShared>) -> ChildSpec {
    let (source, failed) = (Arc::clone(&shared.source), Arc::clone(shared));
    ChildSpec::supervisor(source.name(), Restart::Transient, move || Arc::clone(&source).tree())
        .shutdown(Shutdown::Infinity)
        .budget(Intensity::new(0, Duration::from_secs(60)), move |reason| {
            let failure = failed.source.failure(reason);
            failed.facts.update(|f| {
                f.failure.get_or_insert(failure);
            });
        })
}

fn actor_child(shared: &Arc<InstanceShared>, actor: &ChildRef<InstanceActor>) -> ChildSpec {
    let shared = Arc::clone(shared);
    ChildSpec::actor("actor", Restart::Transient, actor.clone(), move |cx| {
        InstanceActor::new(Arc::clone(&shared), cx)
    })
    .stalled_after(ACTOR_STALL)
    .significant()
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;

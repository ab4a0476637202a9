//! The contract, one test a sentence, one file a concept of OTP. Time is paused: it jumps whenever everybody waits.

mod actix_facts;
mod actors;
mod budget;
mod crash_loops;
mod dynamic;
mod dynamic_model;
mod events;
mod injection;
mod intensity;
mod isolation;
mod model;
mod puppet;
mod random;
mod references;
mod requests;
mod restart;
mod scenario;
mod shutdown;
mod significant;
mod snapshots;
mod stalls;
mod strategies;

use std::time::Duration;

use puppet::{Diary, Manners, Puppet, failure, panicking, run, secs, settle};

use super::{Backoff, ChildSnapshot, ChildSpec, Intensity, Restart, Strategy, SupervisorRef, SupervisorSpec, Tree};

/// More restarts than any test causes.
const GENEROUS: Intensity = Intensity::new(100_000, Duration::from_secs(1));

/// A tree over puppets called `a`, `b`, …; their diary, and who controls them.
struct Troupe {
    tree: Tree,
    root: SupervisorRef,
    puppets: Vec<Puppet>,
    diary: Diary,
}

impl Troupe {
    fn child(&self, path: &str) -> ChildSnapshot {
        self.tree.view().snapshot().find(path).unwrap().clone()
    }
}

/// A tree of `count` permanent and polite puppets, their specs changed by `tune`.
fn troupe(count: usize, spec: SupervisorSpec, tune: impl Fn(usize, ChildSpec) -> ChildSpec) -> Troupe {
    let (diary, root) = (Diary::default(), SupervisorRef::new());
    let puppets: Vec<Puppet> = ["a", "b", "c", "d"]
        .into_iter()
        .take(count)
        .map(|id| Puppet::new(id, &diary))
        .collect();
    let children = puppets.iter().enumerate();
    let spec = children.fold(spec.reference(&root), |spec, (i, puppet)| {
        spec.child(tune(i, puppet.spec(Restart::Permanent, Manners::Polite)))
    });
    Troupe {
        tree: Tree::start(spec),
        root,
        puppets,
        diary,
    }
}

fn lenient(strategy: Strategy) -> SupervisorSpec {
    SupervisorSpec::new(strategy, GENEROUS)
}

/// Back-off with steps of ten seconds.
const SLOW: Backoff = Backoff {
    base: secs(10),
    max: secs(10),
    healthy_after: secs(1_000),
};

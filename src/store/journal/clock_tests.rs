//! The journal and the database under clocks that say anything.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::pool::tests::{Bench, change};
use super::super::revision::Revised;
use super::{Batch, Pending};
use crate::ids::{InstanceId, SessionId};
use crate::protocol::words::InstanceStatus;

#[derive(Debug, Clone)]
enum Step {
    /// An instance has another status, at what the clock says.
    Note(usize, InstanceStatus, i64),
    /// Notes are on their way.
    Take,
    /// The database has not taken those that are on their way the longest, or nobody knows.
    PutBack { stored: bool },
    /// It has.
    Stored,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let statuses = [
        InstanceStatus::Running,
        InstanceStatus::Restarting,
        InstanceStatus::Failed,
        InstanceStatus::Initializing,
    ];
    let clock = prop_oneof![any::<i64>(), -3_i64..3];
    let step = prop_oneof![
        5 => (0..3_usize, prop::sample::select(statuses.to_vec()), clock).prop_map(|(i, s, at)| Step::Note(i, s, at)),
        2 => Just(Step::Take),
        1 => any::<bool>().prop_map(|stored| Step::PutBack { stored }),
        2 => Just(Step::Stored),
    ];
    prop::collection::vec(step, 1..40)
}

async fn carry_out(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let bench = Bench::new().await;
    let mut ids: Vec<InstanceId> = Vec::new();
    for _ in 0..3 {
        ids.push(bench.instance(SessionId::new(), 0).await);
    }
    let mut latest = BTreeMap::new();
    let (mut pending, mut under_way) = (Pending::default(), Vec::<Batch>::new());
    for step in steps {
        match step {
            Step::Note(i, status, at) => {
                latest.insert(ids[i], (status, at));
                pending.status(ids[i], Revised::now(change(status, at)));
            }
            Step::Take => under_way.push(pending.take()),
            Step::PutBack { stored } if !under_way.is_empty() => {
                let batch = under_way.remove(0);
                if stored {
                    bench.store.write(batch.clone()).await.unwrap();
                }
                pending.put_back(batch);
            }
            // The latest first: two that are on their way may be stored in any order.
            Step::Stored => {
                if let Some(batch) = under_way.pop() {
                    bench.store.write(batch).await.unwrap();
                }
            }
            Step::PutBack { .. } => {}
        }
    }
    for batch in under_way.into_iter().rev().chain([pending.take()]) {
        bench.store.write(batch).await.unwrap();
    }
    for (id, expected) in latest {
        let row = bench.store.instance(id).await.unwrap().unwrap();
        prop_assert_eq!((row.status, row.modified), expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn an_instance_is_stored_as_it_was_noted_last_whatever_the_clock_said(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(carry_out(steps))?;
    }
}

#[tokio::test]
async fn what_a_next_host_notes_is_later_than_what_the_database_has() {
    let bench = Bench::new().await;
    let id = bench.instance(SessionId::new(), 0).await;
    bench.tell("UPDATE instances SET revision = 4611686018427387904");
    let before = bench
        .store
        .update_instance(id, change(InstanceStatus::Running, 1))
        .await;
    assert!(!before.unwrap(), "this one has not read it");
    let next = super::super::Store::open("sqlite:heliostat.db", bench.folder.path()).unwrap();
    let after = next.update_instance(id, change(InstanceStatus::Running, 1)).await;
    assert!(after.unwrap());
}

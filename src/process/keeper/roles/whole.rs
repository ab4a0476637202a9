//! The end of the whole instance.

use super::super::belonging::Census;
use super::super::ending::{Ending, Step};
use super::super::groups;
use super::super::slot::Asker;
use super::{Out, REAP_SOON_US, Roles, send, unkillable};
use crate::protocol::keeper::{Failure, FailureCode, Reply};

/// The instance is being ended.
#[derive(Debug)]
pub(super) struct Whole {
    ending: Ending,
    pub(super) wake_us: u64,
    askers: Vec<Asker>,
}

impl Roles {
    /// Begins to end the instance, or hastens it.
    pub(in crate::process::keeper) fn end(&mut self, asker: Option<Asker>, grace_us: u64, now_us: u64) {
        if let Some(whole) = &mut self.whole {
            whole.ending.hasten(now_us, grace_us);
            whole.wake_us = now_us;
            whole.askers.extend(asker);
            return;
        }
        log::info!("instance={} is being ended", self.instance);
        for slot in self.slots.values_mut() {
            slot.ending = None;
            slot.wake_us = None;
            for task in slot.current.take().into_iter().chain(slot.tasks.drain(..)) {
                let failure = Failure::new(FailureCode::Ending, "the instance is being ended");
                self.out.push(Out::Reply(task.asker, Err(failure)));
            }
        }
        let ending = Ending::new(now_us, grace_us);
        self.whole = Some(Whole {
            ending,
            wake_us: now_us,
            askers: asker.into_iter().collect(),
        });
    }

    pub(super) fn end_step(&mut self, now_us: u64) {
        let Some(whole) = self
            .whole
            .as_mut()
            .filter(|whole| whole.wake_us <= now_us && !self.over)
        else {
            return;
        };
        let left = Census::take(self.keeper).everybody();
        // Dead but not yet reaped: its exit is still to be told.
        if left.is_empty() && self.slots.values().any(|slot| slot.running().is_some()) {
            whole.wake_us = now_us + REAP_SOON_US;
            return;
        }
        match whole.ending.step(now_us, &left) {
            Step::Wait {
                term,
                kill,
                again_at_us,
            } => {
                whole.wake_us = again_at_us;
                let makers = self.slots.values().flat_map(super::super::slot::Slot::makers).collect();
                send(&makers, &term, &kill);
            }
            Step::Unkillable => {
                log::error!("instance={} processes={left:?} outlive their KILL", self.instance);
                for asker in whole.askers.drain(..) {
                    self.out.push(Out::Reply(asker, Err(unkillable(left.len()))));
                }
                whole.ending = Ending::new(now_us, 0);
            }
            Step::Done => {
                self.over = true;
                whole.wake_us = u64::MAX;
                for (name, _) in self.slots.values().filter_map(|slot| slot.listening.as_ref()) {
                    self.folder.remove(name);
                }
                self.groups.iter().for_each(groups::remove);
                self.out
                    .extend(whole.askers.drain(..).map(|asker| Out::Reply(asker, Ok(Reply::Done))));
            }
        }
    }
}

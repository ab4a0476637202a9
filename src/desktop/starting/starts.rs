//! Turns to start: where many desktops begin at once, a few do so at a time.
//!
//! A start is some hundred milliseconds of a processor: displays, sandboxes, programs. With twenty of them at once, each takes
//! as long as all together, and whatever else the machine does waits with them. One after the other, half of them are there in
//! half of the time.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::desktop::parts::RENDER;
use crate::source::{FactsCell, Part};

/// Starts at once for each processor, of which a start leaves much unused while it waits for a program.
const OF_A_PROCESSOR: usize = 2;
/// On machines with few.
const AT_LEAST: usize = 4;
/// Who has waited for so long begins all the same: others take theirs for slow programs.
const PATIENCE: Duration = Duration::from_secs(8);
/// A program that is not up by then is slow by waiting, not by working.
const LONGEST: Duration = Duration::from_secs(3);

/// The turns of the machine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StartTurns(Arc<Semaphore>);

impl Default for StartTurns {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::of((OF_A_PROCESSOR * processors).max(AT_LEAST))
    }
}

/// One of them, if there was one in time.
#[derive(Debug)]
pub(in crate::desktop) struct Turn(Option<OwnedSemaphorePermit>);

impl StartTurns {
    fn of(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// Waits for a turn, or until it has waited for long enough.
    pub(in crate::desktop) async fn next(&self) -> Turn {
        let turn = timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        Turn(turn.ok().and_then(Result::ok))
    }
}

impl Turn {
    /// Keeps it until the program is up, or what it hangs on has failed, or that takes long.
    pub(in crate::desktop) async fn until_up(self, facts: &FactsCell) {
        let mut watch = facts.watch();
        let up = watch.wait_for(|facts| facts[RENDER] == Part::Up || facts.failure.is_some());
        // However it ends, the next one may begin.
        let _ = timeout(LONGEST, up).await;
        drop(self.0);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::desktop::PARTS;

    #[tokio::test(start_paused = true)]
    async fn no_more_begin_at_once_than_there_are_turns_and_who_is_up_makes_room() {
        let (turns, first) = (StartTurns::of(2), FactsCell::of(&PARTS));
        let turn = turns.next().await;
        let _other = turns.next().await;
        assert!(timeout(Duration::from_secs(1), turns.next()).await.is_err());
        let begun = Instant::now();
        let (third, ()) = tokio::join!(turns.next(), async {
            tokio::join!(turn.until_up(&first), async {
                advance(Duration::from_secs(1)).await;
                first.update(|facts| facts[RENDER] = Part::Up);
            });
        });
        assert!(third.0.is_some());
        assert!(begun.elapsed() < LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_to_come_up_makes_room_after_a_while() {
        let (turns, facts) = (StartTurns::of(1), FactsCell::of(&PARTS));
        let begun = Instant::now();
        turns.next().await.until_up(&facts).await;
        assert!(begun.elapsed() >= LONGEST);
        assert!(turns.next().await.0.is_some());
        assert!(begun.elapsed() < LONGEST + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_for_long_begins_all_the_same() {
        let turns = StartTurns::of(1);
        let _held = turns.next().await;
        let begun = Instant::now();
        assert!(turns.next().await.0.is_none());
        assert!(begun.elapsed() >= PATIENCE);
    }
}

//! Which child a thread is running right now: one that blocks is seen from outside.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use super::child_spec::Life;
use super::exit::ExitReason;

/// Paths by the thread that runs them; nothing for a thread that runs none.
static BUSY: LazyLock<Mutex<HashMap<ThreadId, Arc<str>>>> = LazyLock::new(Mutex::default);

fn busy() -> MutexGuard<'static, HashMap<ThreadId, Arc<str>>> {
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The path of the child that `thread` is running right now, if it is running one.
#[must_use]
pub fn busy_child(thread: ThreadId) -> Option<Arc<str>> {
    busy().get(&thread).cloned()
}

/// A life that leaves its name while it is polled.
pub(super) struct Named {
    path: Arc<str>,
    life: Life,
}

impl Named {
    /// The life of the child at `path`.
    pub(super) fn new(path: Arc<str>, life: Life) -> Self {
        Self { path, life }
    }
}

impl Future for Named {
    type Output = ExitReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitReason> {
        let _named = Entry::new(&self.path);
        self.life.as_mut().poll(cx)
    }
}

/// Takes the name away again, after a panic, too.
struct Entry(ThreadId);

impl Entry {
    fn new(path: &Arc<str>) -> Self {
        let thread = thread::current().id();
        busy().insert(thread, Arc::clone(path));
        Self(thread)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        busy().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::supervision::{ChildSpec, Intensity, Restart, Strategy, SupervisorSpec, Tree};

    const SOON: Duration = Duration::from_secs(20);

    /// Waits, on a thread of its own, until `thread` runs the child of this name.
    fn seen(thread: ThreadId, name: &'static str) -> bool {
        let watcher = thread::spawn(move || {
            let until = Instant::now() + SOON;
            while Instant::now() < until {
                if busy_child(thread).is_some_and(|path| path.ends_with(name)) {
                    return true;
                }
                thread::sleep(Duration::from_millis(1));
            }
            false
        });
        watcher.join().unwrap()
    }

    #[test]
    fn a_child_that_blocks_its_thread_is_named_until_it_goes_on() {
        let here = thread::current().id();
        actix_rt::System::new().block_on(async move {
            let (answer, answers) = tokio::sync::oneshot::channel();
            let answer = Mutex::new(Some(answer));
            let blocker = ChildSpec::task("blocker", Restart::Temporary, move |_| {
                let answer = answer.lock().unwrap().take();
                async move {
                    // Blocks the thread, which is the point.
                    let named = seen(here, "/blocker");
                    answer.map(|a| a.send(named));
                    ExitReason::Normal
                }
            });
            let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(1, SOON));
            let _tree = Tree::start(spec.child(blocker));
            assert!(answers.await.unwrap());
            assert_eq!(busy_child(here), None);
        });
    }
}

//! Waits for programs, each on a thread of its own: they may last as long as a program takes, and threads for blocking work
//! are few. A class that starts a slow program holds a thread each; the database and everything else go on.

use std::thread::Builder;

use tokio::sync::oneshot;

/// What a wait on a display needs, and no more: there may be as many as instances.
const STACK: usize = 256 << 10;

/// Does `work` on a thread called `name`. `None`: there is no thread to be had, or it has panicked. Dropping it lets the thread
/// go on by itself.
pub(super) async fn on_own_thread<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let thread = Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
        // Nobody may wait any more.
        let _ = tell.send(work());
    });
    if let Err(error) = thread {
        log::warn!("code=no_thread no thread for {name}: {error}");
        return None;
    }
    told.await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn hundreds_that_wait_take_no_thread_for_blocking_work() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            // overflow: never, nothing is sent.
            let (held, waits): (Vec<_>, Vec<_>) = (0..200).map(|_| mpsc::sync_channel::<()>(1)).unzip();
            let waits: Vec<_> = waits
                .into_iter()
                .map(|wait| tokio::spawn(on_own_thread("waits", move || wait.recv().is_err())))
                .collect();
            tokio::task::yield_now().await;
            assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7);
            drop(held);
            for wait in waits {
                assert_eq!(wait.await.unwrap(), Some(true));
            }
        });
    }

    #[tokio::test]
    async fn one_that_panics_is_told_from_one_that_is_done() {
        assert_eq!(on_own_thread("panics", || panic!("on purpose")).await, None::<()>);
        assert_eq!(on_own_thread("is done", || 3).await, Some(3));
    }
}

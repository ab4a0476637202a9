//! Work on an instance's folders, away from the threads that serve everybody: a disk may take its time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::folders::removal;
use crate::ids::InstanceId;
use crate::instance::services::Services;
use crate::instance::spec::LaunchError;

/// Folders take milliseconds to make or remove. A disk that takes longer than this does not answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Does what may block on a thread for such work, and waits for it. What comes of it after the deadline goes to `undo`,
/// on such a thread, too.
///
/// # Errors
/// Those of `work`; [`LaunchError::Setup`] when it panics or takes too long.
pub(in crate::instance) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> Result<T, LaunchError> {
    let mut working = spawn_blocking(work);
    match timeout(DEADLINE, &mut working).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(LaunchError::Setup(format!("its folders: {panic}"))),
        Err(_) => {
            tokio::spawn(async move {
                if let Ok(Ok(unwanted)) = working.await {
                    let _ = spawn_blocking(move || undo(unwanted)).await;
                }
            });
            let seconds = DEADLINE.as_secs();
            Err(LaunchError::Setup(format!(
                "its folders were not ready within {seconds} s"
            )))
        }
    }
}

/// Removes what an instance has on disk. A removal that takes too long goes on by itself.
pub(in crate::instance) async fn removed(services: &Arc<Services>, id: InstanceId) {
    let services = Arc::clone(services);
    let removing = spawn_blocking(move || remove(&services, id));
    if timeout(DEADLINE, removing).await.is_err() {
        log::warn!("instance={id} its folders take long to remove");
    }
}

/// Removes what an instance has on disk. Blocks.
pub(in crate::instance) fn remove(services: &Services, id: InstanceId) {
    if let Err(error) = services.apps.remove(id) {
        log::warn!("instance={id} home not removed: {error}");
    }
    services.sandboxing.remove(id);
    if let Err(error) = removal::remove_tree(&services.state.instance(id)) {
        log::warn!("instance={id} folder not removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longer than any test waits for a thread that works.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_disk_that_takes_its_time_holds_nobody_else_up() {
        // overflow: one message is ever sent.
        let (go, wait) = mpsc::sync_channel(1);
        let work = move || Ok(wait.recv_timeout(PATIENCE).is_ok());
        let serving = async {
            tokio::task::yield_now().await;
            // On the thread of the work this would never be reached.
            go.send(()).unwrap();
        };
        let (worked, ()) = tokio::join!(apart(work, |_| ()), serving);
        assert!(worked.unwrap());
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_as_it_was() {
        let full = || Err::<(), _>(LaunchError::Setup("no space left on device".into()));
        let told = apart(full, |()| ()).await.unwrap_err();
        assert_eq!(
            told.to_string(),
            "the instance cannot be set up: no space left on device"
        );
        let panicked = apart(|| -> Result<(), _> { panic!("lost its way") }, |()| ()).await;
        assert_eq!(panicked.unwrap_err().code(), "setup_failed");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_too_late_is_undone() {
        // overflow: one message is ever sent through each.
        let (go, wait) = mpsc::sync_channel(1);
        let (undone, seen) = mpsc::sync_channel(1);
        let work = move || Ok(wait.recv_timeout(PATIENCE).is_ok());
        let mut made = Box::pin(apart(work, move |ready| undone.send(ready).unwrap()));
        // A blocking thread holds the paused clock still, so it is moved by hand.
        assert!(futures::poll!(&mut made).is_pending());
        tokio::time::advance(DEADLINE + Duration::from_secs(1)).await;
        assert_eq!(made.await.unwrap_err().code(), "setup_failed");
        go.send(()).unwrap();
        let undone = spawn_blocking(move || seen.recv_timeout(PATIENCE)).await.unwrap();
        assert_eq!(undone, Ok(true));
    }
}

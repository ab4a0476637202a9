//! Waiting for the siblings that a child hangs on, or how it ends without them.

use super::commands::DisplayId;
use super::process_child::keeper_gone;
use super::shared::DesktopShared;
use crate::process::KeeperClient;
use crate::supervision::{ChildContext, ExitReason};

/// The living keeper.
///
/// # Errors
/// How the child ends: it was told to, or the keeper does not come.
pub(super) async fn keeper(shared: &DesktopShared, cx: &ChildContext) -> Result<KeeperClient, ExitReason> {
    match cx.unless_stopping(shared.keeper()).await {
        Some(Ok(keeper)) => Ok(keeper),
        Some(Err(_)) => Err(keeper_gone()),
        None => Err(ExitReason::Shutdown),
    }
}

/// The running display.
///
/// # Errors
/// How the child ends: it was told to, or the display does not come.
pub(super) async fn display(shared: &DesktopShared, cx: &ChildContext) -> Result<DisplayId, ExitReason> {
    match cx.unless_stopping(shared.display()).await {
        Some(Ok(display)) => Ok(display),
        Some(Err(_)) => Err(ExitReason::dependency("display_lost")),
        None => Err(ExitReason::Shutdown),
    }
}

/// Both, for a process that is shown on the display.
///
/// # Errors
/// As of either.
pub(super) async fn both(shared: &DesktopShared, cx: &ChildContext) -> Result<(KeeperClient, DisplayId), ExitReason> {
    let keeper = keeper(shared, cx).await?;
    Ok((keeper, display(shared, cx).await?))
}

//! When an app counts as started.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use scopeguard::defer;
use tokio::time::{Instant, sleep};

use crate::config::Ready;
use crate::desktop::commands::DisplayId;
use crate::desktop::own_thread::on_own_thread;
use crate::desktop::shared::{DesktopShared, named, role};
use crate::files::Folder;
use crate::process::{KeeperClient, MAX_LOG_BYTES};
use crate::protocol::keeper::{Exit, MAX_TAIL_LINES};
use crate::x11::{Cancel, wait_for_drawn_window, wait_for_window_manager};

/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(100);
/// A window manager takes about a tenth of a second.
const MANAGER: Duration = Duration::from_secs(3);
/// What is read of a table of sockets, in which an app can have very many. Those that listen are the first.
const MAX_TABLE: u64 = 1 << 20;
/// One run of a command.
const TRY: Duration = Duration::from_secs(5);

/// Waits until the app is ready; `false` when it is not `within` this time. Dropping it ends the wait. `attached`: it
/// was started by an earlier host, and may have been ready before this one came. `pid`: its process.
pub(in crate::desktop) async fn ready(
    shared: &Arc<DesktopShared>,
    keeper: &KeeperClient,
    display: DisplayId,
    pid: i32,
    within: Duration,
    attached: bool,
) -> bool {
    let until = Instant::now() + within;
    let wait = async {
        match &shared.layout.app.ready {
            Ready::Window => window(shared, display, within).await,
            Ready::Tcp(port) => tcp(pid, *port).await,
            Ready::Log(pattern) => log_line(shared, keeper, pattern, attached).await,
            Ready::Command(command) => run(shared, keeper, display, command).await,
        }
    };
    tokio::time::timeout_at(until, wait).await.unwrap_or(false)
}

/// Waits until the window manager manages the display; `false` if it does not in time. Dropping it ends the wait.
pub(in crate::desktop) async fn managed(shared: &DesktopShared, display: DisplayId) -> bool {
    let cancel = Arc::<Cancel>::default();
    defer! { cancel.cancel() };
    let (address, token) = (shared.address(display), Arc::clone(&cancel));
    let found = on_own_thread("manager-wait", move || {
        wait_for_window_manager(&address, MANAGER, &token)
    })
    .await;
    matches!(found, Some(Ok(())))
}

async fn window(shared: &Arc<DesktopShared>, display: DisplayId, within: Duration) -> bool {
    let cancel = Arc::<Cancel>::default();
    defer! { cancel.cancel() };
    let (address, token) = (shared.address(display), Arc::clone(&cancel));
    let found = on_own_thread("window-wait", move || wait_for_drawn_window(&address, within, &token)).await;
    match found {
        Some(Ok(window)) => {
            log::info!("instance={} window={}x{} drawn", shared.id, window.width, window.height);
            true
        }
        Some(Err(error)) => {
            log::warn!("instance={} no window: {error}", shared.id);
            // A lost display ends the app as well, which is told then; until that, it is not ready.
            std::future::pending().await
        }
        None => false,
    }
}

/// The app may have a network of its own, where nobody could connect to it: its table of sockets tells as well.
async fn tcp(pid: i32, port: u16) -> bool {
    let look = move || {
        ["tcp", "tcp6"].iter().any(|table| {
            let mut text = Vec::new();
            let _ = File::open(format!("/proc/{pid}/net/{table}"))
                .and_then(|file| file.take(MAX_TABLE).read_to_end(&mut text));
            listens(&String::from_utf8_lossy(&text), port)
        })
    };
    while !tokio::task::spawn_blocking(look).await.unwrap_or(false) {
        sleep(LOOK).await;
    }
    true
}

/// Whether a table of sockets (`/proc/PID/net/tcp`, proc(5)) has one that listens on this port.
fn listens(table: &str, port: u16) -> bool {
    const LISTENING: &str = "0A";
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next().and_then(|local| local.rsplit_once(':'));
        let state = fields.nth(1);
        local.is_some_and(|(_, number)| u16::from_str_radix(number, 16) == Ok(port)) && state == Some(LISTENING)
    })
}

async fn log_line(shared: &DesktopShared, keeper: &KeeperClient, pattern: &str, attached: bool) -> bool {
    // The configuration checked that it compiles.
    let Ok(pattern) = regex::Regex::new(pattern) else {
        return false;
    };
    let mut look_back = attached;
    loop {
        let lines = keeper
            .tail(&named(role::RENDER), MAX_TAIL_LINES)
            .await
            .unwrap_or_default();
        if lines.iter().any(|line| pattern.is_match(line)) {
            return true;
        }
        // Written while no host was there, the line may have passed by.
        if std::mem::take(&mut look_back) && lines.len() >= MAX_TAIL_LINES && logged(shared, pattern.clone()).await {
            return true;
        }
        sleep(LOOK).await;
    }
}

/// Whether a line of the app's log files matches.
async fn logged(shared: &DesktopShared, pattern: regex::Regex) -> bool {
    let logs = shared.folder.join("logs");
    let look = move || {
        let Ok(logs) = Folder::open(&logs) else { return false };
        ["log", "log.1"].iter().any(|ending| {
            let bytes = logs.read(&format!("{}.{ending}", role::RENDER), MAX_LOG_BYTES);
            String::from_utf8_lossy(&bytes.unwrap_or_default())
                .lines()
                .any(|line| pattern.is_match(line))
        })
    };
    tokio::task::spawn_blocking(look).await.unwrap_or(false)
}

async fn run(shared: &DesktopShared, keeper: &KeeperClient, display: DisplayId, command: &str) -> bool {
    loop {
        let spec = shared.layout.readiness_command(display, command);
        if let Ok((Exit::Code(0), _)) = keeper.run(&named(role::READINESS), spec, TRY).await {
            return true;
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_counts_when_somebody_listens_on_it() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                     \x20  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000\n\
                     \x20  1: 0100007F:1389 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000\n";
        assert!(listens(table, 5000));
        assert!(!listens(table, 5001), "a connection");
        assert!(!listens(table, 50_000), "the other end's port");
        assert!(!listens("", 5000));
    }
}

//! Who is told of an app's windows, and who switches between them.

use futures::FutureExt;

use super::input::{SOON, owned, watching};
use crate::instance::actor::{ActivateWindow, Control};
use crate::instance::testing::Running;
use crate::instance::{ControlWish, OutboundTexts, Speaker};
use crate::protocol::windows::WindowEntry;
use crate::protocol::words::Role;
use crate::session::testing::Bench;

/// Waits until somebody was told how the instance is, with this many windows.
async fn told(socket: &mut OutboundTexts, windows: usize) {
    let heard = async {
        loop {
            let text = socket.next().await.unwrap();
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "instance" && message["windows"].as_array().map_or(0, Vec::len) == windows {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, heard).await.unwrap();
}

/// The word by which somebody's wish for a window is refused.
async fn refusal(running: &Running, who: &Speaker) -> Option<&'static str> {
    let wish = ActivateWindow {
        who: who.clone(),
        window: 1,
    };
    let answer = running.handle.actor().ask(wish, SOON).await.unwrap();
    answer.err().map(|error| error.code())
}

#[actix_rt::test]
async fn the_windows_of_an_app_are_told_to_who_may_steer_and_switched_between_by_who_does() {
    let bench = Bench::new(false, Some(Role::Spectator)).await;
    let (owner, running) = owned(&bench).await;
    let (guest, _) = bench.book.create(None).await.unwrap();
    let (mine, _, mut my_socket) = watching(&bench, &running, &owner).await;
    let (theirs, _, mut their_socket) = watching(&bench, &running, &guest).await;
    told(&mut my_socket, 0).await;
    told(&mut their_socket, 0).await;
    let window = |id| WindowEntry {
        id,
        title: "secret".into(),
        active: id == 1,
        hidden: false,
    };
    let windows = running.windows();
    windows.send_replace(vec![window(1), window(2)]);
    told(&mut my_socket, 2).await;
    while let Some(Some(text)) = their_socket.next().now_or_never() {
        assert!(!text.contains("secret"), "{text}");
    }
    assert_eq!(refusal(&running, &mine).await, None);
    assert_eq!(refusal(&running, &theirs).await, Some("not_allowed"));

    let wish = ControlWish::Grant(theirs.viewer);
    let grant = Control {
        who: mine.clone(),
        wish,
    };
    running.handle.actor().ask(grant, SOON).await.unwrap().unwrap();
    told(&mut their_socket, 2).await;
    assert_eq!(refusal(&running, &theirs).await, None);
    assert_eq!(
        refusal(&running, &mine).await,
        Some("not_allowed"),
        "somebody else steers"
    );
}

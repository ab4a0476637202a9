//! The tree pushed to a page as it changes: Server-Sent Events (WHATWG HTML, section 9.2).
//!
//! ```text
//!   something happens ──▶ event `child` at once ──▶ event `tree` a little later, one for all that happens meanwhile
//!   nothing happens   ──▶ event `tree` every 2 s: uptimes, progress, mailboxes
//! ```
//!
//! A page that does not read is not written to: its body is not polled, the kernel's events pass it by, and it is told
//! how many it missed.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::super::Api;
use super::super::problem::Problem;
use super::super::who::Admin;
use super::view;
use crate::session::Pass;
use crate::supervision::{Events, Missed};

/// Pages that watch at once.
const MOST_WATCHERS: usize = 32;
/// After something has happened, the tree is sent within this time.
const SOON: Duration = Duration::from_millis(80);
/// The tree is sent at least this often.
const AT_LEAST_EVERY: Duration = Duration::from_secs(2);
/// When a page that lost the stream comes back, in ms.
const RETRY_MS: u32 = 1000;

/// Counts the pages that watch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_WATCHERS)))
    }
}

/// `GET /api/v1/admin/supervision/stream`
pub async fn stream(
    api: web::Data<Api>,
    Admin(pass): Admin,
    query: web::Query<view::Query>,
) -> Result<HttpResponse, Problem> {
    let wanted = query.into_inner().read();
    let wanted = wanted.map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "bad_request", why))?;
    let permit = Arc::clone(&api.watchers.0).try_acquire_owned().map_err(|_| {
        let detail = format!("{MOST_WATCHERS} pages watch the tree already");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "capacity", detail).retry_after(AT_LEAST_EVERY)
    })?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(messages(api, pass, wanted, permit)))
}

struct Watcher {
    api: web::Data<Api>,
    events: Events,
    /// When the tree is to be sent at the latest.
    due: Instant,
    /// Until the token is replaced.
    pass: Pass,
    wanted: view::Wanted,
    _permit: OwnedSemaphorePermit,
}

fn messages(
    api: web::Data<Api>,
    pass: Pass,
    wanted: view::Wanted,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let watcher = Watcher {
        events: api.tree.subscribe(),
        api,
        due: Instant::now(),
        pass,
        wanted,
        _permit: permit,
    };
    futures::stream::unfold(watcher, |mut watcher| async move {
        let message = watcher.next().await?;
        Some((Ok(message), watcher))
    })
}

impl Watcher {
    /// The next message; `None` when there is no tree any more, or who watches is no administrator any more.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            // The other way round, a storm of events would keep the tree from being sent.
            biased;
            () = self.pass.ended() => None,
            () = sleep_until(self.due) => {
                self.due = Instant::now() + AT_LEAST_EVERY;
                Some(message("tree", &view::shown(&self.api, &self.wanted)))
            }
            happened = self.events.next() => {
                self.due = self.due.min(Instant::now() + SOON);
                Some(match happened? {
                    Ok(event) => message("child", &json!(event)),
                    Err(Missed(missed)) => message("missed", &json!({ "missed": missed })),
                })
            }
        }
    }
}

/// One event. JSON has no line feeds of its own, so that one `data` line is enough.
fn message(event: &str, data: &Value) -> Bytes {
    format!("retry: {RETRY_MS}\nevent: {event}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_event_whatever_it_holds() {
        let text = message("child", &json!({ "detail": "two\nlines\r\n\nand data: more" }));
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.ends_with("\n\n"));
        assert_eq!(text.trim_end().lines().count(), 3);
    }
}

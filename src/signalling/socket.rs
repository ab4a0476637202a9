//! One WebSocket (RFC 6455) of a browser.

use std::any::Any;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Message, StreamHandler};
use actix_http::ws::Item;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use futures::stream;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::frames::{MAX_FRAME, Refused};
use super::guard::{Guarded, Verdict};
use crate::instance::{OutboundTexts, outbound};
use crate::observe::Lines;
use crate::protocol::signalling::{SUBPROTOCOL, ServerMessage, decode};
use crate::session::Tenure;
use crate::session::actor::{Attach, Detach, FromBrowser, SessionActor, SocketId};
use crate::supervision::ChildRef;

/// Pings are sent this often, and the browser answers by itself.
const PING: Duration = Duration::from_secs(10);
/// A socket that says nothing for this long is closed.
const SILENCE: Duration = Duration::from_secs(30);
/// Frames that are no message: so many are answered, then the socket is closed with 1008.
const MAX_MALFORMED: u32 = 10;

/// So many times the messages of a second may come at once.
const BURST: NonZeroU32 = NonZeroU32::new(4).expect("four is not zero");
/// After so many messages over the rate the socket is closed with 1008.
const MAX_REFUSED: u32 = 500;

/// What is written down of all sockets that send what they should not.
static LINES: Lines = Lines::a_minute(300);
static NEXT_SOCKET: AtomicU64 = AtomicU64::new(1);

/// The actor of one socket.
#[derive(Debug)]
pub struct SocketActor {
    id: SocketId,
    session: ChildRef<SessionActor>,
    /// The life of the session that knows this socket. A later one does not, and would answer it nothing.
    attached_to: u64,
    texts: Option<OutboundTexts>,
    /// What it was opened with; closed when that ends.
    tenure: Option<Tenure>,
    heard: Instant,
    malformed: u32,
    /// A message in several frames, as far as it has come; no larger than a message may be.
    partial: Option<Vec<u8>>,
    /// Why the guard before it has ended what is read.
    verdict: Verdict,
    rate: DefaultDirectRateLimiter,
    /// Whether the last message was over the rate.
    over: bool,
    /// Messages that were over it.
    refused: u32,
    _kept: Box<dyn Any>,
}

/// Whether a request is an upgrade to a socket that can be answered.
///
/// # Errors
/// [`NoUpgrade`].
pub fn check(request: &HttpRequest) -> Result<(), NoUpgrade> {
    ws::handshake(request).map(|_| ()).map_err(NoUpgrade)
}

/// A request that opens no socket.
#[derive(Debug, thiserror::Error)]
#[error("this address is for sockets: {0}")]
pub struct NoUpgrade(ws::HandshakeError);

impl NoUpgrade {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "no_upgrade"
    }
}

/// Answers the upgrade of a request that came with `tenure` and `from` somewhere. A message over the rate is refused; `kept` is dropped when the socket is gone.
///
/// # Errors
/// When the request is no proper upgrade ([`check`]).
pub async fn upgrade(
    request: &HttpRequest,
    payload: web::Payload,
    session: ChildRef<SessionActor>,
    tenure: Tenure,
    from: IpAddr,
    messages_per_second: NonZeroU32,
    kept: Box<dyn Any>,
) -> Result<HttpResponse, actix_web::Error> {
    let id = NEXT_SOCKET.fetch_add(1, Ordering::Relaxed);
    let (out, texts) = outbound();
    let generation = session.generation();
    let attach = Attach {
        socket: id,
        out,
        from,
        tenure: tenure.clone(),
    };
    let attach = |generation| session.tell_generation(generation, attach);
    let Some(attached_to) = generation.filter(|generation| attach(*generation).is_ok()) else {
        return Ok(HttpResponse::ServiceUnavailable().finish());
    };
    let burst = messages_per_second.saturating_mul(BURST);
    let verdict = Verdict::default();
    let actor = SocketActor {
        id,
        session,
        attached_to,
        texts: Some(texts),
        tenure: Some(tenure),
        heard: Instant::now(),
        malformed: 0,
        partial: None,
        verdict: Rc::clone(&verdict),
        rate: RateLimiter::direct(Quota::per_second(messages_per_second).allow_burst(burst)),
        over: false,
        refused: 0,
        _kept: kept,
    };
    ws::WsResponseBuilder::new(actor, request, Guarded::new(payload, verdict))
        .protocols(&[SUBPROTOCOL])
        .frame_size(MAX_FRAME)
        .start()
}

type Socket = ws::WebsocketContext<SocketActor>;

impl SocketActor {
    /// Whether what has come is within the rate. Nobody's page is ever over it; who goes on regardless is closed.
    fn within_rate(&mut self, ctx: &mut Socket) -> bool {
        let was_over = std::mem::replace(&mut self.over, self.rate.check().is_err());
        if !self.over {
            return true;
        }
        self.refused += 1;
        if self.refused == 1 {
            log::log!(LINES.level(), "socket={} sends too much", self.id);
        }
        if !was_over {
            send(
                ctx,
                &ServerMessage::refusal("rate_limited", "too many messages", Some(1)),
            );
        }
        if self.refused >= MAX_REFUSED {
            close(ctx, ws::CloseCode::Policy, "too many messages");
        }
        false
    }

    fn text(&mut self, text: &str, ctx: &mut Socket) {
        match decode(text) {
            Ok(message) => {
                let socket = self.id;
                let message = FromBrowser { socket, message };
                if self.session.tell_generation(self.attached_to, message).is_err() {
                    // The session is gone; a new socket starts it anew, or finds the one that another has started.
                    close(ctx, ws::CloseCode::Restart, "session restarted");
                }
            }
            Err(error) => {
                self.malformed += 1;
                log::log!(LINES.level(), "socket={} refused={}: {error}", self.id, error.code());
                send(ctx, &ServerMessage::error(error.code(), error.to_string()));
                if self.malformed >= MAX_MALFORMED {
                    close(ctx, ws::CloseCode::Policy, "too many messages that cannot be read");
                }
            }
        }
    }

    fn binary(&mut self, ctx: &mut Socket) {
        self.malformed += 1;
        send(
            ctx,
            &ServerMessage::error("malformed", "binary frames are not part of this protocol"),
        );
        if self.malformed >= MAX_MALFORMED {
            close(ctx, ws::CloseCode::Unsupported, "binary frames");
        }
    }

    /// Frames of one message arrive as they are; that they do not become too many or too large has been seen to.
    fn continuation(&mut self, item: Item, ctx: &mut Socket) {
        let (bytes, last) = match item {
            Item::FirstText(_) | Item::FirstBinary(_) if !self.within_rate(ctx) => {
                self.partial = None;
                return;
            }
            Item::FirstText(bytes) => {
                self.partial = Some(Vec::new());
                (bytes, false)
            }
            Item::FirstBinary(_) => return self.binary(ctx),
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let Some(partial) = &mut self.partial else { return };
        partial.extend_from_slice(&bytes);
        if last && let Some(whole) = self.partial.take() {
            match String::from_utf8(whole) {
                Ok(text) => self.text(&text, ctx),
                Err(_) => close(ctx, ws::CloseCode::Invalid, "not UTF-8"),
            }
        }
    }

    /// Nothing more is read: by what the guard says, or the codec.
    fn unreadable(&mut self, error: &ws::ProtocolError, ctx: &mut Socket) {
        let Some(refused) = self.verdict.get() else {
            log::log!(LINES.level(), "socket={} protocol error: {error}", self.id);
            return close(ctx, ws::CloseCode::Protocol, "protocol error");
        };
        log::log!(LINES.level(), "socket={} refused: {refused}", self.id);
        let code = match refused {
            Refused::TooLarge => {
                send(ctx, &ServerMessage::error("too_large", refused.to_string()));
                ws::CloseCode::Size
            }
            Refused::TooSlow => ws::CloseCode::Policy,
            Refused::Protocol => ws::CloseCode::Protocol,
        };
        close(ctx, code, &refused.to_string());
    }
}

fn send(ctx: &mut Socket, message: &ServerMessage) {
    if let Ok(text) = serde_json::to_string(message) {
        ctx.text(text);
    }
}

fn close(ctx: &mut Socket, code: ws::CloseCode, why: &str) {
    ctx.close(Some(ws::CloseReason {
        code,
        description: Some(why.to_owned()),
    }));
    // The close frame alone does not end the actor.
    ctx.stop();
}

impl Actor for SocketActor {
    type Context = Socket;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(texts) = self.texts.take() {
            ctx.add_stream(stream::unfold(Some(texts), |texts| async move {
                let mut texts = texts?;
                Some(match texts.next().await {
                    Some(text) => (ToBrowser::Text(text), Some(texts)),
                    None => (ToBrowser::Overflow, None),
                })
            }));
        }
        if let Some(tenure) = self.tenure.take() {
            ctx.add_stream(stream::once(async move {
                tenure.ended().await;
                ToBrowser::SignedOut
            }));
        }
        ctx.run_interval(PING, |act, ctx| {
            if act.heard.elapsed() > SILENCE {
                log::info!("socket={} silent", act.id);
                close(ctx, ws::CloseCode::Away, "silent for too long");
            } else {
                ctx.ping(b"");
            }
        });
    }
}

/// However it ends: also where it never began, because its upgrade failed.
impl Drop for SocketActor {
    fn drop(&mut self) {
        let _ = self.session.tell_generation(self.attached_to, Detach(self.id));
    }
}

/// What comes from the host's side.
#[derive(Message)]
#[rtype(result = "()")]
enum ToBrowser {
    Text(Arc<str>),
    Overflow,
    SignedOut,
}

impl StreamHandler<ToBrowser> for SocketActor {
    fn handle(&mut self, item: ToBrowser, ctx: &mut Self::Context) {
        match item {
            ToBrowser::Text(text) => ctx.text(&*text),
            ToBrowser::Overflow => {
                log::log!(LINES.level(), "socket={} does not read", self.id);
                close(ctx, ws::CloseCode::Again, "too much is waiting");
            }
            ToBrowser::SignedOut => {
                log::info!("socket={} of a session or a token of before", self.id);
                close(
                    ctx,
                    ws::CloseCode::Restart,
                    "what this socket was opened with has ended",
                );
            }
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for SocketActor {
    fn handle(&mut self, item: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        self.heard = Instant::now();
        // The frames of one message count as one, up to their own bound.
        let counted = !matches!(item, Ok(ws::Message::Continuation(_) | ws::Message::Close(_)) | Err(_));
        if counted && !self.within_rate(ctx) {
            return;
        }
        match item {
            Ok(ws::Message::Text(text)) => self.text(&text, ctx),
            Ok(ws::Message::Binary(_)) => self.binary(ctx),
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Continuation(item)) => self.continuation(item, ctx),
            Ok(ws::Message::Close(reason)) => {
                ctx.close(reason);
                ctx.stop();
            }
            Err(error) => self.unreadable(&error, ctx),
        }
    }
}

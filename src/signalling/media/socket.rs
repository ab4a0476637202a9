//! One media socket of a browser.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, StreamHandler, WrapFuture};
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::super::frames::{MAX_FRAME, Refused};
use super::super::guard::{Guarded, Verdict};
use super::ask::Ask;
use super::capacity::Capacity;
use super::feed::{Gate, frames};
use super::kernel::Kernel;
use super::shows::{Shows, Wrong, close_code, why};
use crate::clock::monotonic_us;
use crate::instance::peers::media_peer::{MediaPeer, Picture};
use crate::instance::{InstanceHandle, RequestError};
use crate::media::{Frame, Presses};
use crate::observe::Lines;
use crate::peer::{InputChannel, InputCounters, InputEvents, told};
use crate::protocol::input::{InputEvent, encode_closed, encode_status};
use crate::protocol::media::{self, FromPage, Opened};
use crate::protocol::rfb::Filter;
use crate::protocol::signalling::CloseReason;
use crate::session::Tenure;
use crate::source::LineEnd;

/// Pings are sent this often, and the browser answers by itself.
const PING: Duration = Duration::from_secs(10);
/// A socket that says nothing for this long is closed.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is looked at whether the page still takes frames.
const LOOK: Duration = Duration::from_secs(2);
/// Messages that are none: so many are left out, then the socket is closed with 1008.
const MAX_MALFORMED: u32 = 20;
/// After so many messages over the rate the socket is closed with 1008.
const MAX_DROPPED: u64 = 20_000;

/// What is written down of all media sockets.
static LINES: Lines = Lines::a_minute(300);
static NEXT_SOCKET: AtomicU64 = AtomicU64::new(1);

/// What a socket begins with.
#[derive(Debug)]
pub struct MediaRequest {
    /// Of which instance.
    pub instance: InstanceHandle,
    /// What it is asked for.
    pub ask: Ask,
    /// What the request came with; the socket is closed when that ends.
    pub tenure: Tenure,
    /// The kernel's side of its connection.
    pub kernel: Kernel,
    /// Dropped when the socket is gone.
    pub kept: Box<dyn Any>,
}

/// The actor of one socket.
#[derive(Debug)]
pub struct MediaSocket {
    id: u64,
    instance: InstanceHandle,
    ask: Option<Ask>,
    tenure: Option<Tenure>,
    kernel: Kernel,
    peer: Option<Playing>,
    heard: Instant,
    malformed: u32,
    /// Why the guard before it has ended what is read.
    verdict: Verdict,
    _kept: Box<dyn Any>,
}

/// What there is once the instance has let it in.
#[derive(Debug)]
struct Playing {
    peer: MediaPeer,
    shows: Shows,
    events: InputEvents,
    presses: Option<Arc<Presses>>,
    counters: Arc<InputCounters>,
}

/// Answers the upgrade to a socket of this sub-protocol.
///
/// # Errors
/// When the request is no proper upgrade ([`super::super::check`]).
pub async fn open(
    request: &HttpRequest,
    payload: web::Payload,
    begins: MediaRequest,
    protocol: &'static str,
) -> Result<HttpResponse, actix_web::Error> {
    let verdict = Verdict::default();
    let actor = MediaSocket {
        id: NEXT_SOCKET.fetch_add(1, Ordering::Relaxed),
        instance: begins.instance,
        ask: Some(begins.ask),
        tenure: Some(begins.tenure),
        kernel: begins.kernel,
        peer: None,
        heard: Instant::now(),
        malformed: 0,
        verdict: Rc::clone(&verdict),
        _kept: begins.kept,
    };
    ws::WsResponseBuilder::new(actor, request, Guarded::new(payload, verdict))
        .protocols(&[protocol])
        .frame_size(MAX_FRAME)
        .start()
}

type Socket = ws::WebsocketContext<MediaSocket>;

/// What comes from the host's side.
enum ToPage {
    Frame(Arc<Frame>),
    Rfb(Bytes),
    LineEnded(LineEnd),
    Status(Option<String>),
    Close(CloseReason),
    SignedOut,
}

impl MediaSocket {
    fn opened(&mut self, opened: Result<MediaPeer, RequestError>, ctx: &mut Socket) {
        let peer = match opened {
            Ok(peer) => peer,
            Err(error) => return self.refused(&error, ctx),
        };
        let id = peer.peer;
        let (peer, Some(picture)) = peer.with_picture() else {
            return self.put_out(ctx, ws::CloseCode::Error, "no picture");
        };
        ctx.binary(media::encode_opened(&Opened {
            peer_id: id,
            codec: picture.format(),
        }));
        let shows = shown(picture, std::mem::take(&mut self.kernel), ctx);
        let mut status = peer.status.clone();
        status.mark_changed();
        ctx.add_stream(stream::unfold(status, |mut status| async move {
            status.changed().await.ok()?;
            let text = status.borrow_and_update().clone();
            Some((ToPage::Status(text), status))
        }));
        let asked = peer.asked();
        ctx.add_stream(stream::once(async move { ToPage::Close(asked.await) }));
        let counters = Arc::new(InputCounters::default());
        self.peer = Some(Playing {
            events: InputEvents::new(Arc::clone(&peer.input), Arc::clone(&counters)),
            presses: peer.input.presses(),
            peer,
            shows,
            counters,
        });
    }

    fn refused(&self, error: &RequestError, ctx: &mut Socket) {
        log::log!(
            LINES.level(),
            "instance={} media socket={} refused={}: {error}",
            self.instance.spec().id,
            self.id,
            error.code()
        );
        ctx.binary(media::encode_refused(&media::Refused {
            code: error.code(),
            message: error.to_string(),
            retry_after: error.retry_after(),
        }));
        let code = if error.retry_after().is_some() {
            ws::CloseCode::Again
        } else {
            ws::CloseCode::Policy
        };
        close(ctx, code, error.code());
    }

    fn binary(&mut self, bytes: &Bytes, ctx: &mut Socket) {
        // What comes before the answer is about nothing.
        let Some(playing) = &mut self.peer else { return };
        match media::decode(bytes) {
            Ok(FromPage::Input(frame)) => {
                let channel = if frame.event.is_move() {
                    InputChannel::Moves
                } else {
                    InputChannel::Input
                };
                match frame.event {
                    InputEvent::Hidden => playing.shows.hide(true),
                    InputEvent::Visible => playing.shows.hide(false),
                    InputEvent::Rendition { rung } => playing.shows.pin(rung),
                    _ => {}
                }
                if let Some(answer) = playing.events.take(frame, channel) {
                    ctx.binary(answer);
                }
            }
            Ok(said) => match playing.shows.said(said, playing.events.allow()) {
                Ok(()) => {}
                Err(Wrong::Message(code, why)) => self.malformed(code, &why, ctx),
                Err(Wrong::Fatal(code, why)) => return self.put_out(ctx, code, why),
            },
            Err(error) => self.malformed(error.code(), &error, ctx),
        }
        let dropped = self
            .peer
            .as_ref()
            .map_or(0, |p| p.counters.dropped.load(Ordering::Relaxed));
        if dropped >= MAX_DROPPED {
            self.put_out(ctx, ws::CloseCode::Policy, "too many messages");
        }
    }

    fn malformed(&mut self, code: &str, why: &dyn std::fmt::Display, ctx: &mut Socket) {
        self.malformed += 1;
        log::debug!("media socket={} refused={code}: {why}", self.id);
        if self.malformed >= MAX_MALFORMED {
            self.put_out(ctx, ws::CloseCode::Policy, "too many messages that cannot be read");
        }
    }

    /// Nothing more is read: by what the guard says, or the codec.
    fn unreadable(&mut self, ctx: &mut Socket) {
        let (code, why) = match self.verdict.get() {
            Some(Refused::TooLarge) => (ws::CloseCode::Size, "the message is too large"),
            Some(Refused::TooSlow) => (ws::CloseCode::Policy, "the message takes too long"),
            Some(Refused::Protocol) | None => (ws::CloseCode::Protocol, "protocol error"),
        };
        self.put_out(ctx, code, why);
    }

    /// The page does what it should not.
    fn put_out(&mut self, ctx: &mut Socket, code: ws::CloseCode, why: &str) {
        log::log!(LINES.level(), "media socket={} closed: {why}", self.id);
        if let Some(playing) = &mut self.peer {
            playing.peer.ends(CloseReason::Fault);
        }
        close(ctx, code, why);
    }

    fn look(&mut self, ctx: &mut Socket) {
        if self.peer.as_ref().is_some_and(|playing| playing.shows.is_gone()) {
            self.put_out(ctx, ws::CloseCode::Again, "no frames are taken");
        } else if self.heard.elapsed() > SILENCE {
            self.put_out(ctx, ws::CloseCode::Away, "silent for too long");
        }
    }
}

/// Has what a picture comes of flow to the page.
fn shown(picture: Picture, kernel: Kernel, ctx: &mut Socket) -> Shows {
    match picture {
        Picture::Frames(_, subscription) => {
            let capacity = Capacity::new();
            let gate = Gate::new(capacity.told(), kernel);
            ctx.add_stream(frames(subscription, Rc::clone(&gate)).map(ToPage::Frame));
            Shows::Frames { gate, capacity }
        }
        Picture::Vnc(line) => {
            ctx.add_stream(stream::unfold(Some(line.incoming()), |incoming| async move {
                let incoming = incoming?;
                match incoming.next().await {
                    Ok(bytes) => Some((ToPage::Rfb(bytes), Some(incoming))),
                    Err(end) => Some((ToPage::LineEnded(end), None)),
                }
            }));
            Shows::Vnc {
                line,
                filter: Filter::default(),
            }
        }
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

impl Actor for MediaSocket {
    type Context = Socket;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(tenure) = self.tenure.take() {
            ctx.add_stream(stream::once(async move {
                tenure.ended().await;
                ToPage::SignedOut
            }));
        }
        if let Some(ask) = self.ask.take() {
            let work = ask.of(self.instance.clone());
            ctx.spawn(work.into_actor(self).map(|opened, act, ctx| act.opened(opened, ctx)));
        }
        ctx.run_interval(PING, |_, ctx| ctx.ping(b""));
        ctx.run_interval(LOOK, Self::look);
    }
}

/// However it ends; its peer goes with it.
impl Drop for MediaSocket {
    fn drop(&mut self) {
        if let Some(playing) = &self.peer {
            log::debug!(
                "media socket={} peer={} gone {}",
                self.id,
                playing.peer.peer,
                playing.shows.summary()
            );
        }
    }
}

impl StreamHandler<ToPage> for MediaSocket {
    fn handle(&mut self, item: ToPage, ctx: &mut Self::Context) {
        match item {
            ToPage::Frame(frame) => {
                let Some(Playing {
                    shows: Shows::Frames { gate, .. },
                    presses,
                    ..
                }) = &self.peer
                else {
                    return;
                };
                let mut under_way = gate.under_way.borrow_mut();
                let message = media::frame(
                    frame.rendition.rung,
                    frame.key,
                    under_way.next_number(),
                    frame.pts_us,
                    &frame.data,
                );
                under_way.send(message.len(), frame.key, Instant::now());
                ctx.binary(message);
                if let Some(presses) = presses {
                    presses.sent(frame.pts_us, frame.stamps, monotonic_us());
                    while let Some(shown) = presses.take() {
                        ctx.binary(told(&shown));
                    }
                }
            }
            ToPage::Rfb(bytes) => ctx.binary(media::of_vnc(&bytes)),
            ToPage::LineEnded(LineEnd::Lost) => {
                if let Some(playing) = &mut self.peer {
                    playing.peer.ends(CloseReason::Fault);
                }
                ctx.binary(encode_closed(CloseReason::Fault));
                close(ctx, close_code(LineEnd::Lost), why(LineEnd::Lost));
            }
            ToPage::LineEnded(end) => self.put_out(ctx, close_code(end), why(end)),
            ToPage::Status(text) => {
                if let Some(text) = text {
                    ctx.binary(encode_status(&text));
                }
            }
            ToPage::Close(reason) => {
                if let Some(playing) = &mut self.peer {
                    playing.peer.ends(reason);
                }
                ctx.binary(encode_closed(reason));
                close(ctx, ws::CloseCode::Normal, reason.as_str());
            }
            ToPage::SignedOut => {
                if let Some(playing) = &mut self.peer {
                    playing.peer.ends(CloseReason::SignedOut);
                }
                ctx.binary(encode_closed(CloseReason::SignedOut));
                let why = "what this socket was opened with has ended";
                close(ctx, ws::CloseCode::Restart, why);
            }
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for MediaSocket {
    fn handle(&mut self, item: Result<ws::Message, ws::ProtocolError>, ctx: &mut Self::Context) {
        self.heard = Instant::now();
        match item {
            Ok(ws::Message::Binary(bytes)) => self.binary(&bytes, ctx),
            Ok(ws::Message::Ping(bytes)) => ctx.pong(&bytes),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Text(_)) => self.malformed("text", &"text is not part of this protocol", ctx),
            // Browsers send whole messages, and these are short.
            Ok(ws::Message::Continuation(_)) => self.malformed("parts", &"a message in parts", ctx),
            Ok(ws::Message::Close(_)) => {
                if let Some(playing) = &mut self.peer {
                    playing.peer.ends(CloseReason::Requested);
                }
                ctx.close(None);
                ctx.stop();
            }
            Err(_) => self.unreadable(ctx),
        }
    }
}

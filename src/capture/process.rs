//! The capture process: one thread that waits for damage, the host and the encoders at once.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{getsockopt, sockopt};

use super::args::CaptureArgs;
use super::encoders::{EncoderFailure, Encoders, NoneStarts};
use super::exit::CaptureExit;
use super::lane::Common;
use super::link::Link;
use super::outlet::Outlet;
use super::pictures::Pictures;
use super::privileges;
use super::resizing::{Follow, Resizing};
use crate::clock::monotonic_us;
use crate::gst::{Encoder, GstError, init, probe};
use crate::media::Rendition;
use crate::protocol::capture::{CaptureMessage, HostMessage, VERSION};
use crate::x11::{DisplayAddress, Grabber, Wake, X11Error, wait_readable};

/// Names the file descriptor of the listening socket.
pub const LISTEN_FD: &str = "HELIOSTAT_LISTEN_FD";
/// How long the display may take to answer at start.
const CONNECT: Duration = Duration::from_secs(10);
/// How often the host hears that this process lives.
const ALIVE_US: u64 = 1_000_000;
/// Between two tries to let a host in for which there was no descriptor.
const DEAF_US: u64 = 200_000;
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why the process ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Display(#[from] X11Error),
    #[error(transparent)]
    Encoder(#[from] GstError),
    #[error(transparent)]
    EncoderRunning(#[from] EncoderFailure),
    #[error(transparent)]
    NoneStarts(#[from] NoneStarts),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    System(#[from] std::io::Error),
}

impl Failure {
    const fn exit(&self) -> CaptureExit {
        match self {
            Self::Display(X11Error::Io { .. }) | Self::System(_) => CaptureExit::System,
            Self::Display(_) => CaptureExit::DisplayLost,
            Self::Encoder(_) | Self::EncoderRunning(_) | Self::NoneStarts(_) => CaptureExit::EncoderFailed,
            Self::Usage(_) => CaptureExit::Usage,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Display(error) => error.code(),
            Self::Encoder(error) => error.code(),
            Self::EncoderRunning(failure) => failure.error.code(),
            Self::NoneStarts(_) => "encoder_start",
            Self::Usage(_) => "usage",
            Self::System(_) => "system",
        }
    }
}

/// Runs the capture process until it fails; its supervisor kills it when it is no longer needed.
#[must_use]
pub fn run(args: &CaptureArgs) -> ExitCode {
    let result = match &args.probe {
        Some(element) => run_probe(element),
        None => Process::start(args).and_then(Process::run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::error!("code={} {failure}", failure.code());
            failure.exit().into()
        }
    }
}

/// Tries an encoder, with no more rights than a capture has.
fn run_probe(element: &str) -> Result<(), Failure> {
    let encoder = known(element)?;
    init()?;
    privileges::give_up(false).map_err(std::io::Error::from)?;
    let json = serde_json::to_string(&probe(encoder)).map_err(std::io::Error::from)?;
    println!("{json}");
    Ok(())
}

struct Process {
    listener: UnixListener,
    allowed_uid: u32,
    grabber: Grabber,
    encoders: Encoders,
    outlet: Arc<Outlet>,
    wake: Arc<Wake>,
    link: Option<Link>,
    pictures: Pictures,
    resizing: Resizing,
    /// The last picture is not what is on the screen.
    stale: bool,
    /// When the last change was heard of.
    changed_us: u64,
    grabbed: u64,
    damage: u64,
    alive_at_us: u64,
    /// Nobody is let in before: there was no descriptor for a connection.
    deaf_until_us: u64,
}

impl Process {
    fn start(args: &CaptureArgs) -> Result<Self, Failure> {
        let preferred = args
            .encoder
            .iter()
            .map(|name| known(name))
            .collect::<Result<Vec<_>, _>>()?;
        let listener = listener()?;
        // Before anything starts a thread.
        init()?;
        #[cfg(debug_assertions)]
        super::sabotage::install().map_err(std::io::Error::from)?;
        // Who listens on a socket is who made it: the keeper, whose user is the host's, as this namespace sees it.
        let allowed_uid = getsockopt(&listener, sockopt::PeerCredentials)
            .map_err(std::io::Error::from)?
            .uid();
        let address = DisplayAddress {
            number: args.display,
            authority: args.xauthority.clone(),
        };
        let grabber = Grabber::connect(&address, args.width, args.height, CONNECT)?;
        privileges::give_up(args.debuggable).map_err(std::io::Error::from)?;
        let wake = Arc::new(Wake::new()?);
        let outlet = Arc::new(Outlet::new(Arc::clone(&wake)));
        let common = Common {
            size: grabber.size(),
            fps: args.fps,
            full_kbps: args.bitrate_kbps,
            outlet: Arc::clone(&outlet),
        };
        let encoders = Encoders::new(&preferred, &args.without, common);
        log::info!(
            "display={address} size={:?} encoders={:?}",
            grabber.size(),
            encoders.available()
        );
        Ok(Self {
            listener,
            allowed_uid,
            pictures: Pictures::new(grabber.size()),
            grabber,
            encoders,
            outlet,
            wake,
            link: None,
            resizing: Resizing::default(),
            stale: true,
            changed_us: 0,
            grabbed: 0,
            damage: 0,
            alive_at_us: 0,
            deaf_until_us: 0,
        })
    }

    fn run(mut self) -> Result<(), Failure> {
        loop {
            #[cfg(debug_assertions)]
            self.sabotage();
            let until = match self.turn() {
                Ok(until) => until,
                Err(failure) => {
                    self.last_words(&failure);
                    self.encoders.abandon();
                    return Err(failure);
                }
            };
            let host = self.link.as_ref().map(Link::fd);
            let deaf = (monotonic_us() < self.deaf_until_us).then_some(self.deaf_until_us);
            let until = until.into_iter().chain(deaf).min();
            let fds = [
                Some(self.grabber.fd()),
                Some(self.wake.fd()),
                deaf.is_none().then(|| self.listener.as_fd()),
                host,
            ];
            let [_, woken, knocked, spoke] = wait_readable(fds, until.map(instant_of))?;
            if woken {
                self.wake.clear();
            }
            if knocked {
                self.accept();
            }
            if spoke && let Err(failure) = self.listen() {
                self.last_words(&failure);
                self.encoders.abandon();
                return Err(failure);
            }
        }
    }

    /// Does what is due and says when to look again at the latest.
    fn turn(&mut self) -> Result<Option<u64>, Failure> {
        let seen = self.grabber.drain_damage()?;
        if seen > 0 {
            self.damage += seen;
            self.damaged();
        }
        let now = monotonic_us();
        let follow = self.follow_size(now)?;
        let Some(link) = &self.link else {
            return Ok(if let Follow::Wait(until) = follow { until } else { None });
        };
        self.encoders.check(now)?;
        if now >= self.alive_at_us {
            self.alive_at_us = now + ALIVE_US;
            link.outbox.message(&CaptureMessage::Alive {
                grabbed: self.grabbed,
                damage: self.damage,
            });
        }
        for rendition in link.outbox.key_frames_needed() {
            self.encoders.want_key(rendition, now);
        }
        let due = match follow {
            Follow::Wait(until) => until,
            _ if self.encoders.any() => self.encode(now)?,
            _ => None,
        };
        Ok(Some(due.map_or(self.alive_at_us, |due| due.min(self.alive_at_us))))
    }

    /// Takes on the size of the screen where a program has changed it.
    fn follow_size(&mut self, now: u64) -> Result<Follow, Failure> {
        let follow = self.resizing.follow(self.grabber.screen(), self.grabber.size(), now);
        if let Follow::Take(size) = follow {
            log::info!("the screen is {}x{} now", size.0, size.1);
            self.grabber.resize(size);
            self.pictures = Pictures::new(size);
            self.encoders.resize(size)?;
            self.damaged();
        }
        Ok(follow)
    }

    /// What is on the screen is not in the last picture.
    fn damaged(&mut self) {
        self.stale = true;
        self.changed_us = monotonic_us();
        self.encoders.damaged();
    }

    fn tell_started(&mut self, started: Vec<(Rendition, &'static str)>) {
        for (rendition, name) in started {
            log::info!("rendition={rendition} encoder={name} started");
            self.tell(&CaptureMessage::Encoder {
                codec: rendition.track.codec().into(),
                name: name.to_owned(),
            });
        }
    }

    /// Gives pictures to the encoders for which it is time; says when it will be again.
    fn encode(&mut self, now: u64) -> Result<Option<u64>, Failure> {
        let started = self.encoders.suit_lines(now)?;
        self.tell_started(started);
        let plan = self.encoders.plan(self.stale, now);
        if !plan.work {
            return Ok(plan.until);
        }
        if plan.grab {
            // The screen has just become smaller: that is looked at first.
            let Some((picture, changed)) = self.grabber.grab()? else {
                return Ok(Some(now));
            };
            self.grabbed += 1;
            self.stale = false;
            self.pictures
                .grabbed(picture, changed, &self.encoders.layouts(), self.changed_us);
        }
        self.encoders.push(&mut self.pictures, now);
        // What is due next is of a later time: an encoder that is done at once is not given two pictures of one.
        Ok(Some(now))
    }

    fn accept(&mut self) {
        let link = match Link::accept(&self.listener, self.allowed_uid, &self.wake) {
            Ok(Some(link)) => link,
            Ok(None) => return,
            Err(error) => {
                // The host still knocks, and would be heard again at once and for as long as this lasts.
                self.deaf_until_us = monotonic_us().saturating_add(DEAF_US);
                return log::warn!("no host can be let in: {error}");
            }
        };
        log::info!(
            "a host has connected{}",
            if self.link.is_some() {
                " and replaces another"
            } else {
                ""
            }
        );
        self.disconnect();
        let (width, height) = self.grabber.size();
        let encoders = self
            .encoders
            .available()
            .into_iter()
            .map(|(codec, name)| (codec.into(), name.to_owned()))
            .collect();
        link.outbox.message(&CaptureMessage::Hello {
            version: VERSION,
            width,
            height,
            encoders,
        });
        self.outlet.connect(Some(Arc::clone(&link.outbox)));
        self.alive_at_us = monotonic_us();
        self.link = Some(link);
    }

    /// Without a host nothing is encoded.
    fn disconnect(&mut self) {
        self.outlet.connect(None);
        self.link = None;
        // Stopping everything starts nothing, so it cannot fail.
        let _ = self.encoders.want(&std::collections::BTreeMap::new());
        self.rest();
    }

    /// Nobody looks. What is on the screen may have changed when somebody does again.
    fn rest(&mut self) {
        self.pictures.forget();
        self.stale = true;
    }

    fn listen(&mut self) -> Result<(), Failure> {
        let Some(link) = &mut self.link else { return Ok(()) };
        match link.read() {
            Ok(messages) => messages.into_iter().try_for_each(|message| self.obey(message)),
            Err(end) => {
                log::info!("{end}");
                self.disconnect();
                Ok(())
            }
        }
    }

    fn obey(&mut self, message: HostMessage) -> Result<(), Failure> {
        let now = monotonic_us();
        match message {
            HostMessage::Hello { .. } => {}
            HostMessage::Want(forms) => {
                let forms = forms.into_iter().map(|(number, form)| (number.into(), form)).collect();
                let started = self.encoders.want(&forms)?;
                self.tell_started(started);
                if !self.encoders.any() {
                    self.rest();
                }
                // One that has just come may take pictures in a layout that there is none in.
                self.stale |= !self.pictures.has(&self.encoders.layouts());
            }
            HostMessage::KeyFrame(number) => self.encoders.want_key(number.into(), now),
            HostMessage::Bitrate { rendition, kbps } => self.encoders.set_kbps(rendition.into(), kbps),
            HostMessage::ExpectChange => {
                self.encoders.expect_change(now);
                if self.stale {
                    // Of what changes from here on it is to be known when.
                    self.grabber.listen_again()?;
                }
            }
        }
        Ok(())
    }

    #[cfg(debug_assertions)]
    fn sabotage(&self) {
        use super::sabotage::{Sabotage, take};
        match take() {
            None => {}
            Some(Sabotage::Rubbish) => {
                if let Some(link) = &self.link {
                    link.outbox.rubbish();
                }
            }
            Some(Sabotage::Hang) => loop {
                std::thread::park();
            },
        }
    }

    fn tell(&self, message: &CaptureMessage) {
        if let Some(link) = &self.link {
            link.outbox.message(message);
        }
    }

    fn last_words(&self, failure: &Failure) {
        if let Some(link) = &self.link {
            let failed = match failure {
                Failure::EncoderRunning(failure) => std::slice::from_ref(failure),
                Failure::NoneStarts(none) => &none.failures,
                _ => &[],
            };
            for EncoderFailure { codec, element, error } in failed {
                link.outbox.message(&CaptureMessage::EncoderFailed {
                    codec: (*codec).into(),
                    name: (*element).to_owned(),
                    why: error.said(),
                });
            }
            let (code, text) = (failure.code().to_owned(), failure.to_string());
            link.outbox.message(&CaptureMessage::Error { code, text });
            link.outbox.flush(LAST_WORDS);
        }
    }
}

fn known(element: &str) -> Result<Encoder, Failure> {
    Encoder::by_element(element).ok_or_else(|| Failure::Usage(format!("unknown encoder {element:?}")))
}

/// The listening socket that was handed down.
fn listener() -> Result<UnixListener, Failure> {
    let usage = |why: &str| Failure::Usage(format!("{LISTEN_FD} {why}"));
    let number: i32 = std::env::var(LISTEN_FD)
        .map_err(|_| usage("is not set"))?
        .parse()
        .map_err(|_| usage("is not a number"))?;
    if number < 3 {
        return Err(usage("is not a descriptor that can be handed down"));
    }
    // SAFETY: the parent handed this descriptor down for this, and nothing else here knows of it. One that is not open
    // is refused below before anything uses it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    if !getsockopt(&fd, sockopt::AcceptConn).unwrap_or(false) {
        // Not ours to close then.
        std::mem::forget(fd);
        return Err(usage("does not name a listening socket"));
    }
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(std::io::Error::from)?;
    let listener = UnixListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn instant_of(us: u64) -> Instant {
    Instant::now() + Duration::from_micros(us.saturating_sub(monotonic_us()))
}

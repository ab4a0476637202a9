//! A display, a painter and a capture process for the tests.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::capture::{CaptureClient, CaptureClientConfig};
use heliostat::files::{Folder, Readers};
use heliostat::media::{Frame, Hub, Subscription};
use heliostat::x11::{DisplayAddress, create_authority};
use tempfile::TempDir;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, InputFocus, Rectangle, Window,
    WindowClass,
};
use x11rb::rust_connection::{DefaultStream, RustConnection};

pub const WIDTH: u16 = 640;
pub const HEIGHT: u16 = 360;

/// An Xvfb with a cookie of its own.
pub struct TestDisplay {
    pub address: DisplayAddress,
    pub server: Child,
    cookie: Vec<u8>,
    _folder: TempDir,
}

impl TestDisplay {
    pub fn start() -> Self {
        Self::sized(WIDTH, HEIGHT)
    }

    pub fn sized(width: u16, height: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority");
        create_authority(
            &Folder::open(folder.path()).unwrap(),
            "authority",
            &machine(),
            Readers::Nobody,
        )
        .unwrap();
        let bytes = std::fs::read(&authority).unwrap();
        let cookie = bytes[bytes.len() - 16..].to_vec();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("Xvfb");
        command
            .args(["-displayfd", "3", "-noreset", "-nolisten", "tcp", "-auth"])
            .arg(&authority)
            .args(["-screen", "0", &format!("{width}x{height}x24")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        hand_down(&mut command, writer.as_raw_fd());
        let server = command.spawn().expect("Xvfb is installed");
        drop((command, writer));
        let mut number = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut number).unwrap();
        let number = number.trim().parse().expect("a display number");
        Self {
            address: DisplayAddress {
                number,
                authority: Some(authority),
            },
            server,
            cookie,
            _folder: folder,
        }
    }

    pub fn connect(&self) -> RustConnection {
        let socket = std::os::unix::net::UnixStream::connect(format!("/tmp/.X11-unix/X{}", self.address.number));
        let (stream, _) = DefaultStream::from_unix_stream(socket.unwrap()).unwrap();
        let name = b"MIT-MAGIC-COOKIE-1".to_vec();
        RustConnection::connect_to_stream_with_auth_info(stream, 0, name, self.cookie.clone()).unwrap()
    }

    /// Starts a program on this display; it ends with the test.
    pub fn program(&self, name: &str, args: &[&str]) -> Program {
        let mut command = Command::new(name);
        command
            .args(args)
            .env("DISPLAY", format!(":{}", self.address.number))
            .env("XAUTHORITY", self.address.authority.as_ref().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Program(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{name} is needed: {error}")),
        )
    }

    /// Stops the server without ending it: connections are accepted and never answered.
    pub fn freeze(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    }

    pub fn thaw(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.server.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    }

    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// What this machine is called.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// A program that ends with the test.
pub struct Program(Child);

impl Program {
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(pid, signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for TestDisplay {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Makes `fd` descriptor 3 of the child.
fn hand_down(command: &mut Command, fd: i32) {
    // SAFETY: only calls that are safe between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if fd == 3 {
                let flags = libc::fcntl(3, libc::F_GETFD);
                libc::fcntl(3, libc::F_SETFD, flags & !libc::FD_CLOEXEC);
            } else if libc::dup2(fd, 3) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// A window that is drawn into on demand and takes note of what reaches it.
pub struct Painter {
    pub x: RustConnection,
    pub window: Window,
    pub gc: Gcontext,
    size: (u16, u16),
}

impl Painter {
    /// Over the whole screen.
    pub fn new(display: &TestDisplay) -> Self {
        Self::with(display, (WIDTH, HEIGHT), false)
    }

    pub fn with(display: &TestDisplay, size: (u16, u16), override_redirect: bool) -> Self {
        let x = display.connect();
        let screen = &x.setup().roots[0];
        let (root, visual) = (screen.root, screen.root_visual);
        let window = x.generate_id().unwrap();
        let mask = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION
            | EventMask::EXPOSURE;
        let aux = CreateWindowAux::new()
            .background_pixel(0x0020_3040)
            .event_mask(mask)
            .override_redirect(u32::from(override_redirect));
        x.create_window(
            0,
            window,
            root,
            0,
            0,
            size.0,
            size.1,
            0,
            WindowClass::INPUT_OUTPUT,
            visual,
            &aux,
        )
        .unwrap();
        let gc = x.generate_id().unwrap();
        x.create_gc(gc, window, &CreateGCAux::new().graphics_exposures(0))
            .unwrap();
        let painter = Self { x, window, gc, size };
        painter.x.map_window(window).unwrap();
        painter.sync();
        painter
    }

    pub fn fill(&self, colour: u32) {
        let (width, height) = self.size;
        self.rectangle(
            colour,
            Rectangle {
                x: 0,
                y: 0,
                width,
                height,
            },
        );
    }

    pub fn rectangle(&self, colour: u32, rectangle: Rectangle) {
        self.x
            .change_gc(self.gc, &ChangeGCAux::new().foreground(colour))
            .unwrap();
        self.x.poly_fill_rectangle(self.window, self.gc, &[rectangle]).unwrap();
        self.x.flush().unwrap();
    }

    /// Draws a picture of the window's size, 4 bytes a pixel.
    pub fn picture(&self, bgrx: &[u8]) {
        let row = usize::from(self.size.0) * 4;
        for (n, rows) in bgrx.chunks(row * 32).enumerate() {
            let (y, height) = ((n * 32) as i16, (rows.len() / row) as u16);
            let format = x11rb::protocol::xproto::ImageFormat::Z_PIXMAP;
            self.x
                .put_image(format, self.window, self.gc, self.size.0, height, 0, y, 0, 24, rows)
                .unwrap();
        }
        self.sync();
    }

    /// Fills the window with something that is hard to compress.
    pub fn noise(&self, seed: u32) {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        self.x
            .change_gc(self.gc, &ChangeGCAux::new().foreground(next() & 0x00ff_ffff))
            .unwrap();
        let rows: Vec<Rectangle> = (0..4000)
            .map(|_| {
                let n = next();
                let (x, y) = (n % u32::from(self.size.0), (n >> 16) % u32::from(self.size.1));
                Rectangle {
                    x: x as i16,
                    y: y as i16,
                    width: 3,
                    height: 3,
                }
            })
            .collect();
        self.x.poly_fill_rectangle(self.window, self.gc, &rows).unwrap();
        self.x.flush().unwrap();
    }

    pub fn focus(&self) {
        self.x
            .set_input_focus(InputFocus::PARENT, self.window, x11rb::CURRENT_TIME)
            .unwrap();
        self.sync();
    }

    /// The first event that `pick` picks; those before it are lost.
    pub fn wait_for<T>(&self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let until = Instant::now() + crate::SOON;
        loop {
            while let Some(event) = self.x.poll_for_event().unwrap() {
                if let Some(found) = pick(&event) {
                    return found;
                }
            }
            assert!(Instant::now() < until, "{what} never came");
            heliostat::x11::wait_readable([Some(self.x.stream().as_fd())], Some(until)).unwrap();
        }
    }

    /// The next keycode that is pressed.
    pub fn pressed_code(&self) -> u8 {
        self.wait_for("a key", |event| match event {
            Event::KeyPress(e) => Some(e.detail),
            _ => None,
        })
    }

    /// What the next key that is no modifier types, as a program sees it: by the keymap at that time and the state
    /// that came with the event.
    pub fn typed(&self) -> String {
        loop {
            let (code, state) = self.wait_for("a key", |event| match event {
                Event::KeyPress(e) => Some((e.detail, u16::from(e.state))),
                _ => None,
            });
            let reply = self.x.get_keyboard_mapping(code, 1).unwrap().reply().unwrap();
            let plain = reply.keysyms[0];
            if (0xffe1..=0xffee).contains(&plain) || plain == 0xfe03 {
                continue;
            }
            assert_eq!(state & 0b1100, 0, "control or alt is down");
            // Third and fourth level stand behind the second group (XKB protocol, section 12.4).
            let third = if state & 0x80 == 0 { 0 } else { 4 };
            let keysym = reply.keysyms[usize::from(third + (state & 1))];
            let letter = match keysym {
                0x20ac => '€',
                0x06d1 => 'я',
                0xff0d => '\n',
                point @ 0x20..=0xff => char::from_u32(point).unwrap(),
                unicode => char::from_u32(unicode & 0x00ff_ffff).unwrap(),
            };
            return letter.to_string();
        }
    }

    /// The keycodes that are down and the mask of the buttons.
    pub fn down(&self) -> (Vec<u8>, u16) {
        let keys = self.x.query_keymap().unwrap().reply().unwrap().keys;
        let mask = u16::from(self.x.query_pointer(self.window).unwrap().reply().unwrap().mask);
        (
            (0..=255u8)
                .filter(|code| keys[usize::from(code / 8)] & (1 << (code % 8)) != 0)
                .collect(),
            mask & 0x1f00,
        )
    }

    /// Waits until the server has done everything asked for.
    pub fn sync(&self) {
        self.x.get_input_focus().unwrap().reply().unwrap();
    }
}

/// A capture process of the real binary and its socket.
pub struct Capture {
    pub process: Child,
    folder: TempDir,
}

impl Capture {
    pub fn start(display: &TestDisplay, more: &[&str]) -> Self {
        Self::with(display, more, &[])
    }

    /// With variables of its environment.
    pub fn with(display: &TestDisplay, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("capture.sock")).unwrap();
        // Another one, to be measured beside this.
        let program = std::env::var_os("HELIOSTAT_CAPTURE");
        let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_heliostat").into()));
        command
            .args([
                "capture",
                "--display",
                &display.address.number.to_string(),
                "--xauthority",
            ])
            .arg(display.address.authority.as_ref().unwrap())
            .args(["--width", "7680", "--height", "7680"])
            .args(more)
            .envs(variables.iter().copied())
            .env("HELIOSTAT_LISTEN_FD", "3");
        hand_down(&mut command, listener.as_raw_fd());
        Self {
            process: command.spawn().unwrap(),
            folder,
        }
    }

    pub fn config(&self) -> CaptureClientConfig {
        CaptureClientConfig::new(self.folder.path().join("capture.sock"))
    }

    pub fn client(&self, hub: &Arc<Hub>) -> CaptureClient {
        CaptureClient::start(&tokio::runtime::Handle::current(), self.config(), Arc::clone(hub))
    }

    /// Its exit status, if it ends within `deadline`.
    pub fn exit_within(&mut self, deadline: Duration) -> Option<i32> {
        let until = Instant::now() + deadline;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The next frame, if it comes within `deadline`.
pub async fn frame_within(viewer: &mut Subscription, deadline: Duration) -> Option<Arc<Frame>> {
    tokio::time::timeout(deadline, viewer.next()).await.ok().flatten()
}

/// The next key frame, if it comes within `deadline`.
pub async fn key_within(viewer: &mut Subscription, deadline: Duration) -> Option<Arc<Frame>> {
    let next = async {
        loop {
            let frame = viewer.next().await?;
            if frame.key {
                return Some(frame);
            }
        }
    };
    tokio::time::timeout(deadline, next).await.ok().flatten()
}

/// Waits until no frame comes for `quiet`; panics if that takes longer than `deadline`.
pub async fn quiet_for(viewer: &mut Subscription, quiet: Duration, deadline: Duration) {
    let until = Instant::now() + deadline;
    while frame_within(viewer, quiet).await.is_some() {
        assert!(Instant::now() < until, "frames of a still screen never end");
    }
}

/// The types of the NAL units of an Annex B access unit (H.264, annex B and table 7-1).
pub fn nal_types(data: &[u8]) -> Vec<u8> {
    data.windows(4)
        .filter(|w| w[..3] == [0, 0, 1])
        .map(|w| w[3] & 0x1f)
        .collect()
}

/// Decodes H.264 with another implementation than the one that encoded it.
pub struct Decoder {
    pipeline: gstreamer::Pipeline,
    source: gstreamer_app::AppSrc,
    sink: gstreamer_app::AppSink,
}

impl Decoder {
    pub fn h264() -> Self {
        use gstreamer::prelude::*;
        gstreamer::init().unwrap();
        let text = "appsrc name=in format=time caps=video/x-h264,stream-format=byte-stream,alignment=au \
                    ! h264parse ! openh264dec ! videoconvert ! video/x-raw,format=I420 ! appsink name=out sync=false";
        let pipeline = gstreamer::parse::launch(text)
            .unwrap()
            .downcast::<gstreamer::Pipeline>()
            .unwrap();
        let source = pipeline.by_name("in").unwrap().downcast().unwrap();
        let sink = pipeline.by_name("out").unwrap().downcast().unwrap();
        pipeline.set_state(gstreamer::State::Playing).unwrap();
        Self { pipeline, source, sink }
    }

    /// Decodes a frame: the luma in the middle of the newest picture that came out.
    pub fn push(&mut self, frame: &Frame) -> u8 {
        let mut buffer = gstreamer::Buffer::from_slice(frame.data.clone());
        buffer
            .get_mut()
            .unwrap()
            .set_pts(gstreamer::ClockTime::from_useconds(frame.pts_us));
        self.source.push_buffer(buffer).unwrap();
        let mut luma = 0;
        // The parser holds back an access unit until the next begins.
        while let Some(sample) = self.sink.try_pull_sample(gstreamer::ClockTime::from_mseconds(200)) {
            let map = sample.buffer().unwrap().map_readable().unwrap();
            luma = map[usize::from(WIDTH) * usize::from(HEIGHT) / 2 + usize::from(WIDTH) / 2];
        }
        luma
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        use gstreamer::prelude::*;
        let _ = self.pipeline.set_state(gstreamer::State::Null);
    }
}

//! A display, a painter and a capture process for the tests.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::capture::{CaptureClient, CaptureClientConfig};
use heliostat::media::{Frame, Hub, Subscription};
use heliostat::x11::{DisplayAddress, create_authority};
use tempfile::TempDir;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, Rectangle, Window, WindowClass,
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
        create_authority(&authority).unwrap();
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

    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
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

/// A window over the whole screen that is filled on demand.
pub struct Painter {
    pub x: RustConnection,
    pub window: Window,
    gc: Gcontext,
    size: (u16, u16),
}

impl Painter {
    pub fn new(display: &TestDisplay) -> Self {
        let x = display.connect();
        let screen = &x.setup().roots[0];
        let (root, visual) = (screen.root, screen.root_visual);
        let size = (screen.width_in_pixels, screen.height_in_pixels);
        let window = x.generate_id().unwrap();
        let mask = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION
            | EventMask::EXPOSURE;
        let aux = CreateWindowAux::new().background_pixel(0x0020_3040).event_mask(mask);
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
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("capture.sock")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
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
            .env("HELIOSTAT_LISTEN_FD", "3");
        hand_down(&mut command, listener.as_raw_fd());
        Self {
            process: command.spawn().unwrap(),
            folder,
        }
    }

    pub fn hub(&self) -> Arc<Hub> {
        Hub::new()
    }

    pub fn client(&self, hub: &Arc<Hub>) -> CaptureClient {
        let config = CaptureClientConfig::new(self.folder.path().join("capture.sock"));
        CaptureClient::start(&tokio::runtime::Handle::current(), config, Arc::clone(hub))
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

/// Waits until no frame comes for `quiet`; panics if that takes longer than `deadline`.
pub async fn quiet_for(viewer: &mut Subscription, quiet: Duration, deadline: Duration) {
    let until = Instant::now() + deadline;
    while frame_within(viewer, quiet).await.is_some() {
        assert!(Instant::now() < until, "frames of a still screen never end");
    }
}

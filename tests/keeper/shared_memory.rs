//! MIT-SHM within an instance, and not between instances: by descriptor, as the demo and the capture do it, and by the
//! System V identifier, as most programs do.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use heliostat::protocol::keeper::Spec;
use heliostat::x11::{DisplayAddress, screenshot};
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat};

use super::boxed::{Boxed, reachable};
use super::support::{GRACE, LONG, role, until};

/// What this test's program does as an app: see [`client`].
const CLIENT: &str = "shared_memory::client";
/// Names a segment that is somebody else's.
const FOREIGN: &str = "FOREIGN_SEGMENT";
/// How often pictures are put to be timed.
const TIMES: &str = "TIMES";
const COLOUR: [u8; 4] = [0x56, 0x34, 0x12, 0];

/// An instance whose app is this very program.
async fn instance(size: Option<(u16, u16)>) -> Boxed {
    Boxed::with_program(&std::env::current_exe().unwrap(), size).await
}

fn client_of(boxed: &Boxed, env: &[(&str, String)]) -> Spec {
    let mut spec = boxed.layout.app(boxed.display);
    let program = boxed.layout.app.command.clone();
    spec.argv = [&*program, "--exact", CLIENT, "--ignored", "--nocapture"]
        .map(str::to_owned)
        .to_vec();
    spec.env
        .extend(env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    spec
}

/// Waits for a line that begins so, and gives the rest of it.
async fn said(boxed: &Boxed, word: &str) -> String {
    let wait = async {
        loop {
            let lines = boxed.keeper.tail(&role("render"), 50).await.unwrap();
            if let Some(rest) = lines.iter().find_map(|line| line.strip_prefix(word)) {
                return rest.trim().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait)
        .await
        .unwrap_or_else(|_| panic!("it did not say {word:?}"))
}

/// Files and memory that a process has mapped.
fn mapped(pid: i32, name: &str) -> bool {
    fs::read_to_string(Boxed::proc(pid, "maps")).is_ok_and(|maps| maps.contains(name))
}

#[tokio::test]
async fn an_app_shares_pictures_with_its_display_and_nobody_else_attaches_them() {
    let (mine, other) = (instance(None).await, instance(None).await);
    mine.keeper
        .ensure(&role("render"), client_of(&mine, &[]), GRACE)
        .await
        .unwrap();
    let segment = said(&mine, "segment").await;
    assert_eq!(said(&mine, "attached").await, "yes");
    assert_eq!(said(&mine, "drawn").await, "yes");
    let address = DisplayAddress {
        number: mine.display.number,
        authority: Some(mine.layout.xauthority.clone()),
    };
    let png = tokio::task::spawn_blocking(move || screenshot(&address, None, LONG))
        .await
        .unwrap();
    let png = png.unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels[..3], [COLOUR[2], COLOUR[1], COLOUR[0]], "as others see it");
    // The same identifier, to the other instance's own display and to the system.
    let foreign = client_of(&other, &[(FOREIGN, segment)]);
    other.keeper.ensure(&role("render"), foreign, GRACE).await.unwrap();
    assert_eq!(said(&other, "own").await, "no such segment");
    assert_eq!(said(&other, "attached").await, "no, Access");
    mine.end().await;
    other.end().await;
}

#[tokio::test]
async fn display_app_and_capture_share_memory_by_descriptor() {
    let demo = PathBuf::from(env!("CARGO_BIN_EXE_heliostat-orrery"));
    let mine = Boxed::with_program(&demo, None).await;
    let [display, _, capture] = mine.surround().await;
    mine.keeper
        .ensure(&role("render"), mine.layout.app(mine.display), GRACE)
        .await
        .unwrap();
    until("the app's pictures are the display's", || {
        mapped(display, "/memfd:orrery")
    })
    .await;
    until("the capture reads its pictures there", || {
        mapped(display, "/memfd:heliostat-picture") && mapped(capture, "/memfd:heliostat-picture")
    })
    .await;
    mine.end().await;
}

#[tokio::test]
#[ignore = "figures rather than verdicts"]
async fn measure_what_shared_memory_saves() {
    let mine = instance(Some((1920, 1080))).await;
    let client = client_of(&mine, &[(TIMES, "300".to_owned())]);
    mine.keeper.ensure(&role("render"), client, GRACE).await.unwrap();
    println!("shared: {}", said(&mine, "shared").await);
    println!("sent: {}", said(&mine, "sent").await);
    mine.end().await;
}

/// Not a test: an app in a sandbox, which the tests here start.
#[test]
#[ignore = "an app that the tests here start"]
fn client() {
    // After what the test's harness says of it.
    println!();
    let (x, screen) = x11rb::connect(None).unwrap();
    let screen = &x.setup().roots[screen];
    let size = (screen.width_in_pixels, screen.height_in_pixels);
    let bytes = usize::from(size.0) * usize::from(size.1) * 4;
    x.shm_query_version().unwrap().reply().unwrap();
    let picture = x.generate_id().unwrap();
    if let Ok(foreign) = std::env::var(FOREIGN) {
        let id: i32 = foreign.parse().unwrap();
        // SAFETY: attaching where the system chooses; what is there is not used.
        let at = unsafe { libc::shmat(id, std::ptr::null(), libc::SHM_RDONLY) };
        println!(
            "own {}",
            if at as isize == -1 {
                "no such segment"
            } else {
                "attached"
            }
        );
        let refused = x.shm_attach(picture, id.unsigned_abs(), true).unwrap().check();
        let why = refused.err().map_or("yes".to_owned(), |error| match error {
            x11rb::errors::ReplyError::X11Error(error) => format!("no, {:?}", error.error_kind),
            other => format!("no, {other}"),
        });
        println!("attached {why}");
        return park();
    }
    // SAFETY: a new segment, attached where the system chooses, and for as long as this process lives.
    let (id, memory) = unsafe {
        let id = libc::shmget(libc::IPC_PRIVATE, bytes, libc::IPC_CREAT | 0o600);
        assert!(id >= 0, "shmget: {}", std::io::Error::last_os_error());
        let at = libc::shmat(id, std::ptr::null(), 0);
        assert!(at as isize != -1, "shmat: {}", std::io::Error::last_os_error());
        (id, std::slice::from_raw_parts_mut(at.cast::<u8>(), bytes))
    };
    for pixel in memory.as_chunks_mut::<4>().0 {
        *pixel = COLOUR;
    }
    println!("segment {id}");
    let window = x.generate_id().unwrap();
    let attributes = CreateWindowAux::new().override_redirect(1);
    let (class, visual) = (x11rb::protocol::xproto::WindowClass::INPUT_OUTPUT, screen.root_visual);
    let depth = screen.root_depth;
    x.create_window(
        depth,
        window,
        screen.root,
        0,
        0,
        size.0,
        size.1,
        0,
        class,
        visual,
        &attributes,
    )
    .unwrap();
    x.map_window(window).unwrap();
    let gc = x.generate_id().unwrap();
    x.create_gc(gc, window, &CreateGCAux::new()).unwrap();
    let attached = x.shm_attach(picture, id.unsigned_abs(), false).unwrap().check();
    println!("attached {}", if attached.is_ok() { "yes" } else { "no" });
    let format: u8 = ImageFormat::Z_PIXMAP.into();
    let put = || {
        x.shm_put_image(
            window, gc, size.0, size.1, 0, 0, size.0, size.1, 0, 0, depth, format, false, picture, 0,
        )
    };
    let drawn = put().unwrap().check();
    println!("drawn {}", if drawn.is_ok() { "yes" } else { "no" });
    if let Some(times) = std::env::var(TIMES).ok().and_then(|times| times.parse::<u32>().ok()) {
        let timed = |one: &dyn Fn()| {
            let begun = Instant::now();
            for _ in 0..times {
                one();
                // An answer to something that comes after it: it has been carried out.
                x.get_input_focus().unwrap().reply().unwrap();
            }
            println!("{:?} each, {}x{}", begun.elapsed() / times, size.0, size.1);
        };
        print!("shared ");
        timed(&|| drop(put().unwrap()));
        print!("sent ");
        let row = usize::from(size.0) * 4;
        let rows = (x.maximum_request_bytes() - 64) / row;
        timed(&|| {
            for (at, part) in memory.chunks(rows * row).enumerate() {
                let (y, height) = (at * rows, part.len() / row);
                let (y, height) = (i16::try_from(y).unwrap(), u16::try_from(height).unwrap());
                x.put_image(ImageFormat::Z_PIXMAP, window, gc, size.0, height, 0, y, 0, depth, part)
                    .unwrap();
            }
        });
    }
    park();
}

fn park() {
    std::thread::sleep(std::time::Duration::from_secs(1000));
}

/// The program may lie where the apps' user cannot go.
impl Boxed {
    async fn with_program(program: &std::path::Path, size: Option<(u16, u16)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let program = reachable(program, folder.path());
        let made = Self::new(|app| {
            app.command = program.to_string_lossy().into_owned();
            (app.width, app.height) = size.unzip();
        });
        let mut made = made.await;
        made.further = Some(folder);
        made
    }
}

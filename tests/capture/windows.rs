//! The steward of a display's windows, against a real Xvfb and openbox with the configuration of the host.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use heliostat::protocol::windows::WindowEntry;
use heliostat::x11::{Cancel, Steward, StewardHooks, wait_for_window_manager};
use x11rb::connection::Connection as _;
use x11rb::properties::WmSizeHints;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::SOON;
use crate::support::{HEIGHT, Program, TestDisplay, WIDTH};

const WHOLE: (i32, i32, u16, u16) = (0, 0, WIDTH, HEIGHT);

/// A display whose windows are tended.
struct Scene {
    x: RustConnection,
    root: Window,
    told: Arc<Mutex<Vec<WindowEntry>>>,
    steward: Steward,
    _manager: Program,
    _display: TestDisplay,
}

impl Scene {
    fn new() -> Self {
        let display = TestDisplay::start();
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/src/desktop/openbox.xml");
        let manager = display.program("openbox", &["--sm-disable", "--config-file", config]);
        wait_for_window_manager(&display.address, SOON, &Cancel::default()).unwrap();
        let told = Arc::<Mutex<Vec<WindowEntry>>>::default();
        let hooks = StewardHooks {
            windows: {
                let told = Arc::clone(&told);
                Box::new(move |windows| *told.lock().unwrap() = windows)
            },
            count: Box::new(|_| ()),
            ended: Box::new(|error| log::warn!("the steward has ended: {error}")),
        };
        let steward = Steward::start(display.address.clone(), hooks).unwrap();
        let x = display.connect();
        let root = x.setup().roots[0].root;
        Self {
            x,
            root,
            told,
            steward,
            _manager: manager,
            _display: display,
        }
    }

    fn atom(&self, name: &str) -> u32 {
        self.x
            .intern_atom(false, name.as_bytes())
            .unwrap()
            .reply()
            .unwrap()
            .atom
    }

    /// A window that is not shown yet.
    fn window(&self, title: &[u8], kind: &str, (width, height): (u16, u16)) -> Window {
        let window = self.x.generate_id().unwrap();
        let aux = CreateWindowAux::new().background_pixel(0x0020_3040);
        let class = WindowClass::INPUT_OUTPUT;
        self.x
            .create_window(0, window, self.root, 0, 0, width, height, 0, class, 0, &aux)
            .unwrap();
        self.entitle(window, title);
        let (property, kind) = (self.atom("_NET_WM_WINDOW_TYPE"), self.atom(kind));
        self.x
            .change_property32(PropMode::REPLACE, window, property, AtomEnum::ATOM, &[kind])
            .unwrap();
        window
    }

    fn entitle(&self, window: Window, title: &[u8]) {
        let (name, utf8) = (self.atom("_NET_WM_NAME"), self.atom("UTF8_STRING"));
        self.x
            .change_property8(PropMode::REPLACE, window, name, utf8, title)
            .unwrap();
        self.x.flush().unwrap();
    }

    fn show(&self, window: Window) {
        self.x.map_window(window).unwrap();
        self.x.flush().unwrap();
    }

    fn main_window(&self, title: &str) -> Window {
        let window = self.window(title.as_bytes(), "_NET_WM_WINDOW_TYPE_NORMAL", (200, 100));
        self.show(window);
        self.until("it fills the display", || self.place(window) == WHOLE);
        window
    }

    /// Where a window is, without its frame.
    fn place(&self, window: Window) -> (i32, i32, u16, u16) {
        let size = self.x.get_geometry(window).unwrap().reply().unwrap();
        let at = self
            .x
            .translate_coordinates(window, self.root, 0, 0)
            .unwrap()
            .reply()
            .unwrap();
        (at.dst_x.into(), at.dst_y.into(), size.width, size.height)
    }

    fn is_viewable(&self, window: Window) -> bool {
        let attributes = self.x.get_window_attributes(window).unwrap().reply().unwrap();
        attributes.map_state == x11rb::protocol::xproto::MapState::VIEWABLE
    }

    fn active(&self) -> Option<Window> {
        let atom = self.atom("_NET_ACTIVE_WINDOW");
        let property = self.x.get_property(false, self.root, atom, AtomEnum::WINDOW, 0, 1);
        property.unwrap().reply().unwrap().value32()?.next()
    }

    fn tell(&self, window: Window, kind: &str, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, window, self.atom(kind), data);
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.x.send_event(false, self.root, mask, message).unwrap();
        self.x.flush().unwrap();
    }

    fn unmaximize(&self, window: Window) {
        let [across, down] = ["HORZ", "VERT"].map(|way| self.atom(&format!("_NET_WM_STATE_MAXIMIZED_{way}")));
        self.tell(window, "_NET_WM_STATE", [0, across, down, 1, 0]);
    }

    fn told(&self) -> Vec<WindowEntry> {
        self.told.lock().unwrap().clone()
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let end = Instant::now() + SOON;
        while !holds() {
            assert!(Instant::now() < end, "not in time: {what}; told: {:?}", self.told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_main_window_that_takes_another_size_or_place_fills_the_display_again() {
    let scene = Scene::new();
    let window = scene.main_window("a");
    scene.unmaximize(window);
    scene.until("it was smaller", || scene.place(window) != WHOLE);
    let beyond = ConfigureWindowAux::new().x(300).y(200).width(1024).height(768);
    scene.x.configure_window(window, &beyond).unwrap();
    scene.x.flush().unwrap();
    scene.until("it fills the display", || scene.place(window) == WHOLE);
}

#[test]
fn a_program_that_minimises_itself_comes_back() {
    const ICONIC: u32 = 3;
    let scene = Scene::new();
    let window = scene.main_window("a");
    scene.tell(window, "WM_CHANGE_STATE", [ICONIC, 0, 0, 0, 0]);
    scene.until("it is gone", || !scene.is_viewable(window));
    scene.until("it is back", || {
        scene.is_viewable(window) && scene.active() == Some(window)
    });
}

#[test]
fn a_minimised_window_beside_another_is_in_the_list_and_comes_back_when_it_is_chosen() {
    const ICONIC: u32 = 3;
    let scene = Scene::new();
    let (first, second) = (scene.main_window("a"), scene.main_window("b"));
    scene.tell(second, "WM_CHANGE_STATE", [ICONIC, 0, 0, 0, 0]);
    scene.until("it is told", || scene.told().iter().any(|w| w.id == second && w.hidden));
    scene.until("the other is to be seen", || scene.active() == Some(first));
    scene.steward.orders().activate(second);
    scene.until("it is back", || {
        scene.is_viewable(second) && scene.active() == Some(second)
    });
}

#[test]
fn a_dialog_that_is_larger_than_the_display_is_brought_into_view() {
    let scene = Scene::new();
    let parent = scene.main_window("a");
    let dialog = scene.window(b"large", "_NET_WM_WINDOW_TYPE_DIALOG", (1000, 900));
    let transient = AtomEnum::WM_TRANSIENT_FOR;
    scene
        .x
        .change_property32(PropMode::REPLACE, dialog, transient, AtomEnum::WINDOW, &[parent])
        .unwrap();
    scene.show(dialog);
    scene.until("it is whole", || {
        let (x, y, width, height) = scene.place(dialog);
        x >= 0
            && y >= 0
            && x + i32::from(width) <= WIDTH.into()
            && y + i32::from(height) <= HEIGHT.into()
            && scene.is_viewable(dialog)
    });
    assert_eq!(scene.told(), [], "a dialog is nothing to switch to");
}

#[test]
fn what_does_not_fit_of_a_dialog_is_drawn_in_by_the_pointer_at_the_edge() {
    let scene = Scene::new();
    let dialog = scene.window(b"stubborn", "_NET_WM_WINDOW_TYPE_DIALOG", (300, 600));
    let mut hints = WmSizeHints::new();
    hints.min_size = Some((300, 600));
    hints.set_normal_hints(&scene.x, dialog).unwrap();
    scene.show(dialog);
    let bottom = || scene.place(dialog).1 + 600;
    scene.until("its upper part is to be seen", || {
        scene.active() == Some(dialog) && (0..60).contains(&scene.place(dialog).1)
    });
    let point = |y: i16| {
        scene
            .x
            .warp_pointer(x11rb::NONE, scene.root, 0, 0, 0, 0, 200, y)
            .unwrap();
        scene.x.flush().unwrap();
    };
    point(HEIGHT.cast_signed() - 1);
    scene.until("its lower part is to be seen", || bottom() <= HEIGHT.into());
    point(100);
    std::thread::sleep(Duration::from_secs(1));
    assert!(bottom() <= HEIGHT.into(), "it stays while the user is busy with it");
    point(0);
    scene.until("its upper part is to be seen", || {
        (0..60).contains(&scene.place(dialog).1)
    });
}

#[test]
fn two_windows_are_told_of_with_titles_made_harmless_and_can_be_switched_between() {
    let scene = Scene::new();
    let first = scene.main_window("one");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scene.told(), [], "one window is nothing to choose from");
    let second = scene.main_window("two");
    let titles = || {
        scene
            .told()
            .into_iter()
            .map(|w| (w.id, w.title, w.active))
            .collect::<Vec<_>>()
    };
    scene.until("both are told", || {
        titles() == [(first, "one".into(), false), (second, "two".into(), true)]
    });
    scene.steward.orders().activate(first);
    scene.until("the first is to be seen", || scene.active() == Some(first));
    scene.until("that is told", || {
        titles() == [(first, "one".into(), true), (second, "two".into(), false)]
    });
    scene.entitle(second, b"a\xff\xfe\n\xe2\x80\xaeb");
    scene.until("its new title is told", || titles()[1].1 == "a\u{fffd}\u{fffd} b");
    scene.entitle(second, &vec![b'x'; 100_000]);
    scene.until("a long one is cut", || titles()[1].1.chars().count() == 81);
    scene.steward.orders().activate(scene.root);
    scene.steward.orders().activate(0xdead_beef);
    scene.x.destroy_window(second).unwrap();
    scene.x.flush().unwrap();
    scene.until("one is left", || scene.told().is_empty());
}

#[test]
fn of_hundreds_of_windows_a_bounded_list_is_told_and_the_rest_goes_on() {
    let scene = Scene::new();
    let windows: Vec<Window> = (0..500)
        .map(|_| scene.window(b"one of many", "_NET_WM_WINDOW_TYPE_NORMAL", (50, 50)))
        .collect();
    for window in &windows {
        scene.x.map_window(*window).unwrap();
    }
    scene.x.flush().unwrap();
    scene.until("they are told of", || scene.told().len() == 32);
    let chosen = scene.told()[3].id;
    scene.steward.orders().activate(chosen);
    scene.until("one can be chosen", || scene.active() == Some(chosen));
}

#[test]
fn a_program_that_insists_on_its_size_gets_it() {
    let scene = Scene::new();
    let window = scene.main_window("stubborn");
    let mut small_since = None;
    scene.until("it is left alone", || {
        if scene.place(window) == WHOLE {
            scene.unmaximize(window);
            small_since = None;
        } else {
            small_since.get_or_insert_with(Instant::now);
        }
        small_since.is_some_and(|since: Instant| since.elapsed() > Duration::from_secs(3))
    });
}

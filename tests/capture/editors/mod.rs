//! Programs with a text field, and how to learn what stands in it.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::protocol::input::InputEvent;
use heliostat::x11::{HeldInput, InputHooks, InputQueue, InputThread, KeyboardMode};
use tempfile::TempDir;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, WindowClass};
use x11rb::rust_connection::RustConnection;

use crate::support::{Program, TestDisplay};

/// Longer than any program takes to start on a busy machine.
const START: Duration = Duration::from_secs(120);

/// How to learn what a program was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It writes it to a file.
    File,
    /// It selects all and copies.
    Clipboard,
}

/// A program to type into. In its arguments `{home}` is a folder of its own, `{file}` the file to write.
#[derive(Clone, Copy, Debug)]
pub struct Editor {
    pub name: &'static str,
    pub argv: &'static [&'static str],
    pub reading: Reading,
    /// Files of its own: name and content.
    pub files: &'static [(&'static str, &'static str)],
}

const PAGE: &str = "<!doctype html><meta charset=utf-8><title>page</title><body style='margin:0'>\
    <textarea autofocus spellcheck=false style='width:100vw;height:100vh'></textarea>";

const fn editor(name: &'static str, argv: &'static [&'static str], reading: Reading) -> Editor {
    Editor {
        name,
        argv,
        reading,
        files: &[],
    }
}

pub const XTERM: Editor = editor(
    "xterm",
    &["xterm", "-e", "sh", "-c", "stty -icanon -echo; cat >{file}"],
    Reading::File,
);
pub const TK: Editor = editor("Tk", &["/usr/bin/python3", "{editors}/tk.py", "{file}"], Reading::File);
pub const GTK3: Editor = editor(
    "GTK 3",
    &["/usr/bin/python3", "{editors}/gtk3.py", "{file}"],
    Reading::File,
);
pub const SLOW_TK: Editor = editor(
    "Tk, 1 s a key",
    &["/usr/bin/python3", "{editors}/tk.py", "{file}", "1"],
    Reading::File,
);
pub const LAZY_TK: Editor = editor(
    "Tk, 50 ms a key",
    &["/usr/bin/python3", "{editors}/tk.py", "{file}", "0.05"],
    Reading::File,
);
pub const CHROMIUM: Editor = Editor {
    files: &[("page.html", PAGE)],
    ..editor(
        "Chromium",
        &[
            "chromium",
            "--app=file://{home}/page.html",
            "--no-sandbox",
            "--test-type",
            "--no-first-run",
            "--disable-gpu",
            "--password-store=basic",
            "--user-data-dir={home}/profile",
        ],
        Reading::Clipboard,
    )
};

/// Those that take long to install or to start.
pub const MORE: &[Editor] = &[
    Editor {
        files: &[("page.html", PAGE), ("profile/prefs.js", FIREFOX)],
        ..editor(
            "Firefox",
            &[
                "firefox-esr",
                "--no-remote",
                "--profile",
                "{home}/profile",
                "{home}/page.html",
            ],
            Reading::Clipboard,
        )
    },
    editor("gedit (GTK 3)", &["dbus-run-session", "gedit"], Reading::Clipboard),
    editor(
        "Mousepad (GTK 3)",
        &["dbus-run-session", "mousepad"],
        Reading::Clipboard,
    ),
    editor(
        "GNOME Text Editor (GTK 4)",
        &["dbus-run-session", "gnome-text-editor", "--standalone"],
        Reading::Clipboard,
    ),
    Editor {
        files: &[("text.txt", "")],
        ..editor(
            "KWrite (Qt 5)",
            &["dbus-run-session", "kwrite", "{home}/text.txt"],
            Reading::Clipboard,
        )
    },
    editor(
        "Swing (Java)",
        &["java", "-cp", "{classes}", "Swing", "{file}"],
        Reading::File,
    ),
    Editor {
        files: &[("office/user/registrymodifications.xcu", OFFICE), ("text.txt", "")],
        ..editor(
            "LibreOffice Writer",
            &[
                "soffice",
                "-env:UserInstallation=file://{home}/office",
                "--norestore",
                "--nologo",
                "--nofirststartwizard",
                "{home}/text.txt",
            ],
            Reading::Clipboard,
        )
    },
];

const FIREFOX: &str = r#"user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("app.update.enabled", false);
"#;

/// No correction of what is typed, and no tips.
const OFFICE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/AutoCorrect"><prop oor:name="CapitalAtStartSentence" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/AutoCorrect"><prop oor:name="TwoCapitalsAtStart" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/AutoCorrect"><prop oor:name="UseReplacementTable" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/AutoCorrect"><prop oor:name="CapitalizeAfterFullStop" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Misc"><prop oor:name="ShowTipOfTheDay" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/AutoFunction/Completion"><prop oor:name="Enable" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Setup/Product"><prop oor:name="ooSetupLastVersion" oor:op="fuse"><value>99.9</value></prop></item>
</oor:items>
"#;

/// A program with the focus on a display of its own, and who types into it.
pub struct Desk {
    _display: TestDisplay,
    pub queue: Arc<InputQueue>,
    /// How many characters were reported as not typed.
    pub not_typed: Arc<std::sync::atomic::AtomicU32>,
    editor: Editor,
    file: PathBuf,
    reader: Reader,
    _programs: (Group, Program),
    _thread: InputThread,
    _home: TempDir,
}

impl Desk {
    /// Starts a program and waits until it takes what is typed.
    pub fn open(editor: Editor) -> Self {
        let display = TestDisplay::start();
        let home = tempfile::tempdir().unwrap();
        for (name, content) in editor.files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let queue = InputQueue::new().unwrap();
        let (thread, not_typed) = typist(&display, &queue);
        let manager = display.program("openbox", &["--sm-disable"]);
        heliostat::x11::wait_for_window_manager(&display.address, START, &heliostat::x11::Cancel::default()).unwrap();
        let file = home.path().join("typed.txt");
        let program = start(&display, &editor, home.path(), &file);
        let desk = Self {
            reader: Reader::new(&display),
            _display: display,
            queue,
            not_typed,
            editor,
            file,
            _programs: (program, manager),
            _thread: thread,
            _home: home,
        };
        desk.wait_until_it_listens();
        desk
    }

    fn wait_until_it_listens(&self) {
        let until = Instant::now() + START;
        let mut clicked = Instant::now();
        loop {
            assert!(
                Instant::now() < until,
                "{} takes nothing that is typed",
                self.editor.name
            );
            std::thread::sleep(Duration::from_millis(500));
            if !self.reader.has_focus() {
                continue;
            }
            if clicked.elapsed() > Duration::from_secs(2) {
                self.click();
                clicked = Instant::now();
            }
            self.reader.claim();
            self.queue.push(InputEvent::Text("q".into()));
            self.select_and_copy();
            std::thread::sleep(Duration::from_millis(700));
            if self.read().is_some_and(|text| text.ends_with('q')) {
                // A click that is still on its way through the program would undo what was selected.
                std::thread::sleep(Duration::from_secs(1));
                self.select_and_copy();
                return;
            }
        }
    }

    fn click(&self) {
        for pressed in [true, false] {
            self.queue.push(InputEvent::Button {
                number: 0,
                pressed,
                x: 30_000,
                y: 35_000,
            });
        }
    }

    /// Behind everything typed so far: selects all and copies it.
    pub fn select_and_copy(&self) {
        if self.editor.reading == Reading::File {
            return;
        }
        let key = |pressed, usage, keysym| self.queue.push(InputEvent::Key { pressed, usage, keysym });
        key(true, 0xe0, 0xffe3);
        for (usage, keysym) in [(0x04, 0x61), (0x06, 0x63)] {
            key(true, usage, keysym);
            key(false, usage, keysym);
        }
        key(false, 0xe0, 0xffe3);
    }

    /// What it holds, as far as it says.
    pub fn read(&self) -> Option<String> {
        match self.editor.reading {
            Reading::File => std::fs::read_to_string(&self.file).ok(),
            Reading::Clipboard => self.reader.clipboard(),
        }
    }

    /// Types characters one by one, as an input method sends them, so many a second.
    pub fn type_at(&self, text: &str, per_second: u32) {
        let begun = Instant::now();
        for (n, character) in (1..).zip(text.chars()) {
            self.queue.push(InputEvent::Text(character.into()));
            std::thread::sleep(
                (begun + Duration::from_secs(1) * n / per_second).saturating_duration_since(Instant::now()),
            );
        }
    }

    /// As the page sends a text that is pasted.
    pub fn paste(&self, text: &str) {
        let characters: Vec<char> = text.chars().collect();
        for part in characters.chunks(256) {
            self.queue.push(InputEvent::Text(part.iter().collect()));
        }
    }

    /// What it holds once it is `wanted`, or has not changed for `patience`. `before` is what it held before.
    pub fn settles_at(&self, wanted: &str, before: &str, patience: Duration) -> String {
        let mut last = (before.to_owned(), Instant::now());
        loop {
            let now = self.read().unwrap_or_default();
            if now == wanted || last.1.elapsed() > patience {
                return now;
            }
            if now != last.0 {
                last = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Gives `text` to the program by `how`, and says what has arrived.
    pub fn arrives(&self, text: &str, patience: Duration, how: impl FnOnce(&Self)) -> String {
        let before = self.read().unwrap_or_default();
        self.reader.claim();
        how(self);
        self.select_and_copy();
        match self.editor.reading {
            // What was selected is replaced.
            Reading::Clipboard => self.settles_at(text, &before, patience),
            Reading::File => {
                let all = self.settles_at(&format!("{before}{text}"), &before, patience);
                all.strip_prefix(&before).unwrap_or(&all).to_owned()
            }
        }
    }
}

/// The first differences of two texts, for people.
pub fn difference(wanted: &str, got: &str) -> String {
    let at = wanted.chars().zip(got.chars()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| text.chars().skip(at.saturating_sub(3)).take(24).collect::<String>();
    let (long, short) = (wanted.chars().count(), got.chars().count());
    format!(
        "{short} of {long} characters, from {at} on {:?} instead of {:?}",
        part(got),
        part(wanted)
    )
}

/// Who types on a display, and how many characters were reported as not typed.
pub fn typist(display: &TestDisplay, queue: &Arc<InputQueue>) -> (InputThread, Arc<std::sync::atomic::AtomicU32>) {
    let not_typed = Arc::new(std::sync::atomic::AtomicU32::new(0));
    // overflow: one message is ever sent.
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let count = Arc::clone(&not_typed);
    let hooks = InputHooks {
        ready: Box::new(move || ready.send(()).unwrap()),
        injected: Box::new(|| ()),
        not_typed: Box::new(move |n| {
            count.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
        }),
        ended: Box::new(|_| ()),
    };
    let held = Arc::new(HeldInput::new());
    let address = display.address.clone();
    let thread = InputThread::start(address, KeyboardMode::Text, Arc::clone(queue), held, hooks).unwrap();
    is_ready.recv_timeout(crate::SOON).expect("the thread connects");
    (thread, not_typed)
}

/// A program with all that it starts.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

fn start(display: &TestDisplay, editor: &Editor, home: &Path, file: &Path) -> Group {
    let editors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capture/editors");
    let classes = std::env::temp_dir().join("heliostat-classes");
    let fill = |argument: &&str| {
        argument
            .replace("{home}", &home.to_string_lossy())
            .replace("{file}", &file.to_string_lossy())
            .replace("{editors}", &editors.to_string_lossy())
            .replace("{classes}", &classes.to_string_lossy())
    };
    if editor.argv.contains(&"{classes}") {
        let source = editors.join("Swing.java");
        let done = Command::new("javac").arg("-d").arg(&classes).arg(source).status();
        assert!(done.expect("javac is needed").success());
    }
    let argv: Vec<String> = editor.argv.iter().map(fill).collect();
    let child = Command::new(&argv[0])
        .args(&argv[1..])
        // As the host starts programs.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games")
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("XDG_RUNTIME_DIR", home)
        .env("DISPLAY", format!(":{}", display.address.number))
        .env("XAUTHORITY", display.address.authority.as_ref().unwrap())
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{} is needed: {error}", argv[0]));
    Group(child)
}

/// Reads the clipboard (ICCCM, section 2).
struct Reader {
    x: RustConnection,
    window: u32,
    clipboard: u32,
    utf8: u32,
    property: u32,
}

impl Reader {
    fn new(display: &TestDisplay) -> Self {
        let x = display.connect();
        let root = x.setup().roots[0].root;
        let window = x.generate_id().unwrap();
        let aux = CreateWindowAux::new();
        x.create_window(0, window, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &aux)
            .unwrap();
        let atom = |name: &[u8]| x.intern_atom(false, name).unwrap().reply().unwrap().atom;
        let (clipboard, utf8, property) = (atom(b"CLIPBOARD"), atom(b"UTF8_STRING"), atom(b"HELIOSTAT_TEST"));
        Self {
            x,
            window,
            clipboard,
            utf8,
            property,
        }
    }

    fn has_focus(&self) -> bool {
        let focus = self.x.get_input_focus().unwrap().reply().unwrap().focus;
        focus > 1 && focus != self.x.setup().roots[0].root
    }

    /// Takes the clipboard, so that what is found there later was copied later.
    fn claim(&self) {
        let now = x11rb::CURRENT_TIME;
        self.x.set_selection_owner(self.window, self.clipboard, now).unwrap();
        self.x.get_input_focus().unwrap().reply().unwrap();
    }

    fn clipboard(&self) -> Option<String> {
        let now = x11rb::CURRENT_TIME;
        let owner = self
            .x
            .get_selection_owner(self.clipboard)
            .unwrap()
            .reply()
            .unwrap()
            .owner;
        if owner == self.window {
            return None;
        }
        self.x
            .convert_selection(self.window, self.clipboard, self.utf8, self.property, now)
            .unwrap();
        self.x.flush().unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        let answer = loop {
            match self.x.poll_for_event().unwrap() {
                Some(Event::SelectionNotify(event)) => break event,
                Some(_) => {}
                None if Instant::now() > until => return None,
                None => {
                    heliostat::x11::wait_readable([Some(self.x.stream().as_fd())], Some(until)).unwrap();
                }
            }
        };
        if answer.property == x11rb::NONE {
            return None;
        }
        let reply = self
            .x
            .get_property(true, self.window, self.property, AtomEnum::ANY, 0, 1 << 20)
            .unwrap()
            .reply()
            .unwrap();
        String::from_utf8(reply.value).ok()
    }
}

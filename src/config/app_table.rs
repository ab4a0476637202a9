//! The keys of an `[[app]]` entry: their names, what they allow, and what they are for.

/// One key of an app entry.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it is when it is not given.
    pub default: &'static str,
    /// What it allows, in words.
    pub allowed: &'static str,
    /// What it is for.
    pub help: &'static str,
}

const fn field(name: &'static str, default: &'static str, allowed: &'static str, help: &'static str) -> Field {
    Field {
        name,
        default,
        allowed,
        help,
    }
}

/// Every key of an app entry.
pub const FIELDS: &[Field] = &[
    field(
        "id",
        "required",
        "1 to 40 of `a-z`, `0-9` and `-`",
        "Names the app in the API. An entry with the id of a built-in app replaces that one.",
    ),
    field(
        "name",
        "the id",
        "1 to 100 characters on one line",
        "What the home page calls it.",
    ),
    field(
        "description",
        "empty",
        "at most 1000 characters",
        "What the home page says about it.",
    ),
    field(
        "command",
        "required",
        "the path of a program, or its name on the search path",
        "What is started. No shell stands between.",
    ),
    field(
        "args",
        "none",
        "a list of strings",
        "Its arguments. `{home}`, `{tmp}`, `{width}`, `{height}` and `{fps}` stand for those of the instance.",
    ),
    field(
        "env",
        "none",
        "a table of strings; names of letters, digits and `_`, not beginning with a digit, `HELIOSTAT_` or `LD_`",
        "Variables added to the otherwise emptied environment; placeholders as in `args`.",
    ),
    field(
        "cwd",
        "its home",
        "the absolute path of a folder",
        "The folder it is started in.",
    ),
    field(
        "home",
        "`ephemeral`",
        "`ephemeral` or `keep`",
        "`ephemeral`: an empty home each time, removed with the instance. `keep`: one home per session and app, until the session is forgotten.",
    ),
    field(
        "width",
        "`video.width`",
        "a whole number from 64 to 7680",
        "Width of its display, in pixels.",
    ),
    field(
        "height",
        "`video.height`",
        "a whole number from 64 to 7680",
        "Height of its display, in pixels.",
    ),
    field(
        "fps",
        "`video.fps`",
        "a whole number from 1 to 240",
        "Frames per second at most.",
    ),
    field(
        "launcher",
        "`false`",
        "`true` or `false`",
        "Whether its command only starts the app and returns (VS Code's `code`): the instance goes on while a window is there. Needs `window_manager`.",
    ),
    field(
        "restart",
        "`transient`",
        "`permanent`, `transient` or `temporary`",
        "Whether it is started again when it has ended: always, only when it failed, or never.",
    ),
    field(
        "on_hang",
        "`report`",
        "`report` or `restart`",
        "What is done when it stops to answer pings (`_NET_WM_PING`), and draws nothing, for 5 s: viewers are told, or it is restarted.",
    ),
    field(
        "window_manager",
        "`true`",
        "`true` or `false`",
        "Whether a window manager maximises its main window, and windows are kept within reach and listed in the page.",
    ),
    field(
        "keyboard",
        "`text`",
        "`text` or `physical`",
        "`text`: printable keys arrive as what they print. `physical`: every key by its place, as games want it.",
    ),
    field(
        "network",
        "`none`",
        "`none`, `internet` or `full`",
        "What it reaches, where apps are sandboxed: nothing; public addresses, but neither this machine nor its neighbours (needs slirp4netns); all that the host reaches.",
    ),
    field(
        "devices",
        "none",
        "a list of `gpu` and `uinput`",
        "Devices that it sees, where apps are sandboxed and they are there.",
    ),
    field(
        "user_namespaces",
        "`false`",
        "`true` or `false`",
        "Whether it may make user namespaces, where apps are sandboxed: browsers and other Electron or Chromium programs need them for sandboxes of their own. They open more of the kernel to it.",
    ),
    field(
        "files",
        "none",
        "a list of absolute paths",
        "Files and folders that it may read beside the system's (`/usr`, `/etc`, `/opt`) and its own program, where apps are sandboxed.",
    ),
    field(
        "memory_mib",
        "`apps.memory_mib`",
        "0 for no limit, or a whole number from 16 to 1048576",
        "Memory of all its processes together.",
    ),
    field(
        "cpu_percent",
        "`apps.cpu_percent`",
        "0 for no limit, or a whole number from 5 to 100000",
        "Processor time, in percent of one core.",
    ),
    field(
        "processes",
        "`apps.processes`",
        "0 for no limit, or a whole number from 8 to 100000",
        "Processes and threads.",
    ),
    field(
        "open_files",
        "`apps.open_files`",
        "0 for no limit, or a whole number from 64 to 1048576",
        "Open files of each process.",
    ),
    field(
        "home_mib",
        "`apps.home_mib`",
        "0 for no limit, or a whole number from 1 to 1048576",
        "Size of its home; a kept one is looked at every few seconds.",
    ),
    field(
        "tmp_mib",
        "`apps.tmp_mib`",
        "0 for no limit, or a whole number from 1 to 1048576",
        "Size of its temporary folder.",
    ),
    field(
        "ready",
        "`window`",
        "`window`, `tcp:PORT`, `log:REGEX` or `command:COMMAND`",
        "When it counts as started: its first window has drawn; it listens on a port; a line of its output matches; \
         a shell command exits 0.",
    ),
];

/// The field of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

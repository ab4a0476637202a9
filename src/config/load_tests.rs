use std::ffi::OsString;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::app_entry::{Device, Home, Keyboard, Network, RestartPolicy};
use super::super::ready::Ready;
use super::super::sources::Flag;
use super::super::types::ProxyHeaders;
use super::*;

/// Sources in a folder of their own, with a home but no configuration.
struct Bench {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            env: [("HOME".into(), folder.path().join("home").into_os_string())].into(),
            folder: folder.path().to_owned(),
            ..Sources::default()
        };
        Self { folder, sources }
    }

    fn file(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("heliostat.toml"), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, name: &str, key: &str, value: &str) -> Self {
        self.sources.flags.push(Flag::new(name, key, value));
        self
    }

    fn load(&self) -> Config {
        Config::load(&self.sources).unwrap().0
    }

    fn error(&self) -> ConfigError {
        Config::load(&self.sources).unwrap_err()
    }

    fn source_of(&self, key: &str) -> String {
        self.load()
            .explain()
            .into_iter()
            .find(|row| row.key == key)
            .unwrap()
            .source
    }
}

#[test]
fn without_any_source_everything_has_its_default() {
    let bench = Bench::new();
    let config = bench.load();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.auth, Auth::Token);
    assert_eq!(
        config.server.state,
        bench.folder.path().join("home/.local/state/heliostat")
    );
    assert_eq!(
        (config.video.width, config.video.height, config.video.fps),
        (1280, 720, 60)
    );
    assert_eq!(config.video.bitrate_kbps, 4000);
    assert_eq!(config.video.ladder.len(), 2);
    assert_eq!(config.instances.idle_timeout, Some(Duration::from_secs(1800)));
    assert_eq!(config.instances.capacity as u64, cores());
    assert!(config.instances.capacity_is_default);
    assert_eq!(config.media.udp_ports, 40_000..=49_999);
    assert_eq!(config.apps_user, "heliostat");
    assert!(config.explain().iter().all(|row| row.source == "default"));
}

#[test]
fn flags_override_variables_override_the_file_and_each_is_named_as_source() {
    let bench = Bench::new().file("[instances]\nper_session = 1\n\n[video]\nfps = 30\nwidth = 800\n");
    assert_eq!(bench.load().video.fps, 30);
    assert!(bench.source_of("video.fps").ends_with("heliostat.toml:5"));
    let bench = bench.env("HELIOSTAT_VIDEO_FPS", "25");
    assert_eq!(bench.load().video.fps, 25);
    assert_eq!(bench.source_of("video.fps"), "environment HELIOSTAT_VIDEO_FPS");
    let bench = bench.flag("--set video.fps", "video.fps", "20");
    assert_eq!((bench.load().video.fps, bench.load().video.width), (20, 800));
    assert_eq!(bench.source_of("video.fps"), "flag --set video.fps");
}

#[test]
fn the_named_file_is_read_instead_of_the_one_in_the_folder_and_must_exist() {
    let mut bench = Bench::new().file("[video]\nfps = 30\n");
    std::fs::write(bench.folder.path().join("other.toml"), "[video]\nfps = 10\n").unwrap();
    bench.sources.file = Some(PathBuf::from("other.toml"));
    assert_eq!(bench.load().video.fps, 10);
    bench.sources.file = Some(PathBuf::from("missing.toml"));
    assert_eq!(bench.error().code(), "config_unreadable");
}

#[test]
fn the_file_of_the_user_is_read_when_the_folder_has_none() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("xdg/heliostat");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("heliostat.toml"), "[video]\nfps = 12\n").unwrap();
    let xdg = bench.folder.path().join("xdg");
    let bench = bench.env("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    assert_eq!(bench.load().video.fps, 12);
}

#[test]
fn a_wrong_value_is_named_with_its_key_origin_and_what_is_allowed() {
    let text = Bench::new()
        .file("[video]\n# too many\nfps = 1000\n")
        .error()
        .to_string();
    for part in ["video.fps", "1000", "heliostat.toml:3", "from 1 to 240"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let text = Bench::new()
        .env("HELIOSTAT_INSTANCES_IDLE_TIMEOUT", "30")
        .error()
        .to_string();
    for part in [
        "instances.idle_timeout",
        "\"30\"",
        "HELIOSTAT_INSTANCES_IDLE_TIMEOUT",
        "30min",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let text = Bench::new().flag("--auth", "server.auth", "none").error().to_string();
    for part in ["server.auth", "\"none\"", "flag --auth", "`token` or `open`"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn an_unknown_key_is_an_error_that_suggests_the_nearest() {
    for (bench, key, suggestion) in [
        (Bench::new().file("[video]\nfsp = 30\n"), "`video.fsp`", "`video.fps`"),
        (Bench::new().file("[vidio]\nfps = 30\n"), "`vidio`", "`video`"),
        (Bench::new().file("fps = 30\n"), "`fps`", "`video.fps`"),
        (
            Bench::new().file("[[app]]\nid = 'a'\ncomand = 'b'\n"),
            "`app.comand`",
            "`app.command`",
        ),
        (
            Bench::new().env("HELIOSTAT_VIDEO_FSP", "30"),
            "HELIOSTAT_VIDEO_FSP",
            "HELIOSTAT_VIDEO_FPS",
        ),
        (
            Bench::new().env("HELIOSTAT_VIDOE_FPS", "30"),
            "HELIOSTAT_VIDOE_FPS",
            "HELIOSTAT_VIDEO_FPS",
        ),
        (
            Bench::new().flag("--set", "video.fpss", "1"),
            "`video.fpss`",
            "`video.fps`",
        ),
    ] {
        let error = bench.error();
        assert_eq!(error.code(), "unknown_key", "{error}");
        assert!(
            error.to_string().contains(key) && error.to_string().contains(suggestion),
            "{error}"
        );
    }
}

#[test]
fn a_variable_of_no_section_is_only_warned_about() {
    let bench = Bench::new()
        .env("HELIOSTAT_BENCHMARK_RUNS", "3")
        .env("HELIOSTAT_INSTANCE", "x");
    let (_, warnings) = Config::load(&bench.sources).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].text.contains("HELIOSTAT_BENCHMARK_RUNS"));
}

#[test]
fn what_is_no_toml_is_an_error_with_its_line() {
    let error = Bench::new().file("[video]\nfps = \n").error();
    assert_eq!(error.code(), "config_syntax");
    assert!(error.to_string().contains("heliostat.toml:2"), "{error}");
}

#[test]
fn an_address_of_the_network_is_refused_unless_agreed_to() {
    let bench = Bench::new().flag("--listen", "server.listen", "0.0.0.0:8080");
    assert_eq!(bench.error().code(), "exposed_without_tls");
    assert!(bench.error().to_string().contains("--insecure-http"));
    let bench = bench.flag("--insecure-http", "server.insecure_http", "true");
    assert_eq!(bench.load().server.listen.port(), 8080);
    assert_eq!(
        Bench::new()
            .env("HELIOSTAT_SERVER_LISTEN", "[::1]:9")
            .load()
            .server
            .listen
            .to_string(),
        "[::1]:9"
    );
}

#[test]
fn without_a_home_a_state_folder_must_be_named() {
    let mut bench = Bench::new();
    bench.sources.env.clear();
    assert_eq!(bench.error().code(), "no_state_folder");
    let bench = bench.flag("--state", "server.state", "here");
    assert_eq!(bench.load().server.state, bench.folder.path().join("here"));
}

const APPS: &str = r#"
[[app]]
id = "viewer"
name = "Model viewer"
description = "Shows models"
command = "/opt/viewer/bin/viewer"
args = ["--size", "{width}x{height}", "--data={home}/data"]
env = { VIEWER_THEME = "dark" }
cwd = "/opt/viewer"
home = "keep"
width = 1024
height = 768
fps = 30
restart = "permanent"
window_manager = false
keyboard = "physical"
network = "full"
devices = ["gpu"]
user_namespaces = true
files = ["/srv/models"]
memory_mib = 2048
processes = 0
ready = "log:^listening"

[[app]]
id = "plain"
command = "xclock"
"#;

#[test]
fn an_app_entry_is_read_in_full() {
    let apps = Bench::new().file(APPS).load().apps;
    let app = &apps[0];
    assert_eq!((app.id.as_str(), app.name.as_str()), ("viewer", "Model viewer"));
    assert_eq!(app.args.len(), 3);
    assert_eq!(app.env["VIEWER_THEME"], "dark");
    assert_eq!(app.cwd, Some(PathBuf::from("/opt/viewer")));
    assert_eq!((app.width, app.height, app.fps), (Some(1024), Some(768), Some(30)));
    assert_eq!(
        (app.home, app.restart, app.keyboard),
        (Home::Keep, RestartPolicy::Permanent, Keyboard::Physical)
    );
    assert_eq!((app.window_manager, app.network), (false, Network::Full));
    assert!(app.user_namespaces);
    assert_eq!(
        (&app.devices[..], &app.files[..]),
        (&[Device::Gpu][..], &[PathBuf::from("/srv/models")][..])
    );
    assert_eq!(
        (app.limits.memory_mib, app.limits.processes, app.limits.tmp_mib),
        (Some(2048), Some(0), None)
    );
    assert_eq!(app.ready, Ready::Log("^listening".to_owned()));
    let mut plain = AppEntry::new("plain", "xclock");
    plain.name = "plain".to_owned();
    assert_eq!(apps[1], plain);
}

#[test]
fn mistakes_in_app_entries_are_named() {
    for (text, code, part) in [
        ("[[app]]\ncommand = 'x'\n", "missing_key", "app.id"),
        ("[[app]]\nid = 'x'\n", "missing_key", "app.command"),
        ("[[app]]\nid = 'X!'\ncommand = 'x'\n", "bad_value", "a-z"),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nready = 'tcp:99999'\n",
            "bad_value",
            "tcp:PORT",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nready = 'log:('\n",
            "bad_value",
            "log:REGEX",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nrestart = 'always'\n",
            "bad_value",
            "`transient`",
        ),
        ("[[app]]\nid = 'x'\ncommand = 'x'\nwidth = 8000\n", "bad_value", "7680"),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nnetwork = true\n",
            "bad_value",
            "`internet`",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\ndevices = ['disk']\n",
            "bad_value",
            "`gpu`",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nfiles = ['data']\n",
            "bad_value",
            "absolute",
        ),
        ("[[app]]\nid = 'x'\ncommand = 'x'\nmemory_mib = 1\n", "bad_value", "16"),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nargs = [1]\n",
            "bad_value",
            "a list of strings",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nenv = { LD_PRELOAD = 'x' }\n",
            "bad_value",
            "LD_PRELOAD",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nwindow_manager = 'yes'\n",
            "bad_value",
            "`true` or `false`",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\nlauncher = true\nwindow_manager = false\n",
            "bad_value",
            "app.launcher",
        ),
        (
            "[[app]]\nid = 'x'\ncommand = 'x'\n[[app]]\nid = 'x'\ncommand = 'y'\n",
            "duplicate_app",
            "toml:5",
        ),
        ("[app]\nid = 'x'\n", "bad_value", "[[app]]"),
    ] {
        let error = Bench::new().file(text).error();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn a_mistake_in_the_file_leaves_the_apps_of_before_to_the_caller() {
    let bench = Bench::new().file(APPS);
    assert_eq!(bench.load().apps.len(), 2);
    let bench = bench.file("[[app]]\nid = 'x'\n");
    assert_eq!(bench.error().code(), "missing_key");
}

#[test]
fn the_largest_numbers_of_the_table_fit_their_types() {
    let bench = Bench::new().file(
        "[video]\nwidth=7680\nheight=7680\nfps=240\nbitrate_kbps=200000\n[instances]\ncapacity=1000\nper_session=1000",
    );
    assert_eq!(bench.load().video.bitrate_kbps, 200_000);
}

fn key_names() -> impl Strategy<Value = String> {
    let keys: Vec<String> = KEYS.iter().map(super::super::keys::Key::variable).collect();
    prop_oneof![proptest::sample::select(keys), "HELIOSTAT_[A-Z_]{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_file_makes_the_reading_panic(text in "(\\[\\[?(app|video|server|media|x)\\]\\]?\n)?(\\PC{0,20} ?= ?[\\[{'\"]?\\PC{0,20}\n){0,4}") {
        let path = PathBuf::from("any.toml");
        if let Ok(contents) = file::parse(file::Text { path: &path, text: &text }) {
            let _ = Values::new(contents.keys.into_iter(), None);
        }
    }

    #[test]
    fn no_app_entry_makes_the_reading_panic(key in proptest::sample::select(super::super::app_table::FIELDS), value in "(\"[^\"\\\\\n]{0,30}\"|[0-9]{1,25}|true|\\[\"x\"\\]|\\{a=\"b\"\\})") {
        let text = format!("[[app]]\n{} = {value}\n", key.name);
        let path = PathBuf::from("any.toml");
        let _ = file::parse(file::Text { path: &path, text: &text });
    }

    #[test]
    fn no_environment_makes_the_reading_panic(name in key_names(), value in "\\PC{0,40}") {
        let mut sources = Sources { folder: PathBuf::from("/nowhere"), ..Sources::default() };
        sources.env = [(OsString::from("HOME"), OsString::from("/nowhere")), (name.into(), value.into())].into();
        let _ = Config::load(&sources);
    }
}

#[test]
fn an_address_for_the_network_needs_encryption_or_consent() {
    let listens = || Bench::new().flag("--listen", "server.listen", "0.0.0.0:443");
    assert_eq!(listens().error().code(), "exposed_without_tls");
    assert_eq!(
        listens().flag("--tls", "server.tls", "off").error().code(),
        "exposed_without_tls"
    );
    for bench in [
        listens().flag("--insecure-http", "server.insecure_http", "true"),
        listens().flag("--tls", "server.tls", "self-signed"),
        listens()
            .flag("--tls-certificate", "server.tls_certificate", "crt.pem")
            .flag("--tls-key", "server.tls_key", "key.pem"),
    ] {
        assert_eq!(bench.load().server.listen.port(), 443);
    }
}

#[test]
fn a_certificate_turns_encryption_on_and_needs_its_key() {
    assert_eq!(Bench::new().load().server.tls, TlsSource::Off);
    assert_eq!(Bench::new().load().server.scheme(), "http");
    let bench = Bench::new().file("[server]\ntls_certificate = \"crt.pem\"\n");
    let text = bench.error().to_string();
    assert!(
        text.contains("server.tls_key") && text.contains("heliostat.toml:2"),
        "{text}"
    );
    let bench = bench.env("HELIOSTAT_SERVER_TLS_KEY", "/etc/key.pem");
    let folder = bench.folder.path().to_owned();
    let expected = TlsSource::Files {
        certificate: folder.join("crt.pem"),
        key: "/etc/key.pem".into(),
    };
    assert_eq!(bench.load().server.tls, expected);
    assert_eq!(bench.load().server.scheme(), "https");
    let bench = bench.flag("--tls", "server.tls", "off");
    assert_eq!(bench.load().server.tls, TlsSource::Off);
}

#[test]
fn proxies_are_addresses_and_ranges_and_everybody_is_warned_of() {
    let bench = Bench::new().file("[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n");
    let server = bench.load().server;
    assert!(server.trusted_proxies[1].contains("10.9.9.9".parse().unwrap()));
    assert_eq!(server.proxy_headers, ProxyHeaders::XForwarded);
    assert!(Config::load(&bench.sources).unwrap().1.is_empty());
    let bench = bench.flag("--set", "server.trusted_proxies", "0.0.0.0/0");
    let (_, warnings) = Config::load(&bench.sources).unwrap();
    assert!(warnings[0].text.contains("trusted_proxies"), "{warnings:?}");
    let wrong = bench.flag("--set", "server.trusted_proxies", "proxy.example");
    assert_eq!(wrong.error().code(), "bad_value");
}

#[test]
fn a_path_below_the_home_may_begin_with_a_tilde_and_somebody_elses_may_not() {
    let bench = Bench::new().env("HOME", "/home/u");
    let state = |bench: Bench, text: &str| bench.file(&format!("[server]\nstate = '{text}'\n"));
    assert_eq!(
        state(bench, "~/here").load().server.state,
        PathBuf::from("/home/u/here")
    );
    let bench = Bench::new().env("HOME", "/home/u").flag("--state", "server.state", "~");
    assert_eq!(bench.load().server.state, PathBuf::from("/home/u"));
    for bench in [
        state(Bench::new().env("HOME", "/home/u"), "~them/x"),
        state(Bench::new().env("HOME", ""), "~/x"),
    ] {
        let error = bench.error();
        assert_eq!(error.code(), "bad_value");
        assert!(error.to_string().contains("`~/`"), "{error}");
    }
}

#[test]
fn an_unknown_key_is_told_which_keys_there_are() {
    let error = Bench::new()
        .file("[[app]]\nid = 'x'\ncommand = 'x'\nzzzzzz = 1\n")
        .error()
        .to_string();
    assert!(
        error.contains("app.zzzzzz") && error.contains("command") && error.contains("window_manager"),
        "{error}"
    );
    let error = Bench::new().file("[video]\nzzzzzz = 1\n").error().to_string();
    assert!(
        error.contains("video.width") && !error.contains("server.listen"),
        "{error}"
    );
}

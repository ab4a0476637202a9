//! `heliostat doctor`: checks this machine and says what to do about each problem.
//!
//! Each check is a function that gives [`Finding`]s and changes nothing that a start of the host would not change;
//! [`report`] prints them, and is pure. No check can hang the command: each runs under a deadline of its own
//! ([`deadline::within`]), and the processes that are tried are killed when their trial ends, however it ends.
//!
//! - `folders` state, homes, database, disk · `display` Xvfb, its window manager, shared memory · `encoders`
//! - `sandbox` what keeps apps apart · `tls` encryption of the pages · `network` pages and media · `programs` the demo and
//!   the catalogue · `user` whom apps run as

mod deadline;
mod display;
mod encoders;
mod finding;
mod folders;
mod network;
mod programs;
mod report;
mod sandbox;
mod scratch;
mod sockets;
mod tls;
mod user;
mod xvfb;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use self::deadline::within;
use crate::app::error::chain;
use crate::app::pages;
use crate::clock::unix_ms;
use crate::config::{Config, Sources};
use crate::desktop::commands;

pub use finding::{Finding, Level};
pub use report::Report;

/// For what looks at files and sockets.
const LOOK: Duration = Duration::from_secs(10);
/// For the trial of a display, which has shorter deadlines within.
const DISPLAY: Duration = Duration::from_secs(40);
/// For the trial of a sandbox, which has a shorter deadline within.
const SANDBOX: Duration = Duration::from_secs(20);
/// For the trial of the encoders, which has a shorter deadline within.
const ENCODERS: Duration = Duration::from_secs(90);

/// Checks everything and writes the report, as text or as JSON; gives whether this machine can launch.
///
/// # Errors
/// The output cannot be written.
pub fn run(sources: &Sources, json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let report = Report::new(check(sources));
    if json {
        report.json(out)?;
    } else {
        report.text(out)?;
    }
    Ok(report.can_launch())
}

fn check(sources: &Sources) -> Vec<Finding> {
    let mut found = Vec::new();
    let config = configuration(sources, &mut found);
    let program = std::env::current_exe();
    let search_path: Vec<_> = std::env::split_paths(commands::PATH).collect();

    let owner = config
        .as_ref()
        .and_then(|config| user::check(&config.apps_user, &mut found));
    if let Some(config) = config.clone() {
        let (state, url, owner) = (config.server.state, config.store.url, owner.clone());
        found.extend(within("state folder", LOOK, move || {
            folders::state(&state, &url, owner)
        }));
    }
    found.extend(within("displays' folder", LOOK, || {
        vec![display::folder(Path::new(display::FOLDER))]
    }));
    let (sandbox_user, encoders_user) = (owner.clone(), owner.clone());
    let (folders, user) = (search_path.clone(), owner);
    found.extend(within("display", DISPLAY, move || {
        display::check(&folders, user.as_ref())
    }));
    found.push(display::window_manager(&search_path));
    let by_vnc = config.as_ref().is_some_and(|config| config.video.transports.vnc);
    found.push(display::vnc(&search_path, by_vnc));
    if let Some(config) = config.clone() {
        let user = sandbox_user;
        found.extend(within("sandbox", SANDBOX, move || {
            sandbox::check(&config, user.as_ref())
        }));
    }
    match &program {
        Ok(program) => {
            let (program, config, user) = (program.clone(), config.clone(), encoders_user);
            found.extend(within("encoders", ENCODERS, move || {
                encoders::check(&program, config.as_ref(), user.as_ref())
            }));
        }
        Err(error) => found.push(Finding::problem(
            "encoders",
            format!("the path of this program is not known: {error}"),
        )),
    }
    if let Some(config) = config.clone() {
        let server = config.server.clone();
        found.extend(within("network", LOOK, move || network::check(&config)));
        found.extend(within("encryption", LOOK, move || {
            let source = pages::source(&server, &server.state);
            tls::check(&server, source.as_ref(), unix_ms() / 1000)
        }));
    }
    found.extend(within("memory", LOOK, || {
        vec![folders::shared_memory(Path::new("/dev/shm"))]
    }));
    if let (Some(config), Ok(program)) = (config, program) {
        let host_path = sources.search_path();
        found.extend(within("programs", LOOK, move || {
            programs::check(&config.apps, &program, &host_path, &search_path)
        }));
    }
    found
}

fn configuration(sources: &Sources, found: &mut Vec<Finding>) -> Option<Config> {
    const CHECK: &str = "configuration";
    match Config::load(sources) {
        Ok((config, warnings)) => {
            let from = sources.file_to_read().map_or_else(
                || "no file, defaults apply".to_owned(),
                |file| format!("read from {}", file.display()),
            );
            found.push(Finding::ok(CHECK, from));
            found.extend(warnings.into_iter().map(|warning| Finding::note(CHECK, warning.text)));
            Some(config)
        }
        Err(error) => {
            let hint = "`heliostat config` shows every key with what it allows, once the mistake is gone";
            found.push(Finding::problem(CHECK, chain(&error)).hint(hint));
            None
        }
    }
}

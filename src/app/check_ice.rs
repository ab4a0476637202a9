//! `heliostat check-ice`: whether STUN and TURN servers do what browsers will ask of them.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::config::{Config, ConfigError, IceUrl, PublicAddress, Sources};
use crate::ice::probe::trust::NoTrust;
use crate::ice::probe::{Checked, Setting, Trust, check, public_addresses};
use crate::peer::local_addresses;

/// Servers checked at most: each takes some seconds, and all are checked at once.
const MAX_SERVERS: usize = 16;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckIceError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No certificate to believe others by.
    #[error(transparent)]
    Trust(#[from] NoTrust),
    /// Nobody to ask.
    #[error("there is no server to check: name some, or set ice.servers")]
    NoServers,
    /// More than can be asked at once.
    #[error("{0} servers are more than the {MAX_SERVERS} that are checked at once")]
    TooManyServers(usize),
    /// The output cannot be written.
    #[error("cannot write the report")]
    Output(#[from] io::Error),
}

impl CheckIceError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::NoServers => "no_ice_servers",
            Self::TooManyServers(_) => "too_many_ice_servers",
            Self::Output(_) => "output",
        }
    }
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    servers: Vec<Checked>,
}

/// Checks the servers given, or else the configured ones, and writes the report; gives whether all of it works.
///
/// # Errors
/// [`CheckIceError`]; what does not work of a server is in the report.
pub fn run(
    sources: &Sources,
    given: &[IceUrl],
    authorities: Option<&Path>,
    json: bool,
    out: &mut dyn Write,
) -> Result<bool, CheckIceError> {
    let (config, _) = Config::load(sources)?;
    let servers = if given.is_empty() {
        config.ice.servers.clone()
    } else {
        given.to_vec()
    };
    match servers.len() {
        0 => return Err(CheckIceError::NoServers),
        many if many > MAX_SERVERS => return Err(CheckIceError::TooManyServers(many)),
        _ => {}
    }
    let setting = setting(&config, Trust::new(authorities)?);
    let servers: Vec<Checked> = std::thread::scope(|scope| {
        let setting = &setting;
        let each: Vec<_> = servers
            .iter()
            .map(|url| scope.spawn(move || check(url, setting)))
            .collect();
        each.into_iter().flat_map(|c| c.join().unwrap_or_default()).collect()
    });
    let ok = !servers.is_empty() && servers.iter().all(|server| server.ok);
    let report = Report { ok, servers };
    if json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", text(&report))?;
    }
    Ok(ok)
}

fn setting(config: &Config, trust: Trust) -> Setting {
    let local = if config.media.bind.is_empty() {
        local_addresses()
    } else {
        config.media.bind.clone()
    };
    let public = match &config.ice.public_address {
        PublicAddress::Known(public) => public.clone(),
        PublicAddress::AskStun => {
            let stun = config.ice.servers.iter().filter(|url| !url.is_relay());
            stun.filter_map(|url| public_addresses(url).ok())
                .next()
                .unwrap_or_default()
        }
    };
    let mut hosts = Vec::new();
    for bound in local.iter().filter(|address| !address.is_loopback()) {
        let beyond = public.iter().filter(|public| public.is_ipv4() == bound.is_ipv4());
        hosts.extend(beyond.map(|public| (*bound, *public)));
    }
    hosts.extend(local.iter().map(|address| (*address, *address)));
    // What never leaves the machine is of use only where nothing else is.
    hosts.sort_by_key(|(_, told)| told.is_loopback());
    Setting {
        secrets: config.ice.secrets.clone(),
        life: config.ice.credentials_life,
        hosts,
        ports: config.media.udp_ports.clone(),
        trust,
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for server in &report.servers {
        let address = server.address.map_or_else(String::new, |at| format!(" ({at})"));
        text.push_str(&format!("{}{address}\n", server.url));
        for step in &server.steps {
            let word = if step.ok { "ok" } else { "problem" };
            text.push_str(&format!(
                "  {word:<7}  {:<10}  {} [{} ms]\n",
                step.step, step.text, step.ms
            ));
            if let Some(hint) = step.hint {
                text.push_str(&format!("  {:<7}  {:<10}  -> {hint} [{}]\n", "", "", step.code));
            }
        }
    }
    text.push_str(if report.ok {
        "\nEverything works that a browser needs.\n"
    } else {
        "\nNot everything works.\n"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::probe::Step;

    #[test]
    fn the_text_names_what_is_wrong_and_what_to_do_about_it() {
        let server = |ok| Checked {
            url: "turn:a.example:3478?transport=udp".to_owned(),
            transport: "udp",
            address: Some(([192, 0, 2, 1], 3478).into()),
            ok,
            steps: vec![Step {
                step: "allocation",
                ok,
                code: if ok { "ok" } else { "wrong_credentials" },
                text: "what came of it".to_owned(),
                hint: (!ok).then_some("what to do"),
                ms: 7,
            }],
        };
        let report = |ok| Report {
            ok,
            servers: vec![server(ok)],
        };
        assert_eq!(
            text(&report(false)),
            "turn:a.example:3478?transport=udp (192.0.2.1:3478)\n  problem  allocation  what came of it [7 ms]\n                       \
             -> what to do [wrong_credentials]\n\nNot everything works.\n"
        );
        assert!(
            text(&report(true))
                .ends_with("  ok       allocation  what came of it [7 ms]\n\nEverything works that a browser needs.\n")
        );
    }

    #[test]
    fn without_a_server_there_is_nothing_to_check() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            env: [("HOME".into(), "/home/someone".into())].into(),
            folder: folder.path().to_owned(),
            flags: Vec::new(),
            file: None,
        };
        let error = run(&sources, &[], None, true, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "no_ice_servers");
        let many: Vec<IceUrl> = vec!["stun:a.example".parse().unwrap(); MAX_SERVERS + 1];
        let error = run(&sources, &many, None, true, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "too_many_ice_servers");
    }
}

//! The address of the pages and the UDP ports of the media.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::Path;

use super::finding::Finding;
use super::sockets::listens;
use crate::app::error::chain;
use crate::config::Config;
use crate::folders::StateDir;
use crate::http::{ServerError, bind};
use crate::peer::local_addresses;

const PAGES: &str = "pages";
const MEDIA: &str = "media";
/// Two viewers an instance, and browsers that come again before their old connection is gone.
const PORTS_PER_INSTANCE: usize = 4;

/// Both.
pub fn check(config: &Config) -> Vec<Finding> {
    let mut found = vec![pages(config.server.listen, &config.server.state)];
    let addresses = if config.media.bind.is_empty() {
        local_addresses()
    } else {
        config.media.bind.clone()
    };
    let wanted = config.instances.capacity.saturating_mul(PORTS_PER_INSTANCE);
    found.extend(media(&addresses, &config.media.udp_ports, wanted));
    found
}

/// Whether the pages can be served there, or the host on this state folder already does.
fn pages(listen: SocketAddr, state: &Path) -> Finding {
    match bind(listen) {
        Ok(_) => Finding::ok(PAGES, format!("{listen} is free")),
        Err(ServerError::InUse(_)) => match StateDir::user_of(state) {
            Ok(Some(pid)) if listens(pid, listen.port()) => {
                Finding::ok(PAGES, format!("{listen} is served by the running host, pid {pid}"))
            }
            _ => Finding::problem(PAGES, format!("{listen} is in use by another program"))
                .hint("stop that program, or choose another address with --listen ADDR:PORT"),
        },
        Err(error) => Finding::problem(PAGES, chain(&error))
            .hint("choose an address of this machine with --listen ADDR:PORT; ports below 1024 are for root"),
    }
}

/// Whether ports of the range can be bound on every address.
fn media(addresses: &[IpAddr], ports: &RangeInclusive<u16>, wanted: usize) -> Vec<Finding> {
    let mut found: Vec<Finding> = addresses
        .iter()
        .filter_map(|address| {
            let error = UdpSocket::bind((*address, 0)).err()?;
            let text = format!("{address} cannot be used: {error}");
            Some(Finding::problem(MEDIA, text).hint("name addresses of this machine as media.bind, or none at all"))
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    let is_free = |port: &u16| {
        addresses
            .iter()
            .all(|address| UdpSocket::bind((*address, *port)).is_ok())
    };
    let free = ports.clone().filter(is_free).count();
    let names: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let text = format!(
        "{free} of the UDP ports {}-{} are free on {}",
        ports.start(),
        ports.end(),
        names.join(", ")
    );
    let hint = "give media.udp_ports a larger range";
    found.push(match free {
        0 => Finding::problem(MEDIA, text).hint(hint),
        free if free < wanted => Finding::note(MEDIA, text).hint(hint),
        _ => Finding::ok(MEDIA, text),
    });
    found
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::app::doctor::Level;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_in_use_is_fine_only_for_the_host_of_the_state_folder() {
        let state = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((LOCAL, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(pages(address, state.path()).level, Level::Problem);
        let host = StateDir::open(state.path()).unwrap();
        assert_eq!(pages(address, state.path()).level, Level::Ok);
        drop((host, listener));
        assert_eq!(pages(address, state.path()).level, Level::Ok);
    }

    #[test]
    fn an_address_that_this_machine_has_not_is_a_problem() {
        let elsewhere: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        assert_eq!(pages((elsewhere, 1).into(), Path::new("/x")).level, Level::Problem);
        let found = media(&[LOCAL, elsewhere], &(39_100..=39_110), 1);
        assert_eq!((found.len(), found[0].level), (1, Level::Problem));
    }

    #[test]
    fn ports_in_use_are_not_counted() {
        let taken = UdpSocket::bind((LOCAL, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let level = |wanted| media(&[LOCAL], &(port..=port), wanted)[0].level;
        assert_eq!(level(1), Level::Problem);
        drop(taken);
        assert_eq!((level(1), level(2)), (Level::Ok, Level::Note));
    }
}

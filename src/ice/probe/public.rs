//! The address under which the network knows this machine.

use std::net::IpAddr;

use super::client::Client;
use super::error::ProbeError;
use super::trust::Trust;
use super::way::{Way, addresses};
use crate::config::IceUrl;

/// Asks a STUN server for the address that it sees, once for each family that leads to it. Blocks, for some seconds at
/// most.
///
/// # Errors
/// [`ProbeError`] when it answers in none.
pub fn public_addresses(server: &IceUrl) -> Result<Vec<IpAddr>, ProbeError> {
    let trust = Trust::new(None).map_err(|e| ProbeError::Tls(e.to_string()))?;
    let mut seen = Vec::new();
    let mut failed = None;
    for address in addresses(server)? {
        match Way::open(server, address, &trust)
            .and_then(Client::new)
            .and_then(|mut c| c.binding())
        {
            Ok(found) if !seen.contains(&found.ip()) => seen.push(found.ip()),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if seen.is_empty() => Err(error),
        _ => Ok(seen),
    }
}

//! The public address of a host behind 1:1 NAT, where STUN servers are asked for it: at the start, and from then on.

use std::net::IpAddr;

use crate::config::{IceConfig, IceUrl, PublicAddress};
use crate::ice::asking::{Asking, keep, once};
use crate::ice::probe::ProbeError;
use crate::ice::{PublicAddresses, probe};
use crate::supervision::{ChildSpec, ExitReason, Restart};

/// The addresses of this host beyond a NAT: those configured, or what the first server answers. Who cannot be asked now
/// keeps nobody from connecting directly.
pub(super) async fn find(ice: &IceConfig) -> PublicAddresses {
    if let PublicAddress::Known(addresses) = &ice.public_address {
        return addresses.clone().into();
    }
    let known = PublicAddresses::default();
    once(&mut Asking::default(), &known, &servers(ice), &ask).await;
    known
}

/// The child that goes on asking; none where there is nobody to ask, or nothing to ask for.
pub(super) fn child(ice: &IceConfig, known: &PublicAddresses) -> Option<ChildSpec> {
    if ice.public_address != PublicAddress::AskStun {
        return None;
    }
    let (servers, known) = (servers(ice), known.clone());
    let child = ChildSpec::task("public_address", Restart::Permanent, move |cx| {
        let (servers, known) = (servers.clone(), known.clone());
        async move {
            cx.unless_stopping(keep(&known, &servers, ask)).await;
            ExitReason::Shutdown
        }
    });
    Some(child)
}

fn servers(ice: &IceConfig) -> Vec<IceUrl> {
    ice.servers.iter().filter(|url| !url.is_relay()).cloned().collect()
}

/// It blocks: not here.
async fn ask(server: IceUrl) -> Result<Vec<IpAddr>, ProbeError> {
    let asked = tokio::task::spawn_blocking(move || probe::public_addresses(&server));
    asked
        .await
        .unwrap_or_else(|error| Err(ProbeError::Unreachable(std::io::Error::other(error))))
}

//! The way of a sandbox to public addresses: slirp4netns(1) carries its packets as connections of its own, and routes
//! keep it from this machine and its neighbours.
//!
//! The routes are set before the app starts, by whoever owns the sandbox's network; the app has no rights over it. Names
//! are resolved by the machine's own resolvers, through slirp4netns. There is no IPv6.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::catalogue::find_program;
use crate::protocol::keeper::{Companion, User};

/// The network of the sandbox itself: the end of the range for benchmarks (RFC 2544), which hardly anybody has.
const OWN_NETWORK: &str = "198.19.255.0/24";
/// Its resolver, as slirp4netns has it: the third address.
pub(super) const RESOLVER: &str = "nameserver 198.19.255.3\n";
/// The device that packets go through.
const TUN: &str = "/dev/net/tun";

/// What has an address there is this machine, its link, its neighbours or nobody (RFC 6890).
const NOT_PUBLIC: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// Descriptors: 3 is written to when it is ready, 4 hung up at the end, 5 the user namespace that owns the network.
const SCRIPT: &str = r#"
pid=$HELIOSTAT_SANDBOX_PID
{
  for range in $RANGES; do echo "route add unreachable $range"; done
  ip -4 -o address show scope global | while read -r _ _ _ address _; do
    echo "route add unreachable ${address%/*}/32"
  done | sort -u
} | $OWNER nsenter --preserve-credentials --user=/proc/self/fd/5 --net=/proc/$pid/ns/net ip -batch - || exit 1
exec slirp4netns --configure --mtu=65520 --cidr="$NETWORK" --disable-host-loopback --enable-seccomp $SANDBOX \
  --userns-path=/proc/self/fd/5 --ready-fd=3 --exit-fd=4 "$pid" tap0 >/dev/null 2>&1
"#;

/// Who carries the packets, or what is missing for that. `user`: as whom apps run.
pub(super) fn companion(user: Option<User>, search_path: &[PathBuf]) -> Result<Companion, String> {
    for program in ["slirp4netns", "ip", "nsenter", "setpriv"] {
        if find_program(program, search_path).is_none() {
            return Err(format!("{program} is not installed"));
        }
    }
    let mode = Path::new(TUN)
        .metadata()
        .map_err(|error| format!("{TUN}: {error}"))?
        .permissions()
        .mode();
    let anybody = mode & 0o006 == 0o006;
    if !anybody && user.is_none() {
        return Err(format!("{TUN} cannot be opened by this user"));
    }
    // Where only root may open the device, it is root's own, who gives all rights up once it runs.
    let asked = user;
    let user = user.filter(|_| anybody);
    let sandbox = if anybody { "" } else { "--enable-sandbox" };
    // Only who made the sandbox is root in its network.
    let owner = asked
        .filter(|_| !anybody)
        .map_or_else(String::new, |User { uid, gid }| {
            format!("setpriv --reuid={uid} --regid={gid} --clear-groups")
        });
    let set = [
        format!("OWNER='{owner}'"),
        format!("NETWORK={OWN_NETWORK}"),
        format!("SANDBOX={sandbox}"),
        format!("RANGES='{}'", NOT_PUBLIC.join(" ")),
    ];
    let script = format!("{}\n{SCRIPT}", set.join("\n"));
    Ok(Companion {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script],
        user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = companion(None, &[folder.path().to_owned()]).unwrap_err();
        assert_eq!(missing, "slirp4netns is not installed");
    }
}

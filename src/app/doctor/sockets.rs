//! Whether a process listens on a TCP port, from `/proc` (proc(5), `/proc/net/tcp`).

use std::collections::BTreeSet;
use std::path::Path;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Whether process `pid` has a socket that listens on `port`. False, too, when its descriptors cannot be seen.
pub fn listens(pid: i32, port: u16) -> bool {
    let sockets: BTreeSet<u64> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|entry| inode(&std::fs::read_link(entry.path()).ok()?))
        .any(|inode| sockets.contains(&inode))
}

/// The inodes of the sockets of a table that listen on `port`.
fn listeners(table: &str, port: u16) -> Vec<u64> {
    let of_line = |line: &str| {
        // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?.rsplit_once(':')?.1;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        (u16::from_str_radix(local, 16).ok()? == port && state == LISTEN).then_some(inode)
    };
    table.lines().filter_map(of_line).collect()
}

/// The inode in `socket:[4711]`.
fn inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_table_names_the_listeners_of_a_port_and_nobody_else() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                       0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
                       1: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n\
                       2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1\n\
                       rubbish\n";
        assert_eq!(listeners(table, 8080), [4711]);
        assert!(listeners(table, 80).is_empty());
    }

    #[test]
    fn this_process_listens_where_it_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(listens(own, port));
        drop(listener);
        assert!(!listens(own, port));
    }
}

//! What can go wrong with a line.

use nix::errno::Errno;

/// Why a line cannot be made, changed or kept.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The name of a device is none.
    #[error("{0:?} is no name of a device: 1 to 15 letters, digits, hyphens")]
    Name(String),
    /// A namespace cannot be entered.
    #[error("the namespace {path} cannot be entered: {source}")]
    Namespace {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// The kernel makes no device.
    #[error("no TUN device {name} (is there a /dev/net/tun, and is this root?): {source}")]
    Device {
        name: String,
        #[source]
        source: std::io::Error,
    },
    /// A system call of the loop failed.
    #[error("{what}: {source}")]
    Loop {
        what: &'static str,
        #[source]
        source: Errno,
    },
    /// Nobody reads what is printed any more.
    #[error("stdout is closed: {0}")]
    Stdout(#[source] std::io::Error),
    /// An order that is not understood.
    #[error("no order: {0}")]
    Order(#[from] serde_json::Error),
    /// An order without content.
    #[error("an order names \"down\", \"up\" or \"both\", or asks to \"count\"")]
    Empty,
    /// An order longer than any.
    #[error("an order has at most {0} bytes")]
    Long(usize),
    /// A number that makes no line.
    #[error("{key} is {value}: {wanted}")]
    Shape {
        key: &'static str,
        value: String,
        wanted: &'static str,
    },
}

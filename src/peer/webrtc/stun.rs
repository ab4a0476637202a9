//! What is looked at of STUN messages (RFC 8489, section 5), which the crate writes and reads. Pure.

/// First bytes of a request of a binding …
pub(super) const REQUEST: [u8; 2] = [0x00, 0x01];
/// … and of the answer that it has succeeded.
pub(super) const SUCCESS: [u8; 2] = [0x01, 0x01];
/// What all have at their byte 4.
pub(super) const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Bytes before the attributes.
pub(super) const HEADER: usize = 20;

/// Whether a datagram is a message of this type.
pub(super) fn is(datagram: &[u8], kind: [u8; 2]) -> bool {
    datagram.len() >= HEADER && datagram.starts_with(&kind) && datagram[4..8] == COOKIE
}

//! For tests, and not in a release build: encoders that do not survive being tried, as the environment says.

use bytes::Bytes;

use crate::media::Frame;

/// What happens to encoders that are tried: `ELEMENT:crash`, `ELEMENT:hang` or `ELEMENT:rubbish`, separated by commas.
pub const FAIL_PROBE: &str = "HELIOSTAT_FAIL_PROBE";

fn told(element: &str, what: &str) -> bool {
    let wanted = format!("{element}:{what}");
    std::env::var(FAIL_PROBE).is_ok_and(|told| told.split(',').any(|told| told == wanted))
}

/// As a plug-in that is loaded.
pub(super) fn before(element: &str) {
    if told(element, "crash") {
        std::process::abort();
    }
    if told(element, "hang") {
        loop {
            std::thread::park();
        }
    }
}

/// As one that gives frames of the right form with a picture that is not the one that went in.
pub(super) fn after(element: &str, frames: &mut [Frame]) {
    if !told(element, "rubbish") {
        return;
    }
    for frame in frames {
        // Its head stays.
        let mut bytes = frame.data.to_vec();
        let from = bytes.len().min(64);
        bytes[from..].fill(0x5a);
        frame.data = Bytes::from(bytes);
    }
}

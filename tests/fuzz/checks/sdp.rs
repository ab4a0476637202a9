//! A browser's offer, and its candidates.

use heliostat::media::Codec;
use heliostat::peer::candidate::judge;
use heliostat::peer::codec_choice::choose;

pub fn check(bytes: &[u8]) {
    let Ok(offer) = std::str::from_utf8(bytes) else { return };
    if let Ok(choice) = choose(offer, &Codec::ALL) {
        assert!(choice.payload_type < 128);
    }
    for line in offer.lines() {
        let _ = judge(line.trim_start_matches("a="), [192, 0, 2, 7].into());
    }
}

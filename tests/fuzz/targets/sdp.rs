//! A browser's offer, and its candidates.
#![no_main]

use heliostat::media::Codec;
use heliostat::peer::candidate::judge;
use heliostat::peer::codec_choice::choose;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|offer: &str| {
    if let Ok(choice) = choose(offer, &Codec::ALL) {
        assert!(choice.payload_type < 128);
    }
    for line in offer.lines() {
        let _ = judge(line.trim_start_matches("a="), [192, 0, 2, 7].into());
    }
});

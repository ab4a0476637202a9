//! Which video format of a browser's offer the host answers with: pure inspection of the SDP.

use rtc::peer_connection::sdp::RTCSessionDescription;

use super::error::PeerError;
use crate::media::Codec;
use crate::protocol::signalling::MAX_SDP;

/// A browser's offer has a picture, sound and data; more than a few sections are somebody's joke.
const MAX_SECTIONS: usize = 8;

/// One format of the offer that the host can send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The codec.
    pub codec: Codec,
    /// The payload type the browser gave it.
    pub payload_type: u8,
    /// The payload type of its retransmissions (RFC 4588), if the browser takes them.
    pub rtx: Option<u8>,
    /// The payload type of what makes up for losses (FlexFEC, the draft's third version), if the browser takes it.
    pub fec: Option<u8>,
    /// The format's parameters as offered.
    pub fmtp: String,
}

/// One `a=rtpmap` of the offer's video section with what belongs to it.
struct Format {
    payload_type: u8,
    /// Upper case, such as `H264`.
    name: String,
    fmtp: String,
}

/// Chooses the first of `available` that the offer's video section can receive.
///
/// # Errors
/// [`PeerError::BadSdp`] when the offer does not parse, is larger than [`MAX_SDP`] or has no video section that
/// receives; [`PeerError::NoCommonCodec`].
pub fn choose(offer: &str, available: &[Codec]) -> Result<Choice, PeerError> {
    let bad = |why: &str| PeerError::BadSdp(why.to_owned());
    if offer.len() > MAX_SDP {
        return Err(bad("too large"));
    }
    let parsed = RTCSessionDescription::offer(offer.to_owned())
        .and_then(|d| d.unmarshal())
        .map_err(|e| PeerError::BadSdp(e.to_string()))?;
    if parsed.media_descriptions.len() > MAX_SECTIONS {
        return Err(bad("too many sections"));
    }
    let video = parsed
        .media_descriptions
        .iter()
        .find(|m| m.media_name.media == "video")
        .ok_or_else(|| bad("no video section"))?;
    if video.media_name.port.value == 0 || video.has_attribute("sendonly") || video.has_attribute("inactive") {
        return Err(bad("the video section does not receive"));
    }
    let attributes: Vec<(&str, &str)> = video
        .attributes
        .iter()
        .filter_map(|a| Some((a.key.as_str(), a.value.as_deref()?)))
        .collect();
    let formats = formats(&video.media_name.formats, &attributes);
    available
        .iter()
        .find_map(|codec| pick(*codec, &formats))
        .ok_or_else(|| PeerError::NoCommonCodec {
            offered: names(formats.iter().map(|f| f.name.as_str())),
            available: names(available.iter().map(|c| c.name())),
        })
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = all.collect();
    all.dedup();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join(", ")
    }
}

fn formats(listed: &[String], attributes: &[(&str, &str)]) -> Vec<Format> {
    let value_of = |key: &str, payload_type: &str| {
        attributes.iter().find_map(|(k, v)| {
            let (pt, rest) = v.split_once(' ')?;
            (*k == key && pt == payload_type).then_some(rest)
        })
    };
    let format = |payload_type: &String| {
        let (name, _) = value_of("rtpmap", payload_type)?.split_once('/')?;
        Some(Format {
            payload_type: payload_type.parse().ok().filter(|pt| *pt < 128)?,
            name: name.to_ascii_uppercase(),
            fmtp: value_of("fmtp", payload_type).unwrap_or_default().to_owned(),
        })
    };
    listed.iter().filter_map(format).collect()
}

fn pick(codec: Codec, formats: &[Format]) -> Option<Choice> {
    let best = match codec {
        Codec::Vp8 => formats.iter().find(|f| f.name == "VP8"),
        // Without the parameter it is profile 0 (RFC 9628, section 6), as in AV1.
        Codec::Vp9 => first_of(formats, "VP9", "profile-id"),
        Codec::Av1 => first_of(formats, "AV1", "profile"),
        Codec::H264Full => formats.iter().find(|f| f.name == "H264" && h264_is_full(&f.fmtp)),
        Codec::H264 => formats
            .iter()
            .filter(|f| f.name == "H264")
            .filter_map(|f| Some((h264_rank(&f.fmtp)?, f)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, f)| f),
    }?;
    let apt = best.payload_type.to_string();
    let rtx = formats
        .iter()
        .find(|f| f.name == "RTX" && parameter(&f.fmtp, "apt") == Some(&apt));
    let fec = formats.iter().find(|f| f.name == "FLEXFEC-03");
    Some(Choice {
        codec,
        payload_type: best.payload_type,
        rtx: rtx.map(|f| f.payload_type),
        fec: fec.map(|f| f.payload_type),
        fmtp: best.fmtp.clone(),
    })
}

/// The first format of this name that is of profile 0.
fn first_of<'f>(formats: &'f [Format], name: &str, profile: &str) -> Option<&'f Format> {
    let main = |format: &&Format| parameter(&format.fmtp, profile).is_none_or(|profile| profile == "0");
    formats.iter().filter(|format| format.name == name).find(main)
}

/// How well an H.264 format suits a stream of constrained baseline, 0 best; `None` when it cannot take one.
///
/// Packetization mode 1 is needed (RFC 6184, section 6.3). The profile's first byte is `profile_idc`, its second the
/// constraint flags: constrained baseline is 0x42 with flag 0x40, and a decoder of baseline or main takes it as well.
fn h264_rank(fmtp: &str) -> Option<u8> {
    if parameter(fmtp, "packetization-mode") != Some("1") {
        return None;
    }
    let Some(level) = parameter(fmtp, "profile-level-id") else {
        // Without the parameter it is baseline, level 1 (RFC 6184, section 8.1).
        return Some(2);
    };
    let bytes = hex::decode(level).ok().filter(|b| b.len() == 3)?;
    match (bytes[0], bytes[1]) {
        (0x42, flags) if flags & 0x40 != 0 => Some(0),
        (0x42, _) => Some(1),
        (0x4d, flags) if flags & 0x80 != 0 => Some(3),
        (0x4d, _) => Some(4),
        _ => None,
    }
}

/// Whether an H.264 format is High 4:4:4 Predictive (RFC 6184, section 8.1: `profile_idc` 244 without constraints), whose
/// decoders take the baseline as well (ITU-T H.264, A.3).
fn h264_is_full(fmtp: &str) -> bool {
    let profile = parameter(fmtp, "profile-level-id").and_then(|level| level.get(..4));
    parameter(fmtp, "packetization-mode") == Some("1") && profile.is_some_and(|p| p.eq_ignore_ascii_case("f400"))
}

fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|p| p.trim().split_once('='))
        .find(|(k, _)| k.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n";

    fn offer(section: &str) -> String {
        format!("{HEAD}{section}")
    }

    const CHROMIUM: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 39 40\r\n\
        c=IN IP4 0.0.0.0\r\na=recvonly\r\na=mid:0\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
        a=rtpmap:103 H264/90000\r\n\
        a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n\
        a=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n\
        a=rtpmap:107 H264/90000\r\n\
        a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n\
        a=rtpmap:109 H264/90000\r\n\
        a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:114 rtx/90000\r\na=fmtp:114 apt=109\r\n\
        a=rtpmap:39 AV1/90000\r\n";

    #[test]
    fn the_host_prefers_the_order_of_its_own_encoders() {
        let both = choose(&offer(CHROMIUM), &Codec::ALL).unwrap();
        assert_eq!((both.codec, both.payload_type, both.rtx), (Codec::H264, 109, Some(114)));
        assert!(both.fmtp.contains("42e01f"));
        let vp8 = choose(&offer(CHROMIUM), &[Codec::Vp8]).unwrap();
        assert_eq!((vp8.codec, vp8.payload_type, vp8.rtx), (Codec::Vp8, 96, Some(97)));
        let av1 = choose(&offer(CHROMIUM), &[Codec::Av1, Codec::H264]).unwrap();
        assert_eq!((av1.codec, av1.payload_type, av1.rtx), (Codec::Av1, 39, None));
    }

    #[test]
    fn parity_goes_to_who_takes_it() {
        let takes = CHROMIUM.replace("SAVPF 96", "SAVPF 49 96") + "a=rtpmap:49 flexfec-03/90000\r\n";
        let fec = |sdp: &str| choose(&offer(sdp), &[Codec::H264]).unwrap().fec;
        assert_eq!((fec(&takes), fec(CHROMIUM)), (Some(49), None));
        assert_eq!(
            fec(&takes.replace("flexfec-03", "flexfec")),
            None,
            "another version has other bytes"
        );
    }

    #[test]
    fn colours_in_full_go_to_who_takes_them_and_to_nobody_else() {
        let wanted = [Codec::H264Full, Codec::H264];
        let full = "a=rtpmap:41 H264/90000\r\n\
            a=fmtp:41 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=F4001F\r\n\
            a=rtpmap:42 rtx/90000\r\na=fmtp:42 apt=41\r\n";
        let takes = CHROMIUM.replace("SAVPF 96", "SAVPF 41 42 96") + full;
        let choice = choose(&offer(&takes), &wanted).unwrap();
        assert_eq!(
            (choice.codec, choice.payload_type, choice.rtx),
            (Codec::H264Full, 41, Some(42))
        );
        assert_eq!(choose(&offer(&takes), &[Codec::H264]).unwrap().payload_type, 109);
        for other in [
            CHROMIUM.to_owned(),
            takes.replace("packetization-mode=1;profile-level-id=F4", "profile-level-id=F4"),
        ] {
            assert_eq!(choose(&offer(&other), &wanted).unwrap().codec, Codec::H264);
        }
    }

    #[test]
    fn of_vp9_and_av1_the_profile_that_is_encoded_is_taken_and_no_other() {
        let two = "m=video 9 UDP/TLS/RTP/SAVPF 98 100 45 46\r\nc=IN IP4 0.0.0.0\r\n\
            a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\na=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=0\r\n\
            a=rtpmap:45 AV1/90000\r\na=fmtp:45 level-idx=5;profile=1;tier=0\r\n";
        assert_eq!(choose(&offer(two), &[Codec::Vp9]).unwrap().payload_type, 100);
        let error = choose(&offer(two), &[Codec::Av1]).unwrap_err();
        assert_eq!(error.code(), "no_common_codec");
    }

    #[test]
    fn a_browser_without_h264_gets_vp8_and_one_without_both_a_typed_refusal() {
        let vp8 = offer("m=video 9 UDP/TLS/RTP/SAVPF 120\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:120 VP8/90000\r\n");
        let choice = choose(&vp8, &Codec::ALL).unwrap();
        assert_eq!((choice.codec, choice.payload_type, choice.rtx), (Codec::Vp8, 120, None));
        let vp9 = offer("m=video 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:98 VP9/90000\r\n");
        let error = choose(&vp9, &[Codec::H264, Codec::Vp8]).unwrap_err();
        assert_eq!(error.code(), "no_common_codec");
        assert_eq!(
            error.to_string(),
            "no codec in common: the browser decodes VP9, the host encodes h264, vp8"
        );
        assert_eq!(choose(&vp8, &[]).unwrap_err().code(), "no_common_codec");
    }

    #[test]
    fn h264_without_packetization_mode_1_or_of_high_profile_only_is_not_taken() {
        for fmtp in [
            "packetization-mode=0;profile-level-id=42e01f",
            "packetization-mode=1;profile-level-id=64001f",
            "packetization-mode=1;profile-level-id=zz",
        ] {
            let sdp = offer(&format!(
                "m=video 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:98 H264/90000\r\na=fmtp:98 {fmtp}\r\n"
            ));
            assert_eq!(
                choose(&sdp, &Codec::ALL).unwrap_err().code(),
                "no_common_codec",
                "{fmtp}"
            );
        }
    }

    #[test]
    fn what_is_no_offer_of_a_picture_is_bad_sdp() {
        let audio = offer("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n");
        let refused = offer(&CHROMIUM.replace("m=video 9", "m=video 0"));
        let sending = offer(&CHROMIUM.replace("a=recvonly", "a=sendonly"));
        let long = offer(&"a=x\r\n".repeat(MAX_SDP));
        let sections = offer(&"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n".repeat(1_000));
        for sdp in ["", "rubbish", HEAD, &audio, &refused, &sending, &long, &sections] {
            let error = choose(sdp, &Codec::ALL).unwrap_err();
            assert_eq!(error.code(), "bad_sdp", "{}", &sdp[..sdp.len().min(200)]);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}", at in 0usize..900, byte in "[ -~\r\n]") {
            let _ = choose(&text, &Codec::ALL);
            let mut sdp = offer(CHROMIUM);
            let at = at.min(sdp.len() - 1);
            sdp.replace_range(at..=at, &byte);
            let _ = choose(&sdp, &Codec::ALL);
        }
    }
}

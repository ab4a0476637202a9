//! Cookies on an encrypted way: handlers know them by one name, browsers keep them under another.
//!
//! Over https every cookie of ours is `Secure` and has the prefix `__Host-` (RFC 6265bis section 4.1.3.2): no page of an
//! unencrypted or of a neighbouring host can have set it. Over http it has its plain name. So the two never meet, also
//! where one machine is reached both ways, and a cookie that was set without encryption opens nothing over https.

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// What the names of all cookies of ours begin with.
const OURS: &str = "heliostat_";
/// What a browser keeps only as it came: over https, from this very host, for all of it.
const PREFIX: &str = "__Host-";

/// Gives handlers the cookies that count on this way, by their plain names; no others.
pub fn incoming(headers: &mut HeaderMap, https: bool) {
    let sent: Vec<&str> = headers
        .get_all(COOKIE)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter_map(|pair| if https { pair.strip_prefix(PREFIX) } else { Some(pair) })
        .filter(|pair| pair.starts_with(OURS))
        .collect();
    let kept = Some(sent.join("; ")).filter(|line| !line.is_empty());
    headers.remove(COOKIE);
    if let Some(line) = kept.and_then(|line| HeaderValue::from_str(&line).ok()) {
        headers.insert(COOKIE, line);
    }
}

/// Lets cookies that handlers set go out as the way demands.
pub fn outgoing(headers: &mut HeaderMap, https: bool) {
    if !https {
        return;
    }
    let set: Vec<HeaderValue> = headers.get_all(SET_COOKIE).cloned().collect();
    headers.remove(SET_COOKIE);
    for line in set {
        let secured = line
            .to_str()
            .ok()
            .filter(|text| text.starts_with(OURS))
            .and_then(|text| HeaderValue::from_str(&format!("{PREFIX}{text}; Secure")).ok());
        headers.append(SET_COOKIE, secured.unwrap_or(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(lines: &[&str], https: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        incoming(&mut headers, https);
        let mut left = headers.get_all(COOKIE);
        let line = left.next().map(|line| line.to_str().unwrap().to_owned());
        assert!(left.next().is_none());
        line
    }

    #[test]
    fn over_https_only_what_was_set_over_https_counts() {
        let sent = [
            "heliostat_a=plain; __Host-heliostat_a=secret",
            "other=1; __Host-other=2",
        ];
        assert_eq!(received(&sent, true).as_deref(), Some("heliostat_a=secret"));
        assert_eq!(received(&sent, false).as_deref(), Some("heliostat_a=plain"));
        assert_eq!(received(&["heliostat_a=plain"], true), None);
        assert_eq!(received(&["__Host-__Host-heliostat_a=x"], true), None);
        assert_eq!(received(&[], true), None);
    }

    #[test]
    fn what_goes_out_over_https_is_secure_and_for_this_host_only() {
        let set = |https| {
            let mut headers = HeaderMap::new();
            for line in ["heliostat_a=1; HttpOnly; Path=/", "heliostat_b=2; Path=/"] {
                headers.append(SET_COOKIE, HeaderValue::from_static(line));
            }
            outgoing(&mut headers, https);
            let lines = headers
                .get_all(SET_COOKIE)
                .map(|line| line.to_str().unwrap().to_owned());
            lines.collect::<Vec<_>>()
        };
        let secured = [
            "__Host-heliostat_a=1; HttpOnly; Path=/; Secure",
            "__Host-heliostat_b=2; Path=/; Secure",
        ];
        assert_eq!(set(true), secured);
        assert_eq!(set(false), ["heliostat_a=1; HttpOnly; Path=/", "heliostat_b=2; Path=/"]);
    }
}

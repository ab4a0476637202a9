//! Headers that every answer has, so that a browser lets pages do no more than ours need.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Pages run our own modules and styles and nothing else (Content Security Policy Level 3); pictures may also be blobs
/// (thumbnails).
const SCRIPTS: &str = "default-src 'none'; script-src 'self'";
/// And the rest, to be followed by who may hold the page in a frame.
const PAGE: &str = "style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; media-src 'self' blob: mediastream:; manifest-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

/// What is no page shows nothing, in no frame.
const NOT_A_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");

/// What the viewer needs, and none of the rest that a page could ask its user for (W3C Permissions Policy). In a frame,
/// the page around it has to allow the same.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "fullscreen=(self), autoplay=(self), clipboard-read=(self), clipboard-write=(self), gamepad=(self), \
     keyboard-map=(self), picture-in-picture=(self), screen-wake-lock=(self), camera=(), microphone=(), geolocation=(), \
     display-capture=(), midi=(), payment=(), usb=(), serial=(), hid=()",
);

/// For a year, this very host (RFC 6797 section 6.1).
const ONLY_HTTPS: HeaderValue = HeaderValue::from_static("max-age=31536000");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// How a policy names a script by what is in it (Content Security Policy Level 3, section 2.3.1).
pub fn hash_of(script: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)))
}

/// The policy of a page that these origins may hold in a frame, beside our own. `scripts`: the hashes of those in the page's own text.
pub fn page_policy(embedders: &[String], scripts: &[String]) -> String {
    let scripts: String = scripts.iter().map(|hash| format!(" {hash}")).collect();
    let policy = format!("{SCRIPTS}{scripts}; {PAGE}");
    embedders.iter().fold(policy, |policy, origin| {
        // One that could end the list of frames would begin another directive.
        if origin.contains([';', ',']) {
            policy
        } else {
            format!("{policy} {origin}")
        }
    })
}

/// Adds what the answer has not yet. `only_https`: the browser is to come by https from now on.
pub fn complete(headers: &mut HeaderMap, only_https: bool) {
    let mut unless_there = |name: HeaderName, value: HeaderValue| {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    // What is no page or file of one is for who asked for it, and now.
    unless_there(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    unless_there(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    unless_there(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    unless_there(CONTENT_SECURITY_POLICY, NOT_A_PAGE);
    unless_there(PERMISSIONS_POLICY, PERMISSIONS);
    // Pages of others get our modules only by asking with CORS, which this does not concern.
    unless_there(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if only_https {
        unless_there(STRICT_TRANSPORT_SECURITY, ONLY_HTTPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_policy_lets_text_of_a_page_run() {
        let policy = page_policy(&["https://museum.example".to_owned()], &[hash_of("run()")]);
        assert!(!policy.contains("unsafe"));
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"),
            "by what is in it alone: {policy}"
        );
        assert!(policy.ends_with("frame-ancestors 'self' https://museum.example"));
    }

    #[test]
    fn an_embedder_adds_no_directive() {
        let policy = page_policy(&["https://a.example; script-src *".to_owned()], &[]);
        assert!(policy.ends_with("frame-ancestors 'self'"));
    }

    #[test]
    fn an_answer_keeps_what_it_has_and_gets_the_rest() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'self'"));
        complete(&mut headers, false);
        assert_eq!(headers.get(CONTENT_SECURITY_POLICY).unwrap(), "default-src 'self'");
        assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
        complete(&mut headers, true);
        assert!(headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }
}

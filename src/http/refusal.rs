//! Who opens a page and is refused sees a page, in words, and not what programs are told.

use std::sync::LazyLock;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// All in one answer: under a foreign name, a browser would be refused the style as well.
const STYLE: &str = "html{color-scheme:dark;background:#0b0d13;color:#ece9e2;font:15px/1.55 system-ui,sans-serif}\
    main{max-width:36rem;margin:20vh auto;padding:0 1.5rem}h1{font-size:1.4rem;color:#f4b942}\
    p{overflow-wrap:anywhere}small{color:#aaa69c}a{color:#f4b942}";

/// Nothing but that style (Content Security Policy Level 3, section 6.7.3.3).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'self'");
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// The answer, which is a page if it was a problem and somebody opened an address in a browser.
pub(super) fn page_for_people(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let request = response.request();
    if request.method() != Method::GET || !asks_for_page(request.headers()) {
        return response;
    }
    let problem = response.response().extensions().get::<Problem>().cloned();
    let Some(problem) = problem else { return response };
    let text = page(response.status(), &problem);
    let mut response = response.map_body(|_, _| BoxBody::new(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

/// Whether a page is among what is wanted: browsers say so of addresses that somebody opens, and of nothing that a page
/// asks for (Fetch, section 4.1).
fn asks_for_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn page(status: StatusCode, problem: &Problem) -> String {
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
        _ => "This was refused",
    };
    let (detail, code) = (escaped(problem.detail()), problem.code());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Heliostat</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{detail}</p><p><small>{} {code}</small></p></main></body></html>\n",
        status.as_u16()
    )
}

/// As text within an element (WHATWG HTML, section 13.1.2.6): a problem quotes what came from outside.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_problem_quotes_is_text_and_no_markup() {
        let problem = Problem::not_allowed("<script>alert(1)</script> & more");
        let text = page(StatusCode::FORBIDDEN, &problem);
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
        assert!(!text.contains("<script"));
    }

    #[test]
    fn the_policy_lets_the_style_of_the_page_apply_and_nothing_else() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!policy.contains("unsafe"));
    }

    #[test]
    fn only_who_opens_an_address_is_shown_a_page() {
        let accepts = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(value));
            asks_for_page(&headers)
        };
        assert!(accepts(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(!accepts("*/*") && !accepts("application/json") && !accepts("image/png"));
        assert!(!asks_for_page(&HeaderMap::new()));
    }
}

//! Error answers: problem details (RFC 9457) with a stable `code`.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::protocol::signalling::excerpt;
use crate::supervision::ControlError;

/// An error as REST tells it. Built where the HTTP status is decided; the `code` is the same as on the socket.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem with its HTTP status, its code and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:heliostat:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: excerpt(detail.into()),
            code,
            retry_after: None,
        }
    }

    /// The same problem, which may be gone after `wait` (rounded up to seconds; `Retry-After`, RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX));
        self
    }

    /// 401: who asks has not shown the token yet.
    #[must_use]
    pub fn auth_required() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "auth_required",
            "open the address with the token that the host printed at its start (or run `heliostat token`)",
        )
    }

    /// 404: there is no such instance, or not for the one who asks.
    #[must_use]
    pub fn unknown_instance() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_instance", "there is no such instance")
    }

    /// 403: it is there, but belongs to somebody else.
    #[must_use]
    pub fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed", detail)
    }

    /// 503: a part of the host is away and comes back.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(Duration::from_secs(2))
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

/// What a supervisor answers to a request that it does not do.
impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let status = match error {
            ControlError::NotFound => StatusCode::NOT_FOUND,
            ControlError::Busy | ControlError::Timeout | ControlError::ShuttingDown | ControlError::MaxChildren => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).json(self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // For who makes a page of it.
        response.extensions_mut().insert(self.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_problem_quotes_is_cut() {
        let problem = Problem::not_allowed("ü".repeat(100_000));
        assert_eq!(problem.detail().chars().count(), 201);
        assert!(problem.detail().ends_with('…'));
    }

    #[actix_web::test]
    async fn a_problem_tells_its_code_its_status_and_when_to_come_back() {
        let problem = Problem::unavailable("capacity", "every place is taken").retry_after(Duration::from_millis(4200));
        let response = problem.error_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let header = |name| response.headers().get(name).map(HeaderValue::as_bytes);
        assert_eq!(header(RETRY_AFTER), Some(&b"5"[..]));
        assert_eq!(header(CONTENT_TYPE), Some(&b"application/problem+json"[..]));
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "capacity");
        assert_eq!(body["status"], 503);
    }
}

//! The middleware that every request passes: `Host` always, `Origin` for what changes something or opens a socket.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, ORIGIN, UPGRADE};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::client::Client;
use super::origin::OriginPolicy;
use super::problem::Problem;
use super::transport::{level, quoted};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// So much is quoted of a name that is not ours, in characters.
const NAME_QUOTED: usize = 64;

/// Refuses what comes under a foreign name or from a foreign page (403), before any handler sees it.
///
/// # Errors
/// Those of the handlers behind it.
pub async fn check_origin(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(problem) = check(&request) {
        log::log!(
            level(),
            "http refused={} path={} client={}",
            problem.code(),
            quoted(request.path()),
            request
                .extensions()
                .get::<Client>()
                .map_or_else(String::new, Client::to_string)
        );
        let response = problem.error_response();
        return Ok(request.into_response(response));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(policy) = request.app_data::<web::Data<OriginPolicy>>() else {
        return Err(Problem::unavailable("not_ready", "the host is starting"));
    };
    let header = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    let extensions = request.extensions();
    let Some(client) = extensions.get::<Client>() else {
        return Err(Problem::unavailable("not_ready", "the host is starting"));
    };
    let host = client.host.as_deref();
    let forbidden = |e: super::origin::OriginError| Problem::new(StatusCode::FORBIDDEN, e.code(), e.to_string());
    policy.check_host(host).map_err(|e| {
        let name: String = host.unwrap_or_default().chars().take(NAME_QUOTED).collect();
        let detail = format!("{e} ({name:?}): if it is its own, add it to server.hosts in the configuration");
        Problem::new(StatusCode::FORBIDDEN, e.code(), detail)
    })?;
    let changes = !request.method().is_safe() || request.headers().contains_key(UPGRADE);
    if changes {
        policy
            .check_origin(host, client.https, header(ORIGIN), header(FETCH_SITE))
            .map_err(forbidden)?;
    }
    Ok(())
}

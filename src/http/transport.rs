//! The outermost middleware: how a request came, what every answer has, and which requests got a problem for an answer.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use log::Level;

use super::client::{Client, Proxies};
use super::idle::{Carried, Connection};
use super::problem::Problem;
use super::{cookies, headers, refusal, slow_body};
use crate::observe::Lines;

/// What is written down of all requests that are refused or fail.
static LINES: Lines = Lines::a_minute(300);
/// So much is quoted of a path, in characters.
const PATH_QUOTED: usize = 200;

/// The level of one more line about a request that is refused or fails.
pub(super) fn level() -> Level {
    LINES.level()
}

/// What the log quotes of a path.
pub(super) fn quoted(path: &str) -> &str {
    path.char_indices()
        .nth(PATH_QUOTED)
        .map_or(path, |(end, _)| path.get(..end).unwrap_or(path))
}

/// What the configuration says of the way between browsers and this host.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    /// The reverse proxies that are believed.
    pub proxies: Proxies,
    /// Whether who comes by https is told to do so always.
    pub only_https: bool,
}

/// Finds out who asks ([`Client`], for all that follows), and gives cookies and headers the form that the way demands.
///
/// # Errors
/// Those of the handlers behind it.
pub async fn transport(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let way = request.app_data::<web::Data<Transport>>().cloned();
    let way = way.map_or_else(Transport::default, |way| way.get_ref().clone());
    let client = Client::of_request(&request, &way.proxies);
    let https = client.https;
    cookies::incoming(request.headers_mut(), https);
    request.extensions_mut().insert(client.clone());
    slow_body::limit(&mut request);
    let carried = request.conn_data::<Rc<Connection>>().map(Connection::request);
    let mut response = next.call(request).await?.map_into_boxed_body();
    if let Some(carried) = carried {
        response = response.map_body(|_, body| BoxBody::new(Carried::new(body, carried)));
    }
    if let Some(problem) = response
        .response()
        .error()
        .and_then(|error| error.as_error::<Problem>())
    {
        log::log!(
            level(),
            "http client={client} path={} status={} code={} detail={:?}",
            quoted(response.request().path()),
            response.status().as_u16(),
            problem.code(),
            problem.detail()
        );
    }
    response = refusal::page_for_people(response);
    cookies::outgoing(response.headers_mut(), https);
    headers::complete(response.headers_mut(), https && way.only_https);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_its_beginning_is_written_down() {
        assert_eq!(quoted("/static/nothing"), "/static/nothing");
        assert_eq!(quoted(&"ü".repeat(100_000)).chars().count(), PATH_QUOTED);
    }

    #[test]
    fn of_requests_without_end_that_fail_so_many_are_written_down() {
        let written = (0..1000).filter(|_| level() == Level::Info).count();
        assert!(written <= 300, "{written}");
    }
}

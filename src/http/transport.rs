//! The outermost middleware: how a request came, what every answer has, and which requests got a problem for an answer.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use super::client::{Client, Proxies};
use super::idle::{Carried, Connection};
use super::problem::Problem;
use super::{cookies, headers, slow_body};

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
        log::info!(
            "http client={client} path={} status={} code={} detail={:?}",
            response.request().path(),
            response.status().as_u16(),
            problem.code(),
            problem.detail()
        );
    }
    cookies::outgoing(response.headers_mut(), https);
    headers::complete(response.headers_mut(), https && way.only_https);
    Ok(response)
}

//! What a request has begun is carried through, whether or not who asked still waits for the answer.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, rt};

use super::problem::Problem;

/// Gives what changes something a task of its own: a connection that ends takes the future of its request along, and would
/// leave half of it done, such as a link that is revoked in the database and not in memory. Bodies, databases and
/// processes have deadlines, so that none of these tasks stays.
///
/// # Errors
/// Those of the handlers behind it; 500 `internal` where one panics.
pub async fn carry_through(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method().is_safe() {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let work = rt::spawn(async move { next.call(request).await.map(ServiceResponse::map_into_boxed_body) });
    work.await.unwrap_or_else(|_| {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the host has a fault");
        Err(problem.into())
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[actix_web::test]
    async fn what_a_request_has_begun_is_done_although_nobody_waits_for_it_any_more() {
        let done = Rc::new(Cell::new(false));
        let mark = Rc::clone(&done);
        let handler = move || {
            let mark = Rc::clone(&mark);
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                mark.set(true);
                HttpResponse::NoContent()
            }
        };
        let app = App::new()
            .wrap(from_fn(carry_through))
            .route("/", web::delete().to(handler));
        let app = init_service(app).await;
        let request = TestRequest::delete().uri("/").to_request();
        let waiting = tokio::time::timeout(Duration::from_millis(5), call_service(&app, request));
        assert!(waiting.await.is_err(), "who asked is gone");
        assert!(!done.get());
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if done.get() {
                return;
            }
        }
        panic!("it was left half done");
    }
}

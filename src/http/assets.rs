//! The pages and modules of `static/`, embedded in the binary, and the headers they are served with.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;

use super::origin::OriginPolicy;
use super::problem::Problem;
use crate::ids::InstanceId;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Assets;

/// Only our own modules and styles run in our pages; pictures may also be blobs (thumbnails).
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; connect-src 'self'; \
    media-src 'self' blob: mediastream:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// `GET /`
pub async fn home(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "index.html")
}

/// `GET /stream/{instance_id}`: the same page for every instance; it asks for the rest itself.
pub async fn stream(request: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    id.parse::<InstanceId>().map_err(|_| Problem::unknown_instance())?;
    serve(&request, "stream.html")
}

/// `GET /admin`: for everybody, since it holds nothing; what it asks for is for administrators.
pub async fn admin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "admin.html")
}

/// `GET /static/{path}`
pub async fn asset(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    serve(&request, &path)
}

/// `GET /favicon.ico`, which browsers ask for by themselves.
pub async fn favicon(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "favicon.svg")
}

/// Whatever has no route.
pub async fn nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        actix_web::http::StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this address",
    ))
}

fn serve(request: &HttpRequest, path: &str) -> Result<HttpResponse, Problem> {
    let Some(file) = Assets::get(path) else {
        return Err(Problem::new(
            actix_web::http::StatusCode::NOT_FOUND,
            "not_found",
            "there is no such page",
        ));
    };
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..12]));
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|v| v.as_bytes() == etag.as_bytes());
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    let embedders = request
        .app_data::<web::Data<OriginPolicy>>()
        .map(|p| p.origins.join(" "))
        .unwrap_or_default();
    response
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, format!("{POLICY} {embedders}")))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.insert_header((ETAG, etag));
    }
    if known {
        return Ok(response.finish());
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == "text" {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    Ok(response.content_type(kind).body(file.data.into_owned()))
}

//! The pages and modules of `static/`, embedded in the binary, and the headers they are served with.
//!
//! Pages name everything below `/static/<version>/`, which a browser keeps for good: to open a page again costs one request.
//! Without a version, or with another host's, the same files are asked for anew each time. Modules of pages go as one script
//! ([`pages`]), and all compressed to browsers that take that: on a slow line most of the time until a first picture is the page's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use actix_web::http::StatusCode;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::headers::page_policy;
use super::joined::Unjoinable;
use super::origin::OriginPolicy;
use super::pages;
use super::problem::Problem;
use crate::ids::InstanceId;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Assets;

/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;
/// For a file that is looked for anew each time, which costs little where it has not changed.
const ASK: &str = "no-cache";
/// For a file that is another one under another address.
const KEEP: &str = "public, max-age=31536000, immutable";

/// `GET /`
pub async fn home(request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&request, "index.html")
}

/// `GET /stream/{instance_id}`: the same page for every instance; it asks for the rest itself.
pub async fn stream(request: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    id.parse::<InstanceId>().map_err(|_| Problem::unknown_instance())?;
    page(&request, "stream.html")
}

/// `GET /admin`: for everybody, since it holds nothing; what it asks for is for administrators.
pub async fn admin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&request, "admin.html")
}

/// `GET /static/{path}` and `GET /static/{version}/{path}`
pub async fn asset(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (version, name) = match path.split_once('/') {
        Some((first, rest)) if is_version(first) => (Some(first), rest),
        _ => (None, path.as_str()),
    };
    let cache = if version == Some(self::version()) && !cfg!(debug_assertions) {
        KEEP
    } else {
        ASK
    };
    let data = match pages::page_of_script(name) {
        Some(page) => {
            let script = pages::script(page, &text_of).map_err(|error| broken(page, &error))?;
            Cow::Owned(script.as_bytes().to_vec())
        }
        None => Assets::get(name).ok_or_else(no_such_page)?.data,
    };
    Ok(answer(&request, name, data, cache, &[]))
}

/// `GET /favicon.ico`, which browsers ask for by themselves.
pub async fn favicon(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = "favicon.svg";
    let file = Assets::get(name).ok_or_else(no_such_page)?;
    Ok(answer(&request, name, file.data, ASK, &[]))
}

/// Whatever has no route.
pub async fn nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this address",
    ))
}

fn no_such_page() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such page")
}

/// What names this content of `static/`.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut all = Sha256::new();
        for name in Assets::iter() {
            all.update(name.as_bytes());
            all.update(Assets::get(&name).map(|f| f.metadata.sha256_hash()).unwrap_or_default());
        }
        // Another host may join the same modules otherwise.
        for script in pages::names().filter_map(|name| pages::script(name, &text_of).ok()) {
            all.update(&*script);
        }
        hex::encode(&all.finalize()[..VERSION_DIGITS / 2])
    })
}

fn is_version(segment: &str) -> bool {
    segment.len() == VERSION_DIGITS && segment.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A page, with the version in its addresses.
fn page(request: &HttpRequest, name: &'static str) -> Result<HttpResponse, Problem> {
    let page = pages::page(name, &text_of).map_err(|error| broken(name, &error))?;
    let text = page.text.replace("\"/static/", &format!("\"/static/{}/", version()));
    Ok(answer(request, name, Cow::Owned(text.into_bytes()), ASK, &page.hashes))
}

fn broken(name: &str, error: &Unjoinable) -> Problem {
    log::error!("the page {name} cannot be made: {error}");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "page_broken", "this page cannot be made")
}

fn text_of(name: &str) -> Option<String> {
    let file = Assets::get(name)?;
    Some(String::from_utf8_lossy(&file.data).into_owned())
}

/// `scripts`: the hashes of those that the file has in its own text.
fn answer(
    request: &HttpRequest,
    name: &str,
    body: Cow<'static, [u8]>,
    cache: &'static str,
    scripts: &[String],
) -> HttpResponse {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let zipped = takes_gzip(request) && (kind.type_() == "text" || kind.suffix().is_some());
    // Each form of a file has its own (RFC 9110, section 8.8.3.3).
    let form = if zipped { "-gzip" } else { "" };
    let etag = format!("\"{}{form}\"", hex::encode(&Sha256::digest(&body)[..12]));
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
        .map(|p| p.origins.clone())
        .unwrap_or_default();
    response
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((CONTENT_SECURITY_POLICY, page_policy(&embedders, scripts)))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.insert_header((ETAG, value));
    }
    if known {
        return response.finish();
    }
    let kind = if kind.type_() == "text" {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    response.content_type(kind);
    match zipped.then(|| kept_gzip(&etag, &body)) {
        Some(Ok(body)) => response.insert_header((CONTENT_ENCODING, "gzip")).body(body),
        _ => response.body(body.into_owned()),
    }
}

/// Whether a browser says that it takes compressed bodies (RFC 9110, section 12.5.3).
fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// Compressed files that are kept, by what names their content.
const KEPT_ZIPPED: usize = 300;

/// Compressed once: for a page's script it takes 10 ms.
fn kept_gzip(etag: &str, body: &[u8]) -> std::io::Result<Bytes> {
    static KEPT: Mutex<BTreeMap<String, Bytes>> = Mutex::new(BTreeMap::new());
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(zipped) = kept().get(etag) {
        return Ok(zipped.clone());
    }
    let zipped = Bytes::from(gzip(body)?);
    let mut kept = kept();
    // overflow: all are made anew; files that change, which those of a build for development do, are not many at once.
    if kept.len() >= KEPT_ZIPPED {
        kept.clear();
    }
    kept.insert(etag.to_owned(), zipped.clone());
    Ok(zipped)
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::best());
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};

    use super::*;

    async fn get(path: &str, etag: Option<&str>) -> (StatusCode, String, String, String) {
        let app = App::new()
            .route("/", web::get().to(home))
            .route("/static/{path:.*}", web::get().to(asset));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::get().uri(path);
        if let Some(etag) = etag {
            request = request.insert_header((IF_NONE_MATCH, etag));
        }
        let response = test::call_service(&app, request.to_request()).await;
        let header = |name| {
            response
                .headers()
                .get(name)
                .map_or("", |v| v.to_str().unwrap())
                .to_owned()
        };
        let (status, cache, etag) = (response.status(), header(CACHE_CONTROL), header(ETAG));
        let body = String::from_utf8_lossy(&test::read_body(response).await).into_owned();
        (status, cache, etag, body)
    }

    #[actix_rt::test]
    async fn a_page_names_its_files_by_version_and_they_are_there() {
        let (status, cache, etag, body) = get("/", None).await;
        assert_eq!((status, cache.as_str()), (StatusCode::OK, ASK));
        let prefix = format!("\"/static/{}/", version());
        assert!(
            !body.replace(&prefix, "").contains("\"/static/"),
            "every address has the version"
        );
        let addresses: Vec<_> = body.split('"').filter(|part| part.starts_with("/static/")).collect();
        assert!(addresses.len() > 4, "{addresses:?}");
        assert!(addresses.iter().any(|path| path.ends_with("/joined/index.js")));
        for address in addresses {
            assert_eq!(get(address, None).await.0, StatusCode::OK, "{address}");
        }
        assert_eq!(get("/", Some(&etag)).await.0, StatusCode::NOT_MODIFIED);
    }

    #[actix_rt::test]
    async fn every_page_has_its_guard_in_its_text_before_everything_that_can_be_lost() {
        for name in pages::names() {
            let response = page(&test::TestRequest::default().to_http_request(), name).unwrap();
            let policy = response.headers().get(CONTENT_SECURITY_POLICY).unwrap();
            let policy = policy.to_str().unwrap().to_owned();
            let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
            let body = String::from_utf8_lossy(&body).into_owned();
            let (before, rest) = body.split_once("<script>").unwrap();
            let (script, _) = rest.split_once("</script>").unwrap();
            assert!(!before.contains("/static/"), "{name}: {before}");
            assert!(script.contains("\n// lib/guard.js\n"), "{name}: {script}");
            assert!(
                policy.contains(&crate::http::headers::hash_of(script)),
                "{name}: {policy}"
            );
        }
    }

    #[test]
    async fn every_page_can_be_made_of_the_modules_that_there_are() {
        for name in pages::names() {
            let script = pages::script(name, &text_of).unwrap();
            assert!(script.matches("\nconst $m").count() > 5, "{name}");
            for line in script.lines() {
                assert!(
                    !line.starts_with("import ") && !line.starts_with("export "),
                    "{name}: {line}"
                );
            }
        }
        let stream = pages::script("stream.html", &text_of).unwrap();
        let place = |path: &str| stream.find(&format!("// {path}\n"));
        assert!(
            place("stream/early.js") < place("stream/main.js") && place("viewer/link.js") < place("stream/early.js")
        );
        assert!(place("viewer/media-peer.js").is_some(), "the second way comes along");
        assert_eq!((place("viewer/vnc-peer.js"), place("home/card.js")), (None, None));
        // What is left to be fetched later is where its address says.
        for later in stream.split("import('../").skip(1) {
            let path = later.split('\'').next().unwrap_or_default();
            assert!(Assets::get(path).is_some(), "{path}");
        }
    }

    #[actix_rt::test]
    async fn without_a_version_or_with_an_old_one_the_file_is_asked_for_each_time() {
        for path in ["/static/lib/api.js", "/static/0123456789abcdef/lib/api.js"] {
            let (status, cache, ..) = get(path, None).await;
            assert_eq!((status, cache.as_str()), (StatusCode::OK, ASK), "{path}");
        }
        assert_eq!(get("/static/nothing.js", None).await.0, StatusCode::NOT_FOUND);
    }

    #[actix_rt::test]
    async fn a_browser_that_takes_compressed_files_gets_them_so_and_another_as_they_are() {
        let app = App::new().route("/static/{path:.*}", web::get().to(asset));
        let app = test::init_service(app).await;
        let get = |accept: &'static str, known: Option<HeaderValue>| {
            let mut request = test::TestRequest::get().uri("/static/lib/api.js");
            request = request.insert_header((ACCEPT_ENCODING, accept));
            if let Some(etag) = known {
                request = request.insert_header((IF_NONE_MATCH, etag));
            }
            test::call_service(&app, request.to_request())
        };
        let whole = get("br, gzip;q=0", None).await;
        assert!(whole.headers().get(CONTENT_ENCODING).is_none());
        assert_eq!(whole.headers().get(VARY).unwrap(), "Accept-Encoding");
        let etag = whole.headers().get(ETAG).unwrap().clone();
        let whole = test::read_body(whole).await;

        let zipped = get("gzip, deflate, br", Some(etag)).await;
        assert_eq!(
            (zipped.status(), zipped.headers().get(CONTENT_ENCODING).unwrap()),
            (StatusCode::OK, &HeaderValue::from_static("gzip"))
        );
        let etag = zipped.headers().get(ETAG).unwrap().clone();
        let zipped = test::read_body(zipped).await;
        assert!(
            zipped.len() < whole.len() * 2 / 3,
            "{} of {}",
            zipped.len(),
            whole.len()
        );
        let mut unzipped = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&zipped[..]), &mut unzipped).unwrap();
        assert_eq!(unzipped, whole);
        assert_eq!(get("gzip", Some(etag)).await.status(), StatusCode::NOT_MODIFIED);
    }
}

//! What others wrote and our pages use: it is there as it was published.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::source::sources;

#[test]
fn what_is_vendored_is_as_it_was_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static/vendor");
    let listed = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let listed: BTreeMap<&str, &str> = listed
        .lines()
        .map(|line| line.split_once("  ").map(|(sum, path)| (path, sum)).unwrap())
        .collect();
    let found: BTreeMap<String, String> = sources("static/vendor", &[""])
        .into_iter()
        .filter(|source| !source.path.ends_with("/SHA256SUMS"))
        .map(|source| {
            let path = source.path.strip_prefix("static/vendor/").unwrap().to_owned();
            (path, hex::encode(Sha256::digest(source.text.as_bytes())))
        })
        .collect();
    let found: BTreeMap<&str, &str> = found.iter().map(|(path, sum)| (&**path, &**sum)).collect();
    assert!(found.len() > 40, "{found:?}");
    assert_eq!(found, listed, "run scripts/vendor");
}

#[test]
fn the_licence_of_what_is_vendored_stands_beside_it() {
    let licence = sources("static/vendor/novnc/docs", &["LICENSE.MPL-2.0"]);
    assert!(licence[0].text.contains("Mozilla Public License"));
}

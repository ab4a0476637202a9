//! Pages as they are sent: with what must not be lost or come late in their own text, and their modules joined into one script
//! ([`joined`](super::joined)).
//!
//! What a page needs stands in its file, one tag a line:
//!
//! - `<script src="/static/…js"></script>`: written into the page's text at this place, joined with what it imports. The
//!   page's policy names it by its hash.
//! - `<script type="module" … src="/static/…js"></script>` and `<link rel="modulepreload" href="/static/…js" />`: joined, in
//!   this order, into the page's script, which is asked for where the first script stands. A link names a module that another one
//!   imports while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::headers::hash_of;
use super::joined::{Unjoinable, join};

/// The pages, and where their scripts are below `static/`: in a folder, as their modules were.
const PAGES: [(&str, &str); 3] = [
    ("index.html", "joined/index.js"),
    ("stream.html", "joined/stream.js"),
    ("admin.html", "joined/admin.js"),
];

/// Gives the text of a file below `static/`.
pub(super) type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A page as it is sent.
#[derive(Debug)]
pub(super) struct Page {
    /// Its text; addresses have no version.
    pub(super) text: String,
    /// The hashes of the scripts that stand in it.
    pub(super) hashes: Vec<String>,
    /// Its modules, the first first.
    entries: Vec<String>,
}

/// The page of this name; as in the files at each call of a development build, and else as it was made first.
///
/// # Errors
/// [`Unjoinable`]: of the files as they are committed, none (see the tests).
pub(super) fn page(name: &'static str, read: Read<'_>) -> Result<Arc<Page>, Unjoinable> {
    static MADE: Kept<Page> = Mutex::new(BTreeMap::new());
    kept(&MADE, name, || make(name, read))
}

/// The script of a page, as `page` otherwise.
///
/// # Errors
/// As `page`.
pub(super) fn script(name: &'static str, read: Read<'_>) -> Result<Arc<String>, Unjoinable> {
    static MADE: Kept<String> = Mutex::new(BTreeMap::new());
    kept(&MADE, name, || join(&page(name, read)?.entries, read))
}

/// overflow: there are no more than `PAGES`.
type Kept<T> = Mutex<BTreeMap<&'static str, Arc<T>>>;

fn kept<T>(
    all: &Kept<T>,
    name: &'static str,
    make: impl FnOnce() -> Result<T, Unjoinable>,
) -> Result<Arc<T>, Unjoinable> {
    if cfg!(debug_assertions) {
        return make().map(Arc::new);
    }
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = all.get(name) {
        return Ok(Arc::clone(made));
    }
    let made = Arc::new(make()?);
    all.insert(name, Arc::clone(&made));
    Ok(made)
}

/// Which page's script this is.
pub(super) fn page_of_script(path: &str) -> Option<&'static str> {
    PAGES.iter().find(|(_, script)| *script == path).map(|(page, _)| *page)
}

/// The names of all pages.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(page, _)| *page)
}

fn make(name: &str, read: Read<'_>) -> Result<Page, Unjoinable> {
    let missing = || Unjoinable::new(name, "there is no such page");
    let (_, address) = PAGES.iter().find(|(page, _)| *page == name).ok_or_else(missing)?;
    let (mut text, mut hashes, mut entries) = (String::new(), Vec::new(), Vec::new());
    let mut asked_for = false;
    for line in read(name).ok_or_else(missing)?.lines() {
        let tag = line.trim();
        if let Some(script) = between(tag, "<script src=\"/static/", "\"></script>") {
            // A block: two such scripts have names of their own.
            let script = format!("{{\n{}}}\n", join(&[script.to_owned()], read)?);
            if ["</script", "<!--"].iter().any(|end| script.contains(end)) {
                return Err(Unjoinable::new(name, "a script in its text that would end there"));
            }
            hashes.push(hash_of(&script));
            text.push_str(&format!("<script>{script}</script>\n"));
        } else if let Some(module) = between(tag, "<link rel=\"modulepreload\" href=\"/static/", "\" />") {
            entries.push(module.to_owned());
        } else if tag.starts_with("<script type=\"module\"") {
            let module = tag
                .split_once(" src=\"/static/")
                .and_then(|(_, rest)| rest.strip_suffix("\"></script>"));
            let module = module.ok_or_else(|| Unjoinable::new(name, "a script of another form"))?;
            entries.push(module.to_owned());
            if !std::mem::replace(&mut asked_for, true) {
                text.push_str(&line.replace(&format!("/static/{module}"), &format!("/static/{address}")));
                text.push('\n');
            }
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(Page { text, hashes, entries })
}

fn between<'a>(tag: &'a str, before: &str, after: &str) -> Option<&'a str> {
    tag.strip_prefix(before)?.strip_suffix(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str) -> Option<String> {
        let file = match name {
            "stream.html" => {
                "<html>\n  <script src=\"/static/lib/guard.js\"></script>\n  \
                 <script src=\"/static/lib/first.js\"></script>\n  \
                 <link rel=\"modulepreload\" href=\"/static/lib/later.js\" />\n  \
                 <script type=\"module\" async src=\"/static/stream/early.js\"></script>\n  \
                 <script type=\"module\" src=\"/static/stream/main.js\"></script>\n</html>\n"
            }
            "lib/guard.js" => "guard();\n",
            "lib/first.js" => "import { url } from './url.js';\nopen(url);\n",
            "lib/url.js" => "export const url = '/ws';\n",
            "lib/later.js" => "export const later = 1;\n",
            "stream/early.js" => "early();\n",
            "stream/main.js" => "const later = () => import('../lib/later.js');\nmain(later);\n",
            _ => return None,
        };
        Some(file.to_owned())
    }

    #[test]
    fn a_page_has_in_its_text_what_must_not_be_lost_and_asks_for_its_modules_as_one() {
        let page = make("stream.html", &files).unwrap();
        let scripts: Vec<_> = page.text.split("<script").skip(1).collect();
        assert_eq!(scripts.len(), 3, "{}", page.text);
        assert!(scripts[0].contains("guard();") && scripts[1].contains("open(url);"));
        assert!(scripts[2].starts_with(" type=\"module\" async src=\"/static/joined/stream.js\""));
        for (script, hash) in scripts.iter().zip(&page.hashes) {
            let script = script.strip_prefix('>').unwrap().split_once("</script>").unwrap().0;
            assert_eq!(hash_of(script), *hash);
        }
        assert_eq!(page.hashes.len(), 2);
        let script = join(&page.entries, &files).unwrap();
        let place = |text| script.find(text).unwrap();
        assert!(place("const later = 1;") < place("early();") && place("early();") < place("main(later);"));
        assert!(script.contains("const later = () => Promise.resolve($m0);"));
    }

    #[test]
    fn a_page_of_which_a_module_is_missing_is_not_made() {
        let read = |name: &str| files(name).filter(|_| name != "lib/url.js");
        assert!(
            make("stream.html", &read)
                .unwrap_err()
                .to_string()
                .contains("lib/url.js")
        );
        assert!(make("nothing.html", &files).is_err());
    }
}

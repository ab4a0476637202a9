use super::*;

fn joined(files: &[(&str, &str)]) -> Result<String, String> {
    let read = |name: &str| {
        files
            .iter()
            .find(|(path, _)| *path == name)
            .map(|(_, text)| (*text).to_owned())
    };
    let entry = files.first().map(|(path, _)| (*path).to_owned()).unwrap();
    join(&[entry], &read).map_err(|error| error.to_string())
}

#[test]
fn modules_run_in_the_order_in_which_a_browser_would_run_them_each_once() {
    let script = joined(&[
        (
            "page/main.js",
            "import { b } from './b.js';\nimport { c } from '../lib/c.js';\nrun(b, c);\n",
        ),
        (
            "page/b.js",
            "import { c } from '../lib/c.js';\nexport const b = c + 1;\n",
        ),
        ("lib/c.js", "export const c = 1;\n"),
    ]);
    let expected = "\
// lib/c.js
const $m0 = (() => {
const c = 1;
return { c };
})();
// page/b.js
const $m1 = (() => {
const { c } = $m0;
const b = c + 1;
return { b };
})();
// page/main.js
const $m2 = (() => {
const { b } = $m1;
const { c } = $m0;
run(b, c);
return {  };
})();
";
    assert_eq!(script.unwrap(), expected);
}

#[test]
fn what_our_modules_import_and_export_is_joined_however_it_is_written() {
    let other = (
        "b.js",
        "const inner = 1;\nexport async function load() {}\nexport function* walk() {}\nexport class Link extends Base {\n}\n\
         export const say = () => 1;\nexport { inner as outer };\n",
    );
    for (line, written) in [
        (
            "import { load, walk as go } from './b.js';",
            "const { load, walk: go } = $m0;",
        ),
        (
            "import {\n  load,\n  Link,\n} from './b.js';",
            "const { load, Link } = $m0;",
        ),
        ("import * as b from './b.js';", "const b = $m0;"),
        ("import './b.js';", "const $m1 = (() => {"),
        ("import { outer } from './b.js';", "const { outer } = $m0;"),
        (
            "export { say, Link as L } from './b.js';",
            "return { say: $m0.say, L: $m0.Link };",
        ),
    ] {
        let script = joined(&[("a.js", line), other]).unwrap();
        assert!(script.contains(written), "{line}: {script}");
        assert!(
            script.contains("return { Link, load, outer: inner, say, walk };"),
            "{script}"
        );
    }
}

#[test]
fn what_is_not_known_is_refused_and_not_guessed() {
    for (text, why) in [
        ("import { a } from './gone.js';", "no such file"),
        ("import { a } from 'a-package';", "no path from here"),
        ("import { a } from '../../a.js';", "is outside"),
        ("import { nothing } from './b.js';", "exports no nothing"),
        ("export { nothing } from './b.js';", "exports no nothing"),
        ("import b from './b.js';", "of another form"),
        ("import { default as b } from './b.js';", "of another form"),
        ("run();\nimport { b } from './b.js';", "below other code"),
        ("import { b } from './b.js'", "without an end"),
        ("export default 1;", "of another form"),
        ("export let changing = 1;", "of another form"),
        ("export * from './b.js';", "of another form"),
        ("export const { b } = c;", "of another form"),
        ("import { a } from './a.js';\nexport const c = 1;", "by a detour"),
        ("const MODULE = './b.js';\nawait import(MODULE);", "not named there"),
        ("const $m1 = 1;", "name of the script's"),
    ] {
        let error = joined(&[("a.js", text), ("b.js", "export const b = 1;\n")]).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn what_a_module_imports_while_it_runs_is_taken_from_the_script_where_it_is_in_it() {
    let text = "import { b } from './b.js';\nconst one = () => import('./b.js');\nconst two = () => import('./c.js');\n\
                const logo = new URL('../logo.svg', import.meta.url);\n";
    let script = joined(&[("page/a.js", text), ("page/b.js", "export const b = 1;\n")]).unwrap();
    assert!(script.contains("const one = () => Promise.resolve($m0);"), "{script}");
    assert!(script.contains("const two = () => import('../page/c.js');"), "{script}");
    assert!(
        script.contains("new URL('../logo.svg', new URL('../page/a.js', import.meta.url).href)"),
        "{script}"
    );
}

#[test]
fn a_module_that_waits_is_waited_for() {
    let script = joined(&[
        ("a.js", "import { b } from './b.js';\nrun(b);\n"),
        ("b.js", "await ready;\nexport const b = 1;\n"),
    ]);
    let script = script.unwrap();
    assert!(
        script.contains("const $m0 = await (async () => {\nawait ready;"),
        "{script}"
    );
    assert!(script.contains("const $m1 = (() => {"), "{script}");
}

#[test]
fn comments_stay_behind_and_what_looks_like_one_does_not() {
    let text = "\
/** Says what it is. import { x } from './x.js'; */
/**
 * @typedef {import('./x.js').X} X
 */
export class A {
  /** @param {string} url */ open(url) {
    // Why.
    const x = /** @type {X} */ (fetch(`https://${url}`)); // here
    return `
// text
/* text */
`;
  }
}
";
    let script = joined(&[("a.js", text)]).unwrap();
    for gone in ["Says", "typedef", "@param", "@type", "Why"] {
        assert!(!script.contains(gone), "{gone}: {script}");
    }
    for kept in [
        " open(url) {",
        "const x =  (fetch(`https://${url}`)); // here",
        "return `\n// text\n/* text */\n`;",
    ] {
        assert!(script.contains(kept), "{kept}: {script}");
    }
}

//! The modules of a page as one script, since a browser spends most of the time until a first picture on fetching fifty of
//! them ([ADR 32](../../docs/adr/0032-modules-joined-by-the-host.md)). Pure.
//!
//! This is no bundler of JavaScript: it joins what our own modules are written as, which the formatter and the tests hold them
//! to, and refuses whatever else it meets. A module becomes a function that is run once, in the order in which a browser would
//! run it, and gives what it exports:
//!
//! ```js
//! const $m3 = (() => {
//! const { Backoff } = $m1;
//! class Link { … }
//! return { Link };
//! })();
//! ```
//!
//! - Imports come first, each from a path that begins with `./` or `../`. What is imported has to be exported there, and
//!   no module may import itself by a detour.
//! - Exported is `const`, `class`, `function` or `async function` where it is declared, or a list in braces. A name that may
//!   change (`let`), a default and a star are refused.
//! - `import('…')` of a module that is joined too gives that; another one is fetched when it is asked for.
//! - Comments stay behind where a line begins with them, and types wherever they are.

use std::collections::BTreeMap;
use std::fmt::Write;

/// overflow: a page of more modules is not joined.
const MODULES: usize = 500;

/// Why modules cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{module}: {why}")]
pub(super) struct Unjoinable {
    module: String,
    why: String,
}

impl Unjoinable {
    pub(super) fn new(module: &str, why: &str) -> Self {
        Self {
            module: module.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// Joins modules, and what they import, in their order. Paths are below the folder whose files `read` gives; the script is to
/// be served from a folder of that folder.
///
/// # Errors
/// [`Unjoinable`], at the first thing that it does not know.
pub(super) fn join(entries: &[String], read: &dyn Fn(&str) -> Option<String>) -> Result<String, Unjoinable> {
    let mut joined = Joined::default();
    for entry in entries {
        joined.visit(entry, read, &mut Vec::new())?;
    }
    let mut text = String::new();
    for (number, module) in joined.order.iter().enumerate() {
        joined.write(module, number, &mut text)?;
    }
    Ok(text)
}

/// One module, taken apart.
#[derive(Debug, Default)]
struct Module {
    path: String,
    imports: Vec<Import>,
    /// Names outside and inside.
    exports: BTreeMap<String, String>,
    /// Names exported that are another module's: outside, the module, there.
    passed_on: Vec<(String, String, String)>,
    body: String,
}

#[derive(Debug)]
struct Import {
    from: String,
    /// As written in braces, or after `* as`; empty where nothing is.
    names: Names,
}

#[derive(Debug)]
enum Names {
    None,
    All(String),
    /// There, and here.
    Some(Vec<(String, String)>),
}

#[derive(Default)]
struct Joined {
    order: Vec<Module>,
    numbers: BTreeMap<String, usize>,
}

impl Joined {
    fn visit(
        &mut self,
        path: &str,
        read: &dyn Fn(&str) -> Option<String>,
        above: &mut Vec<String>,
    ) -> Result<(), Unjoinable> {
        if self.numbers.contains_key(path) {
            return Ok(());
        }
        let refuse = |why: &str| Unjoinable::new(path, why);
        if above.iter().any(|one| one == path) {
            return Err(refuse("it imports itself by a detour"));
        }
        if self.order.len() + above.len() >= MODULES {
            return Err(refuse("one module too many"));
        }
        let module = parse(path, &read(path).ok_or_else(|| refuse("there is no such file"))?)?;
        above.push(path.to_owned());
        let passed_on = module.passed_on.iter().map(|(_, from, _)| from);
        for from in module.imports.iter().map(|import| &import.from).chain(passed_on) {
            self.visit(from, read, above)?;
        }
        above.pop();
        self.numbers.insert(path.to_owned(), self.order.len());
        self.order.push(module);
        Ok(())
    }

    fn has(&self, from: &str, name: &str) -> bool {
        self.numbers.get(from).is_some_and(|number| {
            let module = &self.order[*number];
            module.exports.contains_key(name) || module.passed_on.iter().any(|(outside, ..)| outside == name)
        })
    }

    fn write(&self, module: &Module, number: usize, text: &mut String) -> Result<(), Unjoinable> {
        let path = &module.path;
        let body = self.dynamic(module)?;
        // Where it waits, what follows waits for it, as among modules.
        let waits = body
            .lines()
            .any(|line| !line.starts_with(' ') && line.contains("await "));
        let (opens, closes) = if waits {
            ("await (async ", ")();")
        } else {
            ("(", ")();")
        };
        let mut write = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        write(format!("// {path}\nconst $m{number} = {opens}() => {{"));
        for Import { from, names } in &module.imports {
            let other = self.numbers[from.as_str()];
            match names {
                Names::None => {}
                Names::All(name) => write(format!("const {name} = $m{other};")),
                Names::Some(names) => {
                    let mut list = Vec::new();
                    for (there, here) in names {
                        if !self.has(from, there) {
                            return Err(Unjoinable::new(path, &format!("{from} exports no {there}")));
                        }
                        list.push(pair(there, here));
                    }
                    write(format!("const {{ {} }} = $m{other};", list.join(", ")));
                }
            }
        }
        let mut exports: Vec<_> = module.exports.iter().map(|(out, here)| pair(out, here)).collect();
        for (out, from, there) in &module.passed_on {
            if !self.has(from, there) {
                return Err(Unjoinable::new(path, &format!("{from} exports no {there}")));
            }
            exports.push(format!("{out}: $m{}.{there}", self.numbers[from.as_str()]));
        }
        write(format!(
            "{}\nreturn {{ {} }};\n}}{closes}",
            body.trim_end(),
            exports.join(", ")
        ));
        Ok(())
    }

    /// The body, with what it imports while it runs, and its own address, as they are in the script.
    fn dynamic(&self, module: &Module) -> Result<String, Unjoinable> {
        let path = &module.path;
        let mut parts = module.body.split("import(");
        let mut body = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let literal = part.strip_prefix('\'').and_then(|rest| rest.split_once("')"));
            let Some((from, rest)) = literal else {
                return Err(Unjoinable::new(path, "it imports something that is not named there"));
            };
            let from = resolved(path, from)?;
            let _ = match self.numbers.get(&from) {
                Some(number) => write!(body, "Promise.resolve($m{number})"),
                None => write!(body, "import('../{from}')"),
            };
            body.push_str(rest);
        }
        Ok(body.replace(
            "import.meta.url",
            &format!("new URL('../{path}', import.meta.url).href"),
        ))
    }
}

/// As in an object, or in a pattern.
fn pair(key: &str, value: &str) -> String {
    if key == value {
        key.to_owned()
    } else {
        format!("{key}: {value}")
    }
}

/// What a module names, as a path below the folder of all.
fn resolved(module: &str, from: &str) -> Result<String, Unjoinable> {
    let mut parts: Vec<&str> = module.split('/').collect();
    parts.pop();
    if !from.starts_with("./") && !from.starts_with("../") {
        return Err(Unjoinable::new(module, &format!("{from} is no path from here")));
    }
    for part in from.split('/') {
        match part {
            "." => {}
            ".." => {
                let above = parts.pop();
                above.ok_or_else(|| Unjoinable::new(module, &format!("{from} is outside")))?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn parse(path: &str, text: &str) -> Result<Module, Unjoinable> {
    let refuse = |why: &str, line: &str| Unjoinable::new(path, &format!("{why}: {line}"));
    let mut module = Module {
        path: path.to_owned(),
        ..Module::default()
    };
    let text = without_comments(text);
    if text.contains("$m") {
        return Err(Unjoinable::new(path, "$m is a name of the script's"));
    }
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let statement = |lines: &mut std::str::Lines<'_>| {
            let mut whole = line.to_owned();
            while !whole.ends_with(';') {
                whole.push(' ');
                whole.push_str(lines.next()?.trim());
            }
            Some(whole)
        };
        if line.starts_with("import ") {
            if !module.body.trim().is_empty() {
                return Err(refuse("an import below other code", line));
            }
            let whole = statement(&mut lines).ok_or_else(|| refuse("an import without an end", line))?;
            let (names, from) = imported(&whole).ok_or_else(|| refuse("an import of another form", &whole))?;
            let from = resolved(path, from)?;
            module.imports.push(Import { from, names });
        } else if line.starts_with("export {") {
            let whole = statement(&mut lines).ok_or_else(|| refuse("an export without an end", line))?;
            let list = whole.strip_prefix("export ").unwrap_or_default();
            let (list, from) = match list.split_once(" from ") {
                Some((list, from)) => (list, Some(from)),
                None => (list.trim_end_matches(';'), None),
            };
            let names = braced(list).ok_or_else(|| refuse("an export of another form", &whole))?;
            let from = from.map(|from| quoted(from).ok_or_else(|| refuse("an export of another form", &whole)));
            let from = from.transpose()?.map(|from| resolved(path, from)).transpose()?;
            for (here, outside) in names {
                match &from {
                    Some(from) => module.passed_on.push((outside, from.clone(), here)),
                    None => _ = module.exports.insert(outside, here),
                }
            }
        } else if let Some(declaration) = line.strip_prefix("export ") {
            let name = declared(declaration).ok_or_else(|| refuse("an export of another form", line))?;
            module.exports.insert(name.to_owned(), name.to_owned());
            module.body.push_str(declaration);
            module.body.push('\n');
        } else {
            module.body.push_str(line);
            module.body.push('\n');
        }
    }
    Ok(module)
}

fn imported(statement: &str) -> Option<(Names, &str)> {
    let rest = statement.strip_prefix("import ")?;
    let Some((names, from)) = rest.split_once(" from ") else {
        return Some((Names::None, quoted(rest)?));
    };
    let names = match names.strip_prefix("* as ") {
        Some(name) => Names::All(word(name)?.to_owned()),
        None => Names::Some(braced(names)?),
    };
    Some((names, quoted(from)?))
}

/// `'…';`
fn quoted(text: &str) -> Option<&str> {
    let path = text.strip_prefix('\'')?.strip_suffix("';")?;
    (!path.contains('\'')).then_some(path)
}

/// `{ a, b as c }`: the names, and what they become.
fn braced(text: &str) -> Option<Vec<(String, String)>> {
    let list = text.strip_prefix('{')?.strip_suffix('}')?;
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let (before, after) = name.split_once(" as ").unwrap_or((name, name));
            Some((word(before)?.to_owned(), word(after)?.to_owned()))
        })
        .collect()
}

fn declared(declaration: &str) -> Option<&str> {
    let kinds = [
        "const ",
        "class ",
        "function ",
        "function* ",
        "async function ",
        "async function* ",
    ];
    let rest = kinds.iter().find_map(|kind| declaration.strip_prefix(kind))?;
    let end = rest.find(|c: char| !part_of_word(c)).unwrap_or(rest.len());
    word(&rest[..end])
}

const fn part_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// A name, other than the one of a default.
fn word(text: &str) -> Option<&str> {
    let begins = text.starts_with(|c: char| part_of_word(c) && !c.is_ascii_digit());
    (begins && text.chars().all(part_of_word) && text != "default").then_some(text)
}

/// Leaves out comments that lines begin with, outside of template literals, and types within lines.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut within_template = false;
    let mut within_comment = false;
    for line in text.lines() {
        let mut line = line;
        if within_comment {
            let Some((_, rest)) = line.split_once("*/") else {
                continue;
            };
            within_comment = false;
            line = rest;
        }
        if !within_template {
            // More than one may stand at its beginning.
            while let Some(comment) = line.trim_start().strip_prefix("/*") {
                match comment.split_once("*/") {
                    Some((_, rest)) => line = rest,
                    None => {
                        within_comment = true;
                        line = "";
                    }
                }
            }
            if line.trim().is_empty() || line.trim_start().starts_with("//") {
                continue;
            }
        }
        let line = without_types(line);
        let ticks = line.replace("\\`", "").matches('`').count();
        within_template ^= ticks % 2 == 1;
        kept.push_str(&line);
        kept.push('\n');
    }
    kept
}

fn without_types(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("/** @") {
        let Some((_, after)) = after.split_once("*/") else {
            break;
        };
        kept.push_str(before);
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests;

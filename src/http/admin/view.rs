//! The tree as administrators are told it: the kernel's snapshot, with the names of the apps beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Api;
use crate::clock::unix_ms;
use crate::supervision::{ChildKind, ChildSnapshot, ChildState};

/// Children of one dynamic supervisor that a page is shown at once; it is told how many more there are.
const MOST_SHOWN: usize = 200;
/// Paths that one query names at most.
const MOST_PATHS: usize = 64;

/// What of the tree a page wants to see, as its query says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Children of dynamic supervisors of which what is below them is wanted: their paths, by commas; `*`: all.
    #[serde(default)]
    open: String,
    /// Dynamic supervisors of which others than the first children are wanted: `PATH:N` by commas, from the Nth on.
    #[serde(default)]
    from: String,
}

/// The same, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    all: bool,
    open: BTreeSet<String>,
    from: BTreeMap<String, usize>,
}

impl Query {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(self) -> Result<Wanted, String> {
        let all = self.open == "*";
        let open = parts(if all { "" } else { &self.open })?;
        let from = parts(&self.from)?.into_iter().map(|part| {
            let (path, number) = part.rsplit_once(':').ok_or("`from` names a path and a number")?;
            let number = number.parse().map_err(|_| "`from` names no number after a path")?;
            Ok((path.to_owned(), number))
        });
        Ok(Wanted {
            all,
            open: open.into_iter().map(str::to_owned).collect(),
            from: from.collect::<Result<_, &str>>()?,
        })
    }
}

fn parts(list: &str) -> Result<Vec<&str>, String> {
    let parts: Vec<&str> = list.split(',').filter(|part| !part.is_empty()).collect();
    if parts.len() > MOST_PATHS {
        return Err(format!("more than {MOST_PATHS} paths are named"));
    }
    Ok(parts)
}

/// Everything, as one answer.
pub fn whole(api: &Api) -> Value {
    json!({
        "at_ms": unix_ms(),
        "version": env!("CARGO_PKG_VERSION"),
        "root": api.tree.snapshot(),
        "instances": instances(api),
    })
}

/// What a page is shown again and again: of children by the thousand only some, and what is below them where it is wanted.
pub fn shown(api: &Api, wanted: &Wanted) -> Value {
    let mut root = api.tree.snapshot();
    let mut totals = Totals::default();
    totals.count(&root);
    let mut cut = Cut::default();
    cut.trim(&mut root, wanted);
    json!({
        "at_ms": unix_ms(),
        "version": env!("CARGO_PKG_VERSION"),
        "root": root,
        "left_out": cut.left_out,
        "from": cut.from,
        "folded": cut.folded,
        "totals": {
            "children": totals.children - 1, "restarts": totals.restarts, "down": totals.down,
            "restarting": totals.restarting,
        },
        "instances": instances(api),
    })
}

/// Figures of the whole tree.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    children: usize,
    restarts: u64,
    down: usize,
    restarting: usize,
}

impl Totals {
    fn count(&mut self, child: &ChildSnapshot) {
        self.children += 1;
        self.restarts += child.restarts.total;
        self.down += usize::from(child.state == ChildState::GivenUp);
        self.restarting += usize::from(matches!(child.state, ChildState::Restarting | ChildState::Starting));
        for below in &child.children {
            self.count(below);
        }
    }
}

/// What is not shown, by path.
#[derive(Debug, Default)]
struct Cut {
    /// How many children are not shown.
    left_out: BTreeMap<String, usize>,
    /// How many of these are before the first that is shown.
    from: BTreeMap<String, usize>,
    /// How many children there are of which none is shown until they are asked for.
    folded: BTreeMap<String, usize>,
}

impl Cut {
    fn trim(&mut self, child: &mut ChildSnapshot, wanted: &Wanted) {
        let dynamic = child.kind == ChildKind::Dynamic;
        let all = child.children.len();
        if dynamic && all > MOST_SHOWN {
            let page = wanted.from.get(&child.path).copied().unwrap_or(0).min(all - 1) / MOST_SHOWN;
            let first = page * MOST_SHOWN;
            child.children.drain(..first);
            child.children.truncate(MOST_SHOWN);
            self.left_out.insert(child.path.clone(), all - child.children.len());
            if first > 0 {
                self.from.insert(child.path.clone(), first);
            }
        }
        for below in &mut child.children {
            if dynamic && !below.children.is_empty() && !wanted.all && !wanted.open.contains(&below.path) {
                self.folded.insert(below.path.clone(), below.children.len());
                below.children.clear();
            } else {
                self.trim(below, wanted);
            }
        }
    }
}

/// The app and the status of each instance, by its id, and how long the picture takes at each peer's viewer.
fn instances(api: &Api) -> Value {
    let all = api.manager.all().into_iter().map(|instance| {
        let (spec, report) = (instance.spec(), instance.report());
        let told = json!({
            "app": spec.label().name, "session_id": spec.owner, "status": report.status, "reason": report.reason,
            "message": report.message, "latency": instance.latencies(),
        });
        (spec.id.to_string(), told)
    });
    Value::Object(all.collect())
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

//! The tree as administrators are told it: the kernel's snapshot, with the names of the apps beside it.

use serde_json::{Value, json};

use super::super::Api;
use crate::clock::unix_ms;
use crate::supervision::{ChildKind, ChildSnapshot};

/// Children of one dynamic supervisor that a page is shown; it is told how many more there are.
const MOST_SHOWN: usize = 200;

/// Everything, as one answer.
pub fn whole(api: &Api) -> Value {
    json!({
        "at_ms": unix_ms(),
        "version": env!("CARGO_PKG_VERSION"),
        "root": api.tree.snapshot(),
        "instances": instances(api),
    })
}

/// What a page is shown again and again: of sessions and peers by the thousand only the first.
pub fn shown(api: &Api) -> Value {
    let mut root = api.tree.snapshot();
    let mut left_out = serde_json::Map::new();
    trim(&mut root, &mut left_out);
    json!({
        "at_ms": unix_ms(),
        "version": env!("CARGO_PKG_VERSION"),
        "root": root,
        "left_out": left_out,
        "instances": instances(api),
    })
}

/// Shortens the lists of dynamic supervisors; notes by path how many were left out.
fn trim(child: &mut ChildSnapshot, left_out: &mut serde_json::Map<String, Value>) {
    if child.kind == ChildKind::Dynamic && child.children.len() > MOST_SHOWN {
        let more = child.children.len() - MOST_SHOWN;
        left_out.insert(child.path.clone(), more.into());
        child.children.truncate(MOST_SHOWN);
    }
    for below in &mut child.children {
        trim(below, left_out);
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

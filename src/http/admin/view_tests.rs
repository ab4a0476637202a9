use std::collections::BTreeMap;

use super::*;
use crate::supervision::{Restart, Restarts};

fn child(path: &str, kind: ChildKind, children: Vec<ChildSnapshot>) -> ChildSnapshot {
    ChildSnapshot {
        id: path.rsplit('/').next().unwrap().to_owned(),
        path: path.to_owned(),
        kind,
        restart: Restart::Temporary,
        significant: false,
        once: true,
        state: ChildState::Running,
        strategy: None,
        generation: 1,
        restarts: Restarts { in_period: 0, total: 1 },
        budget: None,
        last_exit: None,
        uptime_ms: None,
        restart_in_ms: None,
        progress: None,
        mailbox: None,
        pid: None,
        facts: BTreeMap::new(),
        children,
    }
}

/// A root with so many instances, each with one child.
fn tree(number: usize) -> ChildSnapshot {
    let instance = |n| {
        let path = format!("root/instances/{n}");
        let desktop = child(&format!("{path}/desktop"), ChildKind::Worker, Vec::new());
        child(&path, ChildKind::Supervisor, vec![desktop])
    };
    let all = (0..number).map(instance).collect();
    let instances = child("root/instances", ChildKind::Dynamic, all);
    child("root", ChildKind::Supervisor, vec![instances])
}

fn read(open: &str, from: &str) -> Result<Wanted, String> {
    let (open, from) = (open.to_owned(), from.to_owned());
    Query { open, from }.read()
}

fn cut(number: usize, wanted: &Wanted) -> (ChildSnapshot, Cut) {
    let (mut root, mut cut) = (tree(number), Cut::default());
    cut.trim(&mut root, wanted);
    (root, cut)
}

fn shown(root: &ChildSnapshot) -> Vec<&str> {
    root.children[0]
        .children
        .iter()
        .map(|child| child.id.as_str())
        .collect()
}

#[test]
fn what_is_below_an_instance_is_shown_when_it_is_asked_for() {
    let (root, all) = cut(3, &read("root/instances/1", "").unwrap());
    let below: Vec<usize> = root.children[0].children.iter().map(|c| c.children.len()).collect();
    assert_eq!(below, [0, 1, 0]);
    assert_eq!(all.folded.get("root/instances/0"), Some(&1));
    assert_eq!(all.folded.get("root/instances/1"), None);
    let (root, all) = cut(3, &read("*", "").unwrap());
    assert!(root.children[0].children.iter().all(|c| c.children.len() == 1));
    assert!(all.folded.is_empty() && all.left_out.is_empty());
}

#[test]
fn of_children_by_the_thousand_each_can_be_reached_two_hundred_at_a_time() {
    let mut reached = Vec::new();
    for first in [0, 200, 400] {
        let (root, all) = cut(450, &read("", &format!("root/instances:{first}")).unwrap());
        reached.extend(shown(&root).into_iter().map(|id| id.parse::<usize>().unwrap()));
        assert_eq!(all.left_out["root/instances"], 450 - shown(&root).len());
        assert_eq!(all.from.get("root/instances").copied().unwrap_or(0), first);
    }
    assert_eq!(reached, (0..450).collect::<Vec<_>>());
}

#[test]
fn a_page_that_is_not_there_any_more_is_the_last_there_is() {
    let wanted = read("", "root/instances:1000000").unwrap();
    assert_eq!(shown(&cut(450, &wanted).0).first(), Some(&"400"));
    assert_eq!(shown(&cut(400, &wanted).0).first(), Some(&"200"));
    assert_eq!(shown(&cut(200, &wanted).0).len(), 200);
    assert!(shown(&cut(0, &wanted).0).is_empty());
}

#[test]
fn the_totals_are_those_of_the_whole_tree() {
    let mut totals = Totals::default();
    totals.count(&tree(450));
    assert_eq!((totals.children, totals.restarts), (902, 902));
}

#[test]
fn a_query_that_names_too_much_or_no_number_is_refused() {
    assert!(read(&"a,".repeat(64), "").is_ok());
    assert!(read(&"a,".repeat(65), "").is_err());
    for wrong in ["a", "a:", "a:b", "a:-1", "a:99999999999999999999999"] {
        assert!(read("", wrong).is_err(), "{wrong}");
    }
    assert_eq!(read("", ""), Ok(Wanted::default()));
}

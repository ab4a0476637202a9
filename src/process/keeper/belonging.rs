//! Whose a process is: by descent, by the marks in its environment, by its session.

use std::collections::{HashMap, HashSet};

use super::super::proc::{Identity, Marks, Process};

/// A process of the instance.
#[derive(Debug)]
struct Seen {
    process: Process,
    /// By its mark.
    role: Option<String>,
}

/// The living processes of the instance at one moment.
#[derive(Debug)]
pub(super) struct Census {
    members: Vec<Seen>,
    parents: HashMap<i32, i32>,
}

/// What a role's processes are known by.
#[derive(Debug)]
pub(super) struct Traits<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its main process, where it still runs.
    pub main: Option<i32>,
    /// The session that its latest main process opened, unless the number is another's by now.
    pub session: Option<i32>,
    /// Main processes of other roles: they are never this role's.
    pub others: &'a HashSet<i32>,
    /// Those that were its at an earlier look.
    pub known: &'a HashSet<Identity>,
}

impl Census {
    /// Looks at `/proc`. The environment is only read of what the keeper's birth precedes.
    pub(super) fn take(keeper: Identity, instance: &str) -> Self {
        Self::judge(Process::all(), keeper, instance, Marks::of)
    }

    fn judge(all: Vec<Process>, keeper: Identity, instance: &str, marks: impl Fn(i32) -> Marks) -> Self {
        let parents: HashMap<i32, i32> = all.iter().map(|p| (p.identity.pid, p.parent)).collect();
        let members = all
            .into_iter()
            .filter(|p| p.alive && p.identity != keeper && p.identity.start_time >= keeper.start_time)
            .filter_map(|process| {
                let marks = marks(process.identity.pid);
                let marked = marks.instance.as_deref() == Some(instance);
                let of_instance = marked || descends(&parents, process.identity.pid, keeper.pid);
                // A role's name counts only together with the instance's: other instances have the same roles.
                of_instance.then(|| Seen {
                    process,
                    role: marks.role.filter(|_| marked),
                })
            })
            .collect();
        Self { members, parents }
    }

    /// All processes of the instance but the keeper.
    pub(super) fn everybody(&self) -> Vec<Identity> {
        self.members.iter().map(|seen| seen.process.identity).collect()
    }

    /// The processes of a role.
    pub(super) fn of_role(&self, role: &Traits<'_>) -> Vec<Identity> {
        let is_of_role = |seen: &&Seen| {
            let Process { identity, session, .. } = seen.process;
            !role.others.contains(&identity.pid)
                && (role
                    .main
                    .is_some_and(|main| descends(&self.parents, identity.pid, main))
                    || seen.role.as_deref() == Some(role.name)
                    || role.session == Some(session)
                    || role.known.contains(&identity))
        };
        self.members
            .iter()
            .filter(is_of_role)
            .map(|seen| seen.process.identity)
            .collect()
    }
}

/// Whether `pid` is `ancestor` or comes from it.
fn descends(parents: &HashMap<i32, i32>, pid: i32, ancestor: i32) -> bool {
    let mut at = pid;
    // A table read piece by piece may hold a loop.
    for _ in 0..=parents.len() {
        if at == ancestor {
            return true;
        }
        match parents.get(&at) {
            Some(&parent) if parent > 0 => at = parent,
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPER: Identity = Identity {
        pid: 100,
        start_time: 50,
    };

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process {
            identity: Identity { pid, start_time: 60 },
            parent,
            session,
            alive: true,
            stopped: false,
        }
    }

    fn pids(identities: &[Identity]) -> Vec<i32> {
        identities.iter().map(|identity| identity.pid).collect()
    }

    fn marked(instance: &str, role: &str) -> Marks {
        Marks {
            instance: Some(instance.into()),
            role: Some(role.into()),
        }
    }

    fn census(all: Vec<Process>, marks: &[(i32, Marks)]) -> Census {
        let marks: HashMap<i32, Marks> = marks.iter().cloned().collect();
        Census::judge(all, KEEPER, "me", |pid| marks.get(&pid).cloned().unwrap_or_default())
    }

    fn traits<'a>(
        name: &'a str,
        main: Option<i32>,
        others: &'a HashSet<i32>,
        known: &'a HashSet<Identity>,
    ) -> Traits<'a> {
        Traits {
            name,
            main,
            session: main,
            others,
            known,
        }
    }

    #[test]
    fn descent_or_the_mark_makes_a_process_ours() {
        let keeper = Process {
            identity: KEEPER,
            ..process(100, 1, 100)
        };
        let all = vec![
            keeper,
            process(101, 100, 101),
            process(102, 101, 102),
            process(103, 1, 103),
            process(104, 1, 1),
        ];
        let census = census(all, &[(103, marked("me", "app")), (104, marked("other", "app"))]);
        assert_eq!(pids(&census.everybody()), [101, 102, 103]);
    }

    #[test]
    fn what_is_older_than_the_keeper_or_dead_is_not_ours() {
        let old = Process {
            identity: Identity { pid: 7, start_time: 49 },
            ..process(7, 100, 7)
        };
        let dead = Process {
            alive: false,
            ..process(8, 100, 8)
        };
        assert!(census(vec![old, dead], &[]).everybody().is_empty());
    }

    #[test]
    fn a_role_has_descendants_marked_ones_its_session_and_those_known() {
        let all = vec![
            process(101, 100, 101), // main
            process(102, 101, 102), // descendant with a session of its own
            process(103, 100, 103), // orphan with the mark
            process(104, 100, 101), // orphan of the session
            process(105, 100, 105), // orphan known from before
            process(106, 100, 106), // main of another role
            process(107, 106, 106),
        ];
        let census = census(all, &[(103, marked("me", "app")), (106, marked("me", "app"))]);
        let known = [Identity {
            pid: 105,
            start_time: 60,
        }]
        .into();
        let others = [106].into();
        assert_eq!(
            pids(&census.of_role(&traits("app", Some(101), &others, &known))),
            [101, 102, 103, 104, 105]
        );
    }

    #[test]
    fn a_loop_in_the_table_ends() {
        let all = vec![process(1, 2, 1), process(2, 1, 1)];
        assert!(census(all, &[]).everybody().is_empty());
    }
}

//! Whose a process is. To the instance belongs what descends from its keeper, and nothing else: nobody can forge that,
//! and nobody can leave it, for orphans come to the keeper (`PR_SET_CHILD_SUBREAPER`). Which role an orphan had is told by
//! its session, by earlier looks, and by the role in its environment, which can mislead its own instance only.

use std::collections::{HashMap, HashSet};

use super::super::proc::{Identity, Process, is_foreign, role_of};

/// A process of the instance.
#[derive(Debug)]
struct Seen {
    process: Process,
    /// That of the keeper's child which it descends from, by what its environment says.
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

/// How a process comes from the keeper, by a table that was read piece by piece.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// By this child of the keeper's; none: looked up again, it does.
    From(Option<i32>),
    Foreign,
    /// A parent of its ended while the table was read.
    Broken,
}

impl Census {
    /// Looks at what is below the keeper; at all of `/proc` only where that cannot be told, since with hundreds of
    /// instances that is thousands of processes at every start and stop of each role.
    pub(super) fn take(keeper: Identity) -> Self {
        let descends = |pid| !is_foreign(pid, keeper.pid);
        let all = Process::below(keeper.pid).unwrap_or_else(Process::all);
        Self::judge(all, keeper, role_of, descends)
    }

    /// `descends`: looks again whether a process that lives comes from the keeper.
    fn judge(
        all: Vec<Process>,
        keeper: Identity,
        role_of: impl Fn(i32) -> Option<String>,
        descends: impl Fn(i32) -> bool,
    ) -> Self {
        let parents: HashMap<i32, i32> = all.iter().map(|p| (p.identity.pid, p.parent)).collect();
        let mut roles: HashMap<i32, Option<String>> = HashMap::new();
        let mut role = |child: i32| roles.entry(child).or_insert_with(|| role_of(child)).clone();
        let members = all
            .into_iter()
            .filter(|p| p.alive && p.identity != keeper && p.identity.start_time >= keeper.start_time)
            .filter_map(|process| {
                let pid = process.identity.pid;
                let role = match line(&parents, pid, keeper.pid) {
                    Line::From(child) => role(child.unwrap_or(pid)),
                    Line::Broken if descends(pid) => role(pid),
                    Line::Broken | Line::Foreign => return None,
                };
                Some(Seen { process, role })
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
                    .is_some_and(|main| matches!(line(&self.parents, identity.pid, main), Line::From(_)))
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

/// How `pid` comes from `ancestor`, if it does.
fn line(parents: &HashMap<i32, i32>, pid: i32, ancestor: i32) -> Line {
    let (mut at, mut below) = (pid, None);
    // A table read piece by piece may hold a loop.
    for _ in 0..=parents.len() {
        if at == ancestor {
            return Line::From(below);
        }
        below = Some(at);
        match parents.get(&at) {
            Some(&parent) if parent > 0 => at = parent,
            Some(_) => return Line::Foreign,
            None => return Line::Broken,
        }
    }
    Line::Broken
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

    /// The first process, and the keeper.
    fn with(others: Vec<Process>) -> Vec<Process> {
        let keeper = Process {
            identity: KEEPER,
            ..process(100, 1, 100)
        };
        [process(1, 0, 1), keeper].into_iter().chain(others).collect()
    }

    fn pids(identities: &[Identity]) -> Vec<i32> {
        identities.iter().map(|identity| identity.pid).collect()
    }

    /// With what the environments say, and who descends at a second look.
    fn census(all: Vec<Process>, roles: &[(i32, &str)], again: &[i32]) -> Census {
        let roles: HashMap<i32, &str> = roles.iter().copied().collect();
        let role_of = |pid| roles.get(&pid).map(|&role| role.to_owned());
        Census::judge(with(all), KEEPER, role_of, |pid| again.contains(&pid))
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
    fn descent_makes_a_process_ours_and_nothing_that_it_says() {
        let all = vec![
            process(101, 100, 101),
            process(102, 101, 102),
            process(103, 1, 103),
            process(104, 103, 101),
        ];
        let census = census(all, &[(103, "app"), (104, "app")], &[]);
        assert_eq!(pids(&census.everybody()), [101, 102]);
        let (others, known) = (HashSet::new(), HashSet::new());
        let app = traits("app", Some(101), &others, &known);
        assert_eq!(pids(&census.of_role(&app)), [101, 102]);
    }

    #[test]
    fn who_lost_a_parent_while_the_table_was_read_is_looked_at_again() {
        // 98 and 99 had ended before they were read.
        let all = vec![process(101, 98, 101), process(102, 101, 101), process(103, 99, 103)];
        let census = census(all, &[(102, "app")], &[101, 102]);
        assert_eq!(pids(&census.everybody()), [101, 102]);
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
        assert!(census(vec![old, dead], &[], &[]).everybody().is_empty());
    }

    #[test]
    fn a_role_has_descendants_orphans_that_say_so_its_session_and_those_known() {
        let all = vec![
            process(101, 100, 101), // main
            process(102, 101, 102), // descendant with a session of its own
            process(103, 100, 103), // orphan that says so
            process(104, 100, 101), // orphan of the session
            process(105, 100, 105), // orphan known from before
            process(106, 100, 106), // main of another role
            process(107, 106, 106),
            process(108, 103, 108), // the orphan's
        ];
        let says = [(103, "app"), (106, "display"), (107, "app")];
        let census = census(all, &says, &[]);
        let known = [Identity {
            pid: 105,
            start_time: 60,
        }]
        .into();
        let others = [106].into();
        assert_eq!(
            pids(&census.of_role(&traits("app", Some(101), &others, &known))),
            [101, 102, 103, 104, 105, 108],
            "what comes from another role's main process is that role's, whatever it says"
        );
    }

    #[test]
    fn a_loop_in_the_table_ends() {
        let all = vec![process(7, 8, 7), process(8, 7, 8)];
        assert!(census(all, &[], &[]).everybody().is_empty());
    }
}

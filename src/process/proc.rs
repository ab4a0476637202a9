//! What `/proc` tells of processes (proc(5)), and signals that cannot hit a later process of the same pid.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::signal::Signal;

use crate::protocol::keeper::{INSTANCE_VARIABLE, MARK_VARIABLE, Manifest, ROLE_VARIABLE};

/// Generations of processes that are looked through.
pub(super) const DEEPEST: usize = 64;
/// What is read of an environment. A program can say that its own lies anywhere and is of any size; our variables are the
/// first that it starts with.
const ENVIRONMENT: u64 = 128 * 1024;
/// More than the 52 numbers of a `/proc/<pid>/stat` and the name among them take.
const STAT_LINE: usize = 2048;
/// Looks at the parents of a process that lives.
const TRIES: usize = 3;
/// Looks at what is below a process, each of which takes less than a millisecond.
const LOOKS: usize = 6;

/// A process for as long as it lives: its pid may be given again, together with the start time it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    /// The process id.
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since boot.
    pub start_time: u64,
}

/// One line of the process table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    /// Which.
    pub identity: Identity,
    /// The parent's pid.
    pub parent: i32,
    /// The session's id.
    pub session: i32,
    /// It still runs something: not a zombie whose threads are all gone.
    pub alive: bool,
    /// A signal has stopped it (SIGSTOP; not a debugger).
    pub stopped: bool,
}

/// What the processes of a keeper carry in their environment, and the keeper itself: how they are known when descent
/// does not tell any more, because the keeper is dead.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mark {
    variable: &'static str,
    value: String,
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mark").finish_non_exhaustive()
    }
}

impl Process {
    /// Reads a line of `/proc/<pid>/stat`. The command in parentheses may hold anything, so it is cut at the last one.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first of these fields is number 3 of proc(5), the state.
        let field = |number: usize| fields.get(number - 3).copied();
        let threads: u32 = field(20)?.parse().ok()?;
        Some(Self {
            identity: Identity {
                pid: pid.parse().ok()?,
                start_time: field(22)?.parse().ok()?,
            },
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            alive: !matches!(field(3)?, "Z" | "X" | "x") || threads > 1,
            stopped: field(3)? == "T",
        })
    }

    /// The process of this pid, if there is one.
    pub(super) fn read(pid: i32) -> Option<Self> {
        let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&line))
    }

    /// As it is now, by its opened `/proc/<pid>/stat`: no other's, whoever has its pid by now. None once it has ended.
    pub(super) fn again(stat: &File) -> Option<Self> {
        let mut line = [0; STAT_LINE];
        let length = stat.read_at(&mut line, 0).ok()?;
        Self::parse(&String::from_utf8_lossy(&line[..length]))
    }

    /// What is below a process, zombies included: by its list of children and theirs, which costs what there is below it
    /// and not what the machine runs. None where it cannot be told so: the kernel has no such lists, or there was no moment
    /// at which nobody ended.
    ///
    /// A list that changes while it is read may lack somebody (proc(5)), and an orphan goes to somebody whose list was read
    /// before. Both take an end somewhere below: a look in which nobody ended, and before which those were dead that it
    /// finds dead, has missed nobody.
    pub(super) fn below(ancestor: i32) -> Option<Vec<Self>> {
        let mut dead = HashSet::new();
        (0..LOOKS).find_map(|_| Self::below_once(ancestor, &mut dead).ok()?)
    }

    /// `None`: somebody ended meanwhile. `dead`: who has ended for sure, for the next look.
    fn below_once(ancestor: i32, dead: &mut HashSet<Identity>) -> io::Result<Option<Vec<Self>>> {
        let (mut found, mut seen, mut next) = (Vec::new(), HashSet::new(), vec![ancestor]);
        let mut settled = true;
        while let Some(pid) = next.pop() {
            let Some(children) = children(pid)? else {
                return Ok(None);
            };
            for child in children.into_iter().filter(|child| seen.insert(*child)) {
                let Some(process) = Self::read(child) else {
                    return Ok(None);
                };
                settled &= process.alive || !dead.insert(process.identity);
                found.push(process);
                next.push(child);
            }
        }
        let as_before = |process: &Self| {
            let now = Self::read(process.identity.pid);
            now.is_some_and(|now| (now.identity, now.alive) == (process.identity, process.alive))
        };
        settled &= found.iter().all(as_before);
        Ok(settled.then_some(found))
    }

    /// Every process that can be seen.
    pub(super) fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Self::read).collect()
    }
}

impl Identity {
    /// Of the process that has this pid now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Process::read(pid).map(|process| process.identity)
    }

    /// Whether this very process still runs.
    pub(super) fn lives(self) -> bool {
        Process::read(self.pid).is_some_and(|process| process.identity == self && process.alive)
    }

    /// Sends a signal to this process and to no other; false if it is gone or out of reach.
    pub(super) fn signal(self, signal: Signal) -> bool {
        self.signal_if(signal, || true)
    }

    /// As [`Identity::signal`], if `check` still holds once the process can no longer be mistaken.
    pub(super) fn signal_if(self, signal: Signal, check: impl FnOnce() -> bool) -> bool {
        let Ok(process) = pidfd(self.pid) else { return false };
        // From here on the descriptor names one process: if it is the one meant, the pid could not be given again.
        if Self::of(self.pid) != Some(self) || !check() {
            return false;
        }
        // SAFETY: plain system call, a null siginfo stands for what kill(2) would send.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                process.as_raw_fd(),
                signal as i32,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        sent == 0
    }
}

/// The children of a process, of all its threads; none of one that has ended.
///
/// # Errors
/// The kernel does not list them (`CONFIG_PROC_CHILDREN`).
fn children(pid: i32) -> io::Result<Option<Vec<i32>>> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Ok(None);
    };
    let mut all = Vec::new();
    for thread in threads.flatten() {
        let folder = thread.path();
        match fs::read_to_string(folder.join("children")) {
            Ok(list) => all.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok())),
            // A thread that has ended leaves its children to another.
            Err(_) if !folder.exists() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(all))
}

fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; a non-negative result is a new descriptor that nobody else owns.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_open, pid, 0) {
            fd if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd as i32)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Mark {
    /// That of the keeper of this manifest. Keepers of before version 5 had none but the instance's id.
    pub(super) fn of(manifest: &Manifest) -> Self {
        match &manifest.mark {
            Some(secret) => Self {
                variable: MARK_VARIABLE,
                value: secret.clone(),
            },
            None => Self {
                variable: INSTANCE_VARIABLE,
                value: manifest.instance.to_string(),
            },
        }
    }

    /// Whether the process carries it. Nothing without it is ours to end.
    pub(super) fn is_on(&self, pid: i32) -> bool {
        variable(pid, self.variable).is_some_and(|value| value == self.value)
    }
}

/// The role that a process says it has: nobody's but its own instance's business.
pub(super) fn role_of(pid: i32) -> Option<String> {
    variable(pid, ROLE_VARIABLE)
}

/// A variable of a process's environment; none where that is closed to us.
fn variable(pid: i32, name: &str) -> Option<String> {
    let file = fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut environment = Vec::new();
    file.take(ENVIRONMENT).read_to_end(&mut environment).ok()?;
    find(&environment, name)
}

fn find(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.split(|&b| b == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Whether the process lives and does not descend from this one. What ends while it is looked at, with those that made
/// its sandbox, is nobody's any more.
pub(super) fn is_foreign(pid: i32, ancestor: i32) -> bool {
    let Some(first) = Process::read(pid) else { return false };
    // A parent that ends between two looks leaves a living child to the next one, seen at another try.
    (0..TRIES).all(|_| !descends(pid, ancestor) && first.identity.lives())
}

/// Whether the process is another one's child, or a child of such a one.
fn descends(pid: i32, ancestor: i32) -> bool {
    let parent = |process: &Process| Process::read(process.parent);
    std::iter::successors(Process::read(pid), parent)
        // Deeper than anybody nests; what changes meanwhile is no reason to go round for ever.
        .take(DEEPEST)
        .any(|process| process.parent == ancestor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_forge_its_line() {
        let line = "42 (a) S 1 (b) R) S 7 42 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9876 0 0";
        let process = Process::parse(line).unwrap();
        assert_eq!(
            process.identity,
            Identity {
                pid: 42,
                start_time: 9876
            }
        );
        assert_eq!((process.parent, process.session, process.alive), (7, 41, true));
    }

    #[test]
    fn a_zombie_lives_while_a_thread_of_it_does() {
        let line =
            |state: &str, threads: u32| format!("4 (x) {state} 1 4 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 1 0");
        assert!(!Process::parse(&line("Z", 1)).unwrap().alive);
        assert!(Process::parse(&line("Z", 2)).unwrap().alive);
    }

    #[test]
    fn what_is_no_stat_line_is_nothing() {
        assert_eq!(Process::parse(""), None);
        assert_eq!(Process::parse("1 (init"), None);
    }

    #[test]
    fn this_process_is_found_and_is_itself() {
        let me = Identity::of(std::process::id() as i32).unwrap();
        assert!(me.lives());
        let other = Identity {
            start_time: me.start_time + 1,
            ..me
        };
        assert!(!other.lives());
        // Would end this test if it were sent.
        assert!(!other.signal(Signal::SIGKILL));
        assert!(!me.signal_if(Signal::SIGKILL, || false));
    }

    #[test]
    fn what_is_below_a_process_is_found_by_its_children_alone_also_those_of_its_threads() {
        let script = "sh -c 'sleep 1000 & exec sleep 1001' & exec sleep 1002";
        // overflow: both wait for each other, which is what they are for.
        let (done, wait) = std::sync::mpsc::sync_channel::<()>(0);
        // overflow: there is one child.
        let (born, news) = std::sync::mpsc::sync_channel(1);
        let parent = std::thread::spawn(move || {
            born.send(std::process::Command::new("sh").args(["-c", script]).spawn().unwrap())
                .unwrap();
            wait.recv().unwrap();
        });
        let mut child = news.recv().unwrap();
        // Other tests' threads end meanwhile.
        let all = (0..1000).find_map(|_| children(std::process::id() as i32).unwrap());
        assert!(all.unwrap().contains(&(child.id() as i32)));
        done.send(()).unwrap();
        parent.join().unwrap();
        let pid = child.id() as i32;
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let below = loop {
            let below = Process::below(pid).unwrap_or_default();
            let asleep = below.iter().all(|p| {
                fs::read_to_string(format!("/proc/{}/comm", p.identity.pid)).is_ok_and(|name| name == "sleep\n")
            });
            if below.len() == 2 && asleep {
                break below;
            }
            assert!(std::time::Instant::now() < until, "{below:?}");
            std::thread::yield_now();
        };
        let by_scan: HashSet<i32> = Process::all()
            .iter()
            .map(|process| process.identity.pid)
            .filter(|&one| descends(one, pid))
            .collect();
        assert_eq!(below.iter().map(|p| p.identity.pid).collect::<HashSet<_>>(), by_scan);
        for process in &below {
            process.identity.signal(Signal::SIGKILL);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            Process::below(pid),
            None,
            "of one that has ended there is nothing to be told"
        );
    }

    #[test]
    fn a_child_descends_from_its_parents_and_from_nobody_else() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let (me, pid) = (std::process::id() as i32, child.id() as i32);
        assert!(descends(pid, me));
        assert!(descends(pid, Process::read(me).unwrap().parent));
        assert!(!descends(me, pid) && !descends(me, me) && !descends(1, me));
        assert!(is_foreign(1, me) && is_foreign(me, pid) && !is_foreign(pid, me));
        child.kill().unwrap();
        // A zombie until it is waited for: nobody's descendant any more, and nobody's to be blamed for.
        while Identity::of(pid).is_some_and(Identity::lives) {
            std::thread::yield_now();
        }
        assert!(!is_foreign(pid, 1 << 30));
        child.wait().unwrap();
        assert!(!descends(pid, me) && !is_foreign(pid, 1 << 30));
    }

    #[test]
    fn of_an_environment_of_any_size_no_more_is_read_than_ours_needs() {
        let start = |padding: usize| {
            let mut command = std::process::Command::new("sleep");
            command.arg("100").env_clear().env(ROLE_VARIABLE, "app");
            // Before ours by their names.
            command.envs((0..2).map(|n| (format!("A{n}"), "x".repeat(padding))));
            command.spawn().unwrap()
        };
        for (padding, role) in [(1000, Some("app")), (100_000, None)] {
            let mut child = start(padding);
            assert_eq!(role_of(child.id() as i32).as_deref(), role, "{padding}");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_variable_is_a_whole_name_only() {
        let environment = b"XHELIOSTAT_ROLE=no\0HELIOSTAT_ROLES=no\0HELIOSTAT_ROLE=app\0A=B\0";
        assert_eq!(find(environment, "HELIOSTAT_ROLE").as_deref(), Some("app"));
        assert_eq!(find(environment, "HELIOSTAT_INSTANCE"), None);
    }
}

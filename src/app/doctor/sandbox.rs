//! What keeps apps apart: sandboxes, their way to the internet, control groups.

use std::path::Path;

use super::finding::Finding;
use crate::config::{Config, SandboxMode};
use crate::folders::AppOwner;
use crate::sandbox::{Ability, detect_groups, probe};

const SANDBOX: &str = "sandbox";
const INTERNET: &str = "sandbox's network";
const GROUPS: &str = "control groups";

/// Makes a sandbox as the host would.
pub fn check(config: &Config, owner: Option<&AppOwner>) -> Vec<Finding> {
    let mut found = if config.sandbox == SandboxMode::Off {
        vec![Finding::note(
            SANDBOX,
            "sandbox.mode is off: apps are not protected from each other",
        )]
    } else {
        sandbox(probe(owner), config.sandbox.is_needed(owner.is_some()))
    };
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    found.push(match detect_groups(Path::new("/sys/fs/cgroup"), &own) {
        Some(groups) => Finding::ok(GROUPS, groups.name()),
        None => Finding::note(GROUPS, "there are none here: each process of an app is limited alone")
            .hint("as a service they come with Delegate=yes and DelegateSubgroup=host (systemd 254)"),
    });
    found
}

fn sandbox(probed: Result<Ability, String>, needed: bool) -> Vec<Finding> {
    match probed {
        Ok(ability) => vec![
            Finding::ok(SANDBOX, format!("{} makes sandboxes", ability.program.display())),
            match ability.internet {
                Ok(_) => Finding::ok(INTERNET, "apps may have the internet without this machine"),
                Err(why) => Finding::note(INTERNET, format!("apps with network = \"internet\" are refused: {why}"))
                    .hint("apt-get install slirp4netns iproute2; /dev/net/tun has to be there"),
            },
        ],
        Err(why) => {
            let hint = "apt-get install bubblewrap; it needs user namespaces, which some systems and containers forbid";
            let text = format!("no sandbox can be made, apps are not protected from each other: {why}");
            vec![if needed {
                Finding::problem(SANDBOX, format!("{text}; the host does not start")).hint(hint)
            } else {
                Finding::note(SANDBOX, text).hint(hint)
            }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    #[test]
    fn a_missing_sandbox_is_a_problem_where_it_is_required_or_the_host_is_root() {
        let level = |mode: SandboxMode, root| sandbox(Err("no".into()), mode.is_needed(root))[0].level;
        assert_eq!(level(SandboxMode::Auto, false), Level::Note);
        assert_eq!(level(SandboxMode::Auto, true), Level::Problem);
        assert_eq!(level(SandboxMode::Require, false), Level::Problem);
        assert_eq!(level(SandboxMode::Off, true), Level::Note);
    }

    #[test]
    fn what_is_missing_for_the_internet_is_named() {
        let ability = Ability {
            program: "/usr/bin/bwrap".into(),
            prlimit: None,
            nests: true,
            internet: Err("slirp4netns is not installed".into()),
        };
        let found = sandbox(Ok(ability), false);
        assert_eq!((found[0].level, found[1].level), (Level::Ok, Level::Note));
        assert!(found[1].text.ends_with("slirp4netns is not installed"));
    }
}

//! Whom apps run as.

use super::finding::Finding;
use crate::app::error::chain;
use crate::folders::AppOwner;
use crate::folders::owner::OwnerError;

const CHECK: &str = "apps' user";

/// Finds the user that apps run as; `None` when they run as the host's own user, or there is none.
pub fn check(name: &str, found: &mut Vec<Finding>) -> Option<AppOwner> {
    let result = AppOwner::resolve(name);
    found.push(describe(&result));
    result.ok().flatten()
}

fn describe(result: &Result<Option<AppOwner>, OwnerError>) -> Finding {
    match result {
        Ok(Some(owner)) => Finding::ok(CHECK, format!("the host is root, apps run as {owner}")),
        Ok(None) => Finding::ok(CHECK, "apps run as the user who runs the host"),
        Err(OwnerError::Missing(name)) => {
            Finding::problem(CHECK, format!("there is no user {name} for apps to run as")).hint(format!(
                "useradd --system --no-create-home --shell /usr/sbin/nologin {name}; or name another unprivileged user \
             as apps.user"
            ))
        }
        Err(error) => Finding::problem(CHECK, chain(error)).hint("name another unprivileged user as apps.user"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    #[test]
    fn a_missing_user_comes_with_the_command_that_makes_it() {
        let finding = describe(&Err(OwnerError::Missing("apps".into())));
        assert_eq!(finding.level, Level::Problem);
        let hint = finding.hint.unwrap();
        assert!(
            hint.starts_with("useradd --system") && hint.contains("nologin apps;"),
            "{hint}"
        );
    }

    #[test]
    fn root_is_refused() {
        assert_eq!(
            describe(&Err(OwnerError::Privileged("root".into()))).level,
            Level::Problem
        );
        assert_eq!(describe(&Ok(None)).level, Level::Ok);
    }
}

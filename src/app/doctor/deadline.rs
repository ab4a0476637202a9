//! Checks under a deadline: a file system or a server that hangs costs one finding, not the report.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::finding::Finding;

/// The findings of `check`, or a problem when it takes longer than `deadline`. A late check goes on in its thread,
/// which ends with the program.
pub fn within(
    name: &'static str,
    deadline: Duration,
    check: impl FnOnce() -> Vec<Finding> + Send + 'static,
) -> Vec<Finding> {
    // overflow: there is one message; it is dropped when it comes too late.
    let (done, result) = sync_channel(1);
    let spawned = thread::Builder::new().name(format!("check {name}")).spawn(move || {
        let _ = done.send(check());
    });
    let problem = |text: String| vec![Finding::problem(name, text)];
    if let Err(error) = spawned {
        return problem(format!("no thread can be started: {error}"));
    }
    match result.recv_timeout(deadline) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => problem(format!("no answer within {} s", deadline.as_secs_f32())),
        Err(RecvTimeoutError::Disconnected) => problem("the check itself failed, see above".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_check_that_hangs_or_fails_is_a_problem_and_holds_up_nothing() {
        let begin = Instant::now();
        let hangs = within("a", Duration::from_millis(20), || {
            thread::sleep(Duration::from_secs(60));
            Vec::new()
        });
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert_eq!(hangs, [Finding::problem("a", "no answer within 0.02 s")]);
        let fails = within("b", Duration::from_secs(20), || panic!("on purpose"));
        assert_eq!(fails, [Finding::problem("b", "the check itself failed, see above")]);
    }

    #[test]
    fn what_a_check_finds_is_passed_on() {
        let found = within("a", Duration::from_secs(20), || vec![Finding::ok("a", "x")]);
        assert_eq!(found, [Finding::ok("a", "x")]);
    }
}

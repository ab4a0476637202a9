//! The report as text and as JSON. Pure.

use std::io::{self, Write};

use serde::Serialize;

use super::finding::{Finding, Level};

/// Everything that was found, in the order of the checks.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    can_launch: bool,
    checks: Vec<Finding>,
}

impl Report {
    /// The report of these findings.
    #[must_use]
    pub fn new(checks: Vec<Finding>) -> Self {
        let can_launch = checks.iter().all(|check| check.level != Level::Problem);
        Self { can_launch, checks }
    }

    /// Whether nothing keeps instances from being launched.
    #[must_use]
    pub const fn can_launch(&self) -> bool {
        self.can_launch
    }

    /// One line a check, hints below.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        for check in &self.checks {
            writeln!(
                out,
                "{:<7}  {:<width$}  {}",
                check.level.word(),
                check.check,
                one_line(&check.text)
            )?;
            if let Some(hint) = &check.hint {
                writeln!(out, "{:<7}  {:<width$}  -> {}", "", "", one_line(hint))?;
            }
        }
        match self.checks.iter().filter(|check| check.level == Level::Problem).count() {
            0 => writeln!(out, "\nThis machine can launch instances."),
            1 => writeln!(out, "\nThis machine cannot launch instances: there is a problem."),
            problems => writeln!(
                out,
                "\nThis machine cannot launch instances: there are {problems} problems."
            ),
        }
    }

    /// The same for programs: `{"can_launch": …, "checks": [{"check", "level", "text", "hint"?}]}`.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self).map_err(io::Error::from)?;
        writeln!(out)
    }
}

/// What programs say about themselves may have several lines, and codes that a terminal would obey.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(report: &Report) -> String {
        let mut out = Vec::new();
        report.text(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_machine_without_problems_can_launch_whatever_is_noted() {
        let report = Report::new(vec![Finding::ok("a", "fine"), Finding::note("bcd", "odd").hint("look")]);
        assert!(report.can_launch());
        assert_eq!(
            text(&report),
            "ok       a    fine\nnote     bcd  odd\n              -> look\n\nThis machine can launch instances.\n"
        );
    }

    #[test]
    fn one_problem_is_enough_and_problems_are_counted() {
        let problem = || Finding::problem("a", "bad").hint("mend it");
        let one = Report::new(vec![Finding::ok("x", "fine"), problem()]);
        assert!(!one.can_launch());
        assert!(text(&one).contains("problem  a  bad\n            -> mend it\n\nThis machine cannot"));
        assert!(text(&Report::new(vec![problem(), problem()])).ends_with("there are 2 problems.\n"));
    }

    #[test]
    fn what_programs_say_stays_on_one_line_without_codes() {
        let report = Report::new(vec![Finding::ok("a", "one\n\x1b[31m two\r\n\tthree ")]);
        assert!(text(&report).starts_with("ok       a  one [31m two three\n"));
    }

    #[test]
    fn the_json_says_the_same() {
        let mut out = Vec::new();
        let report = Report::new(vec![
            Finding::ok("a", "fine"),
            Finding::problem("b", "bad").hint("mend it"),
        ]);
        report.json(&mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"can_launch": false, "checks": [
                {"check": "a", "level": "ok", "text": "fine"},
                {"check": "b", "level": "problem", "text": "bad", "hint": "mend it"},
            ]})
        );
    }
}

//! Orders: one JSON object a line.

use serde::Deserialize;

use super::error::LineError;
use super::shape::Shape;

/// No order is longer.
pub const LONGEST: usize = 4_096;

/// What is to be done. A way that is named is from now on as its shape says, as a whole; one that is not stays.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// From the host to the viewer.
    pub down: Option<Shape>,
    /// From the viewer to the host.
    pub up: Option<Shape>,
    /// Either way.
    pub both: Option<Shape>,
    /// Print the counters now.
    pub count: bool,
}

impl Order {
    /// Reads one line.
    ///
    /// # Errors
    /// It is no order, or asks for what makes no line.
    pub fn read(line: &str) -> Result<Self, LineError> {
        let order: Self = serde_json::from_str(line)?;
        if order == Self::default() {
            return Err(LineError::Empty);
        }
        for shape in order.down.iter().chain(&order.up).chain(&order.both) {
            shape.check()?;
        }
        Ok(order)
    }

    /// The new shapes of both ways, down and up, where there are any.
    pub fn shapes(&self) -> [Option<Shape>; 2] {
        [self.down.or(self.both), self.up.or(self.both)]
    }
}

/// Bytes as they come, put together to lines.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// The line that is coming is too long: nothing of it is kept.
    skips: bool,
}

impl Lines {
    /// Takes bytes, and gives the lines that they end.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Result<String, LineError>> {
        let mut whole = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.skips |= self.begun.len() == LONGEST;
                if !self.skips {
                    self.begun.push(byte);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
            if std::mem::take(&mut self.skips) {
                whole.push(Err(LineError::Long(LONGEST)));
            } else if !line.trim().is_empty() {
                whole.push(Ok(line));
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Burst;
    use super::*;

    #[test]
    fn an_order_changes_the_ways_that_it_names() {
        let order = Order::read(r#"{"down":{"rate_kbps":500,"queue_ms":50},"up":{"delay_ms":25}}"#).unwrap();
        let [down, up] = order.shapes().map(Option::unwrap);
        assert_eq!((down.rate_kbps, down.queue_ms, down.delay_ms), (Some(500), Some(50), 0));
        assert_eq!((up.rate_kbps, up.delay_ms), (None, 25));
        assert_eq!(
            Order::read(r#"{"up":{}}"#).unwrap().shapes(),
            [None, Some(Shape::default())]
        );
        let [down, up] = Order::read(r#"{"both":{"burst":{"enter":0.01,"leave":0.2}}}"#)
            .unwrap()
            .shapes();
        assert_eq!(down, up);
        let burst = Burst {
            enter: 0.01,
            leave: 0.2,
            loss: 1.0,
        };
        assert_eq!(down.unwrap().burst, Some(burst));
        assert!(Order::read(r#"{"count":true}"#).unwrap().count);
    }

    #[test]
    fn an_order_that_makes_no_line_is_refused_with_the_reason() {
        for (order, reason) in [
            ("", "no order"),
            ("rubbish", "no order"),
            ("[1]", "no order"),
            ("{}", "names"),
            (r#"{"count":false}"#, "names"),
            (r#"{"sideways":{}}"#, "unknown field"),
            (r#"{"down":{"rate":5}}"#, "unknown field"),
            (
                r#"{"down":{"rate_kbps":0}}"#,
                r#"rate_kbps is 0: a line that carries nothing is {"cut":true}"#,
            ),
            (r#"{"down":{"rate_kbps":7}}"#, "from 8"),
            (r#"{"down":{"rate_kbps":-1}}"#, "no order"),
            (r#"{"down":{"rate_kbps":18446744073709551615}}"#, "from 8 to"),
            (r#"{"down":{"queue_ms":50}}"#, "only before a rate_kbps"),
            (r#"{"up":{"delay_ms":60001}}"#, "delay_ms is 60001: at most 60000"),
            (r#"{"up":{"rate_kbps":8,"queue_ms":99999999}}"#, "queue_ms"),
            (r#"{"up":{"jitter_ms":70000}}"#, "jitter_ms"),
            (r#"{"up":{"reorder":true}}"#, "jitter_ms alone"),
            (r#"{"both":{"loss":1.5}}"#, "loss is 1.5: a part of one"),
            (r#"{"both":{"loss":-0.1}}"#, "part of one"),
            (r#"{"both":{"loss":1e999}}"#, "no order"),
            (r#"{"both":{"burst":{"enter":2,"leave":1}}}"#, "burst.enter"),
            (r#"{"both":{"burst":{"enter":1}}}"#, "missing field"),
        ] {
            let error = Order::read(order).expect_err(order).to_string();
            assert!(error.contains(reason), "{order}: {error}");
        }
    }

    #[test]
    fn lines_are_put_together_from_pieces_and_long_ones_are_refused() {
        let mut lines = Lines::default();
        assert!(lines.take(b"{\"a\"").is_empty());
        let whole: Vec<String> = lines.take(b":1}\n\n{}\n{").into_iter().map(Result::unwrap).collect();
        assert_eq!(whole, ["{\"a\":1}", "{}"]);
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.take(&[b'x'; 1_000]).is_empty());
        }
        assert!(lines.begun.len() <= LONGEST, "nothing of it is kept");
        let after = lines.take(b"\n{}\n");
        assert!(matches!(after[0], Err(LineError::Long(LONGEST))));
        assert_eq!(after[1].as_deref().unwrap(), "{}");
    }
}

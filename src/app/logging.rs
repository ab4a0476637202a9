//! The log: lines on standard error, one an event whatever it quotes.

use std::fmt::{self, Write as _};
use std::io::Write as _;

/// Libraries that tell each packet they cannot place, or each thread they start. Named in a filter they speak again.
///
/// The driver tells as an error what it cannot send to a candidate, and candidates are what browsers say.
const QUIET: &str = "actix_server=warn,rtc=error,rtc_ice=error,rtc_sctp=error,rtc_dtls=error,rtc_mdns=error,\
    webrtc=error,webrtc::peer_connection::driver=off,quinn_udp=warn";

/// So much is written of what an event says, in bytes.
const LONGEST: usize = 8 * 1024;

/// Starts the log with the configured filter; `RUST_LOG` wins, as everywhere in Rust.
pub fn init(filter: &str) {
    let env = env_logger::Env::default().default_filter_or(format!("{QUIET},{filter}"));
    // Fails only if it was started before.
    let _ = env_logger::Builder::from_env(env)
        .format(|out, record| {
            let (time, level, target) = (out.timestamp_millis(), record.level(), record.target());
            let style = out.default_level_style(level);
            writeln!(
                out,
                "[{time} {style}{level:<5}{style:#} {target}] {}",
                one_line(record.args())
            )
        })
        .try_init();
}

/// What an event says, in one line. It may quote what browsers, programs and files say: nothing in it ends the line, moves a
/// terminal's cursor or turns the direction of writing.
fn one_line(said: &fmt::Arguments<'_>) -> String {
    let mut line = Line(String::new());
    // Its only error is that there is enough.
    let _ = line.write_fmt(*said);
    line.0
}

struct Line(String);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= LONGEST {
                self.0.push('…');
                return Err(fmt::Error);
            }
            if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_quoted_forges_no_line_and_moves_no_cursor() {
        let said = "fine, grün\n[2026-01-01 INFO] forged\r\u{1b}[2J\u{9b}m\u{202e}";
        let line = one_line(&format_args!("viewer={said} end"));
        assert_eq!(
            line,
            r"viewer=fine, grün\n[2026-01-01 INFO] forged\r\u{1b}[2J\u{9b}m\u{202e} end"
        );
        let long = one_line(&format_args!("{}", "ü".repeat(LONGEST)));
        assert!(long.len() <= LONGEST + 4 && long.ends_with('…'));
    }

    proptest! {
        #[test]
        fn no_text_makes_more_than_one_line(text in ".{0,200}|[\\x00-\\x20\\x7f-\\xa0]{0,50}") {
            let line = one_line(&format_args!("{text}"));
            prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
        }
    }
}

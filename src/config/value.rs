//! The kinds of values that keys have, and how each is read, written and described.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::address_range::AddressRange;
use super::duration;
use super::hidden::Hidden;
use super::ice_url::IceUrl;
use super::rung::{self, RungConfig};
use super::transports::Transports;

/// What a key may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within limits.
    Number(u64, u64),
    /// Zero for "no limit", or a whole number within limits.
    Limit(u64, u64),
    /// A whole number within limits, or the number of cores of this machine.
    Cores(u64, u64),
    /// A time span within limits given in milliseconds.
    Span(u64, u64),
    /// Zero for "never", or a time span within limits given in milliseconds.
    SpanOrNever(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An IP address and a port.
    Address,
    /// IP addresses, possibly none.
    Addresses,
    /// Addresses and ranges of addresses, possibly none.
    Networks,
    /// `LOW-HIGH`, UDP ports above 1023.
    Ports,
    /// A file; empty for none.
    File,
    /// A folder; empty for the usual place.
    Folder,
    /// A database URL or a path.
    Database,
    /// Words (host names, origins), possibly none.
    Words,
    /// A name of letters, digits, `.`, `_` and `-`.
    Name,
    /// A filter of the `env_logger` crate, as in `RUST_LOG`.
    LogFilter,
    /// Addresses of STUN and TURN servers, possibly none.
    IceServers,
    /// One or two secrets, or none. Never shown.
    Secrets,
    /// IP addresses, possibly none, or the word `stun`.
    PublicAddress,
    /// Renditions of the picture, the best first.
    Ladder,
    /// Some of these words, at least one, in an order that matters.
    Choices(&'static [&'static str]),
    /// Ways of the picture to a browser.
    Transports,
}

/// A value as a source gives it, before it is known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// Text: everything from the environment and the command line, strings of a file.
    Text(String),
    /// A whole number or a truth value of a file.
    Scalar(String),
    /// A list of strings of a file.
    List(Vec<String>),
    /// Anything else a file can hold; never allowed. The text describes it.
    Other(String),
}

impl Raw {
    /// The value as it is shown in an error, shortened when it is long.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Scalar(text) | Self::Other(text) => text.clone(),
            Self::List(items) => format!("{items:?}"),
        };
        match text.char_indices().nth(200) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Scalar(text) => Some(text.trim()),
            Self::List(_) | Self::Other(_) => None,
        }
    }

    /// A list of a file, or comma-separated words of one text.
    fn items(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Text(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            Self::Scalar(_) | Self::Other(_) => None,
        }
    }
}

/// A value that its key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// For [`Kind::Bool`].
    Bool(bool),
    /// For [`Kind::Number`] and [`Kind::Limit`].
    Number(u64),
    /// For [`Kind::Cores`]; `None` stands for the number of cores.
    Cores(Option<u64>),
    /// For [`Kind::Span`] and [`Kind::SpanOrNever`].
    Span(Duration),
    /// For [`Kind::Choice`], [`Kind::File`], [`Kind::Folder`], [`Kind::Database`], [`Kind::Name`] and
    /// [`Kind::LogFilter`].
    Text(String),
    /// For [`Kind::Address`].
    Address(SocketAddr),
    /// For [`Kind::Addresses`].
    Addresses(Vec<IpAddr>),
    /// For [`Kind::Networks`].
    Networks(Vec<AddressRange>),
    /// For [`Kind::Words`] and [`Kind::Choices`].
    Words(Vec<String>),
    /// For [`Kind::Ports`].
    Ports(RangeInclusive<u16>),
    /// For [`Kind::IceServers`].
    IceServers(Vec<IceUrl>),
    /// For [`Kind::Secrets`].
    Secrets(Vec<Hidden>),
    /// For [`Kind::PublicAddress`]; `None` stands for asking a STUN server.
    PublicAddress(Option<Vec<IpAddr>>),
    /// For [`Kind::Ladder`].
    Ladder(Vec<RungConfig>),
    /// For [`Kind::Transports`].
    Transports(Transports),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Cores(None) => f.write_str("cores"),
            Self::Cores(Some(value)) => value.fmt(f),
            Self::Span(value) => f.write_str(&duration::format(*value)),
            Self::Text(value) => f.write_str(value),
            Self::Address(value) => value.fmt(f),
            Self::PublicAddress(None) => f.write_str("stun"),
            Self::Addresses(value) | Self::PublicAddress(Some(value)) => f.write_str(&joined(value)),
            Self::Networks(value) => f.write_str(&joined(value)),
            Self::IceServers(value) => f.write_str(&joined(value)),
            Self::Ladder(value) => f.write_str(&joined(value)),
            Self::Transports(value) => value.fmt(f),
            Self::Secrets(value) if value.is_empty() => Ok(()),
            Self::Secrets(value) => write!(f, "({} set, not shown)", value.len()),
            Self::Words(value) => f.write_str(&value.join(", ")),
            Self::Ports(value) => write!(f, "{}-{}", value.start(), value.end()),
        }
    }
}

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Kind {
    /// A path with its `~` put into words, where this is one; `None` for one that cannot be: a shell would know other homes.
    pub(super) fn at_home(&self, raw: &Raw, home: Option<&Path>) -> Option<Raw> {
        let (Self::File | Self::Folder | Self::Database, Raw::Text(text)) = (self, raw) else {
            return Some(raw.clone());
        };
        let (scheme, path) = match text.strip_prefix("sqlite:") {
            Some(path) => ("sqlite:", path),
            None => ("", text.as_str()),
        };
        let Some(below) = path.strip_prefix('~') else {
            return Some(raw.clone());
        };
        let home = home.filter(|_| below.is_empty() || below.starts_with('/'))?.to_str()?;
        Some(Raw::Text(format!("{scheme}{home}{below}")))
    }

    /// Reads a value; `None` when this kind does not allow it.
    #[must_use]
    pub fn parse(&self, raw: &Raw) -> Option<Value> {
        match self {
            Self::Bool => match raw.text()? {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Number(low, high) => Some(Value::Number(number(raw.text()?, *low, *high)?)),
            Self::Limit(..) if raw.text()? == "0" => Some(Value::Number(0)),
            Self::Limit(low, high) => Some(Value::Number(number(raw.text()?, *low, *high)?)),
            Self::Cores(low, high) => match raw.text()? {
                "cores" => Some(Value::Cores(None)),
                text => Some(Value::Cores(Some(number(text, *low, *high)?))),
            },
            Self::Span(low, high) => span(raw.text()?, *low, *high).map(Value::Span),
            Self::SpanOrNever(low, high) => {
                let text = raw.text()?;
                match duration::parse(text)? {
                    Duration::ZERO => Some(Value::Span(Duration::ZERO)),
                    _ => span(text, *low, *high).map(Value::Span),
                }
            }
            Self::Choices(known) => {
                let words = raw.items()?;
                let fine = |(n, word): (usize, &String)| known.contains(&word.as_str()) && !words[..n].contains(word);
                (!words.is_empty() && words.iter().enumerate().all(fine)).then_some(Value::Words(words))
            }
            Self::Choice(words) => {
                let text = raw.text()?;
                words.contains(&text).then(|| Value::Text(text.to_owned()))
            }
            Self::Address => Some(Value::Address(raw.text()?.parse().ok()?)),
            Self::Addresses => {
                let addresses: Option<Vec<IpAddr>> = raw.items()?.iter().map(|item| item.parse().ok()).collect();
                Some(Value::Addresses(addresses?))
            }
            Self::Networks => {
                let networks: Option<Vec<AddressRange>> = raw.items()?.iter().map(|item| item.parse().ok()).collect();
                Some(Value::Networks(networks?))
            }
            Self::Ports => {
                let (low, high) = raw.text()?.split_once(['-', '–'])?;
                let (low, high): (u16, u16) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
                (low >= 1024 && low <= high).then_some(Value::Ports(low..=high))
            }
            Self::File | Self::Folder | Self::Database => match raw {
                Raw::Text(text) if !text.contains('\0') => Some(Value::Text(text.clone())),
                _ => None,
            },
            Self::Words => {
                let words = raw.items()?;
                let fine = |word: &String| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
                words.iter().all(fine).then_some(Value::Words(words))
            }
            Self::Name => {
                let text = raw.text()?;
                let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
                ((1..=64).contains(&text.len()) && text.chars().all(fine)).then(|| Value::Text(text.to_owned()))
            }
            Self::LogFilter => {
                let text = raw.text()?;
                text.split(',')
                    .all(|item| is_directive(item.trim()))
                    .then(|| Value::Text(text.to_owned()))
            }
            Self::IceServers => {
                let urls: Option<Vec<IceUrl>> = raw.items()?.iter().map(|item| item.parse().ok()).collect();
                Some(Value::IceServers(urls?))
            }
            Self::Secrets => {
                let secrets: Option<Vec<Hidden>> = raw.items()?.iter().map(|item| Hidden::new(item)).collect();
                secrets.filter(|secrets| secrets.len() <= 2).map(Value::Secrets)
            }
            Self::Ladder => rung::ladder(&raw.items()?).map(Value::Ladder),
            Self::Transports => Transports::named(&raw.items()?).map(Value::Transports),
            Self::PublicAddress if raw.text() == Some("stun") => Some(Value::PublicAddress(None)),
            Self::PublicAddress => match Self::Addresses.parse(raw)? {
                Value::Addresses(addresses) => Some(Value::PublicAddress(Some(addresses))),
                _ => None,
            },
        }
    }

    /// A value as it is shown in an error: secrets are not.
    #[must_use]
    pub fn shown(&self, raw: &Raw) -> String {
        match self {
            Self::Secrets => "(not shown)".to_owned(),
            _ => raw.shown(),
        }
    }

    /// What this kind allows, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number(low, high) => format!("a whole number from {low} to {high}"),
            Self::Limit(low, high) => format!("0 for no limit, or a whole number from {low} to {high}"),
            Self::Cores(low, high) => format!("`cores` or a whole number from {low} to {high}"),
            Self::Span(low, high) => format!("{} ({})", duration::FORM, limits(*low, *high)),
            Self::SpanOrNever(low, high) => {
                format!("0 for never, or {} ({})", duration::FORM, limits(*low, *high))
            }
            Self::Choice(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" or "),
            Self::Address => "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned(),
            Self::Addresses => "IP addresses: a list in a file, else separated by commas".to_owned(),
            Self::Networks => {
                "IP addresses and ranges such as 10.0.0.0/8: a list in a file, else separated by commas".to_owned()
            }
            Self::Ports => "LOW-HIGH, with 1024 <= LOW <= HIGH <= 65535".to_owned(),
            Self::File => "the path of a file; `~/` is the home of who starts the host".to_owned(),
            Self::Folder => "the path of a folder; `~/` is the home of who starts the host".to_owned(),
            Self::IceServers => "`stun:HOST[:PORT]`, `turn:HOST[:PORT]`, `turn:HOST[:PORT]?transport=tcp` or \
                                 `turns:HOST[:PORT]`: a list in a file, else separated by commas"
                .to_owned(),
            Self::Secrets => {
                "one or two secrets of 16 to 256 visible ASCII characters: a list in a file, else separated by commas"
                    .to_owned()
            }
            Self::PublicAddress => "`stun`, or IP addresses: a list in a file, else separated by commas".to_owned(),
            Self::Database => {
                "`sqlite:PATH`, or a path within the state folder; `~/` is the home of who starts the host".to_owned()
            }
            Self::Ladder => {
                "one to four times `PERCENT/FPS/KBPS` (10 to 100, 1 to 240, 0 to 200000), KBPS falling: a list in \
                             a file, else separated by commas"
                    .to_owned()
            }
            Self::Choices(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                format!(
                    "some of {}, each once: a list in a file, else separated by commas",
                    words.join(", ")
                )
            }
            Self::Transports => {
                "one or more of `webrtc`, `websocket`, `vnc`: a list in a file, else separated by commas".to_owned()
            }
            Self::Words => "words without spaces: a list in a file, else separated by commas".to_owned(),
            Self::Name => "1 to 64 letters, digits, `.`, `_` or `-`".to_owned(),
            Self::LogFilter => {
                "a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), also `module=level`, separated by commas"
                    .to_owned()
            }
        }
    }
}

fn number(text: &str, low: u64, high: u64) -> Option<u64> {
    text.parse().ok().filter(|number| (low..=high).contains(number))
}

fn span(text: &str, low: u64, high: u64) -> Option<Duration> {
    let span = duration::parse(text)?;
    (Duration::from_millis(low)..=Duration::from_millis(high))
        .contains(&span)
        .then_some(span)
}

fn limits(low: u64, high: u64) -> String {
    let text = |millis| duration::format(Duration::from_millis(millis));
    format!("{} to {}", text(low), text(high))
}

/// Whether this is `level`, `module=level` or `module::path=level`.
fn is_directive(item: &str) -> bool {
    let is_level = |text: &str| text.parse::<log::LevelFilter>().is_ok();
    match item.split_once('=') {
        Some((module, level)) => {
            let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
            !module.is_empty() && module.chars().all(fine) && is_level(level)
        }
        None => is_level(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn limits_of_numbers_are_kept() {
        let kind = Kind::Number(64, 7680);
        assert_eq!(kind.parse(&text("64")), Some(Value::Number(64)));
        assert_eq!(kind.parse(&Raw::Scalar("7680".to_owned())), Some(Value::Number(7680)));
        for wrong in ["63", "7681", "-64", "64.0", "", "many"] {
            assert_eq!(kind.parse(&text(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn no_limit_is_zero_and_a_limit_is_within_its_own() {
        let kind = Kind::Limit(16, 1024);
        assert_eq!(kind.parse(&text("0")), Some(Value::Number(0)));
        assert_eq!(kind.parse(&text("16")), Some(Value::Number(16)));
        assert_eq!(kind.parse(&text("15")), None);
        assert_eq!(kind.parse(&text("1025")), None);
    }

    #[test]
    fn never_is_written_as_zero_only_where_it_is_allowed() {
        assert_eq!(
            Kind::SpanOrNever(1000, 5000).parse(&text("0")),
            Some(Value::Span(Duration::ZERO))
        );
        assert_eq!(Kind::SpanOrNever(1000, 5000).parse(&text("10ms")), None);
        assert_eq!(Kind::Span(1000, 5000).parse(&text("0")), None);
    }

    #[test]
    fn port_ranges_are_ordered_and_unprivileged() {
        assert_eq!(
            Kind::Ports.parse(&text("40000-49999")),
            Some(Value::Ports(40_000..=49_999))
        );
        assert_eq!(
            Kind::Ports.parse(&text("40000–49999")),
            Some(Value::Ports(40_000..=49_999))
        );
        for wrong in ["49999-40000", "80-90", "40000", "40000-70000", "a-b"] {
            assert_eq!(Kind::Ports.parse(&text(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_may_be_a_list_or_separated_by_commas() {
        let expected = Some(Value::Addresses(vec![
            "127.0.0.1".parse().unwrap(),
            "::1".parse().unwrap(),
        ]));
        assert_eq!(Kind::Addresses.parse(&text("127.0.0.1, ::1")), expected);
        assert_eq!(
            Kind::Addresses.parse(&Raw::List(vec!["127.0.0.1".to_owned(), "::1".to_owned()])),
            expected
        );
        assert_eq!(Kind::Addresses.parse(&text("localhost")), None);
        assert_eq!(Kind::Addresses.parse(&text("")), Some(Value::Addresses(Vec::new())));
    }

    #[test]
    fn secrets_are_counted_and_never_shown() {
        let raw = Raw::List(vec!["0123456789abcdef".to_owned(), "fedcba9876543210".to_owned()]);
        let value = Kind::Secrets.parse(&raw).unwrap();
        assert_eq!(value.to_string(), "(2 set, not shown)");
        assert!(!format!("{value:?}").contains("0123"));
        assert_eq!(Kind::Secrets.shown(&text("a secret that is none")), "(not shown)");
        assert_eq!(Kind::Secrets.parse(&text("")).unwrap().to_string(), "");
        assert_eq!(Kind::Secrets.parse(&text("short")), None);
    }

    #[test]
    fn a_public_address_is_known_or_asked_for() {
        let kind = Kind::PublicAddress;
        assert_eq!(kind.parse(&text("stun")), Some(Value::PublicAddress(None)));
        assert_eq!(kind.parse(&text("")), Some(Value::PublicAddress(Some(Vec::new()))));
        assert_eq!(
            kind.parse(&text("192.0.2.1, 2001:db8::1")).unwrap().to_string(),
            "192.0.2.1, 2001:db8::1"
        );
        assert_eq!(kind.parse(&text("example.org")), None);
    }

    #[test]
    fn log_filters_are_levels_with_or_without_modules() {
        for right in ["info", "warn,heliostat=debug", "heliostat::store=trace, off"] {
            assert!(Kind::LogFilter.parse(&text(right)).is_some(), "{right}");
        }
        for wrong in ["loud", "heliostat=loud", "", "=info"] {
            assert!(Kind::LogFilter.parse(&text(wrong)).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_long_value_is_shortened_in_errors() {
        assert!(text(&"ä".repeat(5000)).shown().chars().count() < 210);
    }
}

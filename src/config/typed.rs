//! Values and words of the configuration as what they are to the program.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

use super::address_range::AddressRange;
use super::hidden::Hidden;
use super::ice_url::IceUrl;
use super::rung::RungConfig;
use super::transports::Transports;
use super::value::Value;

/// What a value of one kind is to the program.
pub(super) trait Of: Sized {
    /// It, where the value is of that kind.
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! of {
    ($($kind:ident: $what:ty,)*) => {
        $(impl Of for $what {
            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::$kind(value) => Some(value.clone()),
                    _ => None,
                }
            }
        })*
    };
}

of! {
    Bool: bool,
    Span: Duration,
    Address: SocketAddr,
    Addresses: Vec<IpAddr>,
    Networks: Vec<AddressRange>,
    Words: Vec<String>,
    Ports: RangeInclusive<u16>,
    IceServers: Vec<IceUrl>,
    Secrets: Vec<Hidden>,
    PublicAddress: Option<Vec<IpAddr>>,
    Ladder: Vec<RungConfig>,
    Transports: Transports,
}

/// The choice that a word stands for, as serde knows it; `None` where it is none.
pub(super) fn choice<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

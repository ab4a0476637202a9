//! Identifiers and words as text columns.

use std::fmt::Display;
use std::str::FromStr;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;

use crate::ids::{InstanceId, LinkId, PeerId, ServerId, SessionId, ViewerId};
use crate::protocol::words::{EventClass, InstanceStatus, Role, ServerStatus};

/// A value that a column holds in its written form.
#[derive(Debug, Clone, Copy, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct AsText<T>(pub T);

impl<T: Display + std::fmt::Debug> ToSql<Text, Sqlite> for AsText<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl<T> FromSql<Text, Sqlite> for AsText<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn from_sql(value: <Sqlite as diesel::backend::Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse()?))
    }
}

macro_rules! as_text {
    ($($name:ty),*) => { $(
        impl From<AsText<$name>> for $name {
            fn from(text: AsText<$name>) -> Self {
                text.0
            }
        }
        impl From<$name> for AsText<$name> {
            fn from(value: $name) -> Self {
                Self(value)
            }
        }
    )* };
}

as_text!(
    InstanceId,
    LinkId,
    SessionId,
    ViewerId,
    PeerId,
    ServerId,
    InstanceStatus,
    Role,
    ServerStatus,
    EventClass
);

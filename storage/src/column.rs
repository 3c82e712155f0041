//! What columns hold that is read as a type of another crate: `#[sqlx(try_from = "ZoneName")]`.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{booking::BookingTime, interval::Interval};
use sqlx::{Database, Decode, Type, error::BoxDynError};

use crate::{Result, StorageError};

/// What a derived `FromRow` means by `sqlx::`: sqlx, and the macro that makes the error of a `try_from` one of sqlx. That one
/// comes with sqlx's own derives alone, for which the drivers would be compiled a second time, for the compiler.
pub(crate) mod sqlx {
    pub(crate) use ::sqlx::*;

    macro_rules! __spec_error {
        ($error:expr) => {
            $error.into()
        };
    }
    pub(crate) use __spec_error;
}

/// The name of a time zone, or `NULL` (`ZoneName<Option<Tz>>`).
pub(crate) struct ZoneName<T = Tz>(T);

impl<T, DB: Database> Type<DB> for ZoneName<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(found: &DB::TypeInfo) -> bool {
        String::compatible(found)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for ZoneName
where
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let name = <&str as Decode<DB>>::decode(value)?;
        // Not by `TryFrom`: what that fails with, sqlx does not pass on.
        Ok(Self(name.parse().map_err(|_| StorageError::Inconsistent { what: "time zone" })?))
    }
}

impl<'r, DB: Database> Decode<'r, DB> for ZoneName<Option<Tz>>
where
    Option<ZoneName>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let name: Option<ZoneName> = Decode::decode(value)?;
        Ok(Self(name.map(Tz::from)))
    }
}

impl From<ZoneName> for Tz {
    fn from(ZoneName(zone): ZoneName) -> Self {
        zone
    }
}

impl From<ZoneName<Option<Tz>>> for Option<Tz> {
    fn from(ZoneName(zone): ZoneName<Option<Tz>>) -> Self {
        zone
    }
}

/// Two columns that are an interval: `#[sqlx(flatten, try_from = "IntervalColumns")]`.
#[derive(sqlx_macros::FromRow)]
pub(crate) struct IntervalColumns {
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

impl From<IntervalColumns> for Interval {
    fn from(columns: IntervalColumns) -> Self {
        Self { start: columns.starts_at, end: columns.ends_at }
    }
}

/// When a booking takes place, as its row says it: instants in UTC, and the dates of a stay.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow)]
pub(crate) struct TimeColumns {
    pub(crate) starts_at: DateTime<Utc>,
    pub(crate) ends_at: DateTime<Utc>,
    check_in: Option<NaiveDate>,
    check_out: Option<NaiveDate>,
}

impl From<TimeColumns> for BookingTime {
    fn from(columns: TimeColumns) -> Self {
        match (columns.check_in, columns.check_out) {
            (Some(check_in), Some(check_out)) => Self::Stay { check_in, check_out },
            _ => Self::Timed { starts_at: columns.starts_at, ends_at: columns.ends_at },
        }
    }
}

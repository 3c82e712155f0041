//! How texts and numbers of the file become values: durations from numbers, "not set" from an empty text.

use std::{fmt::Display, time::Duration};

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};
use url::Url;

pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 1)
}

pub(super) fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Ok(Duration::from_millis(u64::deserialize(from)?))
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 60)
}

pub(super) fn days<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 24 * 60 * 60)
}

/// Whole days, and `None` for 0, which stands for never.
pub(super) fn days_or_never<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    days(from).map(|days| Some(days).filter(|days| !days.is_zero()))
}

fn whole<'de, D: Deserializer<'de>>(from: D, unit: u64) -> Result<Duration, D::Error> {
    // A u32 of days is 11 million years: nothing that is computed with it overflows.
    Ok(Duration::from_secs(u64::from(u32::deserialize(from)?) * unit))
}

pub(super) fn megabytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Ok(u64::from(u32::deserialize(from)?) << 20)
}

/// What a text stands for; empty is none.
pub(super) fn optional<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error: Display>,
{
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { text.try_into().map(Some).map_err(D::Error::custom) }
}

pub(super) fn secrets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SecretString>, D::Error> {
    Ok(Vec::<String>::deserialize(from)?.into_iter().map(SecretString::from).collect())
}

pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    let text = String::deserialize(from)?;
    let expected = "expected an address such as \"https://book.example.org\"";
    text.parse().map_err(|_| D::Error::custom(format!("{expected}, found \"{text}\"")))
}

/// A URL; empty is none.
pub(super) fn optional_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { url(text.into_deserializer()).map(Some) }
}

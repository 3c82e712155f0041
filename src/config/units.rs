//! How texts and numbers of the file become values: durations from numbers, "not set" from an empty text.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};
use url::Url;

use super::ListenAddress;

pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 1)
}

pub(super) fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Ok(Duration::from_millis(number(from)?))
}

pub(super) fn minutes<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 60)
}

pub(super) fn days<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    whole(from, 24 * 60 * 60)
}

fn whole<'de, D: Deserializer<'de>>(from: D, unit: u64) -> Result<Duration, D::Error> {
    // A u32 of days is 11 million years: nothing that is computed with it overflows.
    let number = u32::deserialize(from).map_err(|_| D::Error::custom("is too large"))?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

pub(super) fn megabytes<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u32::deserialize(from).map(|number| u64::from(number) << 20).map_err(|_| D::Error::custom("is too large"))
}

/// A number that fits; the message of serde would name Rust's type.
pub(super) fn number<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = u64::deserialize(from)?;
    T::try_from(number).map_err(|_| D::Error::custom("is too large"))
}

/// A secret; empty is none.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| SecretString::from(text)))
}

pub(super) fn secrets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SecretString>, D::Error> {
    Ok(Vec::<String>::deserialize(from)?.into_iter().map(SecretString::from).collect())
}

/// A path; empty is none.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

pub(super) fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    let text = String::deserialize(from)?;
    let expected = "expected an address such as \"https://book.example.org\"";
    text.parse().map_err(|_| D::Error::custom(format!("{expected}, found \"{text}\"")))
}

/// An address to listen on; empty is none.
pub(super) fn optional_listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ListenAddress>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// A URL; empty is none.
pub(super) fn optional_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Ok(None) } else { url(text.into_deserializer()).map(Some) }
}

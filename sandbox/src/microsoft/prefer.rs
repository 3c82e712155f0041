//! What a client prefers (RFC 7240, and Graph's own preferences): one header or many, each with a list.

use axum::http::HeaderMap;
use chrono_tz::Tz;

use super::errors::GraphApiError;
use super::zones;

/// The preferences of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreferHeader {
    pub(crate) immutable_ids: bool,
    pub(crate) zone: Tz,
    /// The zone's name as the client wrote it, which it gets back.
    pub(crate) zone_name: String,
    pub(crate) text_body: bool,
    pub(crate) page_size: Option<usize>,
    /// What was followed, for `Preference-Applied`.
    pub(crate) applied: Vec<String>,
}

impl PreferHeader {
    /// What is preferred if nothing is said.
    pub(crate) fn nothing() -> Self {
        Self {
            immutable_ids: false,
            zone: Tz::UTC,
            zone_name: "UTC".into(),
            text_body: false,
            page_size: None,
            applied: Vec::new(),
        }
    }

    /// Reads the headers; what is not known is passed over.
    ///
    /// # Errors
    /// 400 for a zone that does not exist.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, GraphApiError> {
        let mut prefer = Self::nothing();
        let texts = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        for one in texts.flat_map(split) {
            let (name, value) = one.split_once('=').unwrap_or((one, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "idtype" if value.eq_ignore_ascii_case("ImmutableId") => prefer.immutable_ids = true,
                "outlook.timezone" => {
                    prefer.zone = zones::zone(value).ok_or_else(|| unknown_zone(value))?;
                    prefer.zone_name = value.into();
                }
                "outlook.body-content-type" => prefer.text_body = value.eq_ignore_ascii_case("text"),
                "odata.maxpagesize" => match value.parse() {
                    Ok(size) if size >= 1 => prefer.page_size = Some(size),
                    _ => continue,
                },
                _ => continue,
            }
            prefer.applied.push(one.trim().into());
        }
        Ok(prefer)
    }
}

/// 400: Exchange does not know the zone.
pub(crate) fn unknown_zone(name: &str) -> GraphApiError {
    GraphApiError::bad(
        "TimeZoneNotSupportedException",
        format!(
            "A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'."
        ),
    )
}

/// The parts of a list with commas between, except within quotes.
fn split(list: &str) -> Vec<&str> {
    let mut quoted = false;
    list.split(|character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_come_in_one_header_or_in_many() {
        let mut headers = HeaderMap::new();
        headers.append("prefer", "IdType=\"ImmutableId\", odata.maxpagesize=50".parse().unwrap());
        headers.append("prefer", "outlook.timezone=\"W. Europe Standard Time\"".parse().unwrap());
        headers.append("prefer", "outlook.body-content-type=\"text\", return=minimal".parse().unwrap());
        let prefer = PreferHeader::read(&headers).unwrap();
        assert!(prefer.immutable_ids && prefer.text_body);
        assert_eq!((prefer.page_size, prefer.zone), (Some(50), chrono_tz::Europe::Berlin));
        assert_eq!(prefer.applied.len(), 4);
        headers.append("prefer", "outlook.timezone=\"Mars\"".parse().unwrap());
        assert_eq!(PreferHeader::read(&headers).unwrap_err().code, "TimeZoneNotSupportedException");
    }
}

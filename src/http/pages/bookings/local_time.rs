//! Times as the fields of browsers have them: without a zone.

use chrono::{NaiveDate, NaiveDateTime};

use crate::http::pages::format::is_supported_date;

pub(super) const MINUTE: &str = "%Y-%m-%dT%H:%M";

pub(super) fn at_noon(date: NaiveDate) -> NaiveDateTime {
    date.and_hms_opt(12, 0, 0).unwrap_or_default()
}

/// Browsers send seconds too, where somebody typed them.
pub(super) fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    NaiveDateTime::parse_from_str(text, MINUTE)
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"))
        .ok()
        .filter(|at| is_supported_date(at.date()))
}

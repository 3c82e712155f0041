//! `freeBusy.query`: when calendars are busy, without saying with what.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::errors::GoogleApiError;
use crate::store::{ListWindow, ProviderStore, StoredCalendar, standing_between};

/// At most so many calendars in one query.
const MAX_CALENDARS: usize = 50;

/// Answers a query of `account`.
///
/// # Errors
/// 400 for a body that is not a query; a calendar that cannot be seen is an error of its own within the answer.
pub(crate) fn query(
    store: &ProviderStore,
    account: &str,
    body: &Value,
    now: DateTime<Utc>,
) -> Result<Value, GoogleApiError> {
    let time = |name: &str| -> Result<DateTime<Utc>, GoogleApiError> {
        let text = body[name]
            .as_str()
            .ok_or_else(|| GoogleApiError::required(&format!("Missing {name} parameter.")))?;
        let at = DateTime::parse_from_rfc3339(text);
        at.map(|at| at.to_utc()).map_err(|_| GoogleApiError::invalid("Bad Request"))
    };
    let (from, to) = (time("timeMin")?, time("timeMax")?);
    if to <= from {
        return Err(GoogleApiError::time_range_empty());
    }
    let ids = calendar_ids(body)?;
    let mut calendars = Map::new();
    for id in ids {
        let answer = match store.visible(account, id) {
            Ok((calendar, _)) => json!({ "busy": busy(calendar, account, from, to, now) }),
            Err(_) => json!({ "errors": [{ "domain": "global", "reason": "notFound" }], "busy": [] }),
        };
        calendars.insert(id.into(), answer);
    }
    Ok(json!({
        "kind": "calendar#freeBusy", "timeMin": text(from), "timeMax": text(to), "calendars": calendars
    }))
}

fn calendar_ids(body: &Value) -> Result<Vec<&str>, GoogleApiError> {
    let items: &[Value] = match &body["items"] {
        Value::Null => &[],
        Value::Array(items) if items.len() <= MAX_CALENDARS => items,
        Value::Array(_) => return Err(GoogleApiError::invalid("Too many calendars requested.")),
        _ => return Err(GoogleApiError::invalid("Invalid value for items.")),
    };
    let missing = || GoogleApiError::required("Missing id of a calendar.");
    items.iter().map(|item| item["id"].as_str().ok_or_else(missing)).collect()
}

/// Busy times within the window, cut to it, joined where they touch.
fn busy(
    calendar: &StoredCalendar,
    account: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Value> {
    let window = ListWindow { from: Some(from), to: Some(to) };
    let zone = calendar.info.zone;
    let mut times: Vec<_> = standing_between(calendar, window, now)
        .into_iter()
        .filter(|shown| shown.entry().blocks(account))
        .map(|shown| shown.span())
        .map(|(start, end)| (start.instant(zone).max(from), end.instant(zone).min(to)))
        .collect();
    times.sort_unstable();
    let mut joined: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (start, end) in times {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined.into_iter().map(|(start, end)| json!({ "start": text(start), "end": text(end) })).collect()
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

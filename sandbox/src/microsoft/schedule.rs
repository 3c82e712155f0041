//! `getSchedule`: when people of one tenant are busy (<https://learn.microsoft.com/en-us/graph/api/calendar-getschedule>).

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::errors::GraphApiError;
use super::prefer::PreferHeader;
use super::{draft, tenants, zones};
use crate::store::{
    EventTime, ListWindow, PRIMARY, ProviderStore, StoredCalendar, StoredEntry, standing_between,
};
use crate::timing::DateOrDateTime;

const MAX_SCHEDULES: usize = 20;
const MAX_WINDOW: Duration = Duration::days(62);
const DEFAULT_INTERVAL: i64 = 30;

/// Answers a query of `account`.
///
/// # Errors
/// 403 for a private person's account, which has none; 400 for a body that is not a query. Who cannot be found is an
/// error of its own within the answer.
pub(crate) fn query(
    store: &ProviderStore,
    account: &str,
    body: &Map<String, Value>,
    prefer: &PreferHeader,
    now: DateTime<Utc>,
) -> Result<Value, GraphApiError> {
    // "Delegated (personal Microsoft account): not supported."
    if tenants::is_personal(account) {
        return Err(GraphApiError::denied());
    }
    let window = window(body)?;
    let interval = match body.get("availabilityViewInterval") {
        None | Some(Value::Null) => DEFAULT_INTERVAL,
        Some(value) => value.as_i64().filter(|minutes| (5..=1440).contains(minutes)).ok_or_else(|| {
            GraphApiError::bad(
                "ErrorInvalidMergedFreeBusyInterval",
                "The interval goes from 5 to 1440 minutes.",
            )
        })?,
    };
    let schedules = body.get("schedules").and_then(Value::as_array);
    let schedules = schedules.filter(|all| !all.is_empty() && all.len() <= MAX_SCHEDULES);
    let schedules = schedules.ok_or_else(|| {
        GraphApiError::bad("ErrorInvalidParameter", "Between 1 and 20 schedules can be asked for.")
    })?;
    let mut answers = Vec::new();
    for name in schedules {
        let name = name.as_str().ok_or_else(|| GraphApiError::property("A schedule is an address."))?;
        let email = name.to_lowercase();
        let known = store.visible(&email, PRIMARY).ok();
        let known = known.filter(|_| tenants::tenant_of(&email) == tenants::tenant_of(account));
        answers.push(match known {
            Some((calendar, _)) => schedule(calendar, name, window, interval, prefer, now),
            None => json!({
                "scheduleId": name,
                "availabilityView": "",
                "scheduleItems": [],
                "error": { "message": "The recipient was not found.", "responseCode": "ErrorMailRecipientNotFound" },
            }),
        });
    }
    Ok(json!({ "value": answers }))
}

fn window(body: &Map<String, Value>) -> Result<(DateTime<Utc>, DateTime<Utc>), GraphApiError> {
    let time = |name: &str| draft::instant(body.get(name), name);
    let (from, to) = (time("startTime")?, time("endTime")?);
    if to <= from || to - from > MAX_WINDOW {
        let message = "The requested time window has to be longer than nothing and at most 62 days.";
        return Err(GraphApiError::bad("ErrorInvalidTimeInterval", message));
    }
    Ok((from, to))
}

fn schedule(
    calendar: &StoredCalendar,
    name: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    interval: i64,
    prefer: &PreferHeader,
    now: DateTime<Utc>,
) -> Value {
    let zone = calendar.info.zone;
    let window = ListWindow { from: Some(from), to: Some(to) };
    let mut busy: Vec<_> = standing_between(calendar, window, now)
        .into_iter()
        .filter(|shown| !shown.entry().is_free())
        .map(|shown| {
            let (start, end) = shown.span();
            (start.instant(zone), end.instant(zone), item(shown.entry(), (start, end), prefer))
        })
        .collect();
    busy.sort_by_key(|(start, end, _)| (*start, *end));
    let step = Duration::minutes(interval);
    let mut view = String::new();
    let mut slot = from;
    while slot < to {
        let in_slot = busy.iter().filter(|(start, end, _)| *start < slot + step && *end > slot);
        // Of several the one that takes the time most.
        let digits = in_slot.map(|(_, _, item)| match item["status"].as_str() {
            Some("tentative") => '1',
            Some("oof") => '3',
            Some("workingElsewhere") => '4',
            _ => '2',
        });
        view.push(digits.max().unwrap_or('0'));
        slot += step;
    }
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    json!({
        "scheduleId": name,
        "availabilityView": view,
        "scheduleItems": busy.into_iter().map(|(_, _, item)| item).collect::<Vec<_>>(),
        "workingHours": {
            "daysOfWeek": days,
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": { "name": zones::windows_name(zone) },
        },
    })
}

fn item(entry: &StoredEntry, (start, end): (DateOrDateTime, DateOrDateTime), prefer: &PreferHeader) -> Value {
    let time = |when| draft::written_time(EventTime { when, zone: Some(prefer.zone) }, &prefer.zone_name);
    let is_private = entry.fields.get("sensitivity").is_some_and(|how| how == "private");
    json!({
        "isPrivate": is_private,
        "status": entry.fields.get("showAs").cloned().unwrap_or_else(|| "busy".into()),
        "subject": if is_private { None } else { entry.title() },
        "location": if is_private { None } else { entry.location() },
        "start": time(start),
        "end": time(end),
    })
}

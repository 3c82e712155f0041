//! How a platform reads the feed that a host has named: at its own pace, as what it is, and closing what it finds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use icalendar::{CalendarDateTime, Component, DatePerhapsTime, Event};
use tokio::task::JoinSet;

use super::{ListingError, ListingImport, Ota, OtaPlatform, StayNights};
use crate::clock;

/// How much of a feed is read, in bytes.
const MAX_FEED_BYTES: usize = 10 << 20;

/// Between two looks whose turn it is.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What came of reading a feed: how many nights it closes, or a sentence.
pub(crate) type ListingImportOutcome = Result<String, String>;

/// What the other side answered.
enum ListingImportResponse {
    NotModified,
    Feed { text: String, etag: Option<String>, last_modified: Option<String> },
}

/// Reads feeds until the sandbox stops.
pub(crate) async fn run(ota: Arc<Ota>) {
    loop {
        tokio::select! {
            () = ota.server.shutdown.cancelled() => return,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
        let mut reads = JoinSet::new();
        for id in due(&ota) {
            let ota = Arc::clone(&ota);
            reads.spawn(async move {
                // What came of it is noted; a listing without an import any more is left alone.
                let _noted = read_now(&ota, &id).await;
            });
        }
        tokio::select! {
            () = ota.server.shutdown.cancelled() => return,
            _ = reads.join_all() => {}
        }
    }
}

/// The listings whose turn it is. After a restart it is everybody's.
fn due(ota: &Ota) -> Vec<String> {
    let now = clock::now();
    let is_due = |id: &str, every: u32| {
        let last = ota.seen(id).read.map(|(at, _)| at);
        last.is_none_or(|at| at + TimeDelta::seconds(every.into()) <= now)
    };
    let reading = ota.all().into_iter().filter_map(|one| Some((one.id, one.import?.every_seconds)));
    reading.filter(|(id, every)| is_due(id, *every)).map(|(id, _)| id).collect()
}

/// Reads the feed of a listing. If that fails, what it closed before stays closed.
///
/// # Errors
/// If there is no such listing, or it reads none.
pub(crate) async fn read_now(ota: &Ota, id: &str) -> Result<ListingImportOutcome, ListingError> {
    let listing = ota.find(id).ok_or(ListingError::NotFound)?;
    let Some(import) = listing.import else {
        return Err(ListingError::Invalid("this listing reads no calendar".into()));
    };
    let outcome = match fetch(ota, listing.site, &import).await {
        Ok(ListingImportResponse::NotModified) => Ok("nothing has changed".to_owned()),
        Ok(ListingImportResponse::Feed { text, etag, last_modified }) => {
            match parse_closed_nights(&text, listing.zone) {
                Ok(closed) => {
                    let says = format!("{} events close nights", closed.len());
                    ota.change(id, |listing| {
                        // The host may have named another one meanwhile.
                        if let Some(current) = listing.import.as_mut().filter(|one| one.url == import.url) {
                            (current.etag, current.last_modified, current.closed) =
                                (etag, last_modified, closed);
                        }
                        Ok(())
                    })?;
                    Ok(says)
                }
                Err(problem) => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    };
    ota.note_read(id, clock::now(), outcome.clone());
    Ok(outcome)
}

async fn fetch(
    ota: &Ota,
    site: OtaPlatform,
    import: &ListingImport,
) -> Result<ListingImportResponse, String> {
    let mut request = ota.server.push.get(&import.url).header(header::USER_AGENT, site.user_agent());
    if let Some(etag) = &import.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(date) = &import.last_modified {
        request = request.header(header::IF_MODIFIED_SINCE, date);
    }
    let no_answer =
        |error: reqwest::Error| if error.is_timeout() { "it took too long" } else { "there was no answer" };
    let mut answer = request.send().await.map_err(no_answer)?;
    if answer.status() == StatusCode::NOT_MODIFIED {
        return Ok(ListingImportResponse::NotModified);
    }
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer was {}", answer.status().as_u16()));
    }
    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (etag, last_modified) = (text(header::ETAG), text(header::LAST_MODIFIED));
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_FEED_BYTES {
            return Err("it is too large".into());
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    Ok(ListingImportResponse::Feed { text, etag, last_modified })
}

/// The nights that a calendar closes where the listing is, in order. Like the platforms, it knows no recurring events.
///
/// # Errors
/// A sentence, if the text is no whole calendar.
pub(super) fn parse_closed_nights(text: &str, zone: Tz) -> Result<Vec<StayNights>, String> {
    if !text.trim_end().ends_with("END:VCALENDAR") {
        return Err("it is no calendar, or was cut off".into());
    }
    let calendar: icalendar::Calendar = text.parse().map_err(|_| "it cannot be read as a calendar")?;
    let events = calendar.components.iter().filter_map(icalendar::CalendarComponent::as_event);
    let closed: BTreeSet<StayNights> = events.filter_map(|event| nights_of(event, zone)).collect();
    Ok(closed.into_iter().collect())
}

fn nights_of(event: &Event, zone: Tz) -> Option<StayNights> {
    let says = |name: &str, value: &str| {
        event.property_value(name).is_some_and(|text| text.eq_ignore_ascii_case(value))
    };
    if says("STATUS", "CANCELLED") || says("TRANSP", "TRANSPARENT") {
        return None;
    }
    let check_in = day_of(event.get_start()?, zone)?;
    let check_out = event.get_end().and_then(|end| day_of(end, zone)).unwrap_or(check_in);
    // What begins and ends on one day takes its night.
    StayNights::new(check_in, check_out.max(check_in + Days::new(1)))
}

fn day_of(time: DatePerhapsTime, zone: Tz) -> Option<NaiveDate> {
    let time = match time {
        DatePerhapsTime::Date(date) => date.and_time(NaiveTime::MIN),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(local)) => local,
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(at)) => at.with_timezone(&zone).naive_local(),
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let other: Tz = tzid.parse().unwrap_or(zone);
            date_time.and_local_timezone(other).earliest()?.with_timezone(&zone).naive_local()
        }
    };
    Some(time.date())
}

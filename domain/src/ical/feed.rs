//! A calendar that is published for others to subscribe to (METHOD:PUBLISH, RFC 5546, 3.2.1).
//!
//! The bytes depend on the bookings alone, never on the hour of the request: a reader that asks again gets the same
//! bytes until something has changed, so that ETag and 304 work.

use std::{borrow::Cow, collections::BTreeMap};

use chrono::{DateTime, Duration, NaiveTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::{
    property::{self as p, ComponentName},
    scheduling::{Method, Organizer},
    timezone::{EventTimes, write_timezones},
    uid,
    writer::{IcalTime, IcalWriter},
};
use crate::{
    booking::{Booking, BookingStatus, BookingTime},
    delivery_route::{DeliveryRoute, RouteStop, day_of, is_stop},
    ids::ResourceId,
    interval::Interval,
    platform::Platforms,
    privacy::{FeedPrivacy, PublishedText, TextContext, feed_text, guest_feed_text, stop_feed_text},
};

/// Who made the calendar. Without a version: an update of the program is no change of a feed.
pub const PRODUCT: &str = "-//Concord//Concord//EN";

/// What a calendar says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedHeader<'a> {
    /// Shown by readers as the calendar's name.
    pub name: &'a str,
    pub description: &'a str,
    /// In which readers show it.
    pub zone: Tz,
    /// How often readers should come back, in minutes.
    pub refresh: u32,
    /// Whose calendar it is, if that may be told: RFC 5546 wants an organizer in what is published, readers do
    /// without.
    pub organizer: Option<Organizer<'a>>,
    /// Formal name of the program, normally `PRODUCT`.
    pub product: &'a str,
}

/// Whether an event is sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedStatus {
    /// It will take place.
    Confirmed,
    /// It was asked for.
    Tentative,
    /// It was called off.
    Cancelled,
}

impl FeedStatus {
    /// As in STATUS (RFC 5545, 3.8.1.11).
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Confirmed => "CONFIRMED",
            Self::Tentative => "TENTATIVE",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// One event of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEvent<'a> {
    /// The same for as long as the event exists, whatever happens to it.
    pub uid: Cow<'a, str>,
    /// Counts its changes, from 0.
    pub sequence: u32,
    /// An instant or a date.
    pub starts: IcalTime,
    /// Exclusive, and of the same sort as `starts`.
    pub ends: IcalTime,
    /// On whose clock its instants are told; `None`: in UTC.
    pub zone: Option<Tz>,
    pub summary: Cow<'a, str>,
    /// Lines separated by `\n`; may be empty.
    pub description: Cow<'a, str>,
    pub location: Cow<'a, str>,
    /// Whether it is sure.
    pub status: FeedStatus,
    /// Whether it leaves its time free.
    pub transparent: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed; this is DTSTAMP too.
    pub last_modified: DateTime<Utc>,
    /// Where more can be read.
    pub url: Option<Cow<'a, str>>,
}

/// Appends the calendar to `out`; the events come as they are given.
pub fn write_feed<'a>(
    out: &mut Vec<u8>,
    header: &FeedHeader<'_>,
    events: impl IntoIterator<Item = FeedEvent<'a>>,
) {
    let mut writer = IcalWriter::new(out);
    writer.begin(ComponentName::Calendar);
    write_header(&mut writer, header);
    let after_header = out.len();
    let mut writer = IcalWriter::new(out);
    let mut clocks = Vec::new();
    for event in events {
        let times = event_times(&event);
        if times.is_zoned() {
            clocks.push(times);
        }
        write_event(&mut writer, times, &event, header.organizer.as_ref());
    }
    writer.end(ComponentName::Calendar);
    // Which zones are needed is known last and told first: so no event is kept for it, and most feeds need none.
    if !clocks.is_empty() {
        let mut zones = Vec::new();
        write_timezones(&mut IcalWriter::new(&mut zones), &clocks);
        out.splice(after_header..after_header, zones);
    }
}

fn write_header(writer: &mut IcalWriter<'_>, header: &FeedHeader<'_>) {
    writer.keyword(p::VERSION, "2.0");
    writer.text(p::PRODID, header.product);
    writer.keyword(p::CALSCALE, "GREGORIAN");
    Method::Publish.write(writer);
    writer.text(p::RECORDER_NAME, header.name);
    writer.text(p::X_WR_CALNAME, header.name);
    if !header.description.is_empty() {
        writer.text(p::DESCRIPTION, header.description);
        writer.text(p::X_WR_CALDESC, header.description);
    }
    writer.text(p::X_WR_TIMEZONE, header.zone.name());
    writer.minutes(p::REFRESH_INTERVAL, header.refresh);
    writer.minutes(p::X_PUBLISHED_TTL, header.refresh);
}

fn event_times(event: &FeedEvent<'_>) -> EventTimes {
    let (starts, ends) = non_empty_times(event.starts, event.ends);
    match event.zone {
        Some(zone) => EventTimes::on_the_clock(zone, starts, ends),
        None => EventTimes::plain(starts, ends),
    }
}

fn write_event(
    writer: &mut IcalWriter<'_>,
    times: EventTimes,
    event: &FeedEvent<'_>,
    organizer: Option<&Organizer<'_>>,
) {
    writer.begin(ComponentName::Event);
    writer.text(p::UID, &event.uid);
    writer.integer(p::SEQUENCE, event.sequence);
    // In what is published, DTSTAMP is the instant of the last change (RFC 5545, 3.8.7.2 leaves that to us).
    writer.instant(p::DTSTAMP, event.last_modified);
    writer.instant(p::CREATED, event.created);
    writer.instant(p::LAST_MODIFIED, event.last_modified);
    times.write(writer);
    writer.text(p::SUMMARY, &event.summary);
    if !event.description.is_empty() {
        writer.text(p::DESCRIPTION, &event.description);
    }
    if !event.location.is_empty() {
        writer.text(p::LOCATION, &event.location);
    }
    if let Some(url) = event.url.as_deref() {
        writer.uri(p::URL, url);
    }
    if let Some(organizer) = organizer {
        organizer.write(writer);
    }
    writer.keyword(p::STATUS, event.status.keyword());
    // Google shows PRIVATE events of a subscribed calendar as "busy", even to the subscriber. What may be told is
    // decided by the feed's own privacy, before this.
    writer.keyword(p::CLASS, "PUBLIC");
    writer.keyword(p::TRANSP, if event.transparent { "TRANSPARENT" } else { "OPAQUE" });
    writer.end(ComponentName::Event);
}

/// DTEND must be later than DTSTART and of its type (3.8.2.2), also after fractions of a second are gone.
fn non_empty_times(starts: IcalTime, ends: IcalTime) -> (IcalTime, IcalTime) {
    match (starts, ends) {
        (IcalTime::At(start), IcalTime::At(end)) if start.timestamp() < end.timestamp() => (starts, ends),
        (IcalTime::At(start), IcalTime::At(end)) => {
            let earliest = start.trunc_subsecs(0).checked_add_signed(Duration::seconds(1)).unwrap_or(start);
            (starts, IcalTime::At(end.trunc_subsecs(0).max(earliest)))
        }
        (IcalTime::On(start), IcalTime::On(end)) => {
            (starts, IcalTime::On(end.max(start.succ_opt().unwrap_or(start))))
        }
        (IcalTime::On(start), IcalTime::At(end)) => {
            non_empty_times(starts, IcalTime::On(end.date_naive().max(start)))
        }
        (IcalTime::At(_), IcalTime::On(end)) => {
            non_empty_times(starts, IcalTime::At(end.and_time(NaiveTime::MIN).and_utc()))
        }
    }
}

/// What a feed of bookings needs to know besides them.
#[derive(Clone, Copy, Debug)]
pub struct FeedContext<'a> {
    pub business: &'a str,
    /// The names of the resources that are booked.
    pub resources: &'a BTreeMap<ResourceId, String>,
    /// What the guests of platforms are called.
    pub platforms: &'a Platforms,
}

impl<'a> FeedContext<'a> {
    fn of(&self, booking: &Booking) -> TextContext<'a> {
        let resource = self.resources.get(&booking.draft.resource).map_or("", String::as_str);
        TextContext { platforms: self.platforms, resource, business: self.business }
    }
}

/// The feed of `bookings` as bytes. Those that take up no time (cancelled, not shown up) are left out: every reader
/// takes a disappearance for a cancellation, and some take a cancelled event for a booking.
///
/// `host` is the public name of this installation, for the UIDs.
pub fn booking_feed(
    bookings: &[Booking],
    names: FeedContext<'_>,
    privacy: FeedPrivacy,
    host: &str,
    header: &FeedHeader<'_>,
) -> Vec<u8> {
    let events = sort_by_start(bookings.iter().filter(|booking| booking.draft.status.occupies()));
    write_events(header, &events, |booking| {
        let wording = feed_text(booking, names.of(booking), privacy);
        event_of(booking, wording, privacy, host)
    })
}

/// The feed of those bookings of `bookings` that are approved or confirmed, each called by its guest.
pub fn guest_feed(
    bookings: &[Booking],
    names: FeedContext<'_>,
    privacy: FeedPrivacy,
    host: &str,
    header: &FeedHeader<'_>,
) -> Vec<u8> {
    let agreed = |booking: &&Booking| {
        matches!(booking.draft.status, BookingStatus::Approved | BookingStatus::Confirmed)
    };
    let events = sort_by_start(bookings.iter().filter(agreed));
    write_events(header, &events, |booking| {
        let wording = guest_feed_text(booking, names.of(booking), privacy);
        event_of(booking, wording, privacy, host)
    })
}

/// The feed of one driver's deliveries, each of them a stop of its day. Days and hours are read in the header's zone.
pub fn driver_feed(
    deliveries: &[Booking],
    names: FeedContext<'_>,
    privacy: FeedPrivacy,
    host: &str,
    header: &FeedHeader<'_>,
) -> Vec<u8> {
    let mut days: BTreeMap<Interval, Vec<Booking>> = BTreeMap::new();
    for delivery in deliveries.iter().filter(|booking| is_stop(booking)) {
        days.entry(day_of(delivery.interval.start, header.zone)).or_default().push(delivery.clone());
    }
    let rounds: Vec<DeliveryRoute> =
        days.into_iter().map(|(day, deliveries)| DeliveryRoute::new(day, header.zone, deliveries)).collect();
    let stops: Vec<RouteStop<'_>> =
        rounds.iter().flat_map(|round| round.stops().iter().filter_map(|one| round.stop(one.id))).collect();
    write_events(header, &stops, |stop| {
        let booking = stop.booking();
        let wording = stop_feed_text(stop, names.of(booking), privacy);
        let changed = stop.round().stops().iter().map(|one| one.updated_at).max();
        FeedEvent {
            // What becomes of one stop changes what is said of the others.
            last_modified: changed.unwrap_or(booking.updated_at),
            ..event_of(booking, wording, privacy, host)
        }
    })
}

fn sort_by_start<'b>(bookings: impl Iterator<Item = &'b Booking>) -> Vec<&'b Booking> {
    let mut order: Vec<&Booking> = bookings.collect();
    order.sort_unstable_by_key(|booking| (booking.interval, booking.id));
    order
}

fn write_events<T>(
    header: &FeedHeader<'_>,
    events: &[T],
    event: impl Fn(&T) -> FeedEvent<'static>,
) -> Vec<u8> {
    // A full event has about 700 octets.
    let mut out = Vec::with_capacity(512 + 768 * events.len());
    write_feed(&mut out, header, events.iter().map(event));
    out
}

/// DTSTART and DTEND of a booking: a stay is dates, anything else instants.
pub(super) fn booking_times(time: BookingTime) -> (IcalTime, IcalTime) {
    match time {
        BookingTime::Timed { starts_at, ends_at } => (IcalTime::At(starts_at), IcalTime::At(ends_at)),
        BookingTime::Stay { check_in, check_out } => (IcalTime::On(check_in), IcalTime::On(check_out)),
    }
}

fn event_of(
    booking: &Booking,
    wording: PublishedText,
    privacy: FeedPrivacy,
    host: &str,
) -> FeedEvent<'static> {
    let (starts, ends) = booking_times(booking.draft.time);
    // A busy feed is read by platforms, and some would sell what is only asked for: the time is taken all the same.
    let sure = privacy == FeedPrivacy::Busy || booking.draft.status.is_certain();
    FeedEvent {
        uid: uid(booking.id, host).into(),
        sequence: u32::try_from(booking.version.saturating_sub(1).clamp(0, i64::from(i32::MAX))).unwrap_or(0),
        starts,
        ends,
        // An instant is an instant: a reader needs no zone to know it.
        zone: None,
        summary: wording.title.into(),
        description: wording.description.into(),
        location: wording.location.into(),
        status: if sure { FeedStatus::Confirmed } else { FeedStatus::Tentative },
        transparent: false,
        created: booking.created_at,
        last_modified: booking.updated_at,
        url: None,
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;

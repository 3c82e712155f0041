//! A listing's feed as its platform writes it.
//!
//! As hosts have published them: Airbnb says little of a booking and calls everything else “Not available”, the end of
//! the booking window and what it imported too; Vrbo names the guest; Booking.com calls everything closed. None of them
//! says METHOD, STATUS or SEQUENCE.

use chrono::{DateTime, NaiveDate, Utc};

use super::listing::digest;
use super::{ListingStay, OtaListing, OtaPlatform, StayNights};

pub(super) const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// One VEVENT, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OtaFeedEvent {
    pub(super) uid: String,
    pub(super) nights: StayNights,
    pub(super) summary: String,
    description: Option<String>,
}

/// What a listing's feed says on a day, in order. `salt`: 0, or another number for other UIDs.
pub(super) fn events(listing: &OtaListing, today: NaiveDate, salt: u64) -> Vec<OtaFeedEvent> {
    let uids = FeedUids { listing, salt };
    let booked = listing.booked(today).map(|stay| uids.booking(stay));
    let closed = listing.closed(today).into_iter().map(|nights| uids.block(nights));
    let mut events: Vec<OtaFeedEvent> = booked.chain(closed).collect();
    events.sort_by_key(|event| event.nights);
    events
}

struct FeedUids<'a> {
    listing: &'a OtaListing,
    salt: u64,
}

impl FeedUids<'_> {
    fn booking(&self, stay: &ListingStay) -> OtaFeedEvent {
        let guest = stay.guest.as_deref().unwrap_or_default();
        let first_name = guest.split_whitespace().next().unwrap_or_default();
        let (uid, summary, description) = match self.listing.site {
            // The UID stays when the dates change.
            OtaPlatform::Airbnb => (
                format!("1418fb94e984-{}@airbnb.com", &self.hash(&[&stay.id])[..32]),
                "Reserved".to_owned(),
                Some(format!(
                    "Reservation URL: https://www.airbnb.com/hosting/reservations/details/{}\\nPhone Number (Last 4 Digits): {}",
                    stay.id, stay.phone
                )),
            ),
            // The UID changes with the dates.
            OtaPlatform::Vrbo => (
                self.uuid(&[&stay.id, &dates(stay.nights)]),
                format!("Reserved - {}", text(first_name)),
                None,
            ),
            OtaPlatform::BookingCom => return self.block(stay.nights),
        };
        OtaFeedEvent { uid, nights: stay.nights, summary, description }
    }

    fn block(&self, nights: StayNights) -> OtaFeedEvent {
        let (uid, summary) = match self.listing.site {
            OtaPlatform::Airbnb => {
                let hash = self.hash(&["block", &dates(nights)]);
                (format!("7f662ec65913-{}@airbnb.com", &hash[..32]), "Airbnb (Not available)")
            }
            OtaPlatform::Vrbo => (self.block_uuid(nights), "Blocked"),
            OtaPlatform::BookingCom => {
                (format!("{}@booking.com", &self.hash(&[&dates(nights)])[..32]), "CLOSED - Not available")
            }
        };
        OtaFeedEvent { uid, nights, summary: summary.to_owned(), description: None }
    }

    fn hash(&self, parts: &[&str]) -> String {
        let salt = self.salt.to_string();
        digest(&[&[self.listing.token.as_str(), salt.as_str()], parts].concat())
    }

    fn uuid(&self, parts: &[&str]) -> String {
        let hash = self.hash(parts);
        format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
    }

    /// Vrbo makes the UIDs of blocks of their dates.
    fn block_uuid(&self, StayNights { check_in, check_out }: StayNights) -> String {
        if self.salt != 0 {
            return self.uuid(&["block", &check_in.to_string(), &check_out.to_string()]);
        }
        format!("{}-{}", check_in.format("%m%d%Y-%m%d-%Y"), check_out.format("%m%d-%Y%m%d%Y"))
    }
}

fn dates(StayNights { check_in, check_out }: StayNights) -> String {
    format!("{check_in} {check_out}")
}

/// A name as iCalendar wants a text (RFC 5545, 3.3.11).
fn text(name: &str) -> String {
    name.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace(char::is_control, " ")
}

/// The bytes of a feed. DTSTAMP is the time of the request, where the platform writes one: so the bytes differ each time.
pub(super) fn write(site: OtaPlatform, events: &[OtaFeedEvent], now: DateTime<Utc>) -> String {
    let mut lines: Vec<String> = vec!["BEGIN:VCALENDAR".into()];
    let head: &[&str] = match site {
        OtaPlatform::Airbnb => {
            &["PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN", "CALSCALE:GREGORIAN", "VERSION:2.0"]
        }
        OtaPlatform::Vrbo => &["VERSION:2.0", "CALSCALE:GREGORIAN", "PRODID:-//HomeAway.com, Inc.//EN"],
        OtaPlatform::BookingCom => &["VERSION:2.0", "PRODID:-//Booking.com//EN", "CALSCALE:GREGORIAN"],
    };
    lines.extend(head.iter().map(|line| (*line).to_owned()));
    let stamp = now.format("DTSTAMP:%Y%m%dT%H%M%SZ").to_string();
    for event in events {
        let start = event.nights.check_in.format("DTSTART;VALUE=DATE:%Y%m%d").to_string();
        let end = event.nights.check_out.format("DTEND;VALUE=DATE:%Y%m%d").to_string();
        let (uid, summary) = (format!("UID:{}", event.uid), format!("SUMMARY:{}", event.summary));
        let mut body = match site {
            OtaPlatform::Airbnb => vec![stamp.clone(), start, end, summary, uid],
            OtaPlatform::Vrbo => vec![uid, stamp.clone(), start, end, summary],
            OtaPlatform::BookingCom => vec![start, end, uid, summary],
        };
        body.extend(event.description.iter().map(|text| format!("DESCRIPTION:{text}")));
        lines.push("BEGIN:VEVENT".into());
        lines.extend(body);
        lines.push("END:VEVENT".into());
    }
    lines.push("END:VCALENDAR".into());
    let mut feed = String::new();
    for line in &lines {
        fold(line, &mut feed);
    }
    feed
}

/// Writes a line, at most 75 octets of it at a time (RFC 5545, 3.1).
fn fold(line: &str, feed: &mut String) {
    let mut room = 75;
    for character in line.chars() {
        if character.len_utf8() > room {
            feed.push_str("\r\n ");
            room = 74;
        }
        feed.push(character);
        room -= character.len_utf8();
    }
    feed.push_str("\r\n");
}

//! The booking that an event of a platform's feed becomes.

use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, Customer, MAX_LINE, MAX_NOTES},
    channel::{ItemKind, plan::FeedItem},
};
use concord_storage::channels::Channel;

/// The booking that an event is, as it is written at first.
pub fn draft_of(channel: &Channel, item: &FeedItem) -> BookingDraft {
    BookingDraft {
        resource: channel.resource_id,
        kind: if item.kind.blocks() { BookingKind::Block } else { BookingKind::Booking },
        status: status(item.tentative),
        time: item.time,
        customer: Customer { name: name(item.kind, &channel.platform, &item.summary), ..Customer::default() },
        title: title(item.kind, &item.summary),
        party_size: None,
        quantity: 1,
        staff: Vec::new(),
        location: String::new(),
        notes: notes(item),
        source: channel.platform.clone(),
        meeting_url: String::new(),
        guests: Vec::new(),
    }
}

/// What is not agreed on yet is pending: it holds its nights all the same.
pub(super) fn status(tentative: bool) -> BookingStatus {
    if tentative { BookingStatus::Pending } else { BookingStatus::Confirmed }
}

pub(super) fn title(kind: ItemKind, summary: &str) -> String {
    match kind {
        ItemKind::Unconfirmed => line(&format!("Unconfirmed: {summary}")),
        _ => line(summary),
    }
}

/// Nobody is known to come where time is only held.
pub(super) fn name(kind: ItemKind, platform: &str, summary: &str) -> String {
    if kind.blocks() { String::new() } else { guest_name(platform, summary) }
}

/// Who comes, as far as a platform tells.
fn guest_name(platform: &str, summary: &str) -> String {
    line(&format!("{platform}: {summary}"))
}

/// One line of at most as many characters as a booking takes.
fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_LINE).collect()
}

/// What the platform tells besides, for staff: such as the reservation's address and the last digits of a phone.
fn notes(item: &FeedItem) -> String {
    let plain = item.description.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let told: String = plain.take(MAX_NOTES - 500).collect();
    let uid: String = item.key.chars().filter(|c| !c.is_control()).take(300).collect();
    format!("{}\nUID: {uid}", told.trim()).trim_start().to_owned()
}

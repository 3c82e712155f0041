//! Taking somebody out of the records of one booking, in the transaction that has taken them out of the booking.

use chrono::{DateTime, Utc};
use concord_domain::{
    erasure::{
        ErasureScope, ErasureTarget, PersonTraces, TraceSearch, redacted, redacted_actor, redacted_history,
        sent_without,
    },
    ids::{AttendeeId, BookingId, BusinessId, EventId, HistoryId, MailId, RemoteChangeId},
    invitation::SentInvitation,
    people::Actor,
    sync::remote_change::Refusal,
};
use sqlx::types::Json;

use super::person::WITHDRAW;
use crate::{Result, StorageError, Tx, remote_changes};

const ATTENDEES: &str = "SELECT id, address_key FROM attendees WHERE booking_id = $1 ORDER BY id";

const WITHDRAW_REMINDERS: &str = "
    DELETE FROM mails WHERE reminder_id IN (SELECT id FROM reminders WHERE booking_id = $1) AND state = 'waiting'";
const FORGET_SECRETS: &str =
    "DELETE FROM mail_secrets WHERE mail_id IN (SELECT id FROM mails WHERE attendee_id = $1)";

/// What is left of a mail: when it was sent, and how that went. One that is being handed over is not handed over again.
macro_rules! scrub_mails {
    ($condition:literal) => {
        concat!(
            "UPDATE mails SET to_address = '', to_name = '', subject = '', body_text = '', body_html = '', invitation = NULL,
                calendar = NULL, unsubscribe_url = NULL, last_error = NULL, attendee_id = NULL, useful_until = created_at,
                state = CASE WHEN state = 'sending' THEN 'failed' ELSE state END
             WHERE ",
            $condition
        )
    };
}

const SCRUB_MAILS: &str = scrub_mails!("attendee_id = $1");
const SCRUB_REMINDER_MAILS: &str =
    scrub_mails!("reminder_id IN (SELECT id FROM reminders WHERE booking_id = $1)");
const FORGET_ATTENDEE: &str = "DELETE FROM attendees WHERE id = $1";
const SCRUB_REMINDERS: &str = "UPDATE reminders SET error = NULL WHERE booking_id = $1 AND error IS NOT NULL";

/// The mails first, as whoever sends them takes them.
async fn scrub_attendees(
    tx: &mut Tx,
    target: &ErasureTarget,
    (traces, search): (&PersonTraces, &TraceSearch),
) -> Result<()> {
    let attendees: Vec<(AttendeeId, String)> = all!(tx, ATTENDEES, target.booking)?;
    let is_whole = target.scope == ErasureScope::Booking;
    let gone: Vec<AttendeeId> = attendees
        .into_iter()
        .filter(|(id, key)| {
            is_whole || target.attendee == Some(*id) || traces.address_key.as_ref() == Some(key)
        })
        .map(|(id, _)| id)
        .collect();
    for id in &gone {
        exec!(tx, FORGET_SECRETS, *id)?;
        exec!(tx, WITHDRAW, *id)?;
        exec!(tx, SCRUB_MAILS, *id)?;
    }
    if is_whole {
        exec!(tx, WITHDRAW_REMINDERS, target.booking)?;
        exec!(tx, SCRUB_REMINDER_MAILS, target.booking)?;
        exec!(tx, SCRUB_REMINDERS, target.booking)?;
    }
    for id in gone {
        exec!(tx, FORGET_ATTENDEE, id)?;
    }
    if is_whole { Ok(()) } else { scrub_sent(tx, target.booking, search).await }
}

const SENT: &str = "SELECT id, sent FROM attendees WHERE booking_id = $1 AND sent IS NOT NULL ORDER BY id";
const SCRUB_SENT: &str = "UPDATE attendees SET sent = $2 WHERE id = $1";
const MAILS_THAT_LEFT: &str = "
    SELECT m.id, m.subject || ' ' || m.body_text || ' ' || m.body_html || ' ' || COALESCE(m.calendar, '') || ' '
        || COALESCE(CAST(m.invitation AS TEXT), '') AS texts
    FROM attendees a JOIN mails m ON m.attendee_id = a.id
    WHERE a.booking_id = $1 AND m.state IN ('sent', 'failed')
    UNION ALL
    SELECT m.id, m.subject || ' ' || m.body_text || ' ' || m.body_html
    FROM reminders r JOIN mails m ON m.reminder_id = r.id
    WHERE r.booking_id = $1 AND m.attendee_id IS NULL AND m.state IN ('sent', 'failed')";
pub(super) const SCRUB_MAIL: &str = scrub_mails!("id = $1");

/// What the others who come were sent may name whoever was taken out.
async fn scrub_sent(tx: &mut Tx, booking: BookingId, search: &TraceSearch) -> Result<()> {
    let sent: Vec<(AttendeeId, Json<SentInvitation>)> = all!(tx, SENT, booking)?;
    for (id, Json(sent)) in sent {
        let left = sent_without(&sent, search);
        if left != sent {
            exec!(tx, SCRUB_SENT, id, Json(left))?;
        }
    }
    let mails: Vec<(MailId, String)> = all!(tx, MAILS_THAT_LEFT, booking)?;
    for (id, _) in mails.into_iter().filter(|(_, texts)| search.finds(texts)) {
        exec!(tx, SCRUB_MAIL, id)?;
    }
    Ok(())
}

const LINES: &str = "
    SELECT id, actor, detail FROM history WHERE subject_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const SCRUB_LINE: &str = "UPDATE history SET actor = $2, detail = $3 WHERE id = $1";
const LINES_AT_ONCE: i64 = 200;

const WAS_CUSTOMER: &str = "
    SELECT EXISTS (SELECT 1 FROM attendees WHERE booking_id = $1 AND address_key = $2 AND role = 'customer')";

/// The last line that names whoever was the customer before: up to there, what was written was written of them, whether it
/// names them or not. `None`: they were not, or no line names them.
async fn last_line_of_former_customer(
    tx: &mut Tx,
    booking: BookingId,
    (key, search): (&str, &TraceSearch),
) -> Result<Option<HistoryId>> {
    let was_customer: bool = scalar!(tx, WAS_CUSTOMER, booking, key)?;
    if !was_customer {
        return Ok(None);
    }
    let (mut after, mut last_named) = (HistoryId(super::FIRST), None);
    loop {
        let lines: Vec<HistoryLine> = all!(tx, LINES, booking.0, after, LINES_AT_ONCE)?;
        let Some((last, ..)) = lines.last() else { return Ok(last_named) };
        after = *last;
        let named = lines.iter().rfind(|(_, actor, detail)| search.finds_in_line(actor, detail));
        last_named = named.map(|(id, ..)| *id).or(last_named);
    }
}

type HistoryLine = (HistoryId, Json<Actor>, Json<serde_json::Value>);

/// `search`: only the lines that it finds, and those up to a line; `None`: all.
async fn scrub_history(
    tx: &mut Tx,
    booking: BookingId,
    search: Option<(&TraceSearch, Option<HistoryId>)>,
) -> Result<()> {
    let mut after = HistoryId(super::FIRST);
    loop {
        let lines: Vec<HistoryLine> = all!(tx, LINES, booking.0, after, LINES_AT_ONCE)?;
        let Some((last, ..)) = lines.last() else { return Ok(()) };
        after = *last;
        for (id, Json(actor), Json(detail)) in lines {
            let is_left = |(search, until): (&TraceSearch, Option<HistoryId>)| {
                until.is_none_or(|until| id > until) && !search.finds_in_line(&actor, &detail)
            };
            if search.is_some_and(is_left) {
                continue;
            }
            let left = (redacted_actor(&actor), redacted_history(&detail));
            if left != (actor, detail) {
                exec!(tx, SCRUB_LINE, id, Json(&left.0), Json(&left.1))?;
            }
        }
    }
}

const EVENTS: &str = "SELECT id, data FROM events WHERE subject_id = $1 ORDER BY position";
const SCRUB_EVENT: &str = "UPDATE events SET data = $2 WHERE id = $1";
const SCRUB_DELIVERIES: &str =
    "UPDATE webhook_deliveries SET last_answer = NULL, last_error = NULL WHERE event_id = $1";

/// What was delivered has left; what was not, is delivered without them. The data of an event, and what endpoints answered to it.
pub(super) async fn scrub_event(tx: &mut Tx, id: EventId, data: &str) -> Result<()> {
    let value: serde_json::Value =
        serde_json::from_str(data).map_err(|_| StorageError::Inconsistent { what: "event" })?;
    let left = redacted(&value);
    if left != value {
        exec!(tx, SCRUB_EVENT, id, left.to_string())?;
    }
    exec!(tx, SCRUB_DELIVERIES, id)
}

async fn scrub_events(tx: &mut Tx, booking: BookingId, search: Option<&TraceSearch>) -> Result<()> {
    let events: Vec<(EventId, String)> = all!(tx, EVENTS, booking.0)?;
    for (id, data) in events {
        if search.is_none_or(|search| search.finds(&data)) {
            scrub_event(tx, id, &data).await?;
        }
    }
    Ok(())
}

const FORGET_CHANGES: &str = "DELETE FROM remote_changes WHERE booking_id = $1";
const SCRUB_LOG: &str = "UPDATE sync_log SET detail = '' WHERE booking_id = $1 AND detail <> ''";
const SCRUB_ITEMS: &str = "
    UPDATE channel_items SET summary = '', guest = NULL, is_erased = TRUE
    WHERE booking_id = $1 AND (NOT is_erased OR summary <> '' OR guest IS NOT NULL)";
// Where nothing is written any more, what was written last is of no use. Elsewhere the next write replaces it: until then it
// tells our own entry from a person's edit.
const SCRUB_ENTRIES: &str = "
    UPDATE entries SET base = NULL, unknown_writes = '[]', etag = NULL, content_hash = NULL, last_error = NULL,
        revision = revision + 1
    WHERE booking_id = $1
      AND EXISTS (SELECT 1 FROM connections c WHERE c.id = entries.connection_id AND c.state = 'disconnected')";
const SCRUB_ENTRY_ERRORS: &str =
    "UPDATE entries SET last_error = NULL WHERE booking_id = $1 AND last_error IS NOT NULL";
const FORGET_ADDRESSES: &str = "
    DELETE FROM booking_addresses WHERE booking_id = $1 AND ($2 IS NULL OR address_key = $2)";

/// Takes the person out of what is kept of the booking besides itself. The caller holds the booking.
pub async fn scrub_booking(
    tx: &mut Tx,
    target: &ErasureTarget,
    (traces, search): (&PersonTraces, &TraceSearch),
    now: DateTime<Utc>,
) -> Result<()> {
    let booking = target.booking;
    let is_whole = target.scope == ErasureScope::Booking;
    // Whoever it was that is not known by an address may stand in any of the lines.
    let lines = (!is_whole && traces.address_key.is_some()).then_some(search);
    exec!(tx, SCRUB_ENTRY_ERRORS, booking)?;
    exec!(tx, SCRUB_ENTRIES, booking)?;
    // A question that nobody answers any more keeps no entry from being written.
    if is_whole {
        remote_changes::overtake(tx, booking, Refusal::ChangedHere, now).await?;
        exec!(tx, FORGET_CHANGES, booking)?;
        exec!(tx, SCRUB_ITEMS, booking)?;
    } else {
        scrub_changes(tx, booking, search).await?;
    }
    let until = match &traces.address_key {
        Some(key) if !is_whole => last_line_of_former_customer(tx, booking, (key, search)).await?,
        _ => None,
    };
    scrub_attendees(tx, target, (traces, search)).await?;
    scrub_history(tx, booking, lines.map(|search| (search, until))).await?;
    scrub_events(tx, booking, lines).await?;
    exec!(tx, SCRUB_LOG, booking)?;
    let address = if is_whole { None } else { traces.address_key.as_deref() };
    if is_whole || address.is_some() {
        exec!(tx, FORGET_ADDRESSES, booking, address)?;
    }
    Ok(())
}

const CHANGES: &str = "
    SELECT id, detail || ' ' || CAST(edit AS TEXT) || ' ' || CAST(before AS TEXT) FROM remote_changes
    WHERE booking_id = $1 AND state <> 'open'";
const FORGET_CHANGE: &str = "DELETE FROM remote_changes WHERE id = $1";

async fn scrub_changes(tx: &mut Tx, booking: BookingId, search: &TraceSearch) -> Result<()> {
    let changes: Vec<(RemoteChangeId, String)> = all!(tx, CHANGES, booking)?;
    for (id, text) in changes {
        if search.finds(&text) {
            exec!(tx, FORGET_CHANGE, id)?;
        }
    }
    Ok(())
}

const SCRUB_ANSWERS: &str = "
    UPDATE idempotency_keys SET status = NULL, response = NULL
    WHERE business_id = $1 AND done_at IS NOT NULL AND status IS NOT NULL AND subject_id = $2";

/// Forgets what requests were answered that were done to the booking: who repeats one is told that it is done.
pub async fn scrub_answers(tx: &mut Tx, business: BusinessId, booking: BookingId) -> Result<()> {
    exec!(tx, SCRUB_ANSWERS, business, booking.0)
}

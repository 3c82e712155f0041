//! The rows of a booking, and its line in the history.

use chrono_tz::Tz;
use concord_domain::{
    audit::HistorySubject,
    booking::{Booking, BookingDraft, BookingStatus, BookingTime},
    ids::BusinessId,
    invitation::InvitationMode,
};
use serde_json::{Map, Value, json};

use sqlx::types::Json;

use crate::{
    ChangeContext, Result, Tx,
    column::{ZoneName, sqlx},
    erasures, history,
};

/// What of its business's settings a booking is written by.
#[derive(sqlx_macros::FromRow)]
pub(super) struct BusinessBookingSettings {
    #[sqlx(try_from = "ZoneName")]
    pub(super) zone: Tz,
    pub(super) mark_cancelled: bool,
    pub(super) invitations: InvitationMode,
    pub(super) invitation_delay_minutes: i64,
}

const SETTINGS: &str =
    "SELECT zone, mark_cancelled, invitations, invitation_delay_minutes FROM businesses WHERE id = $1";

/// Reads them, in the transaction that writes the booking.
pub(super) async fn business_booking_settings(
    tx: &mut Tx,
    business: BusinessId,
) -> Result<BusinessBookingSettings> {
    one!(tx, SETTINGS, business)
}

const UPSERT: &str = "
    INSERT INTO bookings (id, business_id, reference, version, resource_id, kind, status, starts_at, ends_at, check_in,
        check_out, title, customer_name, customer_email, customer_phone, party_size, quantity, location, notes, source,
        search_text, created_at, updated_at, channel_id, customer_language, meeting_url, guests)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
        $24, $25, $26, $27)
    ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, resource_id = excluded.resource_id, kind = excluded.kind,
        status = excluded.status, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        check_in = excluded.check_in, check_out = excluded.check_out, title = excluded.title,
        customer_name = excluded.customer_name, customer_email = excluded.customer_email,
        customer_phone = excluded.customer_phone, party_size = excluded.party_size, quantity = excluded.quantity,
        location = excluded.location, notes = excluded.notes, source = excluded.source,
        search_text = excluded.search_text, updated_at = excluded.updated_at, channel_id = excluded.channel_id,
        customer_language = excluded.customer_language, meeting_url = excluded.meeting_url, guests = excluded.guests";
const CLEAR_STAFF: &str = "DELETE FROM booking_staff WHERE booking_id = $1";
const ADD_STAFF: &str = "INSERT INTO booking_staff (booking_id, staff_id, business_id) VALUES ($1, $2, $3)";

/// Writes its row and who is assigned to it.
pub(super) async fn write_rows(tx: &mut Tx, booking: &Booking) -> Result<()> {
    let draft = &booking.draft;
    let (check_in, check_out) = match draft.time {
        BookingTime::Stay { check_in, check_out } => (Some(check_in), Some(check_out)),
        BookingTime::Timed { .. } => (None, None),
    };
    exec!(tx, UPSERT;
        booking.id, booking.business, &booking.reference, booking.version, draft.resource, draft.kind,
        draft.status, booking.interval.start, booking.interval.end, check_in, check_out, &draft.title,
        &draft.customer.name, &draft.customer.email, &draft.customer.phone,
        draft.party_size.map(i64::from), i64::from(draft.quantity), &draft.location, &draft.notes,
        &draft.source, search_text(booking), booking.created_at, booking.updated_at, booking.channel,
        draft.customer.language, &draft.meeting_url, Json(&draft.guests)
    )?;
    exec!(tx, CLEAR_STAFF, booking.id)?;
    for member in &draft.staff {
        exec!(tx, ADD_STAFF, booking.id, member, booking.business)?;
    }
    erasures::note_addresses(tx, booking).await
}

/// What a search looks through, in small letters: the databases know those of ASCII only, or of their own locale.
fn search_text(booking: &Booking) -> String {
    let Booking { reference, draft, .. } = booking;
    format!("{reference} {} {} {}", draft.title, draft.customer.name, draft.customer.email).to_lowercase()
}

/// Tells the history what was changed.
pub(super) async fn append_history(
    tx: &mut Tx,
    change: &ChangeContext,
    before: Option<&Booking>,
    after: &Booking,
) -> Result<()> {
    let action = match (before, after.draft.status) {
        (None, _) => "created",
        (Some(before), BookingStatus::Cancelled) if before.draft.status != BookingStatus::Cancelled => {
            "cancelled"
        }
        _ => "changed",
    };
    let detail = json!({
        "reference": after.reference,
        "version": after.version,
        "changes": before.map(|before| differences(&before.draft, &after.draft)),
    });
    let line = history::NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action,
        subject_kind: HistorySubject::Booking,
        subject: after.id.0,
        detail: &detail,
    };
    history::append(tx, &line, change.now).await
}

/// `{field: [before, after]}` for each field that differs.
fn differences(before: &BookingDraft, after: &BookingDraft) -> Value {
    let fields = |draft: &BookingDraft| match serde_json::to_value(draft) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (mut old, new) = (fields(before), fields(after));
    let changed: Map<String, Value> = new
        .into_iter()
        .filter_map(|(name, value)| {
            let was = old.remove(&name).unwrap_or(Value::Null);
            (was != value).then(|| (name, json!([was, value])))
        })
        .collect();
    Value::Object(changed)
}

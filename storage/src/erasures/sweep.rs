//! Looking for what is left of a person in records that name no booking: a mail to staff, a line of a log.
//!
//! Each table is read in slices by its ids, and what has one of the person's texts loses all of its own.

use chrono::{DateTime, Utc};
use concord_domain::{
    erasure::{SweepCursor, SweptTable, TraceSearch, redacted_actor, redacted_history},
    ids::{BusinessId, ErasureId, EventId},
    people::Actor,
};
use sqlx::types::Json;
use uuid::Uuid;

use super::scrub::{SCRUB_MAIL, scrub_event};
use crate::{Db, Result, Tx, notifications};

/// Rows that are read at once.
const SLICE: i64 = 500;

/// The id and all texts of the next rows of a table. What is of a booking is done with that, and stays where the booking does:
/// who was a guest of the one who is erased, or has their name, has bookings of their own.
macro_rules! slice {
    ($table:literal, $texts:literal) => {
        slice!($table, $texts, "TRUE")
    };
    ($table:literal, $texts:literal, $condition:literal) => {
        concat!(
            "SELECT id, CASE WHEN ",
            $condition,
            " THEN ",
            $texts,
            " ELSE '' END AS texts FROM ",
            $table,
            " WHERE id > $2 AND business_id = $1 ORDER BY id LIMIT $3"
        )
    };
}

const MAILS: &str = slice!(
    "mails",
    "to_address || ' ' || to_name || ' ' || subject || ' ' || body_text || ' ' || body_html || ' '
     || COALESCE(last_error, '') || ' ' || COALESCE(calendar, '')",
    "attendee_id IS NULL AND reminder_id IS NULL AND kind NOT IN ('sign_in', 'user_invitation')"
);
const NOTICES: &str = slice!(
    "notices",
    "headline || ' ' || COALESCE(named_headline, '') || ' ' || detail",
    "(subject_kind <> 'booking' OR EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = notices.subject_id))"
);
const HISTORY: &str = slice!(
    "history",
    "CAST(actor AS TEXT) || ' ' || CAST(detail AS TEXT)",
    "(subject_kind <> 'booking' OR EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = history.subject_id))"
);
const SYNC_LOG: &str = slice!(
    "sync_log",
    "detail",
    "(booking_id IS NULL OR EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = sync_log.booking_id))"
);
const CHANNEL_RUNS: &str = slice!("channel_runs", "message");
const CHANNEL_ITEMS: &str = slice!(
    "channel_items",
    "summary || ' ' || COALESCE(guest, '')",
    "(booking_id IS NULL OR EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = channel_items.booking_id))"
);
const EVENTS: &str = slice!(
    "events",
    "data",
    "(subject_kind <> 'booking' OR EXISTS (SELECT 1 FROM erased_bookings e WHERE e.booking_id = events.subject_id))"
);
// All deliveries of an event are in one slice.
const DELIVERIES: &str = "
    SELECT e.id, COALESCE(d.last_answer, '') || ' ' || COALESCE(d.last_error, '') AS texts
    FROM (SELECT id, subject_kind, subject_id FROM events WHERE id > $2 AND business_id = $1 ORDER BY id LIMIT $3) e
    LEFT JOIN webhook_deliveries d ON d.event_id = e.id
      AND (e.subject_kind <> 'booking' OR EXISTS (SELECT 1 FROM erased_bookings b WHERE b.booking_id = e.subject_id))
    ORDER BY e.id";
const ALERTS: &str = slice!("alerts", "headline || ' ' || cause");
const JOBS: &str = slice!("jobs", "COALESCE(last_error, '')");
const CONNECTIONS: &str = slice!("connections", "COALESCE(last_error, '')");
const CHANNELS: &str = slice!("channels", "COALESCE(last_error, '')");

#[derive(sqlx_macros::FromRow)]
struct SweptRow {
    id: Uuid,
    texts: String,
}

pub(super) const WITHDRAW: &str = "DELETE FROM mails WHERE id = $1 AND state = 'waiting'";
const TAKE_BACK: &str = "
    DELETE FROM mails WHERE id = $1 AND state = 'waiting' RETURNING business_id, dedupe_key";
const SCRUB_NOTICE: &str =
    "UPDATE notices SET headline = 'Erased', named_headline = NULL, detail = '' WHERE id = $1";
const LINE: &str = "SELECT actor, detail FROM history WHERE id = $1";
const SCRUB_LINE: &str = "UPDATE history SET actor = $2, detail = $3 WHERE id = $1";
const SCRUB_LOG: &str = "UPDATE sync_log SET detail = '' WHERE id = $1";
const SCRUB_RUN: &str = "UPDATE channel_runs SET message = '' WHERE id = $1";
const SCRUB_ITEM: &str =
    "UPDATE channel_items SET summary = '', guest = NULL, is_erased = TRUE WHERE id = $1";
const SCRUB_ALERT: &str = "UPDATE alerts SET cause = '' WHERE id = $1";
const SCRUB_CONNECTION: &str = "UPDATE connections SET last_error = NULL WHERE id = $1";
const SCRUB_CHANNEL: &str = "UPDATE channels SET last_error = NULL WHERE id = $1";
const SCRUB_JOB: &str = "UPDATE jobs SET last_error = NULL WHERE id = $1";

#[derive(sqlx_macros::FromRow)]
struct CursorRow {
    swept_table: SweptTable,
    swept_after: Uuid,
}

const CURSOR: &str = "
    SELECT swept_table, swept_after FROM erasures WHERE id = $1 AND swept_table IS NOT NULL AND swept_after IS NOT NULL";

/// How far the search of an erasure is; `None`: it has not begun.
pub async fn find_cursor(db: &Db, id: ErasureId) -> Result<Option<SweepCursor>> {
    let row: Option<CursorRow> = optional!(db, CURSOR, id)?;
    Ok(row.map(|row| SweepCursor { table: row.swept_table, after: row.swept_after }))
}

const RECORD_CURSOR: &str = "UPDATE erasures SET swept_table = $2, swept_after = $3 WHERE id = $1";

/// Whoever takes over goes on from here.
pub async fn record_cursor(tx: &mut Tx, id: ErasureId, cursor: SweepCursor) -> Result<()> {
    exec!(tx, RECORD_CURSOR, id, cursor.table, cursor.after)
}

/// Goes through the next rows. Returns the last one, and `None` after the end of the table.
pub async fn sweep_slice(
    db: &Db,
    business: BusinessId,
    SweepCursor { table, after }: SweepCursor,
    search: &TraceSearch,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    macro_rules! rows {
        ($statement:expr) => {
            all!(db, $statement, business, after, SLICE)?
        };
    }
    let rows: Vec<SweptRow> = match table {
        SweptTable::Mails => rows!(MAILS),
        SweptTable::Notices => rows!(NOTICES),
        SweptTable::History => rows!(HISTORY),
        SweptTable::SyncLog => rows!(SYNC_LOG),
        SweptTable::ChannelRuns => rows!(CHANNEL_RUNS),
        SweptTable::ChannelItems => rows!(CHANNEL_ITEMS),
        SweptTable::Jobs => rows!(JOBS),
        SweptTable::Events => rows!(EVENTS),
        SweptTable::Deliveries => rows!(DELIVERIES),
        SweptTable::Alerts => rows!(ALERTS),
        SweptTable::Connections => rows!(CONNECTIONS),
        SweptTable::Channels => rows!(CHANNELS),
    };
    let last = rows.last().map(|row| row.id);
    for row in rows.into_iter().filter(|row| search.finds(&row.texts)) {
        scrub(db, table, row.id, now).await?;
    }
    Ok(last)
}

async fn scrub(db: &Db, table: SweptTable, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    in_tx!(db, tx => match table {
        SweptTable::Mails => scrub_mail(&mut tx, id, now).await,
        SweptTable::Notices => exec!(tx, SCRUB_NOTICE, id),
        SweptTable::History => scrub_line(&mut tx, id).await,
        SweptTable::SyncLog => exec!(tx, SCRUB_LOG, id),
        SweptTable::ChannelRuns => exec!(tx, SCRUB_RUN, id),
        SweptTable::ChannelItems => exec!(tx, SCRUB_ITEM, id),
        SweptTable::Jobs => exec!(tx, SCRUB_JOB, id),
        SweptTable::Alerts => exec!(tx, SCRUB_ALERT, id),
        SweptTable::Connections => exec!(tx, SCRUB_CONNECTION, id),
        SweptTable::Channels => exec!(tx, SCRUB_CHANNEL, id),
        SweptTable::Events | SweptTable::Deliveries => scrub_event_by_id(&mut tx, id).await,
    })
}

/// What else a mail to staff told that has not left, it tells in another one: the notices that it was made from name nobody by now.
async fn scrub_mail(tx: &mut Tx, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let waited: Option<(BusinessId, String)> = optional!(tx, TAKE_BACK, id)?;
    match waited {
        Some((business, key)) => notifications::tell_again(tx, business, &key, now).await,
        None => exec!(tx, SCRUB_MAIL, id),
    }
}

const DATA: &str = "SELECT data FROM events WHERE id = $1";

/// Of an event, or of what endpoints answered to it.
async fn scrub_event_by_id(tx: &mut Tx, id: Uuid) -> Result<()> {
    let data: Option<String> = optional_scalar!(tx, DATA, id)?;
    match data {
        Some(data) => scrub_event(tx, EventId(id), &data).await,
        None => Ok(()),
    }
}

async fn scrub_line(tx: &mut Tx, id: Uuid) -> Result<()> {
    let line: Option<(Json<Actor>, Json<serde_json::Value>)> = optional!(tx, LINE, id)?;
    let Some((Json(actor), Json(detail))) = line else { return Ok(()) };
    exec!(tx, SCRUB_LINE, id, Json(redacted_actor(&actor)), Json(redacted_history(&detail)))
}

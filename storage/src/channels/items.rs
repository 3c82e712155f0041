//! The events of a platform's feed as they were last seen, each with the booking that stands for it.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingStatus,
    channel::{
        ItemKind, RunOrigin, Settled,
        plan::{FeedItem, KnownItem},
    },
    ids::{BookingId, BusinessId, ChannelId, ChannelItemId, ChannelRunId},
    interval::Interval,
};

use crate::{Db, Result, StorageError, Tx};

/// An item, with what of its booking people want to know.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct ChannelItem {
    pub id: ChannelItemId,
    /// Its key in the feed.
    pub item_key: String,
    pub kind: ItemKind,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub summary: String,
    pub guest: Option<String>,
    pub contested: bool,
    /// What stands for it here.
    pub booking_id: Option<BookingId>,
    pub reference: Option<String>,
    /// Since when the feed lacks it.
    pub missing_since: Option<DateTime<Utc>>,
    /// It stands although the feed lacks it: somebody has said so, or brought it by hand.
    pub pinned: bool,
    /// It is not agreed on yet there.
    pub tentative: bool,
    /// What somebody said of it when it was unconfirmed.
    pub settled: Option<Settled>,
    /// What made us read what brought it; `None`: that was forgotten.
    pub brought_by: Option<RunOrigin>,
    /// When it was found gone.
    pub removed_at: Option<DateTime<Utc>>,
    /// What its booking was before that; `None`: called off already.
    pub removed_status: Option<BookingStatus>,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// Whether its person was erased.
    pub is_erased: bool,
}

impl ChannelItem {
    /// Whether somebody brought it by a file or an address, and the feed has not had it since.
    pub fn is_manual(&self) -> bool {
        self.pinned && matches!(self.brought_by, Some(RunOrigin::File | RunOrigin::Url))
    }

    /// The period that it takes.
    pub fn interval(&self) -> Interval {
        Interval { start: self.starts_at, end: self.ends_at }
    }
}

impl From<&ChannelItem> for KnownItem {
    fn from(item: &ChannelItem) -> Self {
        Self {
            id: item.id,
            key: item.item_key.clone(),
            interval: item.interval(),
            kind: item.kind,
            summary: item.summary.clone(),
            guest: item.guest.clone(),
            contested: item.contested,
            missing_since: item.missing_since,
            pinned: item.pinned,
            tentative: item.tentative,
            settled: item.settled,
            is_erased: item.is_erased,
        }
    }
}

macro_rules! select_item {
    ($where:literal) => {
        concat!(
            "SELECT i.id, i.item_key, i.kind, i.starts_at, i.ends_at, i.summary, i.guest, i.contested, i.booking_id,
                    b.reference, i.missing_since, i.pinned, i.tentative, i.settled,
                    (SELECT r.origin FROM channel_runs r WHERE r.id = i.found_run_id) AS brought_by, i.removed_at, i.removed_status,
                    i.first_seen_at, i.is_erased
             FROM channel_items i LEFT JOIN bookings b ON b.id = i.booking_id
             WHERE i.business_id = $1 AND ",
            $where
        )
    };
}

const LIST_UPCOMING: &str =
    select_item!("i.channel_id = $2 AND i.removed_at IS NULL AND i.ends_at > $3 ORDER BY i.starts_at, i.id");

/// What is known of a channel and ends after `now`, by start.
pub async fn to_come(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
    now: DateTime<Utc>,
) -> Result<Vec<ChannelItem>> {
    all!(db, LIST_UPCOMING, business, channel, now)
}

const UNCONFIRMED: &str = select_item!(
    "i.channel_id = $2 AND i.removed_at IS NULL AND i.ends_at > $3 AND i.kind = 'unconfirmed' ORDER BY i.starts_at, i.id"
);

/// Of these, what may be ours or sold there, by start.
pub async fn unconfirmed(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
    now: DateTime<Utc>,
) -> Result<Vec<ChannelItem>> {
    all!(db, UNCONFIRMED, business, channel, now)
}

const CLOSED: &str = "
    SELECT starts_at, ends_at FROM channel_items
    WHERE business_id = $1 AND channel_id = $2 AND removed_at IS NULL AND ends_at > $3
      AND kind IN ('reservation', 'block', 'ignored') AND missing_since IS NULL";

/// When the platform sells nothing because it has sold or closed it itself, after `now`.
pub async fn closed(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
    now: DateTime<Utc>,
) -> Result<Vec<Interval>> {
    let rows: Vec<(DateTime<Utc>, DateTime<Utc>)> = all!(db, CLOSED, business, channel, now)?;
    Ok(rows.into_iter().map(|(start, end)| Interval { start, end }).collect())
}

const FIND: &str = select_item!("i.id = $2");

/// One item of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: ChannelItemId) -> Result<Option<ChannelItem>> {
    optional!(db, FIND, business, id)
}

const LIST_LOST_IN_RUN: &str = select_item!("i.removed_run_id = $2 ORDER BY i.starts_at, i.id");

/// What a reading found gone, by start.
pub async fn list_lost_in_run(db: &Db, business: BusinessId, run: ChannelRunId) -> Result<Vec<ChannelItem>> {
    all!(db, LIST_LOST_IN_RUN, business, run)
}

const LIST_FOUND_IN_RUN: &str =
    select_item!("i.found_run_id = $2 AND i.removed_at IS NULL ORDER BY i.starts_at, i.id");

/// What a reading brought and is not gone again, by start.
pub async fn found_by(db: &Db, business: BusinessId, run: ChannelRunId) -> Result<Vec<ChannelItem>> {
    all!(db, LIST_FOUND_IN_RUN, business, run)
}

// The same key may be there since a worker that lost its lease: it is the same event then.
const ADD: &str = "
    INSERT INTO channel_items (id, business_id, channel_id, item_key, kind, starts_at, ends_at, summary, guest, contested,
        booking_id, pinned, first_seen_at, found_run_id, tentative)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// An item that is new.
#[derive(Clone, Copy, Debug)]
pub struct NewChannelItem<'a> {
    pub id: ChannelItemId,
    pub channel: ChannelId,
    /// The reading that brought it.
    pub run: ChannelRunId,
    pub item: &'a FeedItem,
    /// Whether it came by hand, so that it stands until the feed has had it.
    pub by_hand: bool,
}

/// Writes a new item down. `Exists`: the channel has one with that key.
pub async fn add(
    tx: &mut Tx,
    business: BusinessId,
    new: NewChannelItem<'_>,
    booking: Option<BookingId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let NewChannelItem { id, channel, run, item, by_hand } = new;
    exec!(tx, ADD;
        id, business, channel, &item.key, item.kind, item.interval.start, item.interval.end,
        &item.summary, &item.guest, item.contested, booking, by_hand, now, run, item.tentative
    )
}

/// `Exists` where nothing was changed: somebody else was faster.
fn unless_overtaken(changed: u64) -> Result<()> {
    if changed == 0 { Err(StorageError::Exists) } else { Ok(()) }
}

const CHANGE: &str = "
    UPDATE channel_items SET item_key = $3, kind = $4, starts_at = $5, ends_at = $6, summary = $7, guest = $8,
        contested = $9, booking_id = $10, missing_since = NULL,
        pinned = CASE WHEN $11 THEN pinned ELSE $11 END,
        settled = CASE WHEN starts_at = $5 AND ends_at = $6 THEN settled END, tentative = $13
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL
      AND (booking_id = $12 OR (booking_id IS NULL AND $12 IS NULL))";

/// Writes down what an item has become, for which `was` stood until now. `by_hand`: by a file, which says nothing of whether
/// the feed has it. `Exists`: by now it is gone or something else
/// stands for it, or the channel has another item with its key.
pub async fn change(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelItemId,
    (item, by_hand): (&FeedItem, bool),
    (was, booking): (Option<BookingId>, Option<BookingId>),
) -> Result<()> {
    unless_overtaken(changed!(tx, CHANGE;
        business, id, &item.key, item.kind, item.interval.start, item.interval.end, &item.summary,
        &item.guest, item.contested, booking, by_hand, was, item.tentative
    )?)
}

const PARK_KEY: &str = "
    UPDATE channel_items SET item_key = $3 WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Gives an item a key that no event has, for as long as others take theirs: events may have exchanged them.
pub async fn park_key(tx: &mut Tx, business: BusinessId, id: ChannelItemId) -> Result<()> {
    let key = format!("\u{1}{id}");
    exec!(tx, PARK_KEY, business, id, key)
}

const MARK_MISSING: &str = "
    UPDATE channel_items SET missing_since = COALESCE(missing_since, $3)
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// The feed lacks it from now on.
pub async fn miss(tx: &mut Tx, business: BusinessId, id: ChannelItemId, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, MARK_MISSING, business, id, now)
}

const MARK_PRESENT: &str = "
    UPDATE channel_items SET missing_since = NULL, pinned = $3 WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// The feed has it again.
pub async fn back(tx: &mut Tx, business: BusinessId, id: ChannelItemId) -> Result<()> {
    exec!(tx, MARK_PRESENT, business, id, false)
}

/// How an item goes.
#[derive(Clone, Copy, Debug)]
pub struct ChannelItemLoss {
    /// The reading that found it gone.
    pub run: ChannelRunId,
    /// Whether it goes only while the feed lacks it: somebody has said so of what they saw a moment ago.
    pub if_missing: bool,
    /// What its booking was; `None`: called off already, or there is none.
    pub status: Option<BookingStatus>,
}

const MARK_LOST: &str = "
    UPDATE channel_items SET removed_at = $3, removed_run_id = $4, removed_status = $5
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL AND (missing_since IS NOT NULL OR NOT $6)";

/// It is gone. `Exists`: another reading has found so, or the feed has it again.
pub async fn lose(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelItemId,
    loss: ChannelItemLoss,
    now: DateTime<Utc>,
) -> Result<()> {
    unless_overtaken(changed!(tx, MARK_LOST, business, id, now, loss.run, loss.status, loss.if_missing)?)
}

/// Somebody says that it stands, whatever the feed lacks. `false`: by now it was found gone.
pub async fn keep(tx: &mut Tx, business: BusinessId, id: ChannelItemId) -> Result<bool> {
    Ok(changed!(tx, MARK_PRESENT, business, id, true)? == 1)
}

const PIN_ALL: &str = "
    UPDATE channel_items SET missing_since = NULL, pinned = $3
    WHERE business_id = $1 AND channel_id = $2 AND removed_at IS NULL";

/// The same for all that is known of a channel: its feed has said nothing of it yet.
pub async fn pin_all(tx: &mut Tx, business: BusinessId, channel: ChannelId) -> Result<()> {
    exec!(tx, PIN_ALL, business, channel, true)
}

const REVIVE: &str = "
    UPDATE channel_items SET removed_at = NULL, removed_run_id = NULL, removed_status = NULL, missing_since = NULL, pinned = $3
    WHERE business_id = $1 AND id = $2 AND removed_at IS NOT NULL";

/// Brings one back that was found gone; it stands, whatever the feed lacks. `Exists`: somebody was faster, or by now there
/// is another event with its key.
pub async fn revive(tx: &mut Tx, business: BusinessId, id: ChannelItemId) -> Result<()> {
    unless_overtaken(changed!(tx, REVIVE, business, id, true)?)
}

const SETTLE: &str = "
    UPDATE channel_items SET settled = $3
    WHERE business_id = $1 AND id = $2 AND kind = 'unconfirmed' AND removed_at IS NULL";

/// Notes what somebody says of an unconfirmed event. `false`: by now it is no longer unconfirmed.
pub async fn settle(tx: &mut Tx, business: BusinessId, id: ChannelItemId, settled: Settled) -> Result<bool> {
    Ok(changed!(tx, SETTLE, business, id, settled)? == 1)
}

const WAS_LOST: &str = "
    SELECT EXISTS (SELECT 1 FROM channel_items
                   WHERE business_id = $1 AND channel_id = $2 AND item_key = $3 AND removed_at > $4)";

/// Whether an event with this key was found gone, or called off, after `since`.
pub async fn was_lost(
    db: &Db,
    (business, channel): (BusinessId, ChannelId),
    key: &str,
    since: DateTime<Utc>,
) -> Result<bool> {
    scalar!(db, WAS_LOST, business, channel, key, since)
}

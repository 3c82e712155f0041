//! What people did to entries of ours in their own calendars, and what became of it.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{BookingId, BusinessId, ConnectionId, EntryId, RemoteChangeId, StaffId},
    job::{JobKind, QueueClass},
    people::Actor,
    sync::remote_change::{BookingEdit, Refusal, RemoteChangeKind, RemoteChangeRules, RemoteChangeState},
};
use sqlx::types::Json;

use crate::{
    Db, Page, PageRequest, Result, Tx,
    jobs::{self, NewJob},
    notices,
    sync_log::newest,
};

/// A person's change, as it is to be written down.
#[derive(Clone, Copy, Debug)]
pub struct NewRemoteChange<'a> {
    pub id: RemoteChangeId,
    pub business: BusinessId,
    pub booking: BookingId,
    pub entry: EntryId,
    pub connection: ConnectionId,
    /// What became of it: `Open`, `Followed` or `Revert`.
    pub state: RemoteChangeState,
    /// What the booking would become, or became.
    pub edit: &'a BookingEdit,
    /// What of it was before.
    pub before: &'a BookingEdit,
    /// Why the booking stands.
    pub refusal: Option<Refusal>,
    /// What stood in the way, for people; may be empty.
    pub detail: &'a str,
    /// The booking's version after it had followed.
    pub booking_version: Option<i64>,
}

/// A person's change, with what is needed to tell people of it.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct RemoteChange {
    pub id: RemoteChangeId,
    pub booking_id: BookingId,
    pub reference: String,
    /// The booking's version now.
    pub version: i64,
    pub entry_id: EntryId,
    pub connection_id: ConnectionId,
    pub provider: ProviderKind,
    pub staff_id: StaffId,
    pub staff_name: String,
    pub kind: RemoteChangeKind,
    /// What became of it.
    pub state: RemoteChangeState,
    /// Why the booking stands, or why nobody is asked any more.
    pub refusal: Option<Refusal>,
    /// What stood in the way, for people.
    pub detail: String,
    /// What the booking would become, or became.
    #[sqlx(json)]
    pub edit: BookingEdit,
    /// What of it was before.
    #[sqlx(json)]
    pub before: BookingEdit,
    /// The booking's version after it had followed.
    pub booking_version: Option<i64>,
    /// When it was seen.
    pub seen_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    #[sqlx(json(nullable))]
    pub decided_by: Option<Actor>,
}

impl RemoteChange {
    /// Whether the booking is still as it became by this, so that it can be taken back.
    pub fn can_be_undone(&self) -> bool {
        self.state == RemoteChangeState::Followed && self.booking_version == Some(self.version)
    }
}

/// People are told of a change by notices with this key, which close when it is decided or overtaken.
pub fn notice_key(change: RemoteChangeId) -> String {
    format!("remote_change:{change}")
}

const OVERTAKE_ENTRY: &str = "
    UPDATE remote_changes SET state = 'overtaken', decided_at = $2
    WHERE entry_id = $1 AND state = 'open' AND ($3 IS NULL OR kind = $3)
    RETURNING business_id, id";

/// Whatever is asked about an entry is no question any more.
pub async fn overtake_question(tx: &mut Tx, entry: EntryId, now: DateTime<Utc>) -> Result<()> {
    overtake_open(tx, entry, None, now).await
}

/// That an entry is gone is explained: nobody is asked about a deletion any more.
pub async fn overtake_deletion(tx: &mut Tx, entry: EntryId, now: DateTime<Utc>) -> Result<()> {
    overtake_open(tx, entry, Some(RemoteChangeKind::Deleted), now).await
}

async fn overtake_open(
    tx: &mut Tx,
    entry: EntryId,
    kind: Option<RemoteChangeKind>,
    now: DateTime<Utc>,
) -> Result<()> {
    let overtaken = all!(tx, OVERTAKE_ENTRY, entry, now, kind)?;
    close_notices(tx, overtaken, now).await
}

async fn close_notices(
    tx: &mut Tx,
    changes: Vec<(BusinessId, RemoteChangeId)>,
    now: DateTime<Utc>,
) -> Result<()> {
    for (business, change) in changes {
        notices::close(tx, business, &notice_key(change), now).await?;
    }
    Ok(())
}

const RECORD: &str = "
    INSERT INTO remote_changes (id, business_id, booking_id, entry_id, connection_id, kind, state, refusal, detail, edit,
        before, booking_version, seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const END_OF_BOOKING: &str = "SELECT ends_at FROM bookings WHERE business_id = $1 AND id = $2";

/// Writes a change down. A question that is open about the same entry is overtaken by it. A question is closed when its
/// booking is over.
pub async fn record(tx: &mut Tx, new: &NewRemoteChange<'_>, now: DateTime<Utc>) -> Result<()> {
    overtake_question(tx, new.entry, now).await?;
    exec!(tx, RECORD;
        new.id, new.business, new.booking, new.entry, new.connection, new.edit.kind, new.state,
        new.refusal, new.detail, Json(new.edit), Json(new.before), new.booking_version, now
    )?;
    if new.state == RemoteChangeState::Open {
        let due_at: DateTime<Utc> = scalar!(tx, END_OF_BOOKING, new.business, new.booking)?;
        let (business, kind, subject) = (Some(new.business), JobKind::CloseRemoteChange, new.id.0);
        jobs::enqueue(tx, NewJob { business, kind, subject, queue: QueueClass::Poll, due_at }, now).await?;
    }
    Ok(())
}

const OVERTAKE: &str = "
    UPDATE remote_changes SET state = 'overtaken', refusal = $3, decided_at = $2
    WHERE booking_id = $1 AND state = 'open' RETURNING business_id, id";

/// The booking was changed here: whatever was asked about it is no question any more.
pub(crate) async fn overtake(
    tx: &mut Tx,
    booking: BookingId,
    why: Refusal,
    now: DateTime<Utc>,
) -> Result<()> {
    let overtaken = all!(tx, OVERTAKE, booking, now, why)?;
    close_notices(tx, overtaken, now).await
}

const CLOSE: &str = "
    UPDATE remote_changes SET state = 'overtaken', refusal = 'over', decided_at = $3
    WHERE business_id = $1 AND id = $2 AND state = 'open'";

/// The booking is over: nobody needs to answer any more. `false`: it was no open question.
pub async fn close(
    tx: &mut Tx,
    business: BusinessId,
    id: RemoteChangeId,
    now: DateTime<Utc>,
) -> Result<bool> {
    if changed!(tx, CLOSE, business, id, now)? == 0 {
        return Ok(false);
    }
    close_notices(tx, vec![(business, id)], now).await?;
    Ok(true)
}

/// Who decides what about a change.
#[derive(Clone, Debug)]
pub struct RemoteChangeDecision {
    pub change: RemoteChangeId,
    /// What it was until now; if it is something else by now, somebody else was faster.
    pub from: RemoteChangeState,
    /// What becomes of it.
    pub to: RemoteChangeState,
    /// The booking's version once it has followed.
    pub booking_version: Option<i64>,
}

const DECIDE: &str = "
    UPDATE remote_changes SET state = $4, decided_at = $5, decided_by = $6,
        booking_version = COALESCE($7, booking_version)
    WHERE business_id = $1 AND id = $2 AND state = $3";

/// Writes a decision down. `NotFound`: it is decided already, or was overtaken.
pub async fn decide(
    tx: &mut Tx,
    business: BusinessId,
    decision: &RemoteChangeDecision,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    must_change!(tx, DECIDE;
        business, decision.change, decision.from, decision.to, now, Json(actor), decision.booking_version
    )?;
    close_notices(tx, vec![(business, decision.change)], now).await
}

macro_rules! changes_where {
    ($condition:literal) => {
        concat!(
            "SELECT o.id, o.booking_id, b.reference, b.version, o.entry_id, o.connection_id, c.provider, c.staff_id,
                    s.name AS staff_name, o.kind, o.state, o.refusal, o.detail, o.edit, o.before, o.booking_version,
                    o.seen_at, o.decided_at, o.decided_by
             FROM remote_changes o
             JOIN bookings b ON b.id = o.booking_id
             JOIN connections c ON c.id = o.connection_id
             JOIN staff s ON s.id = c.staff_id
             WHERE o.business_id = $1 AND ",
            $condition
        )
    };
}

const FIND: &str = changes_where!("o.id = $2");

/// One remote change of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: RemoteChangeId) -> Result<Option<RemoteChange>> {
    optional!(db, FIND, business, id)
}

const OF_BOOKING: &str = changes_where!("o.booking_id = $2 ORDER BY o.seen_at DESC, o.id DESC LIMIT 50");

/// The last 50 changes of a booking's entries, newest first.
pub async fn of_booking(db: &Db, business: BusinessId, booking: BookingId) -> Result<Vec<RemoteChange>> {
    all!(db, OF_BOOKING, business, booking)
}

const OPEN: &str =
    changes_where!("o.state = 'open' AND ($2 IS NULL OR c.staff_id = $2) ORDER BY o.seen_at, o.id LIMIT 200");

/// The questions that wait for somebody, oldest first, at most 200; those of one person's calendars if one is named.
pub async fn open(db: &Db, business: BusinessId, staff: Option<StaffId>) -> Result<Vec<RemoteChange>> {
    all!(db, OPEN, business, staff)
}

const LIST: &str = changes_where!(
    "(o.seen_at, o.id) < ($2, $3) AND ($5 IS NULL OR c.staff_id = $5) AND ($6 IS NULL OR o.state = $6)
     ORDER BY o.seen_at DESC, o.id DESC LIMIT $4"
);

/// What people did in their calendars, newest first: of one person, or in one state, if one is named.
pub async fn list(
    db: &Db,
    business: BusinessId,
    (staff, state): (Option<StaffId>, Option<RemoteChangeState>),
    ask: &PageRequest,
) -> Result<Page<RemoteChange>> {
    let (at, id) = ask.after_key::<(DateTime<Utc>, uuid::Uuid)>()?.unwrap_or_else(newest);
    let changes = all!(db, LIST, business, at, id, ask.fetch(), staff, state)?;
    Ok(Page::cut(changes, ask, |change: &RemoteChange| (change.seen_at, change.id.0)))
}

const RULES: &str = "
    SELECT COALESCE(c.remote_moves, b.remote_moves), COALESCE(c.remote_deletions, b.remote_deletions)
    FROM connections c JOIN businesses b ON b.id = c.business_id WHERE c.business_id = $1 AND c.id = $2";

/// What becomes of what a person does in the calendars of a connection.
pub async fn rules(db: &Db, business: BusinessId, connection: ConnectionId) -> Result<RemoteChangeRules> {
    let (moves, deletions) = one!(db, RULES, business, connection)?;
    Ok(RemoteChangeRules { moves, deletions })
}

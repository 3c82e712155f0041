//! What a calendar integration looks like to programs.

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::BookingStatus,
    connection::{ConnectionState, Coverage, Direction, EntryState, ProviderKind},
    sync::remote_change::RemoteChangePolicy,
};
use concord_storage::{
    busy_times::BusyTime,
    calendars::Calendar,
    connections::{Connection, DriftFigures},
    entries::UpcomingEntry,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::api::occupancy::FreeTime;

/// A staff member's account at a calendar provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CalendarIntegration)]
pub(crate) struct IntegrationResponse {
    /// Its id, for `/calendar_integrations/{id}`.
    pub id: Uuid,
    /// The calendar provider.
    pub provider: ProviderKind,
    /// Whose it is.
    pub staff: Uuid,
    /// The account's email or user name.
    #[schema(example = "ana@example.org")]
    pub account_email: String,
    /// Its status.
    pub state: ConnectionState,
    /// Sync direction.
    pub direction: Direction,
    /// Which bookings are written to it.
    pub coverage: Coverage,
    /// What to do when entries are moved, resized or renamed there; null: the business default.
    pub remote_moves: Option<RemoteChangePolicy>,
    /// What to do when entries are deleted or restored there; null: the business default.
    pub remote_deletions: Option<RemoteChangePolicy>,
    /// Whether new bookings of its staff member are written here.
    pub is_default: bool,
    /// The result of the last full compare with the bookings; null: not compared yet.
    pub drift: Option<DriftResponse>,
    /// The last success of any kind.
    pub last_sync_at: Option<DateTime<Utc>>,
    /// The last failure since, for people.
    pub last_error: Option<String>,
    /// When it was first connected.
    pub created_at: DateTime<Utc>,
    /// Its calendars, the main one first.
    pub calendars: Vec<CalendarResponse>,
}

impl IntegrationResponse {
    /// The answer for a connection with its calendars.
    pub(crate) fn new(connection: Connection, calendars: Vec<Calendar>) -> Self {
        Self {
            id: connection.id.0,
            provider: connection.provider,
            staff: connection.staff_id.0,
            account_email: connection.account_email,
            state: connection.state,
            direction: connection.direction,
            coverage: connection.coverage,
            remote_moves: connection.remote_moves,
            remote_deletions: connection.remote_deletions,
            is_default: connection.is_default,
            drift: DriftResponse::from_figures(&connection.drift),
            last_sync_at: connection.last_sync_at,
            last_error: connection.last_error,
            created_at: connection.created_at,
            calendars: calendars.into_iter().map(CalendarResponse::from).collect(),
        }
    }
}

/// Differences between the calendars and the bookings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Drift)]
pub(crate) struct DriftResponse {
    /// When they were compared.
    pub checked_at: DateTime<Utc>,
    /// Entries in sync.
    pub standing: i64,
    /// Missing entries.
    pub missing: i64,
    /// Entries with Concord's mark that should have been deleted or are unknown.
    pub extra: i64,
    /// Entries that differ.
    pub different: i64,
    /// Since when a loss of more than half waits for a second check before anything is changed.
    pub held_since: Option<DateTime<Utc>>,
}

impl DriftResponse {
    fn from_figures(figures: &DriftFigures) -> Option<Self> {
        let DriftFigures { checked_at, standing, missing, extra, different, held_since } = *figures;
        checked_at.map(|checked_at| Self { checked_at, standing, missing, extra, different, held_since })
    }
}

/// A calendar of an account.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Calendar)]
pub(crate) struct CalendarResponse {
    /// Concord's id of the calendar.
    pub id: Uuid,
    /// The provider's id of it.
    pub external_id: String,
    /// Display name.
    pub name: String,
    /// Whether entries can be written to it at all.
    pub writable: bool,
    /// Whether it is the account's main calendar.
    pub is_primary: bool,
    /// Whether its busy times are imported.
    pub reads: bool,
    /// Whether new bookings are written to it.
    pub writes: bool,
    /// When its busy times were last imported.
    pub last_import_at: Option<DateTime<Utc>>,
    /// Why the last import was held for review, if it was.
    pub quarantine_reason: Option<String>,
    /// Since when the provider no longer lists it.
    pub missing_since: Option<DateTime<Utc>>,
}

impl From<Calendar> for CalendarResponse {
    fn from(calendar: Calendar) -> Self {
        Self {
            id: calendar.id.0,
            external_id: calendar.external_id,
            name: calendar.name,
            writable: calendar.writable,
            is_primary: calendar.is_primary,
            reads: calendar.reads,
            writes: calendar.writes,
            last_import_at: calendar.last_import_at,
            quarantine_reason: calendar.quarantine_reason,
            missing_since: calendar.missing_since,
        }
    }
}

/// Upcoming events in the calendars of an integration.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CalendarEvents)]
pub(crate) struct CalendarEventsResponse {
    /// Bookings there or about to be written; those that end first, at most 200.
    pub entries: Vec<CalendarEntryResponse>,
    /// Imported busy times; at most 200 per calendar.
    pub busy: Vec<BusyTimeResponse>,
}

/// A booking's entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CalendarEntry)]
pub(crate) struct CalendarEntryResponse {
    /// The booking.
    pub booking: Uuid,
    /// The booking's reference.
    pub reference: String,
    /// The booking's status.
    pub status: BookingStatus,
    /// When it takes place.
    #[serde(flatten)]
    pub time: FreeTime,
    /// The calendar's name.
    pub calendar: String,
    /// The provider's id of the entry.
    pub external_id: String,
    /// The entry's status.
    pub state: EntryState,
    /// When it was last written.
    pub written_at: Option<DateTime<Utc>>,
    /// Why it could not be written, in plain words.
    pub last_error: Option<String>,
}

impl From<UpcomingEntry> for CalendarEntryResponse {
    fn from(entry: UpcomingEntry) -> Self {
        Self {
            time: FreeTime::from(entry.time()),
            booking: entry.booking_id.0,
            reference: entry.reference,
            status: entry.status,
            calendar: entry.calendar,
            external_id: entry.external_id,
            state: entry.state,
            written_at: entry.written_at,
            last_error: entry.last_error,
        }
    }
}

/// A busy time of a connected calendar. Concord does not store its title or details.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BusyTime)]
pub(crate) struct BusyTimeResponse {
    /// Concord's id of the busy time.
    pub id: Uuid,
    /// The calendar.
    pub calendar: Uuid,
    /// The provider's id.
    pub external_id: String,
    /// When it starts, in UTC.
    pub starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    pub ends_at: DateTime<Utc>,
    /// Whether it is only tentatively accepted.
    pub tentative: bool,
    /// When it was last read.
    pub seen_at: DateTime<Utc>,
}

impl From<BusyTime> for BusyTimeResponse {
    fn from(event: BusyTime) -> Self {
        Self {
            id: event.id.0,
            calendar: event.calendar_id.0,
            external_id: event.external_id,
            starts_at: event.starts_at,
            ends_at: event.ends_at,
            tentative: event.tentative,
            seen_at: event.seen_at,
        }
    }
}

/// What a test found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ConnectionTestReport)]
pub(crate) struct IntegrationTestResponse {
    /// Whether the integration works.
    pub ok: bool,
    /// The result, in plain words.
    pub message: String,
    /// How many calendars the provider lists.
    pub calendars: usize,
}

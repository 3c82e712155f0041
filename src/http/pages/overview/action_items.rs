//! What a person has to see to, each thing with its reason and a way out.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::Booking,
    connection::ProviderKind,
    ids::{BookingId, ChannelId, JobId},
    interval::Interval,
    job::JobKind,
    occupancy::OccupancySource,
    platform::Platforms,
    sync::remote_change::RemoteChangeState,
};
use concord_storage::{
    PageRequest, bookings,
    jobs::JobBoardRow,
    occupancy::{self, DoubleBooking},
    remote_changes,
};

use crate::http::pages::changes::{ChangeViewPlacement, RemoteChangeView, change_views};
use crate::http::pages::channels::{channel_name, channel_path, platform_name};
use crate::http::pages::{
    Attention, CurrentUser, NameDirectory, PageResult, RelativeTime, Tone, attention::SyncIndicator,
    booking_path, bookings::guest_name, capitalize, channels::labels::quarantine_message,
    job_subject::JobSubject, stretch,
};

/// What a person has to see to: it changes while it is looked at.
#[derive(Template)]
#[template(path = "overview_needs.html")]
pub(super) struct ActionItems {
    csrf: String,
    word: SyncIndicator,
    questions: Vec<RemoteChangeView>,
    more_questions: usize,
    alerts: Vec<AlertItem>,
    more_alerts: usize,
    reconnect: Vec<ReconnectItem>,
    held: Vec<QuarantineItem>,
    failures: Vec<FailedJobItem>,
    more_failures: usize,
    conflicts: Vec<ConflictItem>,
    more_conflicts: usize,
    /// What became lately of what people did in their calendars.
    recent: Vec<RemoteChangeView>,
}
impl HtmlSafe for ActionItems {}

struct ReconnectItem {
    staff: String,
    staff_id: String,
    provider: ProviderKind,
    account: String,
    since: RelativeTime,
}

/// Something that fails for longer than a moment.
struct AlertItem {
    headline: String,
    /// The first line of why.
    cause: String,
    path: String,
    since: RelativeTime,
}

/// A channel whose platform seems to have cancelled much at once.
struct QuarantineItem {
    name: String,
    text: String,
    path: String,
}

struct FailedJobItem {
    id: JobId,
    what: String,
    path: String,
    reason: String,
    again: Option<RelativeTime>,
}

struct ConflictItem {
    who: String,
    when: String,
    /// What found no room, and what stands there.
    parties: [ConflictParty; 2],
    /// What is booked for them then.
    path: String,
}

/// One of two that want the same time.
struct ConflictParty {
    name: String,
    /// Its page, if it is a booking.
    path: Option<String>,
}

impl ActionItems {
    fn is_calm(&self) -> bool {
        self.word.tone != Tone::Wrong
    }
}

/// So many alerts are shown one by one.
const SHOWN_ALERTS: usize = 8;
/// So many failures are shown one by one.
const SHOWN_FAILURES: usize = 8;
/// So many double bookings are shown one by one.
const SHOWN_CONFLICTS: usize = 8;
/// So many questions are shown one by one.
const SHOWN_QUESTIONS: usize = 8;
/// So many of the last changes are shown, of so many that are looked at.
const SHOWN_RECENT: usize = 5;
const LOOKED_AT: u32 = 50;

/// Looks at each thing that waits for the person.
pub(super) async fn action_items(
    user: &CurrentUser,
    attention: &Attention,
    names: &mut NameDirectory,
) -> PageResult<ActionItems> {
    let (now, zone) = (user.app.now(), user.business.zone);
    let today = now.with_timezone(&zone).date_naive();
    let mut failures = Vec::new();
    for job in attention.failures.iter().take(SHOWN_FAILURES) {
        failures.push(failed_job_item(user, (job, attention), names).await?);
    }
    let alerts =
        attention.alerts.iter().filter(|alert| !attention.is_given_up(alert)).take(SHOWN_ALERTS).map(
            |alert| AlertItem {
                headline: alert.headline.clone(),
                cause: alert.cause.lines().next().unwrap_or_default().to_owned(),
                path: alert.link.clone(),
                since: RelativeTime::new(alert.failure.since, now, zone),
            },
        );
    let mut reconnect = Vec::new();
    for connection in attention.disconnected() {
        names.load_staff(&user.app.context.db, connection.staff_id).await?;
        reconnect.push(ReconnectItem {
            staff: names.staff_name(connection.staff_id),
            staff_id: connection.staff_id.to_string(),
            provider: connection.provider,
            account: connection.account_email.clone(),
            since: RelativeTime::new(connection.state_changed_at, now, zone),
        });
    }
    let mut held = Vec::new();
    for channel in attention.quarantined() {
        let platform = platform_name(&user.app, &channel.platform);
        held.push(QuarantineItem {
            name: channel_name(&user.app, channel).await?,
            text: quarantine_message(channel, &platform).unwrap_or_default(),
            path: channel_path(channel.id),
        });
    }
    let shown = attention.conflicts.get(..SHOWN_CONFLICTS).unwrap_or(&attention.conflicts);
    let conflicts = conflict_items(user, shown, today).await?;
    let shown_questions = attention.questions.get(..SHOWN_QUESTIONS).unwrap_or(&attention.questions);
    Ok(ActionItems {
        csrf: user.token.form_token(),
        word: attention.indicator(),
        questions: change_views(user, names, shown_questions, (ChangeViewPlacement::Needs, "/")).await?,
        more_questions: attention.questions.len() - shown_questions.len(),
        recent: recent_changes(user, names).await?,
        alerts: alerts.collect(),
        more_alerts: attention.alerts.len().saturating_sub(SHOWN_ALERTS),
        reconnect,
        held,
        failures,
        more_failures: attention.failures.len().saturating_sub(SHOWN_FAILURES),
        conflicts,
        more_conflicts: attention.conflicts.len() - shown.len(),
    })
}

/// What followed or was put back in the last 24 hours, the newest first.
async fn recent_changes(user: &CurrentUser, names: &mut NameDirectory) -> PageResult<Vec<RemoteChangeView>> {
    let Some(staff) = user.calendar_scope() else { return Ok(Vec::new()) };
    let since = user.app.now() - Duration::hours(24);
    let ask = PageRequest { limit: LOOKED_AT, after: None };
    let mut found =
        remote_changes::list(&user.app.context.db, user.business.id, (staff, None), &ask).await?.items;
    found.retain(|change| {
        change.seen_at > since
            && matches!(change.state, RemoteChangeState::Followed | RemoteChangeState::Revert)
    });
    found.truncate(SHOWN_RECENT);
    change_views(user, names, &found, (ChangeViewPlacement::List, "/")).await
}

async fn failed_job_item(
    user: &CurrentUser,
    (job, attention): (&JobBoardRow, &Attention),
    names: &mut NameDirectory,
) -> PageResult<FailedJobItem> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let about = JobSubject::of(db, business, job).await?;
    let mut calendar_of = "a calendar".to_owned();
    let mut path = match job.kind {
        JobKind::SendMail | JobKind::Notify => "/settings/mail".to_owned(),
        JobKind::PollChannel => channel_path(ChannelId(job.subject_id)),
        _ => "/settings/sync-log?outcome=failed".to_owned(),
    };
    let channel = match job.kind {
        JobKind::PollChannel => attention.channels.iter().find(|channel| channel.id.0 == job.subject_id),
        _ => None,
    };
    let mut booking = None;
    if let Some(about) = &about {
        names.load_staff(db, about.staff).await?;
        calendar_of = format!("{}'s calendar", names.staff_name(about.staff));
        path = format!("/calendars/{}", about.connection);
        booking = about.booking(db, business).await?;
    }
    if let Some(booking) = &booking {
        path = booking_path(booking);
    }
    let booking =
        booking.map_or_else(|| "a booking".to_owned(), |booking| format!("booking {}", booking.reference));
    let what = match job.kind {
        JobKind::SyncBooking => format!("{} could not be written to {calendar_of}", capitalize(&booking)),
        JobKind::DeleteBooking => format!("{} could not be removed from {calendar_of}", capitalize(&booking)),
        JobKind::ImportAvailability => match about.and_then(|about| about.calendar) {
            Some(calendar) => format!("Busy times could not be read from “{calendar}” in {calendar_of}"),
            None => format!("Busy times could not be read from {calendar_of}"),
        },
        JobKind::RenewPush => match about.and_then(|about| about.calendar) {
            Some(calendar) => format!("Instant updates are off for “{calendar}” in {calendar_of}"),
            None => format!("Instant updates are off for {calendar_of}"),
        },
        JobKind::BatchSync => format!("{} could not be synced", capitalize(&calendar_of)),
        JobKind::CompareDrift => {
            format!("{} could not be compared with the bookings", capitalize(&calendar_of))
        }
        JobKind::Disconnect => format!("{} could not be fully disconnected", capitalize(&calendar_of)),
        JobKind::MailSignInLinks => "A sign-in link could not be sent".to_owned(),
        JobKind::SendMail => "An email could not be sent".to_owned(),
        JobKind::FetchMail => "Customers' answers could not be read".to_owned(),
        JobKind::Invite => "An invitation could not be prepared".to_owned(),
        JobKind::Remind | JobKind::PlanReminders => "Reminders could not be prepared".to_owned(),
        JobKind::Notify | JobKind::CheckAlert => "A notification could not be sent".to_owned(),
        JobKind::PollChannel => match channel {
            Some(channel) => format!("{} failed to sync", channel_name(&user.app, channel).await?),
            None => "A platform's calendar failed to sync".to_owned(),
        },
        JobKind::CloseRemoteChange => {
            "A pending question about a past booking could not be closed".to_owned()
        }
        JobKind::CheckFeedReads => {
            "It could not be checked whether platforms read your calendar links".to_owned()
        }
        JobKind::DeliverWebhooks => "Events could not be delivered to a webhook".to_owned(),
        JobKind::Erase => "A customer's data could not be erased yet".to_owned(),
        JobKind::Retention => "Old records could not be deleted".to_owned(),
    };
    Ok(FailedJobItem {
        id: job.id,
        what,
        path,
        reason: job.last_error.as_deref().map_or_else(|| "No reason given".to_owned(), capitalize),
        again: job.due_at.map(|at| RelativeTime::new(at, user.app.now(), user.business.zone)),
    })
}

async fn conflict_items(
    user: &CurrentUser,
    rows: &[DoubleBooking],
    today: NaiveDate,
) -> PageResult<Vec<ConflictItem>> {
    let ids: Vec<BookingId> =
        rows.iter().flat_map(DoubleBooking::parties).map(|party| BookingId(party.source_id)).collect();
    let booked = bookings::find_by_ids(&user.app.context.db, user.business.id, &ids).await?;
    let conflict = |row: &DoubleBooking| ConflictItem {
        who: row.subject_name.clone().unwrap_or_else(|| "Somebody".to_owned()),
        when: stretch(Interval { start: row.starts_at, end: row.ends_at }, user.business.zone, today),
        parties: row.parties().map(|party| {
            conflict_party(&party, booked.get(&BookingId(party.source_id)), &user.app.context.platforms)
        }),
        path: day_path(row, user),
    };
    Ok(rows.iter().map(conflict).collect())
}

/// What wants the place, as people call it.
fn conflict_party(
    party: &occupancy::OccupancyParty,
    booking: Option<&Booking>,
    platforms: &Platforms,
) -> ConflictParty {
    if let Some(booking) = booking {
        return ConflictParty { name: guest_name(booking, platforms), path: Some(booking_path(booking)) };
    }
    let name = match (party.source, &party.calendar) {
        (OccupancySource::Busy, Some(calendar)) => format!("busy time in the calendar “{calendar}”"),
        (OccupancySource::Busy, None) => "busy time in a connected calendar".to_owned(),
        (OccupancySource::Reservation, _) => "a platform's reservation".to_owned(),
        (OccupancySource::Booking | OccupancySource::Block, _) => "a blocked time".to_owned(),
    };
    ConflictParty { name, path: None }
}

/// The list of what is booked on that day, for that resource or person.
fn day_path(row: &DoubleBooking, user: &CurrentUser) -> String {
    let day = |at: DateTime<Utc>| at.with_timezone(&user.business.zone).date_naive();
    let (from, until) = (day(row.starts_at), day(row.ends_at));
    format!("/bookings?{}={}&from={from}&until={until}", row.subject_kind, row.subject_id)
}

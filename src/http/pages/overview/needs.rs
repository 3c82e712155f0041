//! What a person has to see to, each thing with its reason and a way out.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, ChannelId, JobId},
    interval::Interval,
    job::JobKind,
    occupancy::OccupancySource,
    platform::Platforms,
    sync::remote_change::RemoteChangeState,
};
use concord_storage::{
    PageAsk, bookings,
    jobs::Job,
    occupancy::{self, DoubleBooking},
    remote_changes,
};

use super::super::{
    PageError,
    attention::{About, Attention, SyncWord},
    bookings::{name_of, path_of},
    changes::{ChangeLine, Where, lines},
    channels::{self, platform_name, words::held_sentence},
    names::Names,
    pieces::{Tone, capital},
    session::CurrentUser,
    when::{When, stretch},
};
use crate::app::App;

/// What a person has to see to: it changes while it is looked at.
#[derive(Template)]
#[template(path = "overview_needs.html")]
pub(super) struct Needs {
    csrf: String,
    word: SyncWord,
    questions: Vec<ChangeLine>,
    more_questions: usize,
    reconnect: Vec<Reconnect>,
    held: Vec<Held>,
    failures: Vec<Failure>,
    more_failures: usize,
    conflicts: Vec<Conflict>,
    more_conflicts: usize,
    /// What became lately of what people did in their calendars.
    recent: Vec<ChangeLine>,
}
impl HtmlSafe for Needs {}

struct Reconnect {
    staff: String,
    staff_id: String,
    provider: &'static str,
    provider_word: &'static str,
    account: String,
    since: When,
}

/// A channel whose platform seems to have cancelled much at once.
struct Held {
    name: String,
    text: String,
    path: String,
}

struct Failure {
    id: JobId,
    what: String,
    path: String,
    reason: String,
    again: Option<When>,
}

struct Conflict {
    who: String,
    when: String,
    /// What found no room, and what stands there.
    parties: [Party; 2],
    /// What is booked for them then.
    path: String,
}

/// One of two that want the same time.
struct Party {
    name: String,
    /// Its page, if it is a booking.
    path: Option<String>,
}

impl Needs {
    fn is_calm(&self) -> bool {
        self.word.tone != Tone::Wrong
    }
}

/// So many failures are shown one by one.
const SHOWN_FAILURES: usize = 8;
/// So many double bookings are shown one by one.
const SHOWN_CONFLICTS: usize = 8;
/// So many questions are asked one by one.
const SHOWN_QUESTIONS: usize = 8;
/// So many of the last changes are shown, of so many that are looked at.
const SHOWN_RECENT: usize = 5;
const LOOKED_AT: u32 = 50;

/// Looks at each thing that waits for the person.
pub(super) async fn needs(
    app: &App,
    user: &CurrentUser,
    attention: &Attention,
    names: &mut Names,
) -> Result<Needs, PageError> {
    let (now, zone) = (app.now(), user.business.zone);
    let today = now.with_timezone(&zone).date_naive();
    let mut failures = Vec::new();
    for job in attention.failures.iter().take(SHOWN_FAILURES) {
        failures.push(failure(app, user, (job, attention), names).await?);
    }
    let mut reconnect = Vec::new();
    for connection in attention.dead() {
        names.learn_staff(&app.context.db, connection.staff_id).await?;
        reconnect.push(Reconnect {
            staff: names.of_staff(connection.staff_id),
            staff_id: connection.staff_id.to_string(),
            provider: connection.provider.name(),
            provider_word: connection.provider.as_str(),
            account: connection.account_email.clone(),
            since: When::of(connection.state_changed_at, now, zone),
        });
    }
    let mut held = Vec::new();
    for channel in attention.held() {
        let platform = platform_name(app, &channel.platform);
        held.push(Held {
            name: channels::name_of(app, channel).await?,
            text: held_sentence(channel, &platform).unwrap_or_default(),
            path: channels::path_of(channel.id),
        });
    }
    let shown = attention.conflicts.get(..SHOWN_CONFLICTS).unwrap_or(&attention.conflicts);
    let conflicts = conflicts(app, user, shown, today).await?;
    let asked = attention.questions.get(..SHOWN_QUESTIONS).unwrap_or(&attention.questions);
    Ok(Needs {
        csrf: user.token.form_token(),
        word: attention.word(),
        questions: lines(app, user, names, asked, (Where::Needs, "/")).await?,
        more_questions: attention.questions.len() - asked.len(),
        recent: recent(app, user, names).await?,
        reconnect,
        held,
        failures,
        more_failures: attention.failures.len().saturating_sub(SHOWN_FAILURES),
        conflicts,
        more_conflicts: attention.conflicts.len() - shown.len(),
    })
}

/// What followed or was put back in the last 24 hours, the newest first.
async fn recent(app: &App, user: &CurrentUser, names: &mut Names) -> Result<Vec<ChangeLine>, PageError> {
    let own = user.user.staff_id;
    if !user.is_manager() && own.is_none() {
        return Ok(Vec::new());
    }
    let (whose, since) = (own.filter(|_| !user.is_manager()), app.now() - Duration::hours(24));
    let ask = PageAsk { limit: LOOKED_AT, after: None };
    let mut found = remote_changes::list(&app.context.db, user.business.id, (whose, None), &ask).await?.items;
    found.retain(|change| {
        change.seen_at > since
            && matches!(change.state, RemoteChangeState::Followed | RemoteChangeState::Revert)
    });
    found.truncate(SHOWN_RECENT);
    lines(app, user, names, &found, (Where::List, "/")).await
}

async fn failure(
    app: &App,
    user: &CurrentUser,
    (job, attention): (&Job, &Attention),
    names: &mut Names,
) -> Result<Failure, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let about = About::of(db, business, job).await?;
    let mut whose = "a calendar".to_owned();
    let mut path = match job.kind {
        JobKind::SendMail | JobKind::Notify => "/settings/mail".to_owned(),
        JobKind::PollChannel => channels::path_of(ChannelId(job.subject_id)),
        _ => "/settings/sync-log?outcome=failed".to_owned(),
    };
    let channel = match job.kind {
        JobKind::PollChannel => attention.channels.iter().find(|channel| channel.id.0 == job.subject_id),
        _ => None,
    };
    let mut booking = None;
    if let Some(about) = &about {
        names.learn_staff(db, about.staff).await?;
        whose = format!("{}'s calendar", names.of_staff(about.staff));
        path = format!("/calendars/{}", about.connection);
        booking = about.booking(db, business).await?;
    }
    if let Some(booking) = &booking {
        path = path_of(booking);
    }
    let booking =
        booking.map_or_else(|| "a booking".to_owned(), |booking| format!("booking {}", booking.reference));
    let what = match job.kind {
        JobKind::SyncBooking => format!("{} could not be written to {whose}", capital(&booking)),
        JobKind::DeleteBooking => format!("{} could not be removed from {whose}", capital(&booking)),
        JobKind::ImportAvailability => match about.and_then(|about| about.calendar) {
            Some(calendar) => format!("Busy times could not be read from “{calendar}” in {whose}"),
            None => format!("Busy times could not be read from {whose}"),
        },
        JobKind::KeepPush => match about.and_then(|about| about.calendar) {
            Some(calendar) => format!("Nobody tells of changes in “{calendar}” in {whose} at once"),
            None => format!("Nobody tells of changes in {whose} at once"),
        },
        JobKind::BatchSync => format!("{} could not be brought up to date", capital(&whose)),
        JobKind::CompareDrift => format!("{} could not be compared with the bookings", capital(&whose)),
        JobKind::Disconnect => format!("{} could not be disconnected cleanly", capital(&whose)),
        JobKind::SendMail => "A mail could not be sent".to_owned(),
        JobKind::Notify => "People could not be told what happened".to_owned(),
        JobKind::PollChannel => match channel {
            Some(channel) => format!("{} cannot be read", channels::name_of(app, channel).await?),
            None => "A platform's calendar could not be read".to_owned(),
        },
        JobKind::CloseQuestion => "A question about a booking that is over could not be closed".to_owned(),
        JobKind::Retention => "Old records could not be cleared away".to_owned(),
    };
    Ok(Failure {
        id: job.id,
        what,
        path,
        reason: job.last_error.as_deref().map_or_else(|| "No reason was given".to_owned(), capital),
        again: job.due_at.map(|at| When::of(at, app.now(), user.business.zone)),
    })
}

async fn conflicts(
    app: &App,
    user: &CurrentUser,
    rows: &[DoubleBooking],
    today: NaiveDate,
) -> Result<Vec<Conflict>, PageError> {
    let ids: Vec<BookingId> =
        rows.iter().flat_map(DoubleBooking::parties).map(|party| BookingId(party.source_id)).collect();
    let booked = bookings::by_ids(&app.context.db, user.business.id, &ids).await?;
    let conflict = |row: &DoubleBooking| Conflict {
        who: row.subject_name.clone().unwrap_or_else(|| "Somebody".to_owned()),
        when: stretch(Interval { start: row.starts_at, end: row.ends_at }, user.business.zone, today),
        parties: row
            .parties()
            .map(|party| named(&party, booked.get(&BookingId(party.source_id)), &app.context.platforms)),
        path: day_of(row, user),
    };
    Ok(rows.iter().map(conflict).collect())
}

/// What wants the place, as people call it.
fn named(party: &occupancy::Party, booking: Option<&Booking>, platforms: &Platforms) -> Party {
    if let Some(booking) = booking {
        return Party { name: name_of(booking, platforms), path: Some(path_of(booking)) };
    }
    let name = match (party.source, &party.calendar) {
        (OccupancySource::Busy, Some(calendar)) => format!("an appointment in the calendar “{calendar}”"),
        (OccupancySource::Busy, None) => "an appointment in a connected calendar".to_owned(),
        (OccupancySource::Reservation, _) => "a platform's reservation".to_owned(),
        (OccupancySource::Booking | OccupancySource::Block, _) => "a blocked time".to_owned(),
    };
    Party { name, path: None }
}

/// The list of what is booked on that day, for that resource or person.
fn day_of(row: &DoubleBooking, user: &CurrentUser) -> String {
    let day = |at: DateTime<Utc>| at.with_timezone(&user.business.zone).date_naive();
    let (from, until) = (day(row.starts_at), day(row.ends_at));
    format!("/bookings?{}={}&from={from}&until={until}", row.subject_kind, row.subject_id)
}

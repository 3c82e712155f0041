//! How a change looks: what was done, what became of it, and what can be answered.

use askama::{Template, filters::HtmlSafe};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, RemoteChangeId},
    privacy::entry_wording,
    sync::{
        remote_change::{RemoteChangeKind, RemoteChangeState},
        remote_change_text::Told,
    },
};
use concord_storage::{bookings, remote_changes::RemoteChange};

use super::super::{
    PageError,
    bookings::path_of,
    names::Names,
    pieces::{Pill, capital},
    session::CurrentUser,
    when::{When, span},
};
use crate::app::App;

/// Where a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// Among what somebody has to see to.
    Needs,
    /// In a list of changes of many bookings.
    List,
    /// On the booking's own page.
    Booking,
}

/// A change in words, with the buttons that answer it.
#[derive(Template)]
#[template(path = "change_line.html")]
pub(crate) struct ChangeLine {
    place: Where,
    csrf: String,
    /// Where an answer leads back to.
    back: String,
    id: RemoteChangeId,
    reference: String,
    /// The booking's page.
    path: String,
    /// When the booking takes place.
    when: String,
    deed: String,
    /// What was changed from what to what.
    changes: Vec<String>,
    outcome: String,
    seen: When,
    state: Pill,
    /// What can be answered, if something is asked.
    answers: Option<Answers>,
    can_be_undone: bool,
}
impl HtmlSafe for ChangeLine {}

struct Answers {
    follow: &'static str,
    revert: &'static str,
}

impl Answers {
    fn to(kind: RemoteChangeKind) -> Self {
        let (follow, revert) = match kind {
            RemoteChangeKind::Moved => ("Move the booking", "Put it back"),
            RemoteChangeKind::Resized | RemoteChangeKind::MadeRecurring => {
                ("Change the booking", "Put it back")
            }
            RemoteChangeKind::Renamed => ("Rename the booking", "Put it back"),
            RemoteChangeKind::Deleted => ("Cancel the booking", "Put it back"),
            RemoteChangeKind::Restored => ("Confirm the booking", "Remove the entry"),
        };
        Self { follow, revert }
    }
}

/// The changes in words. An answer leads back to `back`, a path of ours.
pub(crate) async fn lines(
    app: &App,
    user: &CurrentUser,
    names: &mut Names,
    changes: &[RemoteChange],
    (place, back): (Where, &str),
) -> Result<Vec<ChangeLine>, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let ids: Vec<BookingId> = changes.iter().map(|change| change.booking_id).collect();
    let booked = bookings::by_ids(db, business, &ids).await?;
    for booking in booked.values() {
        names.learn_resource(db, booking.draft.resource).await?;
    }
    let mut lines = Vec::with_capacity(changes.len());
    for change in changes {
        let booking = booked.get(&change.booking_id).ok_or(PageError::NotFound("booking"))?;
        lines.push(line(app, user, names, (change, booking), (place, back)));
    }
    Ok(lines)
}

fn line(
    app: &App,
    user: &CurrentUser,
    names: &Names,
    (change, booking): (&RemoteChange, &Booking),
    (place, back): (Where, &str),
) -> ChangeLine {
    let (now, zone) = (app.now(), names.zone_of(booking.draft.resource));
    let today = now.with_timezone(&zone).date_naive();
    let resource = names.of_resource(booking.draft.resource);
    let entry = match place {
        Where::Booking => "the entry".to_owned(),
        Where::Needs | Where::List => {
            let (business, privacy) = (&user.business.name, user.business.entry_privacy);
            let platforms = &app.context.platforms;
            format!("“{}”", entry_wording(booking, platforms, &resource, business, privacy).title)
        }
    };
    let may_answer = user.may_see(change.staff_id);
    let decided_by = change.decided_by.as_ref().map(concord_domain::people::Actor::label);
    let told = Told {
        who: &change.staff_name,
        entry: &entry,
        provider: change.provider,
        kind: change.kind,
        state: change.state,
        refusal: change.refusal,
        // What stands in somebody's calendars is not everybody's to know.
        detail: if may_answer { &change.detail } else { "" },
        edit: &change.edit,
        before: &change.before,
        decided_by: decided_by.as_deref(),
        zone,
        today,
    };
    let is_open = change.state == RemoteChangeState::Open;
    ChangeLine {
        place,
        csrf: user.token.form_token(),
        back: back.to_owned(),
        id: change.id,
        reference: change.reference.clone(),
        path: path_of(booking),
        when: span(&booking.draft.time, zone, today).text,
        deed: told.deed(),
        changes: told.times().into_iter().chain(told.titles()).map(|one| capital(&one)).collect(),
        outcome: told.outcome(),
        seen: When::of(change.seen_at, now, user.business.zone),
        state: change.state.into(),
        answers: (is_open && may_answer).then(|| Answers::to(change.kind)),
        can_be_undone: may_answer && change.can_be_undone(),
    }
}

//! How a change looks: what was done, what became of it, and what can be answered.

use askama::{Template, filters::HtmlSafe};
use concord_domain::{
    booking::Booking,
    ids::{BookingId, RemoteChangeId},
    privacy::{TextContext, entry_text},
    sync::{
        remote_change::{RemoteChangeKind, RemoteChangeState},
        remote_change_text::RemoteChangeText,
    },
};
use concord_storage::{bookings, remote_changes::RemoteChange};

use crate::http::pages::{
    CurrentUser, NameDirectory, PageError, PageResult, Pill, RelativeTime, booking_path, capitalize, span,
};

/// Where a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeViewPlacement {
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
pub(crate) struct RemoteChangeView {
    place: ChangeViewPlacement,
    csrf: String,
    /// Where an answer leads back to.
    back: String,
    id: RemoteChangeId,
    reference: String,
    path: String,
    /// When the booking takes place.
    when: String,
    deed: String,
    /// What was changed from what to what.
    changes: Vec<String>,
    outcome: String,
    seen: RelativeTime,
    state: Pill,
    /// What can be answered, if something is asked.
    answers: Option<ChangeAnswerLabels>,
    can_be_undone: bool,
}
impl HtmlSafe for RemoteChangeView {}

struct ChangeAnswerLabels {
    follow: &'static str,
    revert: &'static str,
}

impl ChangeAnswerLabels {
    fn for_kind(kind: RemoteChangeKind) -> Self {
        let (follow, revert) = match kind {
            RemoteChangeKind::Moved => ("Move booking", "Revert"),
            RemoteChangeKind::Resized | RemoteChangeKind::MadeRecurring => ("Change booking", "Revert"),
            RemoteChangeKind::Renamed => ("Rename booking", "Revert"),
            RemoteChangeKind::Deleted => ("Cancel booking", "Revert"),
            RemoteChangeKind::Restored => ("Confirm booking", "Delete entry"),
        };
        Self { follow, revert }
    }
}

/// The changes in words. An answer leads back to `back`, a path of ours.
pub(crate) async fn change_views(
    user: &CurrentUser,
    names: &mut NameDirectory,
    changes: &[RemoteChange],
    (place, back): (ChangeViewPlacement, &str),
) -> PageResult<Vec<RemoteChangeView>> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let ids: Vec<BookingId> = changes.iter().map(|change| change.booking_id).collect();
    let booked = bookings::find_by_ids(db, business, &ids).await?;
    for booking in booked.values() {
        names.load_resource(db, booking.draft.resource).await?;
    }
    let mut lines = Vec::with_capacity(changes.len());
    for change in changes {
        let booking = booked.get(&change.booking_id).ok_or(PageError::NotFound("booking"))?;
        lines.push(change_view(user, names, (change, booking), (place, back)));
    }
    Ok(lines)
}

fn change_view(
    user: &CurrentUser,
    names: &NameDirectory,
    (change, booking): (&RemoteChange, &Booking),
    (place, back): (ChangeViewPlacement, &str),
) -> RemoteChangeView {
    let (now, zone) = (user.app.now(), names.resource_zone(booking.draft.resource));
    let today = now.with_timezone(&zone).date_naive();
    let resource = names.resource_name(booking.draft.resource);
    let entry = match place {
        ChangeViewPlacement::Booking => "the entry".to_owned(),
        ChangeViewPlacement::Needs | ChangeViewPlacement::List => {
            let names = TextContext {
                platforms: &user.app.context.platforms,
                resource: &resource,
                business: &user.business.name,
            };
            format!("“{}”", entry_text(booking, names, user.business.entry_privacy).title)
        }
    };
    let may_answer = user.may_see(change.staff_id);
    let decided_by = change.decided_by.as_ref().map(concord_domain::people::Actor::label);
    let told = RemoteChangeText {
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
    RemoteChangeView {
        place,
        csrf: user.token.form_token(),
        back: back.to_owned(),
        id: change.id,
        reference: change.reference.clone(),
        path: booking_path(booking),
        when: span(&booking.draft.time, zone, today).text,
        deed: told.deed(),
        changes: told.times().into_iter().chain(told.titles()).map(|one| capitalize(&one)).collect(),
        outcome: told.outcome(),
        seen: RelativeTime::new(change.seen_at, now, user.business.zone),
        state: change.state.into(),
        answers: (is_open && may_answer).then(|| ChangeAnswerLabels::for_kind(change.kind)),
        can_be_undone: may_answer && change.can_be_undone(),
    }
}

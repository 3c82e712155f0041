//! The form of a booking, new or as it stands; what is refused comes back with all that was typed.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, FieldError, check_reference},
    ids::{ResourceId, StaffId},
    interval::Interval,
    occupancy::{OccupancySource, SubjectKind},
};
use concord_storage::bookings::{self, Obstacle, PutError, Taken};
use serde::Deserialize;

use super::super::{
    PageError,
    asked::{Asked, Named, Sent},
    flash::Flash,
    frame::{Frame, Place, page},
    names::Names,
    pieces::{Choice, kind_label},
    session::CurrentUser,
    when::{span, stretch},
};
use super::{faults::Fault, fields::Fields, found, link_to, path_of};
use crate::app::App;

#[derive(Template)]
#[template(path = "booking_form.html")]
struct BookingForm {
    frame: Frame,
    fields: Fields,
    faults: Vec<Fault>,
    /// What stands there, and what would be free instead.
    taken: Option<TakenWords>,
    /// The version that somebody else has made meanwhile.
    stale: bool,
    /// A free time was put in, and is not saved yet.
    is_filled_in: bool,
    resources: Vec<Choice>,
    kinds: Vec<Choice>,
    statuses: Vec<Choice>,
    staff: Vec<Choice>,
    zone: String,
    action: String,
    cancel: String,
    submit: &'static str,
    /// The page of the booking that is changed; empty for a new one.
    shown: Option<String>,
    /// Its reference.
    reference: String,
}

/// A refusal, in words.
pub(super) struct TakenWords {
    pub(super) obstacles: Vec<ObstacleWords>,
    pub(super) alternatives: Vec<Alternative>,
}

pub(super) struct ObstacleWords {
    pub(super) who: String,
    pub(super) what: String,
    pub(super) path: Option<String>,
    pub(super) when: String,
}

pub(super) struct Alternative {
    pub(super) value: String,
    pub(super) label: String,
}

impl TakenWords {
    pub(super) fn of(taken: &Taken, user: &CurrentUser, zone: Tz, today: NaiveDate) -> Self {
        Self {
            obstacles: taken.obstacles.iter().map(|obstacle| in_words(obstacle, user, zone, today)).collect(),
            alternatives: taken.alternatives.iter().map(|time| alternative(time, zone, today)).collect(),
        }
    }
}

/// What stands there, as the beginning of a sentence: "Sea View is taken (B-7, Massage, Sat 21 Nov, 14:00–15:00)".
pub(crate) fn taken_in_a_line(taken: &Taken, user: &CurrentUser, now: DateTime<Utc>) -> String {
    let zone = user.business.zone;
    let words = TakenWords::of(taken, user, zone, now.with_timezone(&zone).date_naive());
    words.obstacles.first().map_or_else(
        || "The place is taken".to_owned(),
        |first| format!("{} is taken ({}, {})", first.who, first.what, first.when),
    )
}

fn in_words(obstacle: &Obstacle, user: &CurrentUser, zone: Tz, today: NaiveDate) -> ObstacleWords {
    let who = obstacle.subject_name.clone().unwrap_or_else(|| match obstacle.subject_kind {
        SubjectKind::Resource => "The resource".to_owned(),
        SubjectKind::Staff => "A person".to_owned(),
    });
    // What somebody else's calendars are called is not everybody's to know.
    let calendar = obstacle.calendar.as_ref().filter(|_| user.may_see(StaffId(obstacle.subject_id)));
    let what = match (&obstacle.reference, calendar, obstacle.source) {
        (Some(reference), _, _) => match obstacle.title.as_deref().filter(|title| !title.is_empty()) {
            Some(title) => format!("{reference}, {title}"),
            None => reference.clone(),
        },
        (None, Some(calendar), _) => format!("busy in the calendar “{calendar}”"),
        (None, None, OccupancySource::Busy) => "busy in a connected calendar".to_owned(),
        (None, None, OccupancySource::Reservation) => "a platform's reservation".to_owned(),
        (None, None, OccupancySource::Block | OccupancySource::Booking) => "blocked".to_owned(),
    };
    ObstacleWords {
        who,
        what,
        path: obstacle.reference.as_deref().and_then(link_to),
        when: stretch(Interval { start: obstacle.starts_at, end: obstacle.ends_at }, zone, today),
    }
}

fn alternative(time: &BookingTime, zone: Tz, today: NaiveDate) -> Alternative {
    Alternative { value: Fields::as_instead(time, zone), label: span(time, zone, today).text }
}

/// Why a form came back.
#[derive(Default)]
struct Refused {
    faults: Vec<Fault>,
    taken: Option<Taken>,
    stale: bool,
}

impl BookingForm {
    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.field == field).map(|fault| fault.text.as_str())
    }

    fn is_stay(&self) -> bool {
        self.fields.mode == "stay"
    }

    async fn of(
        app: &App,
        user: &CurrentUser,
        before: Option<&Booking>,
        fields: Fields,
        refused: Refused,
    ) -> Result<Self, PageError> {
        let db = &app.context.db;
        let mut names = Names::load(db, user.business.id, user.business.zone).await?;
        if let Some(before) = before {
            names.learn(db, std::slice::from_ref(before)).await?;
        }
        let chosen: Option<ResourceId> = fields.resource.parse().ok();
        let zone = chosen.map_or(user.business.zone, |id| names.zone_of(id));
        let today = app.now().with_timezone(&zone).date_naive();
        let title =
            before.map_or_else(|| "New booking".to_owned(), |before| format!("Edit {}", before.reference));
        let shown = before.map(path_of);
        Ok(Self {
            is_filled_in: false,
            frame: Frame::around(app, user, Place::Bookings, title).await?,
            taken: refused.taken.map(|taken| TakenWords::of(&taken, user, zone, today)),
            faults: refused.faults,
            stale: refused.stale,
            resources: resource_choices(&names, before, &fields.resource),
            kinds: BookingKind::ALL
                .iter()
                .map(|kind| Choice::new(kind.as_str(), kind_label(*kind), &fields.kind))
                .collect(),
            statuses: BookingStatus::ALL
                .iter()
                .map(|status| Choice::new(status.as_str(), status.label(), &fields.status))
                .collect(),
            staff: staff_choices(&names, before, &fields.staff),
            zone: zone.name().replace('_', " "),
            action: shown.clone().unwrap_or_else(|| "/bookings".to_owned()),
            cancel: shown.clone().unwrap_or_else(|| "/bookings".to_owned()),
            submit: if before.is_some() { "Save changes" } else { "Create booking" },
            shown,
            reference: before.map(|before| before.reference.clone()).unwrap_or_default(),
            fields,
        })
    }
}

/// An archived resource can be kept, not chosen.
fn resource_choices(names: &Names, before: Option<&Booking>, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = names
        .resources
        .iter()
        .map(|resource| {
            let units =
                if resource.capacity > 1 { format!(" ({} units)", resource.capacity) } else { String::new() };
            Choice::new(resource.id.to_string(), format!("{}{units}", resource.name), chosen)
        })
        .collect();
    if let Some(before) = before
        && !names.resources.iter().any(|resource| resource.id == before.draft.resource)
    {
        let label = format!("{} (archived)", names.of_resource(before.draft.resource));
        choices.push(Choice::new(before.draft.resource.to_string(), label, chosen));
    }
    choices
}

fn staff_choices(names: &Names, before: Option<&Booking>, chosen: &[String]) -> Vec<Choice> {
    let is_chosen = |id: &String| chosen.contains(id);
    let mut choices: Vec<Choice> = names
        .staff
        .iter()
        .map(|staff| {
            let value = staff.id.to_string();
            Choice { chosen: is_chosen(&value), value, label: staff.name.clone() }
        })
        .collect();
    for id in before.map(|before| before.draft.staff.as_slice()).unwrap_or_default() {
        let value = id.to_string();
        if !choices.iter().any(|choice| choice.value == value) {
            let label = format!("{} (archived)", names.of_staff(*id));
            choices.push(Choice { chosen: is_chosen(&value), value, label });
        }
    }
    choices
}

/// What a link to the form may fill in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Proposal {
    resource: String,
    mode: String,
}

pub(super) async fn begin(
    State(app): State<App>,
    user: CurrentUser,
    Asked(proposal): Asked<Proposal>,
) -> Result<Response, PageError> {
    let mut fields = Fields::fresh(app.now(), user.business.zone);
    fields.resource = proposal.resource;
    if proposal.mode == "stay" {
        fields.mode = proposal.mode;
    }
    let form = BookingForm::of(&app, &user, None, fields, Refused::default()).await?;
    page(&app, &user, &form)
}

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
) -> Result<Response, PageError> {
    let booking = found(&app.context.db, &user, &key).await?;
    let zone = zone_of(&app, &user, booking.draft.resource).await?;
    let fields = Fields::of(&booking, &app.context.platforms, zone);
    let form = BookingForm::of(&app, &user, Some(&booking), fields, Refused::default()).await?;
    page(&app, &user, &form)
}

pub(super) async fn create(
    State(app): State<App>,
    user: CurrentUser,
    Sent(mut fields): Sent<Fields>,
) -> Result<Response, PageError> {
    if fields.take_instead() {
        return filled_in(&app, &user, None, fields).await;
    }
    let mut reference = match fields.reference.trim() {
        "" => fields.proposed.clone(),
        reference => reference.to_owned(),
    };
    let mut faults = Vec::new();
    if let Err(wrong) = check_reference(&reference) {
        faults.push(Fault::from(&wrong));
    }
    let zone = zone_chosen(&app, &user, &fields).await?;
    let draft = match fields.read(zone, &app.context.platforms, None) {
        Ok(draft) if faults.is_empty() => draft,
        Ok(_) => return refuse(&app, &user, None, fields, Refused { faults, ..Refused::default() }).await,
        Err(more) => {
            faults.extend(more);
            return refuse(&app, &user, None, fields, Refused { faults, ..Refused::default() }).await;
        }
    };
    let (db, change) = (&app.context.db, user.change(&app));
    // Version 0: there must be none yet.
    let mut put = bookings::put(db, &change, &reference, &draft, Some(0)).await;
    if matches!(put, Err(PutError::Stale { .. })) && reference == fields.proposed {
        // Our own reference: either the button was pressed twice, or somebody came back to the form with the next
        // booking in mind, which must not be lost in the first one.
        if let Some(first) = bookings::find(db, user.business.id, &reference).await?
            && is_the_same(&first.draft, &draft)
        {
            return Ok(Redirect::to(&path_of(&first)).into_response());
        }
        reference = fields.propose_another();
        put = bookings::put(db, &change, &reference, &draft, Some(0)).await;
    }
    match put {
        Ok(put) => {
            app.context.push(&put.jobs).await;
            let said =
                format!("Booking {} was created.{}", put.booking.reference, in_the_past(&app, &put.booking));
            Ok(user.go(&app, &path_of(&put.booking), &Flash::good(said)))
        }
        Err(PutError::Stale { .. }) => {
            let text = "There is a booking of this reference already. Choose another one.";
            let faults = vec![Fault { field: "reference", text: text.to_owned() }];
            refuse(&app, &user, None, fields, Refused { faults, ..Refused::default() }).await
        }
        Err(error) => refuse(&app, &user, None, fields, reason(error)?).await,
    }
}

/// What is entered afterwards is taken, but a wrong year is seen at once.
fn in_the_past(app: &App, booking: &Booking) -> &'static str {
    if booking.interval.end <= app.now() { " This booking lies in the past." } else { "" }
}

/// Whether two forms say the same; in which order people were ticked does not matter.
fn is_the_same(one: &BookingDraft, other: &BookingDraft) -> bool {
    let ordered = |draft: &BookingDraft| {
        let mut draft = draft.clone();
        draft.staff.sort_unstable();
        draft.staff.dedup();
        draft
    };
    ordered(one) == ordered(other)
}

pub(super) async fn update(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
    Sent(mut fields): Sent<Fields>,
) -> Result<Response, PageError> {
    let before = found(&app.context.db, &user, &key).await?;
    if fields.take_instead() {
        return filled_in(&app, &user, Some(&before), fields).await;
    }
    let zone = zone_chosen(&app, &user, &fields).await?;
    let draft = match fields.read(zone, &app.context.platforms, Some(&before)) {
        Ok(draft) => draft,
        Err(faults) => {
            return refuse(&app, &user, Some(&before), fields, Refused { faults, ..Refused::default() })
                .await;
        }
    };
    let expected = fields.version.parse().ok();
    match bookings::put(&app.context.db, &user.change(&app), &before.reference, &draft, expected).await {
        Ok(put) => {
            app.context.push(&put.jobs).await;
            let flash = if put.booking.version == before.version {
                Flash::information("Nothing was different, so nothing was changed.")
            } else {
                let is_moved = put.booking.draft.time != before.draft.time;
                let past = if is_moved { in_the_past(&app, &put.booking) } else { "" };
                Flash::good(format!("Booking {} was changed.{past}", put.booking.reference))
            };
            Ok(user.go(&app, &path_of(&put.booking), &flash))
        }
        Err(PutError::Stale { current }) => {
            // Sent once more, it is meant.
            fields.version = current.to_string();
            refuse(&app, &user, Some(&before), fields, Refused { stale: true, ..Refused::default() }).await
        }
        Err(error) => refuse(&app, &user, Some(&before), fields, reason(error)?).await,
    }
}

/// The form again, with the free time that was chosen: one tap must not make a booking.
async fn filled_in(
    app: &App,
    user: &CurrentUser,
    before: Option<&Booking>,
    fields: Fields,
) -> Result<Response, PageError> {
    let form = BookingForm::of(app, user, before, fields, Refused::default()).await?;
    page(app, user, &BookingForm { is_filled_in: true, ..form })
}

/// What the form can say about a refusal; the rest is a page of its own.
fn reason(error: PutError) -> Result<Refused, PageError> {
    match error {
        PutError::Invalid(faults) => Ok(Refused { faults: in_form(&faults), ..Refused::default() }),
        PutError::Taken(taken) => Ok(Refused { taken: Some(*taken), ..Refused::default() }),
        PutError::Stale { .. } => Ok(Refused { stale: true, ..Refused::default() }),
        PutError::Storage(error) => Err(error.into()),
    }
}

fn in_form(faults: &[FieldError]) -> Vec<Fault> {
    faults.iter().map(Fault::from).collect()
}

async fn refuse(
    app: &App,
    user: &CurrentUser,
    before: Option<&Booking>,
    fields: Fields,
    refused: Refused,
) -> Result<Response, PageError> {
    let status =
        if refused.faults.is_empty() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    let form = BookingForm::of(app, user, before, fields, refused).await?;
    let mut response = page(app, user, &form)?;
    *response.status_mut() = status;
    Ok(response)
}

/// The zone in which the form's times are meant.
async fn zone_chosen(app: &App, user: &CurrentUser, fields: &Fields) -> Result<Tz, PageError> {
    match fields.resource.parse() {
        Ok(resource) => zone_of(app, user, resource).await,
        Err(_) => Ok(user.business.zone),
    }
}

/// The zone in which times of a resource are told: its own, if it has one.
pub(super) async fn zone_of(app: &App, user: &CurrentUser, resource: ResourceId) -> Result<Tz, PageError> {
    let resource = concord_storage::resources::find(&app.context.db, user.business.id, resource).await?;
    Ok(resource.and_then(|resource| resource.zone).unwrap_or(user.business.zone))
}

//! The page with the form of a booking, new or as it stands: what there is to choose, and why it came back.

use askama::Template;
use chrono::NaiveDate;
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingKind, BookingStatus, BookingTime},
    ids::ResourceId,
};
use concord_storage::bookings::Unavailability;

use super::form::BookingFormFields;
use crate::http::pages::obstacles::{ObstacleView, obstacle_view};
use crate::http::pages::{
    CurrentUser, Faults, Form, Layout, NameDirectory, NavItem, PageResult, SelectOption, booking_path,
    kind_label, language_options, span,
};

#[derive(Template)]
#[template(path = "booking_form.html")]
pub(super) struct BookingFormPage {
    layout: Layout,
    fields: Form<BookingFormFields>,
    /// What stands there, and what would be free instead.
    taken: Option<UnavailableView>,
    /// The version that somebody else has made meanwhile.
    stale: bool,
    /// A free time was put in, and is not saved yet.
    pub is_filled_in: bool,
    resources: Vec<SelectOption>,
    kinds: Vec<SelectOption>,
    statuses: Vec<SelectOption>,
    staff: Vec<SelectOption>,
    languages: Vec<SelectOption>,
    zone: String,
    action: String,
    cancel: String,
    submit: &'static str,
    /// The page of the booking that is changed; empty for a new one.
    shown: Option<String>,
    reference: String,
}

/// A refusal, in words.
struct UnavailableView {
    obstacles: Vec<ObstacleView>,
    alternatives: Vec<AlternativeSlot>,
}

struct AlternativeSlot {
    value: String,
    label: String,
}

impl UnavailableView {
    fn of(taken: &Unavailability, user: &CurrentUser, zone: Tz, today: NaiveDate) -> Self {
        Self {
            obstacles: taken
                .obstacles
                .iter()
                .map(|obstacle| obstacle_view(obstacle, user, zone, today))
                .collect(),
            alternatives: taken.alternatives.iter().map(|time| alternative_slot(time, zone, today)).collect(),
        }
    }
}

fn alternative_slot(time: &BookingTime, zone: Tz, today: NaiveDate) -> AlternativeSlot {
    AlternativeSlot {
        value: BookingFormFields::alternative_value(time, zone),
        label: span(time, zone, today).text,
    }
}

/// Why a form came back.
pub(super) enum BookingFormError {
    Faults(Faults),
    Taken(Box<Unavailability>),
    /// Somebody else has changed the booking meanwhile.
    Stale,
}

impl BookingFormPage {
    fn is_stay(&self) -> bool {
        self.fields.mode == "stay"
    }

    pub(super) async fn of(
        user: &CurrentUser,
        before: Option<&Booking>,
        fields: BookingFormFields,
        refused: Option<BookingFormError>,
    ) -> PageResult<Self> {
        let db = &user.app.context.db;
        let mut names = NameDirectory::load(db, user.business.id, user.business.zone).await?;
        if let Some(before) = before {
            names.load_archived(db, std::slice::from_ref(before)).await?;
        }
        let chosen: Option<ResourceId> = fields.resource.parse().ok();
        let zone = chosen.map_or(user.business.zone, |id| names.resource_zone(id));
        let today = user.app.now().with_timezone(&zone).date_naive();
        let title =
            before.map_or_else(|| "New booking".to_owned(), |before| format!("Edit {}", before.reference));
        let shown = before.map(booking_path);
        let (faults, taken, stale) = match refused {
            None => (Faults::default(), None, false),
            Some(BookingFormError::Faults(faults)) => (faults, None, false),
            Some(BookingFormError::Taken(taken)) => {
                (Faults::default(), Some(UnavailableView::of(&taken, user, zone, today)), false)
            }
            Some(BookingFormError::Stale) => (Faults::default(), None, true),
        };
        Ok(Self {
            is_filled_in: false,
            layout: Layout::load(user, NavItem::Bookings, title).await?,
            taken,
            stale,
            resources: resource_choices(&names, before, &fields.resource),
            kinds: BookingKind::ALL
                .iter()
                .map(|kind| SelectOption::new(kind.as_str(), kind_label(*kind), &fields.kind))
                .collect(),
            statuses: BookingStatus::ALL
                .iter()
                .map(|status| SelectOption::new(status.as_str(), status.label(), &fields.status))
                .collect(),
            staff: staff_choices(&names, before, &fields.staff),
            languages: language_options(&fields.language),
            zone: zone.name().replace('_', " "),
            action: shown.clone().unwrap_or_else(|| "/bookings".to_owned()),
            cancel: shown.clone().unwrap_or_else(|| "/bookings".to_owned()),
            submit: if before.is_some() { "Save changes" } else { "Create booking" },
            shown,
            reference: before.map(|before| before.reference.clone()).unwrap_or_default(),
            fields: Form::refused(fields, faults),
        })
    }
}

/// An archived resource can be kept, not chosen.
fn resource_choices(names: &NameDirectory, before: Option<&Booking>, chosen: &str) -> Vec<SelectOption> {
    let mut choices: Vec<SelectOption> = names
        .resources
        .iter()
        .map(|resource| {
            let units =
                if resource.capacity > 1 { format!(" ({} units)", resource.capacity) } else { String::new() };
            SelectOption::new(resource.id.to_string(), format!("{}{units}", resource.name), chosen)
        })
        .collect();
    if let Some(before) = before
        && !names.resources.iter().any(|resource| resource.id == before.draft.resource)
    {
        let label = format!("{} (archived)", names.resource_name(before.draft.resource));
        choices.push(SelectOption::new(before.draft.resource.to_string(), label, chosen));
    }
    choices
}

fn staff_choices(names: &NameDirectory, before: Option<&Booking>, chosen: &[String]) -> Vec<SelectOption> {
    let is_chosen = |id: &String| chosen.contains(id);
    let mut choices: Vec<SelectOption> = names
        .staff
        .iter()
        .map(|staff| {
            let value = staff.id.to_string();
            SelectOption { chosen: is_chosen(&value), value, label: staff.name.clone() }
        })
        .collect();
    for id in before.map(|before| before.draft.staff.as_slice()).unwrap_or_default() {
        let value = id.to_string();
        if !choices.iter().any(|choice| choice.value == value) {
            let label = format!("{} (archived)", names.staff_name(*id));
            choices.push(SelectOption { chosen: is_chosen(&value), value, label });
        }
    }
    choices
}

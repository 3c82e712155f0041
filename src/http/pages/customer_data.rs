//! What is kept of a customer: to be looked up, handed out, and erased. Whom it is about is in no address of a page.

use std::fmt::Write;

use askama::Template;
use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use concord_domain::erasure::{ErasureReason, ErasureScope, ErasureState};
use concord_services::{
    ServiceError,
    personal_data::{self, Person, PersonQuery},
};
use concord_storage::erasures::{self, Erasure};
use serde::Deserialize;

use super::{
    Confirmation, CurrentUser, Flash, Form, Layout, Manager, NavItem, PageError, PageForm, PageResult, Pill,
    RelativeTime, Tone, confirm_page, isolated, pluralize, render_page, render_refused, sentence, span,
};
use crate::app::App;

const PATH: &str = "/settings/customer-data";
/// So many bookings and erasures are shown.
const SHOWN: usize = 50;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(search))
        .route("/settings/customer-data/export", post(export))
        .route("/settings/customer-data/confirm", post(confirm))
        .route("/settings/customer-data/erase", post(erase))
}

#[derive(Template)]
#[template(path = "customer_data.html")]
struct CustomerDataPage {
    layout: Layout,
    form: Form<PersonForm>,
    found: Option<FoundPerson>,
    erasures: Vec<ErasureRow>,
}

/// Who was looked for.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct PersonForm {
    /// An email address, or the reference of a booking.
    who: String,
    /// Whether bookings that are not over stay, without the person.
    keep_upcoming: String,
}

impl PersonForm {
    fn query(&self) -> PersonQuery {
        let who = self.who.trim().to_owned();
        if who.contains('@') { PersonQuery::Email(who) } else { PersonQuery::Reference(who) }
    }
}

struct FoundPerson {
    summary: String,
    bookings: Vec<BookingRow>,
    more: usize,
    upcoming: usize,
}

struct BookingRow {
    path: String,
    reference: String,
    when: String,
    role: &'static str,
    erased: &'static str,
}

struct ErasureRow {
    when: RelativeTime,
    reason: &'static str,
    bookings: String,
    pill: Pill,
}

async fn show(user: Manager) -> PageResult {
    render_page(&user, &build_page(&user, PersonForm::default().into(), None).await?)
}

async fn build_page(
    user: &CurrentUser,
    form: Form<PersonForm>,
    person: Option<&Person>,
) -> PageResult<CustomerDataPage> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let listed = erasures::list(db, business, 20).await?;
    Ok(CustomerDataPage {
        layout: Layout::load(user, NavItem::Settings, "Customer data").await?,
        found: person.map(|person| found_person(user, person)),
        erasures: listed.into_iter().map(|erasure| erasure_row(user, &erasure)).collect(),
        form,
    })
}

fn found_person(user: &CurrentUser, person: &Person) -> FoundPerson {
    let today = user.app.now().with_timezone(&user.business.zone).date_naive();
    let row = |one: &personal_data::BookingOfPerson| {
        let booking = &one.booking;
        let (role, erased) = match one.scope {
            ErasureScope::Booking => ("Customer", "Customer, guests, notes and place"),
            ErasureScope::Person => ("Guest, or named before", "This person alone"),
        };
        BookingRow {
            path: format!("/bookings/{}", booking.id),
            reference: booking.reference.clone(),
            when: span(&booking.draft.time, user.business.zone, today).text,
            role,
            erased,
        }
    };
    let all = person.bookings.len();
    FoundPerson {
        summary: bookings_text(all),
        bookings: person.bookings.iter().rev().take(SHOWN).map(row).collect(),
        more: all.saturating_sub(SHOWN),
        upcoming: person.upcoming(user.app.now()).len(),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn bookings_text(number: usize) -> String {
    pluralize(count(number), "booking", "bookings")
}

fn erasure_row(user: &CurrentUser, erasure: &Erasure) -> ErasureRow {
    ErasureRow {
        when: RelativeTime::new(erasure.created_at, user.app.now(), user.business.zone),
        reason: match erasure.reason {
            ErasureReason::Request => "On request",
            ErasureReason::Retention => "Retention period over",
            ErasureReason::Restore => "Again, after a restore",
        },
        bookings: match erasure.state {
            ErasureState::Running => format!("{} of {}", erasure.erased, erasure.bookings),
            ErasureState::Done => erasure.bookings.to_string(),
        },
        pill: match erasure.state {
            ErasureState::Running => Pill::new(Tone::Waiting, "Running"),
            ErasureState::Done => Pill::new(Tone::Good, "Done"),
        },
    }
}

/// Finds who is meant, or says that nobody is.
async fn find(user: &CurrentUser, form: &PersonForm) -> Result<Person, FindError> {
    if form.who.trim().is_empty() {
        return Err(FindError::Refused("Enter an email address or a booking reference."));
    }
    let found = personal_data::find(&user.app.context.db, user.business.id, &form.query()).await;
    found.map_err(|error| match error {
        ServiceError::NotFound(_) => FindError::Refused(
            "There is no customer with this email address, and no booking with this reference.",
        ),
        error => FindError::Page(error.into()),
    })
}

enum FindError {
    Refused(&'static str),
    Page(PageError),
}

async fn refuse(user: &CurrentUser, form: PersonForm, error: FindError) -> PageResult {
    match error {
        FindError::Refused(why) => {
            let form = Form::refused(form, ("who", why));
            render_refused(user, &build_page(user, form, None).await?)
        }
        FindError::Page(error) => Err(error),
    }
}

async fn search(user: Manager, PageForm(form): PageForm<PersonForm>) -> PageResult {
    match find(&user, &form).await {
        Ok(person) => render_page(&user, &build_page(&user, form.into(), Some(&person)).await?),
        Err(error) => refuse(&user, form, error).await,
    }
}

async fn export(user: Manager, PageForm(form): PageForm<PersonForm>) -> PageResult {
    if let Err(error) = find(&user, &form).await {
        return refuse(&user, form, error).await;
    }
    let exported = personal_data::export(&user.app.context.db, &user.change(), &form.query()).await?;
    Ok(as_file(&exported))
}

fn as_file(exported: &personal_data::Export) -> Response {
    let json = serde_json::to_string_pretty(&exported.to_json()).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"customer-data.json\""),
    ];
    (headers, json).into_response()
}

async fn confirm(user: Manager, PageForm(form): PageForm<PersonForm>) -> PageResult {
    match find(&user, &form).await {
        Ok(person) => {
            let question = confirmation(&form, &person, person.upcoming(user.app.now()).len());
            confirm_page(&user, (NavItem::Settings, PATH), question).await
        }
        Err(error) => refuse(&user, form, error).await,
    }
}

fn confirmation(form: &PersonForm, person: &Person, upcoming: usize) -> Confirmation {
    let as_customer = person.bookings.iter().filter(|one| one.scope == ErasureScope::Booking).count();
    let mut text = format!(
        "Name, email, phone, notes, guests and messages are erased from {}, from connected calendars, feeds, emails and \
         the history. Dates, resource, status and reference are kept.",
        bookings_text(as_customer)
    );
    let as_guest = person.bookings.len() - as_customer;
    if as_guest > 0 {
        let _ = write!(text, "\nFrom {} more, only this guest is removed.", bookings_text(as_guest));
    }
    let who = isolated(form.who.trim());
    let title = if person.address_key.is_some() {
        format!("Erase all data of {who}?")
    } else {
        text.push_str(
            "\nOther bookings of this customer are not erased. To erase them all, search by email address.",
        );
        format!("Erase the customer of booking {who}?")
    };
    if upcoming > 0 {
        let upcoming = pluralize(count(upcoming), "upcoming booking stays", "upcoming bookings stay");
        text.push('\n');
        text.push_str(&upcoming);
        text.push_str(" in the calendar, without the customer, who is sent nothing.");
    }
    text.push_str("\nThis cannot be undone.");
    let keeps = if upcoming > 0 { "yes" } else { "" };
    Confirmation {
        fields: vec![("who", form.who.clone()), ("keep_upcoming", keeps.to_owned())],
        ..Confirmation::danger(("erase", format!("{PATH}/erase")), title, text, "Erase customer data")
    }
}

async fn erase(user: Manager, PageForm(form): PageForm<PersonForm>) -> PageResult {
    let keep_upcoming = form.keep_upcoming == "yes";
    match personal_data::erase(&user.app.context, &user.change(), &form.query(), keep_upcoming).await {
        Ok(_) => Ok(user.redirect_with_flash(PATH, &Flash::success("The customer's data is being erased."))),
        Err(ServiceError::NotFound(_)) => Ok(user.redirect_with_flash(
            PATH,
            &Flash::failure(
                "There is no customer with this email address, and no booking with this reference.",
            ),
        )),
        Err(ServiceError::NotPossible(why)) => {
            Ok(user.redirect_with_flash(PATH, &Flash::failure(sentence(&why))))
        }
        Err(error) => Err(error.into()),
    }
}

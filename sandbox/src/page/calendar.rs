//! A calendar's page: the week, the panel beside it, and what the panel's forms do.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::Deserialize;

use super::entry_form::EntryForm;
use super::not_found;
use super::panel::{self, PanelContext};
use super::week::{WeekView, monday};
use crate::app::SandboxApp;
use crate::clock;
use crate::html::{document_with_head, escape, path_part, query};
use crate::provider::Provider;
use crate::store::{
    CalendarAccessRole, CalendarListItem, EntryEdit, EntryLocation, PRIMARY, ProviderStore, StoreError,
    StoredCalendar, standing,
};

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct CalendarPageQuery {
    calendar: Option<String>,
    week: Option<String>,
    entry: Option<String>,
    done: Option<String>,
}

/// What was sent and could not be done.
struct RejectedEntryForm {
    form: EntryForm,
    message: String,
}

pub(super) async fn show(
    State(app): State<Arc<SandboxApp>>,
    Path((provider, account)): Path<(String, String)>,
    Query(wanted): Query<CalendarPageQuery>,
) -> Response {
    render(&app, &provider, &account, &wanted, None)
}

/// The number of the calendar's last write: by it the page's script sees that something has changed.
pub(super) async fn revision(
    State(app): State<Arc<SandboxApp>>,
    Path((provider, account)): Path<(String, String)>,
    Query(wanted): Query<CalendarPageQuery>,
) -> Response {
    let Ok(provider) = provider.parse() else { return StatusCode::NOT_FOUND.into_response() };
    let store = app.store(provider);
    match store.visible(&account, wanted.calendar.as_deref().unwrap_or(PRIMARY)) {
        Ok((calendar, _)) => calendar.last_seq().to_string().into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What a person does by a form: goes back to the week of the entry, or shows the form again with what was typed.
pub(super) async fn act(
    State(app): State<Arc<SandboxApp>>,
    Path((provider, account, action)): Path<(String, String, String)>,
    Form(form): Form<EntryForm>,
) -> Response {
    let Ok(known) = provider.parse() else {
        return not_found("This provider does not exist in the sandbox.");
    };
    if !DONE.iter().any(|(name, _)| *name == action) {
        return not_found("This cannot be done in the sandbox.");
    }
    let outcome = apply_action(&mut app.store(known), &account, &action, &form);
    match outcome {
        Ok(place) => {
            let store = app.store(known);
            let calendar = store.calendars.get(&place.calendar);
            let week = calendar
                .and_then(|one| {
                    Some(standing(one, &place.id)?.start.when.local(one.info.zone).date().to_string())
                })
                .unwrap_or_else(|| form.week.clone());
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("calendar", place.calendar.as_str()), ("week", &week), ("done", &action)])
                .finish();
            Redirect::to(&format!("/calendar/{provider}/{}?{query}", path_part(&account))).into_response()
        }
        Err(message) => {
            let wanted = CalendarPageQuery {
                calendar: Some(form.calendar.clone()),
                week: Some(form.week.clone()),
                entry: Some(form.entry.clone()).filter(|id| !id.is_empty()),
                done: None,
            };
            let mut page =
                render(&app, &provider, &account, &wanted, Some(&RejectedEntryForm { form, message }));
            if page.status() == StatusCode::OK {
                *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            }
            page
        }
    }
}

/// What can be done by a form, and what is said then.
const DONE: [(&str, &str); 5] = [
    ("add", "Added to the calendar."),
    ("change", "Changed."),
    ("delete", "Deleted."),
    ("duplicate", "Copied."),
    ("restore", "Restored."),
];

fn apply_action(
    store: &mut ProviderStore,
    account: &str,
    action: &str,
    form: &EntryForm,
) -> Result<EntryLocation, String> {
    let (now, sentence) = (clock::now(), |refusal: StoreError| refusal.to_string());
    let wish = match action {
        "add" | "change" => form.wish()?,
        _ => EntryEdit { status: Some("confirmed".into()), ..EntryEdit::default() },
    };
    let calendar = store.writable(account, &form.calendar).map_err(sentence)?;
    let place = EntryLocation { calendar, id: form.entry.clone() };
    let done = match action {
        "add" => return store.person_adds(account, Some(&form.calendar), &wish, now).map_err(sentence),
        "duplicate" => return store.person_duplicates(&place, now).map_err(sentence),
        "delete" => store.person_deletes(&place, now),
        _ => store.person_changes(&place, &wish, now),
    };
    done.map(|()| place).map_err(sentence)
}

fn render(
    app: &SandboxApp,
    provider: &str,
    account: &str,
    wanted: &CalendarPageQuery,
    refused: Option<&RejectedEntryForm>,
) -> Response {
    let Ok(provider) = provider.parse() else {
        return not_found("This provider does not exist in the sandbox.");
    };
    let store = app.store(provider);
    let Some(person) = store.accounts.get(account) else {
        return not_found("This account does not exist in the sandbox.");
    };
    let Ok((calendar, subscription)) = store.visible(account, wanted.calendar.as_deref().unwrap_or(PRIMARY))
    else {
        return not_found("This calendar is not in the account’s list.");
    };
    let now = clock::now();
    let today = now.with_timezone(&calendar.info.zone).date_naive();
    let day = wanted.week.as_deref().and_then(|text| text.parse::<NaiveDate>().ok());
    let first =
        monday(day.filter(|day| (1970..=2999).contains(&chrono::Datelike::year(day))).unwrap_or(today));
    let page = SandboxCalendarPage { provider, account, calendar, subscription, first, today, now };
    let week = WeekView::of(calendar, first, now);
    let body = format!(
        "<header><p class=\"mark\">Sandbox calendar: simulates {}</p>\
         <p class=\"quiet\"><a href=\"/\">All calendars</a></p><h1>{}</h1>{}</header>\
         <main class=\"beside\"><section id=\"week\" data-revision=\"{}\" data-watch=\"{}/revision?{}\">{}{}</section>\
         <aside id=\"panel\">{}</aside></main>",
        provider.product(),
        escape(&person.name),
        page.tabs(&store),
        calendar.last_seq(),
        page.action(),
        query(&[("calendar", &calendar.info.id)]),
        page.navigation(wanted.done.as_deref()),
        page.grid(&week),
        page.panel(wanted.entry.as_deref(), refused),
    );
    let head = "<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>\
                <script src=\"/assets/sandbox.js\" defer></script>";
    Html(document_with_head(&format!("{} – sandbox calendar", person.name), "calendar", head, &body))
        .into_response()
}

/// What is being looked at.
pub(super) struct SandboxCalendarPage<'a> {
    provider: Provider,
    account: &'a str,
    pub(super) calendar: &'a StoredCalendar,
    subscription: &'a CalendarListItem,
    pub(super) first: NaiveDate,
    pub(super) today: NaiveDate,
    pub(super) now: DateTime<Utc>,
}

impl SandboxCalendarPage<'_> {
    fn action(&self) -> String {
        format!("/calendar/{}/{}", self.provider.as_str(), path_part(self.account))
    }

    /// The address of a week, or of an entry in it.
    pub(super) fn link(&self, week: NaiveDate, entry: Option<&str>) -> String {
        let week = week.to_string();
        let mut pairs = vec![("calendar", self.calendar.info.id.as_str()), ("week", &week)];
        pairs.extend(entry.map(|id| ("entry", id)));
        format!("{}?{}{}", self.action(), query(&pairs), if entry.is_some() { "#panel" } else { "" })
    }

    fn tabs(&self, store: &ProviderStore) -> String {
        let mut tabs = String::from("<nav class=\"tabs\" aria-label=\"Calendars\">");
        let week = self.first.to_string();
        for (calendar, one) in store.list_of(self.account) {
            let current =
                if calendar.info.id == self.calendar.info.id { " aria-current=\"page\"" } else { "" };
            let name = if one.primary { "Own calendar" } else { calendar.info.summary.as_str() };
            let address = query(&[("calendar", &calendar.info.id), ("week", &week)]);
            let _infallible =
                write!(tabs, "<a href=\"{}?{address}\"{current}>{}</a>", self.action(), escape(name));
        }
        tabs.push_str("</nav>");
        tabs
    }

    fn navigation(&self, done: Option<&str>) -> String {
        let last = self.first + Duration::days(6);
        let first = if self.first.format("%Y%m").to_string() == last.format("%Y%m").to_string() {
            self.first.format("%-d").to_string()
        } else {
            self.first.format("%-d %B").to_string()
        };
        let done = DONE.iter().find(|(name, _)| Some(*name) == done).map_or("", |(_, says)| *says);
        format!(
            "<div class=\"head\"><h2>{first} – {} <small>{}</small></h2><nav class=\"weeks\" aria-label=\"Weeks\">\
             <a href=\"{}\">← Previous</a><a href=\"{}\">Today</a><a href=\"{}\">Next →</a></nav></div>\
             <p class=\"done\" role=\"status\">{done}</p>",
            last.format("%-d %B %Y"),
            self.calendar.info.zone.name(),
            self.link(self.first - Duration::days(7), None),
            self.link(monday(self.today), None),
            self.link(self.first + Duration::days(7), None),
        )
    }

    fn panel(&self, entry: Option<&str>, refused: Option<&RejectedEntryForm>) -> String {
        let week = self.first.to_string();
        let action = self.action();
        let origin = PanelContext { action: &action, calendar: &self.calendar.info.id, week: &week };
        let zone = self.calendar.info.zone;
        let may_write = self.subscription.role >= CalendarAccessRole::Writer;
        let close = self.link(self.first, None);
        let chosen = entry.and_then(|id| standing(self.calendar, id));
        let (form, error) = match refused {
            None => (None, None),
            Some(refused) => (Some(refused.form.clone()), Some(refused.message.as_str())),
        };
        match chosen {
            Some(entry) if !may_write => panel::look(&entry, &close, "This calendar is read-only.", zone),
            Some(entry) if entry.cancelled() => panel::restore(&origin, &entry, error, &close, zone),
            Some(entry) => {
                let form = form.unwrap_or_else(|| EntryForm::of(&entry, zone));
                panel::edit(&origin, &entry, &form, error, &close, zone)
            }
            None if !may_write => "<p class=\"quiet\">This calendar is read-only.</p>".into(),
            None => {
                let form = form.unwrap_or_else(|| EntryForm::empty(self.first, self.now, zone));
                panel::add(&origin, &form, error)
            }
        }
    }
}

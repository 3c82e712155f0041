//! The booking platforms: what is let there, night by night, and what guests and the host can do.

mod panel;

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::month::{beside, first_day, table};
use super::{AUTO_REFRESH, not_found};
use crate::app::SandboxApp;
use crate::clock;
use crate::faults::{ActiveFault, FaultKind, FaultTarget};
use crate::html::{document_with_head, escape};
use crate::opaque::fingerprint;
use crate::ota::{ListingError, OtaListing, OtaPlatform, StayNights, read_now};

/// The fields of all forms, as text: as sent, or empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OtaForm {
    pub(super) month: String,
    pub(super) guest: String,
    pub(super) check_in: String,
    pub(super) check_out: String,
    /// Which stay is changed or cancelled.
    pub(super) booking: String,
    pub(super) url: String,
    pub(super) every_seconds: String,
    /// What is wrong with its calendar from now on; empty: nothing.
    pub(super) fault: String,
}

#[derive(Deserialize)]
pub(super) struct ListingPageQuery {
    month: Option<String>,
    done: Option<String>,
}

/// All listings with this month and the next.
pub(super) async fn list(State(app): State<Arc<SandboxApp>>) -> Html<String> {
    let mut body = String::from(
        "<main><p class=\"mark\">Sandbox: simulated external services</p><p><a href=\"/\">All calendars</a></p>\
         <h1>Booking platforms</h1><p>Book here as a guest would. Each listing exports its calendar, and can read the \
         calendar that you name: what it reads closes nights here.</p>",
    );
    body.push_str(panel::LEGEND);
    for &site in OtaPlatform::ALL {
        let of_site = app.ota.all().into_iter().filter(|listing| listing.site == site);
        let _infallible = write!(body, "<h2>{}</h2><ul class=\"accounts listings\">", site.title());
        for listing in of_site {
            let today = listing.today(clock::now());
            let first = first_day(None, today);
            let _infallible = write!(
                body,
                "<li><h3><a href=\"{}\">{}</a></h3>{}{}</li>",
                address(&listing),
                escape(&listing.name),
                table(&listing, first, today),
                table(&listing, beside(first, 1), today),
            );
        }
        body.push_str("</ul>");
    }
    body.push_str("</main>");
    Html(document_with_head("Booking platforms", "home", AUTO_REFRESH, &body))
}

pub(super) async fn show(
    State(app): State<Arc<SandboxApp>>,
    Path(place): Path<(String, String)>,
    Query(wanted): Query<ListingPageQuery>,
) -> Response {
    let Some(listing) = find(&app, &place) else { return listing_not_found() };
    let form = OtaForm { month: wanted.month.unwrap_or_default(), ..OtaForm::default() };
    let done = match wanted.done.as_deref() {
        Some("book") => "Booked.",
        Some("block") => "Blocked.",
        Some("change") => "Changed.",
        Some("cancel") => "Cancelled.",
        Some("import") => "This calendar is imported from now on.",
        Some("end-import") => "The calendar import was removed.",
        Some("read") => "The calendar was imported.",
        Some("fault") => "The export fault was applied.",
        _ => "",
    };
    Html(render(&app, &listing, &form, Ok(done))).into_response()
}

/// Changes with the listing, so that a page knows when it is out of date.
pub(super) async fn revision(
    State(app): State<Arc<SandboxApp>>,
    Path(place): Path<(String, String)>,
) -> Response {
    find(&app, &place).map_or_else(listing_not_found, |listing| revision_of(&listing).into_response())
}

fn revision_of(listing: &OtaListing) -> String {
    fingerprint(&format!("{:?} {:?}", listing.stays, listing.import))
}

/// What a guest or the host does; back to the listing, or the form again with what was wrong.
pub(super) async fn act(
    State(app): State<Arc<SandboxApp>>,
    Path((platform, id, action)): Path<(String, String, String)>,
    Form(form): Form<OtaForm>,
) -> Response {
    let Some(listing) = find(&app, &(platform, id)) else { return listing_not_found() };
    let now = clock::now();
    let outcome = match action.as_str() {
        "book" => book(&app, &listing, &form, Some(&form.guest), now),
        "block" => book(&app, &listing, &form, None, now),
        "change" => nights(&form).and_then(|nights| {
            done(app.ota.change(&listing.id, |listing| listing.change(&form.booking, nights, now).map(drop)))
        }),
        "cancel" => done(app.ota.change(&listing.id, |listing| listing.cancel(&form.booking, now))),
        "fault" => inject_feed_fault(&app, &listing, &form.fault),
        "import" => import(&app, &listing, &form),
        "end-import" => done(app.ota.change(&listing.id, |listing| {
            listing.import = None;
            Ok(())
        })),
        "read" => match read_now(&app.ota, &listing.id).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(problem)) => Err(format!("The calendar could not be imported: {problem}.")),
            Err(refused) => Err(sentence(&refused)),
        },
        _ => return listing_not_found(),
    };
    let Some(listing) = app.ota.find(&listing.id) else { return listing_not_found() };
    match outcome {
        Ok(()) => {
            let shown = nights(&form).map(|nights| nights.check_in.format("%Y-%m").to_string());
            let month = shown.unwrap_or_else(|_| form.month.clone());
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("month", month.as_str()), ("done", &action)])
                .finish();
            Redirect::to(&format!("{}?{query}", address(&listing))).into_response()
        }
        Err(problem) => {
            let page = render(&app, &listing, &form, Err(&problem));
            (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
        }
    }
}

fn book(
    app: &SandboxApp,
    listing: &OtaListing,
    form: &OtaForm,
    guest: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let nights = nights(form)?;
    if nights.check_in < listing.today(now) {
        return Err("The first night is in the past.".into());
    }
    done(app.ota.change(&listing.id, |listing| listing.book(guest, nights, now).map(drop)))
}

fn import(app: &SandboxApp, listing: &OtaListing, form: &OtaForm) -> Result<(), String> {
    let every = match form.every_seconds.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| "Enter the interval in whole seconds.")?),
    };
    done(app.ota.change(&listing.id, |listing| listing.read_from(&form.url, every)))
}

/// What can be wrong with a listing's calendar: as in the control interface, and in words.
pub(super) const FAULTS: [(&str, FaultKind, &str); 8] = [
    ("empty", FaultKind::EmptyFeed, "No events"),
    ("half", FaultKind::HalfFeed, "More than half of the events are missing"),
    ("no_ends", FaultKind::NoEnds, "Events have no end"),
    ("change_uids", FaultKind::ChangeUids, "Every event has a new UID"),
    ("truncate", FaultKind::TruncatedJson, "Truncated"),
    ("html", FaultKind::HtmlAnswer, "A web page instead of a calendar"),
    ("status", FaultKind::Status, "Not found (404)"),
    ("gzip_bomb", FaultKind::GzipBomb, "Unpacks to a gigabyte"),
];

fn inject_feed_fault(app: &SandboxApp, listing: &OtaListing, name: &str) -> Result<(), String> {
    let fault = FAULTS.iter().find(|(known, ..)| *known == name);
    if fault.is_none() && !name.is_empty() {
        return Err("Choose an export fault.".into());
    }
    app.server.faults.clear(Some(FaultTarget::Ota), Some(&listing.id));
    if let Some((_, kind, _)) = fault {
        app.server.faults.add(ActiveFault {
            account: Some(listing.id.clone()),
            value: (*kind == FaultKind::Status).then_some(404),
            ..ActiveFault::of(FaultTarget::Ota, *kind)
        });
    }
    Ok(())
}

fn nights(form: &OtaForm) -> Result<StayNights, String> {
    let day = |text: &str| text.trim().parse::<NaiveDate>().ok();
    let (Some(check_in), Some(check_out)) = (day(&form.check_in), day(&form.check_out)) else {
        return Err("Enter both days, such as 2026-12-24.".into());
    };
    StayNights::new(check_in, check_out).ok_or_else(|| "The check-out must be after the check-in.".into())
}

fn done(outcome: Result<(), ListingError>) -> Result<(), String> {
    outcome.map_err(|refused| sentence(&refused))
}

/// A refusal as a sentence.
fn sentence(refused: &ListingError) -> String {
    let text = refused.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn find(app: &SandboxApp, (platform, id): &(String, String)) -> Option<OtaListing> {
    app.ota.find(id).filter(|listing| listing.site.as_str() == platform)
}

fn listing_not_found() -> Response {
    not_found("This listing does not exist in the sandbox.")
}

pub(super) fn address(listing: &OtaListing) -> String {
    format!("/ota/{}/{}", listing.site, listing.id)
}

fn render(app: &SandboxApp, listing: &OtaListing, form: &OtaForm, outcome: Result<&str, &str>) -> String {
    let today = listing.today(clock::now());
    let first = first_day(Some(&form.month), today);
    let link = |months: i32, words: &str| {
        let month = beside(first, months).format("%Y-%m");
        format!("<a href=\"{}?month={month}\">{words}</a>", address(listing))
    };
    let (said, wrong) = match outcome {
        Ok(done) => (done, String::new()),
        Err(problem) => {
            let problem = escape(problem);
            ("", format!("<p class=\"notice wrong\" role=\"alert\"><b>Not saved.</b> {problem}</p>"))
        }
    };
    let body = format!(
        "<header><p class=\"mark\">Sandbox listing: simulates {site}</p><p class=\"quiet\"><a href=\"/ota\">All \
         listings</a></p><h1>{name}</h1></header><main class=\"beside\"><section id=\"week\" data-revision=\"{revision}\" \
         data-watch=\"{address}/revision\"><div class=\"head\"><h2>{shown} <small>{zone}</small></h2><nav class=\"weeks\" \
         aria-label=\"Months\">{before}{after}</nav></div><p class=\"done\" role=\"status\">{said}</p>\
         <div class=\"months\">{this}{next}</div>{legend}</section><aside id=\"panel\">{wrong}{panel}</aside></main>",
        site = listing.site.title(),
        name = escape(&listing.name),
        revision = revision_of(listing),
        address = address(listing),
        shown = first.format("%B %Y"),
        zone = listing.zone.name(),
        before = link(-1, "← Previous"),
        after = link(1, "Next →"),
        this = table(listing, first, today),
        next = table(listing, beside(first, 1), today),
        legend = panel::LEGEND,
        panel = panel::panel(app, listing, form, first),
    );
    let title = format!("{} – {}", listing.name, listing.site.title());
    let script = "<script src=\"/assets/sandbox.js\" defer></script>";
    document_with_head(&title, "calendar", script, &body)
}

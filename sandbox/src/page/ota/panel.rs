//! What stands beside the months of a listing: the forms of guest and host.

use std::fmt::Write;

use chrono::NaiveDate;

use super::{FAULTS, OtaForm, address};
use crate::app::SandboxApp;
use crate::faults::FaultTarget;
use crate::html::escape;
use crate::ota::{ListingStay, OtaListing};

/// What the colours mean.
pub(super) const LEGEND: &str = "<ul class=\"legend\"><li class=\"guest\">Booked here</li><li class=\"blocked\">Blocked by \
     the host</li><li class=\"imported\">Closed by the imported calendar</li><li class=\"beyond\">Not bookable yet</li></ul>";

/// The forms, filled with what was typed.
pub(super) fn panel(app: &SandboxApp, listing: &OtaListing, form: &OtaForm, month: NaiveDate) -> String {
    let month = month.format("%Y-%m").to_string();
    let mut panel = booking_form(listing, form, &month);
    panel.push_str("<h3>Bookings and blocks</h3>");
    let mut stays: Vec<&ListingStay> = listing.standing().collect();
    stays.sort_by_key(|stay| stay.nights);
    for stay in &stays {
        panel.push_str(&stay_form(listing, stay, &month));
    }
    if stays.is_empty() {
        panel.push_str("<p class=\"quiet\">None.</p>");
    }
    panel.push_str(&calendars(app, listing, form, &month));
    panel
}

fn booking_form(listing: &OtaListing, form: &OtaForm, month: &str) -> String {
    // What was typed to move a booking is not repeated in the form for a new one.
    let new = if form.booking.is_empty() { form.clone() } else { OtaForm::default() };
    format!(
        "<h2>Book</h2><form method=\"post\" action=\"{address}/book\"><input type=\"hidden\" name=\"month\" value=\"{month}\">\
         <label>Guest<input name=\"guest\" value=\"{guest}\"></label><div class=\"pair\">{days}</div><div class=\"actions\">\
         <button class=\"primary\">Book</button><button formaction=\"{address}/block\">Block these nights</button></div></form>",
        address = address(listing),
        guest = escape(&new.guest),
        days = days(&new.check_in, &new.check_out),
    )
}

fn days(check_in: &str, check_out: &str) -> String {
    format!(
        "<label>Check-in<input type=\"date\" name=\"check_in\" value=\"{}\"></label>\
         <label>Check-out<input type=\"date\" name=\"check_out\" value=\"{}\"></label>",
        escape(check_in),
        escape(check_out)
    )
}

fn stay_form(listing: &OtaListing, stay: &ListingStay, month: &str) -> String {
    let who = stay.guest.as_deref().unwrap_or("Blocked by the host");
    let end = if stay.guest.is_some() { "Cancel booking" } else { "Unblock" };
    format!(
        "<details><summary><b>{who}</b> <small>{from} – {to}, {id}</small></summary><form method=\"post\" \
         action=\"{address}/change\"><input type=\"hidden\" name=\"month\" value=\"{month}\"><input type=\"hidden\" \
         name=\"booking\" value=\"{id}\"><div class=\"pair\">{days}</div><div class=\"actions\"><button>Change dates</button>\
         <button class=\"danger\" formaction=\"{address}/cancel\">{end}</button></div></form></details>",
        who = escape(who),
        from = stay.nights.check_in.format("%-d %b %Y"),
        to = stay.nights.check_out.format("%-d %b %Y"),
        id = escape(&stay.id),
        address = address(listing),
        days = days(&stay.nights.check_in.to_string(), &stay.nights.check_out.to_string()),
    )
}

fn calendars(app: &SandboxApp, listing: &OtaListing, form: &OtaForm, month: &str) -> String {
    let address = address(listing);
    let export = escape(&app.ota.address_of(listing).export_url);
    let import = listing.import.as_ref();
    let (url, every) = if form.url.is_empty() {
        (import.map_or("", |import| &import.url), import.map(|import| import.every_seconds.to_string()))
    } else {
        (form.url.as_str(), Some(form.every_seconds.clone()))
    };
    let mut text = format!(
        "<h3>Calendar export</h3><p><code>{export}</code></p>{faults}<h3>Calendar import</h3>\
         <form method=\"post\" action=\"{address}/import\"><input type=\"hidden\" name=\"month\" value=\"{month}\">\
         <label>Address<input name=\"url\" value=\"{}\"></label><label>Import interval in seconds (empty: as {} does)\
         <input name=\"every_seconds\" inputmode=\"numeric\" value=\"{}\"></label>\
         <div class=\"actions\"><button>Import this calendar</button></div></form>",
        escape(url),
        listing.site.title(),
        escape(&every.unwrap_or_default()),
        faults = fault_form(app, listing, month),
    );
    if import.is_some() {
        let _infallible = write!(
            text,
            "<form method=\"post\" action=\"{address}/read\"><input type=\"hidden\" name=\"month\" value=\"{month}\">\
             <p class=\"quiet\">{}</p><div class=\"actions\"><button>Import now</button>\
             <button class=\"danger\" formaction=\"{address}/end-import\">Remove</button></div></form>",
            escape(&last_read(app, listing)),
        );
    }
    text
}

fn fault_form(app: &SandboxApp, listing: &OtaListing, month: &str) -> String {
    let now = app.server.faults.list_of(FaultTarget::Ota, &listing.id).first().map(|fault| fault.kind);
    let choices = FAULTS.iter().fold(
        String::from("<option value=\"\">No fault</option>"),
        |all, (name, kind, words)| {
            let chosen = if now == Some(*kind) { " selected" } else { "" };
            format!("{all}<option value=\"{name}\"{chosen}>{words}</option>")
        },
    );
    format!(
        "<form method=\"post\" action=\"{}/fault\"><input type=\"hidden\" name=\"month\" value=\"{month}\"><label>Export \
         fault<select name=\"fault\">{choices}</select></label><div class=\"actions\"><button>Apply fault</button>\
         </div></form>",
        address(listing)
    )
}

fn last_read(app: &SandboxApp, listing: &OtaListing) -> String {
    match app.ota.seen(&listing.id).read {
        None => "Not imported yet.".into(),
        Some((at, outcome)) => {
            let at = at.with_timezone(&listing.zone).format("%-d %b, %H:%M:%S");
            match outcome {
                Ok(says) => format!("Imported at {at}: {says}."),
                Err(problem) => {
                    format!("Import failed at {at}: {problem}. Nights closed earlier stay closed.")
                }
            }
        }
    }
}

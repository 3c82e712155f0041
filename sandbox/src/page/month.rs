//! A month of a listing: a small table of nights.

use std::fmt::Write;

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::html::escape;
use crate::ota::{NightStatus, OtaListing};

/// The first day of the month that `text` names as `2026-12`, or else of today's.
pub(super) fn first_day(text: Option<&str>, today: NaiveDate) -> NaiveDate {
    let named = text.and_then(|text| format!("{text}-01").parse::<NaiveDate>().ok());
    let named = named.filter(|day| (1970..=2999).contains(&day.year()));
    named.unwrap_or(today).with_day(1).unwrap_or(today)
}

/// The month before or after.
pub(super) fn beside(first: NaiveDate, months: i32) -> NaiveDate {
    let count = Months::new(months.unsigned_abs());
    let moved = if months < 0 { first.checked_sub_months(count) } else { first.checked_add_months(count) };
    moved.unwrap_or(first)
}

/// The month as a table; each cell is the night that begins on the day.
pub(super) fn table(listing: &OtaListing, first: NaiveDate, today: NaiveDate) -> String {
    let mut table = format!("<table class=\"month\"><caption>{}</caption><thead><tr>", first.format("%B %Y"));
    for day in ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"] {
        let _infallible = write!(table, "<th scope=\"col\">{day}</th>");
    }
    table.push_str("</tr></thead><tbody><tr>");
    for _before in 0..first.weekday().num_days_from_monday() {
        table.push_str("<td></td>");
    }
    for day in first.iter_days().take_while(|day| day.month() == first.month()) {
        if day.weekday() == chrono::Weekday::Mon && day != first {
            table.push_str("</tr><tr>");
        }
        table.push_str(&cell(listing, day, today));
    }
    table.push_str("</tr></tbody></table>");
    table
}

fn cell(listing: &OtaListing, day: NaiveDate, today: NaiveDate) -> String {
    let (class, says) = match listing.night(day, today) {
        NightStatus::Free => ("open", String::new()),
        NightStatus::Guest(stay) => ("guest", stay.guest.clone().unwrap_or_default()),
        NightStatus::Blocked(_) => ("blocked", "blocked by the host".into()),
        NightStatus::Imported => ("imported", "closed by the imported calendar".into()),
        NightStatus::Beyond => ("beyond", "not bookable yet".into()),
    };
    let past = if day < today { " past" } else { "" };
    let current = if day == today { " aria-current=\"date\"" } else { "" };
    let begins = match listing.night(day - Days::new(1), today) {
        before if before == listing.night(day, today) => "",
        _ => " first",
    };
    let shown = if says.is_empty() {
        day.day().to_string()
    } else {
        let says = escape(&says);
        format!("<span title=\"{says}\">{}<span class=\"unseen\">, {says}</span></span>", day.day())
    };
    format!("<td class=\"{class}{past}{begins}\"{current}>{shown}</td>")
}

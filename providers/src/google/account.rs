//! Whose account a token opens, and its calendars.

use google_calendar3::api::{CalendarList, CalendarListEntry};
use http::Method;
use serde::Deserialize;

use super::GoogleCalendar;
use crate::{
    access::AccountAccess,
    error::ProviderError,
    error_response::parse_json,
    provider::{ProviderAccount, RemoteCalendar, is_colour},
};

const PAGE_SIZE: u32 = 250;

/// Nobody has 10,000 calendars; a server that gives page after page must not keep us for ever.
const MAX_PAGES: usize = 40;

/// OpenID Connect Core 1.0, section 5.3.2.
#[derive(Deserialize)]
struct GoogleUserInfo {
    /// Google's unchanging number of the account; the e-mail address can change.
    sub: String,
    #[serde(default)]
    email: String,
}

impl AccountAccess<'_, GoogleCalendar> {
    pub(super) async fn read_account(&self) -> Result<ProviderAccount, ProviderError> {
        let response = self.call(Method::GET, self.provider.userinfo.clone(), None, None).await?;
        let user: GoogleUserInfo = parse_json(&response, "Google")?;
        Ok(ProviderAccount { subject: user.sub, email: user.email })
    }

    pub(super) async fn list_calendars(&self) -> Result<Vec<RemoteCalendar>, ProviderError> {
        let mut calendars = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            // What its owner does not want to see is still theirs: left out, it would be taken for gone.
            let mut query = vec![("maxResults", PAGE_SIZE.to_string()), ("showHidden", true.to_string())];
            query.extend(page.map(|page| ("pageToken", page)));
            let response = self.get("users/me/calendarList", &query).await?;
            let list: CalendarList = parse_json(&response, "Google")?;
            calendars.extend(list.items.into_iter().flatten().filter_map(calendar));
            page = list.next_page_token;
            if page.is_none() {
                return Ok(calendars);
            }
        }
        Err(ProviderError::Transient("the list of calendars does not end".to_owned()))
    }
}

fn calendar(entry: CalendarListEntry) -> Option<RemoteCalendar> {
    if entry.deleted == Some(true) {
        return None;
    }
    let external_id = entry.id?;
    Some(RemoteCalendar {
        // The person's own name for it comes first.
        name: entry.summary_override.or(entry.summary).unwrap_or_else(|| external_id.clone()),
        colour: entry.background_color.filter(|colour| is_colour(colour)),
        zone: entry.time_zone,
        owner: None,
        writable: matches!(entry.access_role.as_deref(), Some("owner" | "writer")),
        primary: entry.primary == Some(true),
        external_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> CalendarListEntry {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_persons_own_name_comes_first() {
        let entry = entry(
            r##"{"id": "x@group.calendar.google.com", "summary": "Rota", "summaryOverride": "My rota",
                "accessRole": "writer", "backgroundColor": "#9fe1e7", "timeZone": "Europe/Lisbon"}"##,
        );
        let expected = RemoteCalendar {
            external_id: "x@group.calendar.google.com".to_owned(),
            name: "My rota".to_owned(),
            colour: Some("#9fe1e7".to_owned()),
            zone: Some("Europe/Lisbon".to_owned()),
            owner: None,
            writable: true,
            primary: false,
        };
        assert_eq!(calendar(entry), Some(expected));
    }

    #[test]
    fn who_may_read_may_not_write() {
        for role in ["reader", "freeBusyReader", "unheardOf"] {
            let found = calendar(entry(&format!(r#"{{"id": "x", "accessRole": "{role}"}}"#))).unwrap();
            assert!(!found.writable, "{role}");
            assert_eq!(found.name, "x");
        }
    }

    #[test]
    fn what_is_no_colour_is_dropped() {
        let found = calendar(entry(r#"{"id": "x", "backgroundColor": "red;} body{"}"#)).unwrap();
        assert_eq!(found.colour, None);
    }

    #[test]
    fn a_deleted_one_and_one_without_id_are_left_out() {
        assert_eq!(calendar(entry(r#"{"id": "x", "deleted": true}"#)), None);
        assert_eq!(calendar(entry("{}")), None);
    }
}

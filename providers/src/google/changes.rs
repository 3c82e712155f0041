//! What a calendar holds and what changed in it, page by page.

use chrono_tz::Tz;
use concord_domain::{entry::ObservedEntry, ids::EntryId, interval::Interval};
use google_calendar3::{
    api::{Event, Events},
    common,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::{GoogleCalendar, entries::observed, errors::GoogleCallError, ids::segment};
use crate::{
    error::ProviderError,
    provider::{ChangesPage, NextPage, ProviderCredentials, SyncPosition, is_unclear, unclear},
    quote::describe_json_error,
};

const PAGE_SIZE: i32 = 2_500;

/// What is asked for where such a page takes too long: Google's own default.
const SMALL_PAGE_SIZE: i32 = 250;

impl GoogleCalendar {
    pub(super) async fn list_changes(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        window: Interval,
        from: &SyncPosition,
    ) -> Result<ChangesPage, ProviderError> {
        let size = if self.slow.holds(calendar, self.clock.now()) { SMALL_PAGE_SIZE } else { PAGE_SIZE };
        let answer = match self.page(credentials, calendar, (window, from), size).await {
            Err(trouble) if size > SMALL_PAGE_SIZE && is_timeout(&trouble) => {
                tracing::info!("a page of Google's takes too long; smaller ones are asked for");
                self.slow.note(calendar, self.clock.now());
                self.page(credentials, calendar, (window, from), SMALL_PAGE_SIZE).await
            }
            answer => answer,
        };
        match answer {
            Ok(ParsedEventsPage { events, unclear }) => to_changes_page(events, unclear),
            Err(GoogleCallError::Refused(refusal))
                if *from != SyncPosition::Start && refusal.says_cursor_expired() =>
            {
                Err(ProviderError::CursorExpired)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn page(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        (window, from): (Interval, &SyncPosition),
        size: i32,
    ) -> Result<ParsedEventsPage, GoogleCallError> {
        let (page, cursor) = match from {
            SyncPosition::Start => (None, None),
            SyncPosition::Cursor(cursor) => (None, Some(cursor)),
            SyncPosition::Page { page, cursor } => (Some(page), cursor.as_ref()),
        };
        let calendar = segment(calendar)?;
        let mut session = self.session(credentials)?;
        let mut call = session.hub.events().list(&calendar).single_events(true).max_results(size);
        // The window belongs to the cursor; to repeat it beside a sync token is refused. All else is to be as it was in
        // the first read. Deleted entries come beside a sync token without being asked for.
        call = match cursor {
            Some(cursor) => call.sync_token(cursor),
            None => call.time_min(window.start).time_max(window.end),
        };
        if let Some(page) = page {
            call = call.page_token(page);
        }
        let result = call.delegate(&mut session.capture).doit().await;
        if let Err(common::Error::JsonDecodeError(text, _)) = &result
            && let Some(listed) = ParsedEventsPage::parse_items(text)
        {
            return Ok(listed);
        }
        Ok(ParsedEventsPage { events: session.outcome(result)?, unclear: Vec::new() })
    }

    /// An event keeps its id when it is moved (Events: move), and copies have another.
    pub(super) async fn read_moved(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        (entry, external_id): (EntryId, &str),
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let found = self.read_entry(credentials, calendar, external_id).await?;
        if found.as_ref().is_some_and(is_unclear) {
            return Err(ProviderError::Transient("the event cannot be read".into()));
        }
        Ok(found.filter(|found| !found.deleted && found.entry == Some(entry)))
    }

    /// An entry by its id, tombstones included.
    pub(super) async fn read_entry(
        &self,
        credentials: &ProviderCredentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let (calendar, event) = (segment(calendar)?, segment(external_id)?);
        let mut session = self.session(credentials)?;
        let result = session.hub.events().get(&calendar, &event).delegate(&mut session.capture).doit().await;
        if let Err(common::Error::JsonDecodeError(text, _)) = &result
            && let Some(unclear) = serde_json::from_str(text).ok().as_ref().and_then(unreadable_item)
        {
            return Ok(Some(unclear));
        }
        match session.outcome(result) {
            Ok(event) => Ok(observed(event, Tz::UTC)),
            Err(GoogleCallError::Refused(refusal)) if refusal.says_gone() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// A page as it was read.
struct ParsedEventsPage {
    events: Events,
    /// What nobody understood of it.
    unclear: Vec<Option<ObservedEntry>>,
}

impl ParsedEventsPage {
    /// A page that cannot be read as a whole, item by item: what one of them says that nobody understands is no reason to
    /// lose the others. `None`: it is no page.
    fn parse_items(text: &str) -> Option<Self> {
        let mut page: Value = serde_json::from_str(text).ok()?;
        let Value::Array(items) = page.get_mut("items")?.take() else { return None };
        let mut events: Events = serde_json::from_value(page).ok()?;
        let (mut read, mut unclear) = (Vec::new(), Vec::new());
        for item in items {
            match Event::deserialize(&item) {
                Ok(event) => read.push(event),
                Err(error) => {
                    let fault = describe_json_error(&error);
                    tracing::warn!(fault, "an event of Google's cannot be read");
                    unclear.push(unreadable_item(&item));
                }
            }
        }
        events.items = Some(read);
        Some(Self { events, unclear })
    }
}

fn unreadable_item(item: &Value) -> Option<ObservedEntry> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(unclear(text("id")?, text("recurringEventId"), text("etag")))
}

/// Whether less may be answered: our own patience ended, or that of a server in between.
fn is_timeout(trouble: &GoogleCallError) -> bool {
    match trouble {
        GoogleCallError::Slow(_) => true,
        GoogleCallError::Refused(refusal) => refusal.status == StatusCode::GATEWAY_TIMEOUT,
        GoogleCallError::Other(_) => false,
    }
}

fn to_changes_page(
    events: Events,
    unclear: Vec<Option<ObservedEntry>>,
) -> Result<ChangesPage, ProviderError> {
    let next = match (events.next_page_token, events.next_sync_token) {
        (Some(page), _) => NextPage::Page(page),
        (None, Some(cursor)) => NextPage::Cursor(cursor),
        // Taken for complete, it would make everything that is missing look deleted.
        (None, None) => return Err(ProviderError::Transient("the list ends without an end".to_owned())),
    };
    let zone = events.time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let unreadable = unclear.len();
    let read = events.items.into_iter().flatten().filter_map(|event| observed(event, zone));
    let entries = read.chain(unclear.into_iter().flatten()).collect();
    Ok(ChangesPage { entries, resources: Vec::new(), series: Vec::new(), may_miss: false, unreadable, next })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(json: serde_json::Value) -> Result<ChangesPage, ProviderError> {
        to_changes_page(serde_json::from_value(json).unwrap(), Vec::new())
    }

    #[test]
    fn a_page_names_what_follows() {
        assert_eq!(page(json!({ "nextPageToken": "p" })).unwrap().next, NextPage::Page("p".to_owned()));
        assert_eq!(page(json!({ "nextSyncToken": "c" })).unwrap().next, NextPage::Cursor("c".to_owned()));
    }

    #[test]
    fn a_list_without_an_end_is_not_taken_for_complete() {
        assert_eq!(page(json!({ "items": [] })).unwrap_err().code(), "transient");
    }

    #[test]
    fn an_item_of_another_form_leaves_the_others_as_they_are() {
        let page = json!({ "nextSyncToken": "c", "items": [
            { "id": "odd", "start": "soon" }, { "id": "fine", "summary": "Dentist" } ] });
        let ParsedEventsPage { events, unclear } = ParsedEventsPage::parse_items(&page.to_string()).unwrap();
        let found = to_changes_page(events, unclear).unwrap();
        let ids: Vec<&str> = found.entries.iter().map(|entry| entry.external_id.as_str()).collect();
        assert_eq!((ids, found.unreadable), (vec!["fine", "odd"], 1));
        assert!(
            ParsedEventsPage::parse_items("{\"items\": [").is_none()
                && ParsedEventsPage::parse_items("{}").is_none()
        );
    }

    #[test]
    fn an_item_without_an_id_is_left_out() {
        let found =
            page(json!({ "items": [{}, { "id": "abcde", "status": "cancelled" }], "nextSyncToken": "c" }));
        let found = found.unwrap();
        assert_eq!(found.entries.len(), 1);
        assert!(found.entries[0].deleted);
    }
}

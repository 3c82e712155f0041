//! What a calendar holds and what changed in it, page by page.

use chrono_tz::Tz;
use concord_domain::{entry::ObservedEntry, interval::Interval};
use google_calendar3::api::Events;

use super::{GoogleCalendar, entries::observed, errors::Trouble, ids::segment};
use crate::{
    error::ProviderError,
    provider::{AfterPage, ChangesFrom, ChangesPage, Credentials},
};

/// Google's largest page.
const PAGE: i32 = 2_500;

impl GoogleCalendar {
    pub(super) async fn list_changes(
        &self,
        credentials: &Credentials,
        calendar: &str,
        window: Interval,
        from: &ChangesFrom,
    ) -> Result<ChangesPage, ProviderError> {
        let (page, cursor) = match from {
            ChangesFrom::Start => (None, None),
            ChangesFrom::Cursor(cursor) => (None, Some(cursor)),
            ChangesFrom::Page { page, cursor } => (Some(page), cursor.as_ref()),
        };
        let calendar = segment(calendar)?;
        let mut session = self.session(credentials)?;
        let mut call = session.hub.events().list(&calendar).single_events(true).max_results(PAGE);
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
        match session.outcome(result) {
            Ok(events) => changes_page(events),
            Err(Trouble::Refused(refusal))
                if *from != ChangesFrom::Start && refusal.says_cursor_expired() =>
            {
                Err(ProviderError::CursorExpired)
            }
            Err(trouble) => Err(trouble.into()),
        }
    }

    /// An entry by its id, tombstones included.
    pub(super) async fn read_entry(
        &self,
        credentials: &Credentials,
        calendar: &str,
        external_id: &str,
    ) -> Result<Option<ObservedEntry>, ProviderError> {
        let (calendar, event) = (segment(calendar)?, segment(external_id)?);
        let mut session = self.session(credentials)?;
        let result = session.hub.events().get(&calendar, &event).delegate(&mut session.capture).doit().await;
        match session.outcome(result) {
            Ok(event) => Ok(observed(event, Tz::UTC)),
            Err(Trouble::Refused(refusal)) if refusal.says_gone() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

fn changes_page(events: Events) -> Result<ChangesPage, ProviderError> {
    let next = match (events.next_page_token, events.next_sync_token) {
        (Some(page), _) => AfterPage::Page(page),
        (None, Some(cursor)) => AfterPage::Cursor(cursor),
        // Taken for complete, it would make everything that is missing look deleted.
        (None, None) => return Err(ProviderError::Transient("the list ends without an end".to_owned())),
    };
    let zone = events.time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    let entries = events.items.into_iter().flatten().filter_map(|event| observed(event, zone)).collect();
    Ok(ChangesPage { entries, resources: Vec::new(), next })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(json: serde_json::Value) -> Result<ChangesPage, ProviderError> {
        changes_page(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_page_names_what_follows() {
        assert_eq!(page(json!({ "nextPageToken": "p" })).unwrap().next, AfterPage::Page("p".to_owned()));
        assert_eq!(page(json!({ "nextSyncToken": "c" })).unwrap().next, AfterPage::Cursor("c".to_owned()));
    }

    #[test]
    fn a_list_without_an_end_is_not_taken_for_complete() {
        assert_eq!(page(json!({ "items": [] })).unwrap_err().code(), "transient");
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

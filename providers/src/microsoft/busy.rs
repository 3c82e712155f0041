//! Busy times of one calendar.
//!
//! From its calendar view, not by `getSchedule`: that knows mailboxes only, and answers for their main calendar alone.

use concord_domain::interval::Interval;
use graph_rs_sdk::ODataQuery;

use super::{
    MicrosoftCalendar,
    entries::{GraphEvent, bound, busy_time},
};
use crate::{access::CalendarAccess, error::ProviderError};

const MAX_PAGES: usize = 200;

/// All that says whether an entry takes up time, and which.
const FIELDS: &[&str] = &[
    "id",
    "start",
    "end",
    "isAllDay",
    "isCancelled",
    "showAs",
    "responseStatus",
    "type",
    "originalStartTimeZone",
];

impl CalendarAccess<'_, MicrosoftCalendar> {
    pub(super) async fn read_busy(&self, window: Interval) -> Result<Vec<Interval>, ProviderError> {
        let built = self
            .graph()?
            .calendar_views()
            .list_calendar_view()
            .append_query_pair("startDateTime", &bound(window.start))
            .append_query_pair("endDateTime", &bound(window.end))
            .select(FIELDS)
            .build()
            .await;
        let events: Vec<GraphEvent> = self.account.all(built, MAX_PAGES).await?;
        Ok(events.iter().filter_map(busy_time).collect())
    }
}

//! Events: lists, views, change tracking, read, insert, patch, delete; in the person's own calendar or in one that is
//! named.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, OriginalUri, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::super::MicrosoftSandbox;
use super::super::delta::{self as tracking, DeltaToken as DeltaState};
use super::super::errors::GraphApiError;
use super::super::odata::{DEFAULT_PAGE, LARGEST_PAGE, ODataOptions, page};
use super::super::prefer::PreferHeader;
use super::super::resource::{GraphEventView, etag};
use super::super::scopes::GraphPermission;
use super::super::writes::{self, CalendarSegment, calendar_of, find};
use super::{answer, object, pairs};
use crate::clock;
use crate::store::{
    AuthenticatedCaller, EntryLocation, ListWindow, ListedEvent, ProviderStore, StoredCalendar, StoredEntry,
    StoredEntryAction, WriteAuthor, standing, standing_between,
};

#[derive(Deserialize)]
struct EventPath {
    /// `None`: the person's own.
    calendar: Option<String>,
    #[serde(default)]
    event: String,
}

/// A request about the events of a calendar, or about one of them.
pub(super) struct EventsRequest {
    microsoft: Arc<MicrosoftSandbox>,
    caller: AuthenticatedCaller,
    path: EventPath,
    uri: Uri,
    pairs: Vec<(String, String)>,
    prefer: PreferHeader,
    headers: HeaderMap,
}

impl FromRequestParts<Arc<MicrosoftSandbox>> for EventsRequest {
    type Rejection = GraphApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        microsoft: &Arc<MicrosoftSandbox>,
    ) -> Result<Self, GraphApiError> {
        let Path(path) =
            Path::from_request_parts(parts, microsoft).await.map_err(|_| GraphApiError::no_segment())?;
        let caller = parts.extensions.get::<AuthenticatedCaller>().cloned();
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        Ok(Self {
            microsoft: Arc::clone(microsoft),
            caller: caller.ok_or_else(|| GraphApiError::unauthenticated(false))?,
            path,
            uri: uri.clone(),
            pairs: pairs(uri.query()),
            prefer: PreferHeader::read(&parts.headers)?,
            headers: parts.headers.clone(),
        })
    }
}

impl EventsRequest {
    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The window that a view needs.
    fn window(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), GraphApiError> {
        let invalid = |message: &str| GraphApiError::bad("ErrorInvalidParameter", message);
        let time = |name: &str| {
            let text = self.get(name).ok_or_else(|| {
                invalid(
                    "This request requires a time window specified by the query string parameters StartDateTime and \
                     EndDateTime.",
                )
            })?;
            // Without an offset it is UTC.
            let at = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
            at.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc()))
                .map_err(|_| invalid(&format!("The value '{text}' of {name} is no time.")))
        };
        let (from, to) = (time("startDateTime")?, time("endDateTime")?);
        // "The range may be up to 1825 days" (calendarView).
        if to <= from || (to - from).num_days() > 1825 {
            return Err(invalid("The end must be after the start, by at most 1825 days."));
        }
        Ok((from, to))
    }

    fn address(&self) -> String {
        format!("{}{}", self.microsoft.server.url, self.uri.path())
    }

    /// One page of what a list has come to, with the address of the next.
    fn list(
        &self,
        calendar: &StoredCalendar,
        options: &ODataOptions,
        mut events: Vec<Cow<'_, StoredEntry>>,
    ) -> Response {
        let view = self.view(calendar);
        events.retain(|entry| options.filter.as_ref().is_none_or(|filter| filter.takes(entry)));
        let size = options.top.or(self.prefer.page_size).unwrap_or(DEFAULT_PAGE).min(LARGEST_PAGE);
        let end = options.skip.saturating_add(size);
        let next = (events.len() > end).then(|| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.pairs.iter().filter(|(name, _)| name != "$skip"));
            query.append_pair("$skip", &end.to_string());
            format!("{}?{}", self.address(), query.finish())
        });
        let items = events.into_iter().skip(options.skip).take(size);
        let items = items.map(|entry| options.shape(&entry, view.event(&entry))).collect();
        answer(StatusCode::OK, &self.prefer, page(items, next))
    }

    fn view<'a>(&'a self, calendar: &'a StoredCalendar) -> GraphEventView<'a> {
        GraphEventView {
            calendar: &calendar.info,
            prefer: &self.prefer,
            base_url: &self.microsoft.server.url,
        }
    }

    /// The calendar that the path names.
    fn calendar<'w>(&self, store: &'w ProviderStore) -> Result<&'w StoredCalendar, GraphApiError> {
        let id = calendar_of(store, &self.caller.account, self.named())?;
        Ok(store.calendar(&id)?)
    }

    fn named(&self) -> CalendarSegment<'_> {
        self.path.calendar.as_deref()
    }

    fn if_match(&self) -> Option<&str> {
        self.headers.get(header::IF_MATCH)?.to_str().ok()
    }

    fn author(&self, action: StoredEntryAction) -> WriteAuthor<'_> {
        WriteAuthor { account: &self.caller.account, action, now: clock::now() }
    }

    /// An event as the client prefers it, with its etag in the header too.
    fn show(
        &self,
        store: &ProviderStore,
        place: &EntryLocation,
        status: StatusCode,
        options: &ODataOptions,
    ) -> Result<Response, GraphApiError> {
        let calendar = store.calendar(&place.calendar)?;
        let entry = standing(calendar, &place.id).ok_or_else(GraphApiError::not_found)?;
        let event = self.view(calendar).event(&entry);
        let mut response = answer(status, &self.prefer, options.shape(&entry, event));
        if let Ok(etag) = etag(entry.seq).parse() {
            response.headers_mut().insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

/// Single events and series, not their occurrences.
pub(super) async fn list(asked: EventsRequest) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::ReadCalendars)?;
    let options = ODataOptions::read(&asked.pairs, &[])?;
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store)?;
    let stored = calendar.by_seq.values().filter_map(|id| calendar.entries.get(id));
    let stored = stored.filter(|entry| !entry.cancelled() && entry.occurrence_of.is_none());
    Ok(asked.list(calendar, &options, stored.map(Cow::Borrowed).collect()))
}

/// What stands in a window by its start, series as their occurrences.
pub(super) async fn view(asked: EventsRequest) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::ReadCalendars)?;
    let options = ODataOptions::read(&asked.pairs, &["startDateTime", "endDateTime"])?;
    // The real service fails on it (microsoftgraph/msgraph-sdk-dotnet#2375).
    if options.filter.is_some() {
        return Err(GraphApiError::internal());
    }
    let (from, to) = asked.window()?;
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store)?;
    let window = ListWindow { from: Some(from), to: Some(to) };
    let mut shown = standing_between(calendar, window, clock::now());
    shown.sort_by_cached_key(|one| (one.span().0.instant(calendar.info.zone), one.id()));
    Ok(asked.list(calendar, &options, shown.iter().map(ListedEvent::materialized).collect()))
}

/// One page of change tracking.
pub(super) async fn delta(asked: EventsRequest) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::ReadCalendars)?;
    let token = asked.get("$skiptoken").or_else(|| asked.get("$deltatoken"));
    let known = ["startDateTime", "endDateTime", "$skiptoken", "$deltatoken"];
    if asked.pairs.iter().any(|(name, _)| !known.contains(&name.as_str())) {
        return Err(GraphApiError::query(
            "The following parameters are not supported with change tracking over the 'CalendarView' resource: \
             '$orderby, $filter, $select, $expand, $search, $top'.",
        ));
    }
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store)?;
    let state = match token {
        Some(token) => DeltaState::read(token, calendar)?,
        None => DeltaState::first(&calendar.info.id, asked.window()?),
    };
    let page = tracking::page(calendar, asked.view(calendar), &state, &asked.address(), clock::now());
    Ok(answer(StatusCode::OK, &asked.prefer, page))
}

pub(super) async fn get(asked: EventsRequest) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::ReadCalendars)?;
    let options = ODataOptions::read(&asked.pairs, &[])?;
    let store = asked.microsoft.store();
    let (place, _) = find(&store, &asked.caller.account, asked.named(), &asked.path.event)?;
    asked.show(&store, &place, StatusCode::OK, &options)
}

pub(super) async fn insert(asked: EventsRequest, body: Bytes) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::WriteCalendars)?;
    let body = object(&asked.headers, &body)?;
    let mut store = asked.microsoft.store();
    let place = writes::insert(&mut store, asked.named(), body, asked.author(StoredEntryAction::Insert))?;
    asked.show(&store, &place, StatusCode::CREATED, &ODataOptions::default())
}

pub(super) async fn patch(asked: EventsRequest, body: Bytes) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::WriteCalendars)?;
    let body = object(&asked.headers, &body)?;
    let mut store = asked.microsoft.store();
    let (place, author) =
        ((asked.named(), asked.path.event.as_str()), asked.author(StoredEntryAction::Patch));
    let place = writes::change(&mut store, place, body, asked.if_match(), author)?;
    asked.show(&store, &place, StatusCode::OK, &ODataOptions::default())
}

pub(super) async fn delete(asked: EventsRequest) -> Result<Response, GraphApiError> {
    asked.caller.can(GraphPermission::WriteCalendars)?;
    let (place, author) =
        ((asked.named(), asked.path.event.as_str()), asked.author(StoredEntryAction::Delete));
    writes::delete(&mut asked.microsoft.store(), place, asked.if_match(), author)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

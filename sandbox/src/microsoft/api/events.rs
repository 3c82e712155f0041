//! Events: lists, views, change tracking, read, insert, patch, delete; in the person's own calendar or in one that is
//! named.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::super::MicrosoftSandbox;
use super::super::delta::{self as tracking, DeltaToken as DeltaState};
use super::super::errors::GraphApiError;
use super::super::odata::{DEFAULT_PAGE, LARGEST_PAGE, ODataFilter, ODataOptions, page};
use super::super::prefer::PreferHeader;
use super::super::resource::{GraphEventView, etag};
use super::super::scopes::GraphPermission;
use super::super::writes::{self, CalendarSegment, calendar_of, find};
use super::{answer, object, pairs};
use crate::clock;
use crate::store::{
    AuthenticatedCaller, EntryLocation, ListWindow, ListedEvent, ProviderStore, StoredCalendar, StoredEntry,
    StoredEntryAction, WriteAuthor, expand, materialize, standing, standing_between,
};

/// What a request that reads many events says.
struct EventsRequest {
    microsoft: Arc<MicrosoftSandbox>,
    caller: AuthenticatedCaller,
    uri: Uri,
    pairs: Vec<(String, String)>,
    prefer: PreferHeader,
}

type EventsExtractors =
    (State<Arc<MicrosoftSandbox>>, Extension<AuthenticatedCaller>, OriginalUri, RawQuery, HeaderMap);

impl EventsRequest {
    fn read(
        (State(microsoft), Extension(caller), OriginalUri(uri), RawQuery(query), headers): EventsExtractors,
    ) -> Result<Self, GraphApiError> {
        caller.can(GraphPermission::ReadCalendars)?;
        Ok(Self {
            microsoft,
            caller,
            uri,
            pairs: pairs(query.as_deref()),
            prefer: PreferHeader::read(&headers)?,
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The window that a view needs.
    fn window(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), GraphApiError> {
        let time = |name: &str| {
            let text = self.get(name).ok_or_else(|| {
                GraphApiError::bad(
                    "ErrorInvalidParameter",
                    "This request requires a time window specified by the query string parameters StartDateTime and \
                     EndDateTime.",
                )
            })?;
            // Without an offset it is UTC.
            let at = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
            at.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc()))
                .map_err(|_| {
                    GraphApiError::bad(
                        "ErrorInvalidParameter",
                        format!("The value '{text}' of {name} is no time."),
                    )
                })
        };
        let (from, to) = (time("startDateTime")?, time("endDateTime")?);
        // "The range may be up to 1825 days" (calendarView).
        if to <= from || (to - from).num_days() > 1825 {
            return Err(GraphApiError::bad(
                "ErrorInvalidParameter",
                "The end must be after the start, by at most 1825 days.",
            ));
        }
        Ok((from, to))
    }

    fn address(&self) -> String {
        format!("{}{}", self.microsoft.server.url, self.uri.path())
    }

    /// One page of what a list has come to, with the address of the next.
    fn list(&self, options: &ODataOptions, mut events: Vec<(StoredEntry, Value)>) -> Response {
        events
            .retain(|(entry, event)| options.filter.as_ref().is_none_or(|filter| filter.takes(entry, event)));
        options.sort(&mut events);
        let size = options.top.or(self.prefer.page_size).unwrap_or(DEFAULT_PAGE).min(LARGEST_PAGE);
        let end = options.skip.saturating_add(size);
        let next = (events.len() > end).then(|| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.pairs.iter().filter(|(name, _)| name != "$skip"));
            query.append_pair("$skip", &end.to_string());
            format!("{}?{}", self.address(), query.finish())
        });
        let items = events.into_iter().skip(options.skip).take(size);
        let items = items.map(|(entry, event)| options.shape(&entry, event)).collect();
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
    fn calendar<'w>(
        &self,
        store: &'w ProviderStore,
        named: CalendarSegment<'_>,
    ) -> Result<&'w StoredCalendar, GraphApiError> {
        let id = calendar_of(store, &self.caller.account, named)?;
        store.calendars.get(&id).ok_or_else(GraphApiError::not_found)
    }
}

/// What stands, with what is shown of it.
fn written(view: GraphEventView<'_>, shown: &ListedEvent<'_>) -> (StoredEntry, Value) {
    let entry = match shown {
        ListedEvent::Whole(entry) => (*entry).clone(),
        ListedEvent::Occurrence { master, original } | ListedEvent::Vanished { master, original } => {
            materialize(master, *original)
        }
    };
    let event = view.event(&entry);
    (entry, event)
}

/// Single events and series, not their occurrences.
fn list_events(asked: &EventsRequest, named: CalendarSegment<'_>) -> Result<Response, GraphApiError> {
    let options = ODataOptions::read(&asked.pairs, &[])?;
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store, named)?;
    let view = asked.view(calendar);
    let stored = calendar.by_seq.values().filter_map(|id| calendar.entries.get(id));
    let stored = stored.filter(|entry| !entry.cancelled() && entry.occurrence_of.is_none());
    let events = stored.map(|entry| written(view, &ListedEvent::Whole(entry))).collect();
    Ok(asked.list(&options, events))
}

/// What stands in a window, series as their occurrences.
fn list_calendar_view(asked: &EventsRequest, named: CalendarSegment<'_>) -> Result<Response, GraphApiError> {
    let options = ODataOptions::read(&asked.pairs, &["startDateTime", "endDateTime"])?;
    // The real service fails on it (microsoftgraph/msgraph-sdk-dotnet#2375).
    if matches!(options.filter, Some(ODataFilter::Property { .. })) {
        return Err(GraphApiError::internal());
    }
    let (from, to) = asked.window()?;
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store, named)?;
    let window = ListWindow { from: Some(from), to: Some(to) };
    let view = asked.view(calendar);
    Ok(asked.list(&options, by_start(calendar, view, standing_between(calendar, window, clock::now()))))
}

fn by_start(
    calendar: &StoredCalendar,
    view: GraphEventView<'_>,
    mut shown: Vec<ListedEvent<'_>>,
) -> Vec<(StoredEntry, Value)> {
    shown.sort_by_cached_key(|one| (one.span().0.instant(calendar.info.zone), one.id()));
    shown.iter().map(|one| written(view, one)).collect()
}

/// All occurrences of one series in a window.
fn list_instances(
    asked: &EventsRequest,
    named: CalendarSegment<'_>,
    event: &str,
) -> Result<Response, GraphApiError> {
    let options = ODataOptions::read(&asked.pairs, &["startDateTime", "endDateTime"])?;
    let (from, to) = asked.window()?;
    let store = asked.microsoft.store();
    let (place, master) = find(&store, &asked.caller.account, named, event)?;
    let calendar = store.calendars.get(&place.calendar).ok_or_else(GraphApiError::not_found)?;
    if master.series.is_none() {
        return Err(GraphApiError::bad("ErrorInvalidRequest", "The event is not the master of a series."));
    }
    let mut shown = expand(calendar, &master, ListWindow { from: Some(from), to: Some(to) }, clock::now());
    shown.retain(|one| !one.cancelled());
    Ok(asked.list(&options, by_start(calendar, asked.view(calendar), shown)))
}

/// One page of change tracking.
fn list_delta(asked: &EventsRequest, named: CalendarSegment<'_>) -> Result<Response, GraphApiError> {
    let token = asked.get("$skiptoken").or_else(|| asked.get("$deltatoken"));
    let known = ["startDateTime", "endDateTime", "$skiptoken", "$deltatoken"];
    if asked.pairs.iter().any(|(name, _)| !known.contains(&name.as_str())) {
        return Err(GraphApiError::query(
            "The following parameters are not supported with change tracking over the 'CalendarView' resource: \
             '$orderby, $filter, $select, $expand, $search, $top'.",
        ));
    }
    let store = asked.microsoft.store();
    let calendar = asked.calendar(&store, named)?;
    let state = match token {
        Some(token) => DeltaState::read(token, calendar)?,
        None => DeltaState::first(&calendar.info.id, asked.window()?),
    };
    let page = tracking::page(calendar, asked.view(calendar), &state, &asked.address(), clock::now());
    Ok(answer(StatusCode::OK, &asked.prefer, page))
}

/// A request about one event.
type EventExtractors = (State<Arc<MicrosoftSandbox>>, Extension<AuthenticatedCaller>, RawQuery, HeaderMap);

fn get_event(
    (State(microsoft), Extension(caller), RawQuery(query), headers): EventExtractors,
    named: CalendarSegment<'_>,
    event: &str,
) -> Result<Response, GraphApiError> {
    caller.can(GraphPermission::ReadCalendars)?;
    let (prefer, options) =
        (PreferHeader::read(&headers)?, ODataOptions::read(&pairs(query.as_deref()), &[])?);
    let store = microsoft.store();
    let (place, _) = find(&store, &caller.account, named, event)?;
    show(&microsoft, &store, &place, StatusCode::OK, &prefer, &options)
}

fn create_event(
    (State(microsoft), Extension(caller), _, headers): EventExtractors,
    named: CalendarSegment<'_>,
    body: &[u8],
) -> Result<Response, GraphApiError> {
    caller.can(GraphPermission::WriteCalendars)?;
    let (prefer, body) = (PreferHeader::read(&headers)?, object(&headers, body)?);
    let mut store = microsoft.store();
    let place = writes::insert(&mut store, named, body, author(&caller, StoredEntryAction::Insert))?;
    show(&microsoft, &store, &place, StatusCode::CREATED, &prefer, &ODataOptions::default())
}

fn change(
    (State(microsoft), Extension(caller), _, headers): EventExtractors,
    named: CalendarSegment<'_>,
    event: &str,
    body: &[u8],
) -> Result<Response, GraphApiError> {
    caller.can(GraphPermission::WriteCalendars)?;
    let (prefer, body) = (PreferHeader::read(&headers)?, object(&headers, body)?);
    let mut store = microsoft.store();
    let author = author(&caller, StoredEntryAction::Patch);
    let place = writes::change(&mut store, (named, event), body, if_match(&headers), author)?;
    show(&microsoft, &store, &place, StatusCode::OK, &prefer, &ODataOptions::default())
}

fn delete_event(
    (State(microsoft), Extension(caller), _, headers): EventExtractors,
    named: CalendarSegment<'_>,
    event: &str,
) -> Result<Response, GraphApiError> {
    caller.can(GraphPermission::WriteCalendars)?;
    let author = author(&caller, StoredEntryAction::Delete);
    writes::delete(&mut microsoft.store(), (named, event), if_match(&headers), author)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH)?.to_str().ok()
}

fn author(caller: &AuthenticatedCaller, action: StoredEntryAction) -> WriteAuthor<'_> {
    WriteAuthor { account: &caller.account, action, now: clock::now() }
}

/// An event as the client prefers it, with its etag in the header too.
fn show(
    microsoft: &MicrosoftSandbox,
    store: &ProviderStore,
    place: &EntryLocation,
    status: StatusCode,
    prefer: &PreferHeader,
    options: &ODataOptions,
) -> Result<Response, GraphApiError> {
    let calendar = store.calendars.get(&place.calendar).ok_or_else(GraphApiError::not_found)?;
    let entry = standing(calendar, &place.id).ok_or_else(GraphApiError::not_found)?;
    let view = GraphEventView { calendar: &calendar.info, prefer, base_url: &microsoft.server.url };
    let mut response = answer(status, prefer, options.shape(&entry, view.event(&entry)));
    if let Ok(etag) = etag(entry.seq).parse() {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The handlers of a list, for the person's own calendar and for one that is named.
macro_rules! many {
    ($own:ident, $named:ident, $work:ident) => {
        pub(super) async fn $own(
            state: State<Arc<MicrosoftSandbox>>,
            caller: Extension<AuthenticatedCaller>,
            uri: OriginalUri,
            query: RawQuery,
            headers: HeaderMap,
        ) -> Result<Response, GraphApiError> {
            $work(&EventsRequest::read((state, caller, uri, query, headers))?, None)
        }

        pub(super) async fn $named(
            state: State<Arc<MicrosoftSandbox>>,
            caller: Extension<AuthenticatedCaller>,
            Path(calendar): Path<String>,
            uri: OriginalUri,
            query: RawQuery,
            headers: HeaderMap,
        ) -> Result<Response, GraphApiError> {
            $work(&EventsRequest::read((state, caller, uri, query, headers))?, Some(&calendar))
        }
    };
}

many!(list, list_in, list_events);
many!(view, view_in, list_calendar_view);
many!(delta, delta_in, list_delta);

/// The handlers of one event, for the person's own calendar and for one that is named; `body`: with what is written.
macro_rules! one {
    ($own:ident, $named:ident, $work:ident $(, $body:ident)?) => {
        pub(super) async fn $own(
            state: State<Arc<MicrosoftSandbox>>,
            caller: Extension<AuthenticatedCaller>,
            Path(event): Path<String>,
            query: RawQuery,
            headers: HeaderMap,
            $($body: Bytes,)?
        ) -> Result<Response, GraphApiError> {
            $work((state, caller, query, headers), None, &event $(, &$body)?)
        }

        pub(super) async fn $named(
            state: State<Arc<MicrosoftSandbox>>,
            caller: Extension<AuthenticatedCaller>,
            Path((calendar, event)): Path<(String, String)>,
            query: RawQuery,
            headers: HeaderMap,
            $($body: Bytes,)?
        ) -> Result<Response, GraphApiError> {
            $work((state, caller, query, headers), Some(&calendar), &event $(, &$body)?)
        }
    };
}

one!(get, get_in, get_event);
one!(patch, patch_in, change, body);
one!(delete, delete_in, delete_event);

pub(super) async fn instances(
    state: State<Arc<MicrosoftSandbox>>,
    caller: Extension<AuthenticatedCaller>,
    Path(event): Path<String>,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, GraphApiError> {
    list_instances(&EventsRequest::read((state, caller, uri, query, headers))?, None, &event)
}

pub(super) async fn instances_in(
    state: State<Arc<MicrosoftSandbox>>,
    caller: Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, GraphApiError> {
    list_instances(&EventsRequest::read((state, caller, uri, query, headers))?, Some(&calendar), &event)
}

pub(super) async fn insert(
    state: State<Arc<MicrosoftSandbox>>,
    caller: Extension<AuthenticatedCaller>,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphApiError> {
    create_event((state, caller, query, headers), None, &body)
}

pub(super) async fn insert_in(
    state: State<Arc<MicrosoftSandbox>>,
    caller: Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphApiError> {
    create_event((state, caller, query, headers), Some(&calendar), &body)
}

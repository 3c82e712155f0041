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

use super::super::delta::{self as tracking, State as DeltaState};
use super::super::errors::GraphError;
use super::super::odata::{DEFAULT_PAGE, Filter, LARGEST_PAGE, Options, page};
use super::super::prefer::Prefer;
use super::super::resource::{View, etag};
use super::super::scopes::Need;
use super::super::writes::{self, Named, calendar_of, find};
use super::{answer, object, pairs};
use crate::app::App;
use crate::clock;
use crate::store::{
    Action, Author, Calendar, Caller, Entry, Place, Shown, Window, World, expand, standing, standing_alone,
    standing_between,
};

/// What a request that reads many events says.
struct Asked {
    app: Arc<App>,
    caller: Caller,
    uri: Uri,
    pairs: Vec<(String, String)>,
    prefer: Prefer,
}

type Request = (State<Arc<App>>, Extension<Caller>, OriginalUri, RawQuery, HeaderMap);

impl Asked {
    fn read(
        (State(app), Extension(caller), OriginalUri(uri), RawQuery(query), headers): Request,
    ) -> Result<Self, GraphError> {
        caller.can(Need::ReadCalendars)?;
        Ok(Self { app, caller, uri, pairs: pairs(query.as_deref()), prefer: Prefer::read(&headers)? })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The window that a view needs.
    fn window(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), GraphError> {
        let time = |name: &str| {
            let text = self.get(name).ok_or_else(|| {
                GraphError::bad(
                    "ErrorInvalidParameter",
                    "This request requires a time window specified by the query string parameters StartDateTime and \
                     EndDateTime.",
                )
            })?;
            // Without an offset it is UTC.
            let at = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
            at.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|at| at.and_utc()))
                .map_err(|_| {
                    GraphError::bad(
                        "ErrorInvalidParameter",
                        format!("The value '{text}' of {name} is no time."),
                    )
                })
        };
        let (from, to) = (time("startDateTime")?, time("endDateTime")?);
        // "The range may be up to 1825 days" (calendarView).
        if to <= from || (to - from).num_days() > 1825 {
            return Err(GraphError::bad(
                "ErrorInvalidParameter",
                "The end must be after the start, by at most 1825 days.",
            ));
        }
        Ok((from, to))
    }

    fn address(&self) -> String {
        format!("{}{}", self.app.url, self.uri.path())
    }

    /// One page of what a list has come to, with the address of the next.
    fn list(&self, options: &Options, mut events: Vec<(Entry, Value)>) -> Response {
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

    fn view<'a>(&'a self, calendar: &'a Calendar) -> View<'a> {
        View { calendar: &calendar.info, prefer: &self.prefer, base_url: &self.app.url }
    }

    /// The calendar that the path names.
    fn calendar<'w>(&self, world: &'w World, named: Named<'_>) -> Result<&'w Calendar, GraphError> {
        let id = calendar_of(world, &self.caller.account, named)?;
        world.calendars.get(&id).ok_or_else(GraphError::not_found)
    }
}

/// What stands, with what is shown of it.
fn written(view: View<'_>, shown: &Shown<'_>) -> (Entry, Value) {
    let entry = match shown {
        Shown::Whole(entry) => (*entry).clone(),
        Shown::Occurrence { master, original } | Shown::Vanished { master, original } => {
            standing_alone(master, *original)
        }
    };
    let event = view.event(&entry);
    (entry, event)
}

/// Single events and series, not their occurrences.
fn all(asked: &Asked, named: Named<'_>) -> Result<Response, GraphError> {
    let options = Options::read(&asked.pairs, &[])?;
    let world = asked.app.microsoft.world();
    let calendar = asked.calendar(&world, named)?;
    let view = asked.view(calendar);
    let stored = calendar.by_seq.values().filter_map(|id| calendar.entries.get(id));
    let stored = stored.filter(|entry| !entry.cancelled() && entry.occurrence_of.is_none());
    let events = stored.map(|entry| written(view, &Shown::Whole(entry))).collect();
    Ok(asked.list(&options, events))
}

/// What stands in a window, series as their occurrences.
fn between(asked: &Asked, named: Named<'_>) -> Result<Response, GraphError> {
    let options = Options::read(&asked.pairs, &["startDateTime", "endDateTime"])?;
    // The real service fails on it (microsoftgraph/msgraph-sdk-dotnet#2375).
    if matches!(options.filter, Some(Filter::Property { .. })) {
        return Err(GraphError::internal());
    }
    let (from, to) = asked.window()?;
    let world = asked.app.microsoft.world();
    let calendar = asked.calendar(&world, named)?;
    let window = Window { from: Some(from), to: Some(to) };
    let view = asked.view(calendar);
    Ok(asked.list(&options, by_start(calendar, view, standing_between(calendar, window, clock::now()))))
}

fn by_start(calendar: &Calendar, view: View<'_>, mut shown: Vec<Shown<'_>>) -> Vec<(Entry, Value)> {
    shown.sort_by_cached_key(|one| (one.span().0.instant(calendar.info.zone), one.id()));
    shown.iter().map(|one| written(view, one)).collect()
}

/// All occurrences of one series in a window.
fn occurrences(asked: &Asked, named: Named<'_>, event: &str) -> Result<Response, GraphError> {
    let options = Options::read(&asked.pairs, &["startDateTime", "endDateTime"])?;
    let (from, to) = asked.window()?;
    let world = asked.app.microsoft.world();
    let (place, master) = find(&world, &asked.caller.account, named, event)?;
    let calendar = world.calendars.get(&place.calendar).ok_or_else(GraphError::not_found)?;
    if master.series.is_none() {
        return Err(GraphError::bad("ErrorInvalidRequest", "The event is not the master of a series."));
    }
    let mut shown = expand(calendar, &master, Window { from: Some(from), to: Some(to) }, clock::now());
    shown.retain(|one| !one.cancelled());
    Ok(asked.list(&options, by_start(calendar, asked.view(calendar), shown)))
}

/// One page of change tracking.
fn changes(asked: &Asked, named: Named<'_>) -> Result<Response, GraphError> {
    let token = asked.get("$skiptoken").or_else(|| asked.get("$deltatoken"));
    let known = ["startDateTime", "endDateTime", "$skiptoken", "$deltatoken"];
    if asked.pairs.iter().any(|(name, _)| !known.contains(&name.as_str())) {
        return Err(GraphError::query(
            "The following parameters are not supported with change tracking over the 'CalendarView' resource: \
             '$orderby, $filter, $select, $expand, $search, $top'.",
        ));
    }
    let world = asked.app.microsoft.world();
    let calendar = asked.calendar(&world, named)?;
    let state = match token {
        Some(token) => DeltaState::read(token, calendar)?,
        None => DeltaState::first(&calendar.info.id, asked.window()?),
    };
    let page = tracking::page(calendar, asked.view(calendar), &state, &asked.address(), clock::now());
    Ok(answer(StatusCode::OK, &asked.prefer, page))
}

/// A request about one event.
type OneRequest = (State<Arc<App>>, Extension<Caller>, RawQuery, HeaderMap);

fn read_one(
    (State(app), Extension(caller), RawQuery(query), headers): OneRequest,
    named: Named<'_>,
    event: &str,
) -> Result<Response, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let (prefer, options) = (Prefer::read(&headers)?, Options::read(&pairs(query.as_deref()), &[])?);
    let world = app.microsoft.world();
    let (place, _) = find(&world, &caller.account, named, event)?;
    show(&app, &world, &place, StatusCode::OK, &prefer, &options)
}

fn make(
    (State(app), Extension(caller), _, headers): OneRequest,
    named: Named<'_>,
    body: &[u8],
) -> Result<Response, GraphError> {
    caller.can(Need::WriteCalendars)?;
    let (prefer, body) = (Prefer::read(&headers)?, object(&headers, body)?);
    let mut world = app.microsoft.world();
    let place = writes::insert(&mut world, named, body, author(&caller, Action::Insert))?;
    show(&app, &world, &place, StatusCode::CREATED, &prefer, &Options::default())
}

fn change(
    (State(app), Extension(caller), _, headers): OneRequest,
    named: Named<'_>,
    event: &str,
    body: &[u8],
) -> Result<Response, GraphError> {
    caller.can(Need::WriteCalendars)?;
    let (prefer, body) = (Prefer::read(&headers)?, object(&headers, body)?);
    let mut world = app.microsoft.world();
    let author = author(&caller, Action::Patch);
    let place = writes::change(&mut world, (named, event), body, if_match(&headers), author)?;
    show(&app, &world, &place, StatusCode::OK, &prefer, &Options::default())
}

fn remove(
    (State(app), Extension(caller), _, headers): OneRequest,
    named: Named<'_>,
    event: &str,
) -> Result<Response, GraphError> {
    caller.can(Need::WriteCalendars)?;
    let author = author(&caller, Action::Delete);
    writes::delete(&mut app.microsoft.world(), (named, event), if_match(&headers), author)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH)?.to_str().ok()
}

fn author(caller: &Caller, action: Action) -> Author<'_> {
    Author { account: &caller.account, action, now: clock::now() }
}

/// An event as the client prefers it, with its etag in the header too.
fn show(
    app: &App,
    world: &World,
    place: &Place,
    status: StatusCode,
    prefer: &Prefer,
    options: &Options,
) -> Result<Response, GraphError> {
    let calendar = world.calendars.get(&place.calendar).ok_or_else(GraphError::not_found)?;
    let entry = standing(calendar, &place.id).ok_or_else(GraphError::not_found)?;
    let view = View { calendar: &calendar.info, prefer, base_url: &app.url };
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
            state: State<Arc<App>>,
            caller: Extension<Caller>,
            uri: OriginalUri,
            query: RawQuery,
            headers: HeaderMap,
        ) -> Result<Response, GraphError> {
            $work(&Asked::read((state, caller, uri, query, headers))?, None)
        }

        pub(super) async fn $named(
            state: State<Arc<App>>,
            caller: Extension<Caller>,
            Path(calendar): Path<String>,
            uri: OriginalUri,
            query: RawQuery,
            headers: HeaderMap,
        ) -> Result<Response, GraphError> {
            $work(&Asked::read((state, caller, uri, query, headers))?, Some(&calendar))
        }
    };
}

many!(list, list_in, all);
many!(view, view_in, between);
many!(delta, delta_in, changes);

/// The handlers of one event, for the person's own calendar and for one that is named; `body`: with what is written.
macro_rules! one {
    ($own:ident, $named:ident, $work:ident $(, $body:ident)?) => {
        pub(super) async fn $own(
            state: State<Arc<App>>,
            caller: Extension<Caller>,
            Path(event): Path<String>,
            query: RawQuery,
            headers: HeaderMap,
            $($body: Bytes,)?
        ) -> Result<Response, GraphError> {
            $work((state, caller, query, headers), None, &event $(, &$body)?)
        }

        pub(super) async fn $named(
            state: State<Arc<App>>,
            caller: Extension<Caller>,
            Path((calendar, event)): Path<(String, String)>,
            query: RawQuery,
            headers: HeaderMap,
            $($body: Bytes,)?
        ) -> Result<Response, GraphError> {
            $work((state, caller, query, headers), Some(&calendar), &event $(, &$body)?)
        }
    };
}

one!(get, get_in, read_one);
one!(patch, patch_in, change, body);
one!(delete, delete_in, remove);

pub(super) async fn instances(
    state: State<Arc<App>>,
    caller: Extension<Caller>,
    Path(event): Path<String>,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, GraphError> {
    occurrences(&Asked::read((state, caller, uri, query, headers))?, None, &event)
}

pub(super) async fn instances_in(
    state: State<Arc<App>>,
    caller: Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
) -> Result<Response, GraphError> {
    occurrences(&Asked::read((state, caller, uri, query, headers))?, Some(&calendar), &event)
}

pub(super) async fn insert(
    state: State<Arc<App>>,
    caller: Extension<Caller>,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphError> {
    make((state, caller, query, headers), None, &body)
}

pub(super) async fn insert_in(
    state: State<Arc<App>>,
    caller: Extension<Caller>,
    Path(calendar): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphError> {
    make((state, caller, query, headers), Some(&calendar), &body)
}

//! Calendar Sync: the address of all bookings to give away, and calendars of platforms taken over once.
//!
//! An import is shown first and done then: `take` reads what was sent, previews and imports, `upload` is what was sent.

mod take;
mod upload;

use std::collections::HashMap;

use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::{get, post},
};
use concord_domain::{ids::ChannelId, privacy::FeedPrivacy};
use concord_jobs::channels::manage;
use concord_storage::{
    PageAsk,
    channels::{self, runs},
};
use serde::Deserialize;

use self::upload::Wish;
use super::{
    PageError,
    asked::{Asked, Sent},
    channels::{
        name_of, path_of,
        words::{origin_label, skipped, steps},
    },
    flash::Flash,
    frame::{Frame, Place, page},
    names::all_resources,
    pieces::{Choice, Pill, capital},
    session::CurrentUser,
    when::When,
};
use crate::{app::App, http::feeds::info::export_address};

pub(super) use self::upload::{MOST_BYTES, carries_token};

const PATH: &str = "/calendar-sync";

/// What an import would do.
const PREVIEW: &str = "/calendar-sync/preview";
/// What does it.
const IMPORT: &str = "/calendar-sync/import";

/// Whether what is sent there may be as large as a calendar, in parts.
pub(super) fn takes_files(path: &str) -> bool {
    [PREVIEW, IMPORT].contains(&path)
}

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/calendar-sync/publish", post(publish))
        .route(PREVIEW, get(take::show_again).post(take::preview))
        .route(IMPORT, post(take::import))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

#[derive(Template)]
#[template(path = "calendar_sync.html")]
struct SyncPage {
    frame: Frame,
    /// The address of all bookings, with what it tells; `None`: it is not published.
    feed: Option<Published>,
    /// What it is to tell, in the form that publishes it.
    privacy: FeedPrivacy,
    /// How each platform is given the address.
    guides: Vec<Guide>,
    platforms: Vec<Choice>,
    resources: Vec<Choice>,
    address: String,
    faults: Vec<(&'static str, String)>,
    runs: Vec<Reading>,
    older: Option<String>,
    is_further: bool,
}

struct Published {
    url: String,
    tells: &'static str,
}

struct Guide {
    /// Whether nights are sold there.
    sells: bool,
    name: String,
    steps: Vec<String>,
    notes: Vec<String>,
}

struct Reading {
    id: String,
    channel: String,
    path: String,
    at: When,
    outcome: Pill,
    message: String,
    skipped: String,
    origin: &'static str,
    can_be_undone: bool,
}

impl SyncPage {
    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }
}

const SHOWN_RUNS: u32 = 20;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Where {
    after: Option<String>,
}

async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Asked(place): Asked<Where>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let shown = describe(&app, &user, place, &Wish::default(), Vec::new()).await?;
    page(&app, &user, &shown)
}

/// What the feed of all bookings is to tell.
#[derive(Deserialize)]
struct Telling {
    privacy: FeedPrivacy,
}

async fn publish(
    State(app): State<App>,
    user: CurrentUser,
    Sent(telling): Sent<Telling>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let (_, is_new) =
        manage::publish_business_feed(&app.context, &user.change(&app), telling.privacy).await?;
    let flash = if is_new {
        Flash::good("The calendar of all bookings is published.")
    } else {
        Flash::information("It was published already. See below what it tells; that is changed at Feeds.")
    };
    Ok(user.go(&app, PATH, &flash))
}

async fn describe(
    app: &App,
    user: &CurrentUser,
    place: Where,
    wish: &Wish,
    faults: Vec<(&'static str, String)>,
) -> Result<SyncPage, PageError> {
    let feed = manage::business_feed(&app.context, user.business.id).await?;
    let feed = feed.map(|(feed, token)| Published {
        url: export_address(app, &token),
        tells: match feed.privacy {
            FeedPrivacy::Busy => "only when something is taken",
            FeedPrivacy::Title => "titles and first names",
            FeedPrivacy::Full => "everything, with names and addresses",
        },
    });
    let business = user.business.name.as_str();
    let url = feed.as_ref().map_or("(the address, once it is published)", |feed| feed.url.as_str());
    let values = [("resource", business), ("business", business), ("feed_url", url)];
    let readers = app.context.platforms.iter().filter(|platform| platform.imports);
    let guides = readers.map(|platform| Guide {
        sells: platform.sells(),
        name: platform.name.clone(),
        steps: steps(&platform.import_steps, &values),
        notes: platform.notes.clone(),
    });
    let offers = app.context.platforms.iter().filter(|platform| platform.exports);
    let is_further = place.after.is_some();
    let ask = PageAsk { limit: SHOWN_RUNS, after: place.after };
    let (runs, next) = history(app, user, &ask).await?;
    Ok(SyncPage {
        frame: Frame::around(app, user, Place::Settings, "Calendar Sync").await?,
        guides: guides.collect(),
        platforms: offers.map(|one| Choice::new(one.id.as_str(), &one.name, &wish.platform)).collect(),
        resources: all_resources(&app.context.db, user.business.id)
            .await?
            .iter()
            .map(|one| Choice::new(one.id.to_string(), &one.name, &wish.resource))
            .collect(),
        address: wish.address.clone(),
        faults,
        runs,
        older: next.map(|after| format!("{PATH}?after={after}")),
        is_further,
        feed,
        privacy: FeedPrivacy::Busy,
    })
}

/// What each reading of any channel came to, and how to go on.
async fn history(
    app: &App,
    user: &CurrentUser,
    ask: &PageAsk,
) -> Result<(Vec<Reading>, Option<String>), PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let found = runs::of_business(db, business, ask).await?;
    let mut names: HashMap<ChannelId, String> = HashMap::new();
    for channel in channels::list(db, business).await? {
        if found.items.iter().any(|run| run.channel_id == channel.id) {
            names.insert(channel.id, name_of(app, &channel).await?);
        }
    }
    let reading = |run: &runs::Run| {
        let name = names.get(&run.channel_id).cloned();
        Reading {
            id: run.id.to_string(),
            // One that was removed has no page.
            path: if name.is_some() { path_of(run.channel_id) } else { String::new() },
            can_be_undone: name.is_some() && run.can_be_undone(app.now()),
            channel: name.unwrap_or_else(|| "A channel that was removed".to_owned()),
            at: When::of(run.at, app.now(), user.business.zone),
            outcome: run.outcome.into(),
            message: capital(&run.message),
            skipped: skipped(run.counts),
            origin: origin_label(run.origin),
        }
    };
    Ok((found.items.iter().map(reading).collect(), found.next))
}

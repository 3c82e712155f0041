//! Import and export: the address of all bookings to give away, and calendars of platforms taken over once.
//!
//! An import is shown first and done then: `import_calendar` previews and imports what was sent, which `upload` reads.

mod import_calendar;
mod upload;

use std::collections::HashMap;

use askama::Template;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use concord_domain::{ids::ChannelId, privacy::FeedPrivacy};
use concord_services::channels as manage;
use concord_storage::{
    PageRequest,
    channels::{self, runs},
};
use serde::Deserialize;

use self::upload::CalendarImportForm;
use super::channels::labels::{fill_steps, origin_label, skipped_message};
use super::channels::{channel_name, channel_path};
use super::uploads::{IMPORT, PREVIEW};
use super::{
    CurrentUser, Flash, Form, Layout, Manager, NavItem, PageForm, PageQuery, PageResult, Pill, RelativeTime,
    SelectOption, all_resources, capitalize, render_page,
};
use crate::{app::App, http::feeds::bookings_feed_url};

const PATH: &str = "/calendar-sync";

pub(super) fn router(app: &App) -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/calendar-sync/publish", post(publish))
        .route(PREVIEW, get(import_calendar::show_preview).post(import_calendar::preview))
        .route(IMPORT, post(import_calendar::import))
        .layer(DefaultBodyLimit::max(app.config.max_upload_bytes()))
}

#[derive(Template)]
#[template(path = "calendar_sync.html")]
struct CalendarSyncPage {
    layout: Layout,
    /// The address of all bookings, with what it tells; `None`: it is not published.
    feed: Option<PublishedFeedView>,
    /// What it is to tell, in the form that publishes it.
    privacy: FeedPrivacy,
    /// How each platform is given the address.
    guides: Vec<PlatformGuide>,
    platforms: Vec<SelectOption>,
    resources: Vec<SelectOption>,
    form: Form<CalendarImportForm>,
    runs: Vec<ImportRunRow>,
    older: Option<String>,
    is_further: bool,
}

struct PublishedFeedView {
    url: String,
    tells: &'static str,
}

struct PlatformGuide {
    /// Whether nights are sold there.
    sells: bool,
    name: String,
    steps: Vec<String>,
    notes: Vec<String>,
}

struct ImportRunRow {
    id: String,
    channel: String,
    path: String,
    at: RelativeTime,
    outcome: Pill,
    message: String,
    skipped: String,
    origin: &'static str,
    can_be_undone: bool,
}

const SHOWN_RUNS: u32 = 20;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct CalendarSyncPageQuery {
    after: Option<String>,
}

async fn show(user: Manager, PageQuery(query): PageQuery<CalendarSyncPageQuery>) -> PageResult {
    let shown = build_page(&user, query, CalendarImportForm::default().into()).await?;
    render_page(&user, &shown)
}

/// What the feed of all bookings is to tell.
#[derive(Deserialize)]
struct FeedPrivacyForm {
    privacy: FeedPrivacy,
}

async fn publish(user: Manager, PageForm(form): PageForm<FeedPrivacyForm>) -> PageResult {
    let (_, is_new) = manage::publish_business_feed(&user.app.context, &user.change(), form.privacy).await?;
    let flash = if is_new {
        Flash::success("Calendar published.")
    } else {
        Flash::information("Already published. To change what it shows, go to Feeds.")
    };
    Ok(user.redirect_with_flash(PATH, &flash))
}

async fn build_page(
    user: &CurrentUser,
    query: CalendarSyncPageQuery,
    form: Form<CalendarImportForm>,
) -> PageResult<CalendarSyncPage> {
    let feed = manage::business_feed(&user.app.context, user.business.id).await?;
    let feed = feed.map(|(feed, token)| PublishedFeedView {
        url: bookings_feed_url(&user.app, &token),
        tells: match feed.privacy {
            FeedPrivacy::Busy => "busy times only",
            FeedPrivacy::Title => "titles and first names",
            FeedPrivacy::Full => "full details, with names and addresses",
        },
    });
    let business = user.business.name.as_str();
    let url = feed.as_ref().map_or("(the link, once published)", |feed| feed.url.as_str());
    let values = [("resource", business), ("business", business), ("feed_url", url)];
    let readers = user.app.context.platforms.iter().filter(|platform| platform.imports);
    let guides = readers.map(|platform| PlatformGuide {
        sells: platform.sells(),
        name: platform.name.clone(),
        steps: fill_steps(&platform.import_steps, &values),
        notes: platform.notes.clone(),
    });
    let offers = user.app.context.platforms.iter().filter(|platform| platform.exports);
    let is_further = query.after.is_some();
    let ask = PageRequest { limit: SHOWN_RUNS, after: query.after };
    let (runs, next) = import_runs(user, &ask).await?;
    Ok(CalendarSyncPage {
        layout: Layout::load(user, NavItem::Settings, "Import and export").await?,
        guides: guides.collect(),
        platforms: offers.map(|one| SelectOption::new(one.id.as_str(), &one.name, &form.platform)).collect(),
        resources: all_resources(&user.app.context.db, user.business.id)
            .await?
            .iter()
            .map(|one| SelectOption::new(one.id.to_string(), &one.name, &form.resource))
            .collect(),
        form,
        runs,
        older: next.map(|after| format!("{PATH}?after={after}")),
        is_further,
        feed,
        privacy: FeedPrivacy::Busy,
    })
}

/// What each reading of any channel came to, and how to go on.
async fn import_runs(
    user: &CurrentUser,
    ask: &PageRequest,
) -> PageResult<(Vec<ImportRunRow>, Option<String>)> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let found = runs::of_business(db, business, ask).await?;
    let mut names: HashMap<ChannelId, String> = HashMap::new();
    for channel in channels::list(db, business).await? {
        if found.items.iter().any(|run| run.channel_id == channel.id) {
            names.insert(channel.id, channel_name(&user.app, &channel).await?);
        }
    }
    let reading = |run: &runs::ChannelRun| {
        let name = names.get(&run.channel_id).cloned();
        ImportRunRow {
            id: run.id.to_string(),
            // One that was removed has no page.
            path: if name.is_some() { channel_path(run.channel_id) } else { String::new() },
            can_be_undone: name.is_some() && run.can_be_undone(user.app.now()),
            channel: name.unwrap_or_else(|| "Removed channel".to_owned()),
            at: RelativeTime::new(run.at, user.app.now(), user.business.zone),
            outcome: run.outcome.into(),
            message: capitalize(&run.message),
            skipped: skipped_message(run.counts),
            origin: origin_label(run.origin),
        }
    };
    Ok((found.items.iter().map(reading).collect(), found.next))
}

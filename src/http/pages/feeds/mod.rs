//! Published feeds: made, given a new address, changed, ended. An address is shown once; only its digest is kept.
//! `readers` is who reads one.

mod readers;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use concord_domain::{
    feed::FeedScope,
    ids::{ChannelId, FeedId, ResourceId, StaffId},
    privacy::FeedPrivacy,
};
use concord_services::feeds;
use concord_storage::{
    Tx, channels,
    feeds::{self as store, Feed, FeedSubject, NewFeed},
    people::Staff,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    PageError,
    components::SelectOption,
    extract::{PageForm, PagePath},
    flash::Flash,
    format::RelativeTime,
    layout::{Layout, NavItem, render_page},
    names::{NAME_RULE, NameDirectory, is_name},
    reveal::{self, RevealQuery},
    session::CurrentUser,
};
use crate::{app::App, http::feeds::feed_url};

const PATH: &str = "/feeds";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(create))
        .route("/feeds/{id}/readers", get(readers::show))
        .route("/feeds/{id}/edit", get(edit).post(update))
        .route("/feeds/{id}/rotate", get(confirm_rotate).post(rotate))
        .route("/feeds/{id}/revoke", get(confirm_revoke).post(revoke))
}

#[derive(Template)]
#[template(path = "feeds.html")]
struct FeedsPage {
    frame: Layout,
    rows: Vec<FeedRow>,
    /// What a feed can be about: of the business, its resources, its people.
    whole: Vec<SelectOption>,
    resources: Vec<SelectOption>,
    staff: Vec<SelectOption>,
    drivers: Vec<SelectOption>,
    name: String,
    privacy: FeedPrivacy,
    /// The field that is wrong, and why.
    fault: Option<(&'static str, &'static str)>,
    /// The address of a feed that was just made or rotated.
    shown_once: Option<FeedUrlReveal>,
    /// One was made, and shown before.
    was_shown: bool,
}

impl FeedsPage {
    /// Whether there is anything that the person may publish.
    fn may_publish_any(&self) -> bool {
        !(self.whole.is_empty() && self.resources.is_empty() && self.staff.is_empty())
    }

    fn fault(&self, field: &str) -> Option<&'static str> {
        self.fault.filter(|(name, _)| *name == field).map(|(_, text)| text)
    }
}

struct FeedRow {
    id: FeedId,
    name: String,
    about: String,
    privacy: &'static str,
    prefix: String,
    read: Option<RelativeTime>,
}

#[derive(Serialize, Deserialize)]
struct FeedUrlReveal {
    name: String,
    url: String,
    /// Opens the calendar application of the reader.
    subscribe: String,
    is_new: bool,
}

/// What is typed into the form of a new feed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NewFeedForm {
    /// `business`, `resource:{id}`, `staff:{id}` or `driver:{id}`.
    about: String,
    name: String,
    privacy: String,
}

async fn show(State(app): State<App>, user: CurrentUser, shown: RevealQuery) -> Result<Response, PageError> {
    let feeds = build_page(&app, &user, &NewFeedForm::default()).await?;
    let reveal = reveal::take(&app, &user, PATH, &shown).await?;
    let feeds = FeedsPage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..feeds };
    render_page(&app, &user, &feeds)
}

async fn create(
    State(app): State<App>,
    user: CurrentUser,
    PageForm(wish): PageForm<NewFeedForm>,
) -> Result<Response, PageError> {
    let Some(subject) = parse_subject(&wish.about).filter(|subject| may_publish(&user, *subject)) else {
        return refuse(&app, &user, &wish, ("about", "Choose which bookings the feed shows.")).await;
    };
    let name = wish.name.trim();
    if !is_name(name) {
        return refuse(&app, &user, &wish, ("name", NAME_RULE)).await;
    }
    let new = NewFeed {
        business: user.business.id,
        subject,
        name: name.to_owned(),
        privacy: wish.privacy.parse().unwrap_or(FeedPrivacy::Busy),
    };
    let mut tx = app.context.db.begin().await?;
    let (feed, token) = feeds::create(&mut tx, &user.change(&app), &new).await?;
    commit_and_reveal(&app, &user, tx, (&feed, &token, true)).await
}

async fn rotate(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
) -> Result<Response, PageError> {
    find_feed(&app, &user, id).await?;
    let mut tx = app.context.db.begin().await?;
    let (feed, token) = feeds::rotate(&mut tx, &app.context, &user.change(&app), id).await?;
    commit_and_reveal(&app, &user, tx, (&feed, &token, false)).await
}

async fn revoke(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
) -> Result<Response, PageError> {
    find_feed(&app, &user, id).await?;
    let feed = feeds::revoke(&app.context, &user.change(&app), id).await?;
    let flash = Flash::success(format!("The feed “{}” is no longer published.", feed.name));
    Ok(user.redirect_with_flash(&app, "/feeds", &flash))
}

#[derive(Deserialize)]
struct FeedSettingsForm {
    name: String,
    privacy: FeedPrivacy,
}

async fn update(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
    PageForm(settings): PageForm<FeedSettingsForm>,
) -> Result<Response, PageError> {
    let feed = find_feed(&app, &user, id).await?;
    let name = settings.name.trim();
    if !is_name(name) {
        let form = EditFeedPage {
            name: settings.name,
            privacy: settings.privacy,
            fault: Some(NAME_RULE),
            ..EditFeedPage::from_feed(&app, &user, feed).await?
        };
        let mut response = render_page(&app, &user, &form)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    }
    let (by, settings) = (user.change(&app), (name.to_owned(), settings.privacy));
    let feed = feeds::change::<PageError>(&app.context, &by, id, |_| Ok(settings)).await?;
    let flash = Flash::success(format!("The feed “{}” was changed.", feed.name));
    Ok(user.redirect_with_flash(&app, "/feeds", &flash))
}

#[derive(Template)]
#[template(path = "feed_edit.html")]
struct EditFeedPage {
    frame: Layout,
    id: FeedId,
    name: String,
    privacy: FeedPrivacy,
    /// What is wrong with the name.
    fault: Option<&'static str>,
}

impl EditFeedPage {
    async fn from_feed(app: &App, user: &CurrentUser, feed: Feed) -> Result<Self, PageError> {
        let frame = Layout::load(app, user, NavItem::Feeds, format!("Edit {}", feed.name)).await?;
        Ok(Self { frame, id: feed.id, name: feed.name, privacy: feed.privacy, fault: None })
    }
}

async fn edit(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
) -> Result<Response, PageError> {
    let feed = find_feed(&app, &user, id).await?;
    render_page(&app, &user, &EditFeedPage::from_feed(&app, &user, feed).await?)
}

#[derive(Template)]
#[template(path = "feed_ask.html")]
struct ConfirmFeedPage {
    frame: Layout,
    id: FeedId,
    name: String,
    /// Whether it gets a new address, or ends.
    rotates: bool,
}

async fn confirm_rotate(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
) -> Result<Response, PageError> {
    confirm_page(&app, &user, id, true).await
}

async fn confirm_revoke(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
) -> Result<Response, PageError> {
    confirm_page(&app, &user, id, false).await
}

async fn confirm_page(
    app: &App,
    user: &CurrentUser,
    id: FeedId,
    rotates: bool,
) -> Result<Response, PageError> {
    let feed = find_feed(app, user, id).await?;
    let frame = Layout::load(app, user, NavItem::Feeds, feed.name.clone()).await?;
    render_page(app, user, &ConfirmFeedPage { frame, id, name: feed.name, rotates })
}

fn parse_subject(text: &str) -> Option<FeedSubject> {
    match text.split_once(':') {
        None if text == "business" => Some(FeedSubject::Business),
        Some(("resource", id)) => id.parse().ok().map(FeedSubject::Resource),
        Some(("staff", id)) => id.parse().ok().map(FeedSubject::Staff),
        Some(("driver", id)) => id.parse().ok().map(FeedSubject::Driver),
        _ => None,
    }
}

/// Managers publish anything, everybody else their own bookings.
fn may_publish(user: &CurrentUser, subject: FeedSubject) -> bool {
    match subject {
        FeedSubject::Business | FeedSubject::Resource(_) | FeedSubject::Channel(_) => user.is_manager(),
        FeedSubject::Staff(staff) | FeedSubject::Driver(staff) => user.may_see(staff),
    }
}

fn may_see(user: &CurrentUser, feed: &Feed) -> bool {
    user.is_manager()
        || (matches!(feed.scope, FeedScope::Staff | FeedScope::Driver)
            && feed.subject_id.is_some_and(|id| user.may_see(StaffId(id))))
}

async fn find_feed(app: &App, user: &CurrentUser, id: FeedId) -> Result<Feed, PageError> {
    store::find(&app.context.db, user.business.id, id)
        .await?
        .filter(|feed| feed.revoked_at.is_none() && may_see(user, feed))
        .ok_or(PageError::NotFound("feed"))
}

async fn refuse(
    app: &App,
    user: &CurrentUser,
    wish: &NewFeedForm,
    fault: (&'static str, &'static str),
) -> Result<Response, PageError> {
    let feeds = FeedsPage { fault: Some(fault), ..build_page(app, user, wish).await? };
    let mut response = render_page(app, user, &feeds)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// Commits, and leads to the page that shows the address: it must be nowhere else.
async fn commit_and_reveal(
    app: &App,
    user: &CurrentUser,
    mut tx: Tx,
    (feed, token, is_new): (&Feed, &SecretString, bool),
) -> Result<Response, PageError> {
    let url = feed_url(app, token.expose_secret());
    let subscribe = url.replacen("https://", "webcal://", 1).replacen("http://", "webcal://", 1);
    let shown = FeedUrlReveal { name: feed.name.clone(), url, subscribe, is_new };
    let id = reveal::store(&mut tx, app, user, PATH, &shown).await?;
    tx.commit().await?;
    Ok(reveal::redirect(PATH, id))
}

async fn build_page(app: &App, user: &CurrentUser, wish: &NewFeedForm) -> Result<FeedsPage, PageError> {
    let db = &app.context.db;
    let mut names = NameDirectory::load(db, user.business.id, user.business.zone).await?;
    let all = store::list(db, user.business.id).await?;
    let mut rows = Vec::new();
    for feed in all.iter().filter(|feed| may_see(user, feed)) {
        rows.push(feed_row(app, user, feed, &mut names).await?);
    }
    let whole = if user.is_manager() {
        vec![SelectOption::new("business", format!("All bookings of {}", user.business.name), &wish.about)]
    } else {
        Vec::new()
    };
    let resources = names.resources.iter().filter(|_| user.is_manager());
    let staff = |scope: &'static str| {
        let seen = names.staff.iter().filter(|staff| user.may_see(staff.id));
        let choice =
            |staff: &Staff| SelectOption::new(format!("{scope}:{}", staff.id), &staff.name, &wish.about);
        seen.map(choice).collect()
    };
    Ok(FeedsPage {
        frame: Layout::load(app, user, NavItem::Feeds, "Feeds").await?,
        rows,
        whole,
        resources: resources
            .map(|resource| {
                SelectOption::new(format!("resource:{}", resource.id), &resource.name, &wish.about)
            })
            .collect(),
        staff: staff("staff"),
        drivers: staff("driver"),
        name: wish.name.clone(),
        privacy: wish.privacy.parse().unwrap_or(FeedPrivacy::Busy),
        fault: None,
        shown_once: None,
        was_shown: false,
    })
}

async fn feed_row(
    app: &App,
    user: &CurrentUser,
    feed: &Feed,
    names: &mut NameDirectory,
) -> Result<FeedRow, PageError> {
    let db = &app.context.db;
    let about = match (feed.scope, feed.subject_id) {
        (FeedScope::Resource, Some(id)) => {
            names.load_resource(db, ResourceId(id)).await?;
            names.resource_name(ResourceId(id))
        }
        (FeedScope::Staff, Some(id)) => {
            names.load_staff(db, StaffId(id)).await?;
            names.staff_name(StaffId(id))
        }
        (FeedScope::Driver, Some(id)) => {
            names.load_staff(db, StaffId(id)).await?;
            format!("Deliveries of {}", names.staff_name(StaffId(id)))
        }
        (FeedScope::Channel, Some(id)) => channel_subject(app, user, ChannelId(id), names).await?,
        _ => "All bookings".to_owned(),
    };
    Ok(FeedRow {
        id: feed.id,
        name: feed.name.clone(),
        about,
        privacy: privacy_label(feed.privacy),
        prefix: feed.token_prefix.clone(),
        read: feed.last_read_at.map(|at| RelativeTime::new(at, app.now(), user.business.zone)),
    })
}

/// The platform, and what is sold there.
async fn channel_subject(
    app: &App,
    user: &CurrentUser,
    id: ChannelId,
    names: &mut NameDirectory,
) -> Result<String, PageError> {
    let db = &app.context.db;
    let Some(channel) = channels::find(db, user.business.id, id).await? else {
        return Ok("A channel".to_owned());
    };
    names.load_resource(db, channel.resource_id).await?;
    let platform = app.context.platforms.find(&channel.platform);
    let platform = platform.map_or(channel.platform.as_str(), |platform| platform.name.as_str());
    Ok(format!("{} for {platform}", names.resource_name(channel.resource_id)))
}

fn privacy_label(privacy: FeedPrivacy) -> &'static str {
    match privacy {
        FeedPrivacy::Busy => "Busy only",
        FeedPrivacy::Title => "Titles",
        FeedPrivacy::Full => "All bookings",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_a_feed_is_about_is_named_in_one_word() {
        let id = Uuid::from_u128(7);
        assert_eq!(parse_subject("business"), Some(FeedSubject::Business));
        assert_eq!(parse_subject(&format!("resource:{id}")), Some(FeedSubject::Resource(ResourceId(id))));
        assert_eq!(parse_subject(&format!("staff:{id}")), Some(FeedSubject::Staff(StaffId(id))));
        assert_eq!(parse_subject(&format!("driver:{id}")), Some(FeedSubject::Driver(StaffId(id))));
        for bad in ["", "resource", "resource:", "staff:7", "planet:1"] {
            assert_eq!(parse_subject(bad), None, "{bad:?}");
        }
    }
}

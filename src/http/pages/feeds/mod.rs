//! Published feeds: made, given a new address, changed, ended. An address is shown once; only its digest is kept.
//! `readers` is who reads one.

mod readers;

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use concord_domain::{
    feed::FeedScope,
    ids::{ChannelId, FeedId, ResourceId, StaffId},
    privacy::FeedPrivacy,
    record::HistorySubject,
};
use concord_storage::{
    Tx, channels,
    feeds::{self, Feed, FeedSubject, NewFeed},
    people::Staff,
    secret,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    PageError,
    asked::{Named, Sent},
    flash::Flash,
    frame::{Frame, Place, page},
    names::{NAME_RULE, Names, is_name},
    pieces::Choice,
    reveal::{self, Shown},
    session::CurrentUser,
    when::When,
};
use crate::{app::App, http::feeds::address_of};

const PATH: &str = "/feeds";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(create))
        .route("/feeds/{id}/readers", get(readers::show))
        .route("/feeds/{id}/edit", get(edit).post(update))
        .route("/feeds/{id}/rotate", get(ask_rotate).post(rotate))
        .route("/feeds/{id}/revoke", get(ask_revoke).post(revoke))
}

#[derive(Template)]
#[template(path = "feeds.html")]
struct FeedsPage {
    frame: Frame,
    rows: Vec<Row>,
    /// What a feed can be about: of the business, its resources, its people.
    whole: Vec<Choice>,
    resources: Vec<Choice>,
    staff: Vec<Choice>,
    drivers: Vec<Choice>,
    name: String,
    privacy: FeedPrivacy,
    /// The field that is wrong, and why.
    fault: Option<(&'static str, &'static str)>,
    /// The address of a feed that was just made or rotated.
    shown_once: Option<ShownOnce>,
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

struct Row {
    id: FeedId,
    name: String,
    about: String,
    privacy: &'static str,
    prefix: String,
    read: Option<When>,
}

#[derive(Serialize, Deserialize)]
struct ShownOnce {
    name: String,
    url: String,
    /// Opens the calendar application of the reader.
    subscribe: String,
    is_new: bool,
}

/// What is typed into the form of a new feed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// `business`, `resource:{id}`, `staff:{id}` or `driver:{id}`.
    about: String,
    name: String,
    privacy: String,
}

async fn show(State(app): State<App>, user: CurrentUser, shown: Shown) -> Result<Response, PageError> {
    let feeds = describe(&app, &user, &Wish::default()).await?;
    let reveal = reveal::take(&app, &user, PATH, &shown).await?;
    let feeds = FeedsPage { was_shown: reveal.is_over(), shown_once: reveal.now(), ..feeds };
    page(&app, &user, &feeds)
}

async fn create(
    State(app): State<App>,
    user: CurrentUser,
    Sent(wish): Sent<Wish>,
) -> Result<Response, PageError> {
    let Some(subject) = subject_named(&wish.about).filter(|subject| may_publish(&user, *subject)) else {
        return refuse(&app, &user, &wish, ("about", "Choose whose bookings the feed shows.")).await;
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
    let token = new_token();
    let now = app.now();
    let mut tx = app.context.db.begin().await?;
    let feed = feeds::create(&mut tx, &new, &token, now).await?;
    user.note(&mut tx, &app, "created", (HistorySubject::Feed, feed.id.0), &feed.for_history()).await?;
    show_once(&app, &user, tx, (&feed, &token, true)).await
}

async fn rotate(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
) -> Result<Response, PageError> {
    let feed = found(&app, &user, id).await?;
    let (db, ring) = (&app.context.db, &app.context.ring);
    let is_kept = feeds::remembered(db, ring, user.business.id, feed.id).await?.is_some();
    let token = new_token();
    let mut tx = db.begin().await?;
    let feed = feeds::rotate(&mut tx, user.business.id, feed.id, &token, app.now()).await?;
    if is_kept {
        feeds::remember(&mut tx, ring, &feed, &token).await?;
    }
    user.note(&mut tx, &app, "rotated", (HistorySubject::Feed, feed.id.0), &feed.for_history()).await?;
    show_once(&app, &user, tx, (&feed, &token, false)).await
}

async fn revoke(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
) -> Result<Response, PageError> {
    let feed = found(&app, &user, id).await?;
    let mut tx = app.context.db.begin().await?;
    feeds::revoke(&mut tx, user.business.id, id, app.now()).await?;
    user.note(&mut tx, &app, "revoked", (HistorySubject::Feed, feed.id.0), &feed.for_history()).await?;
    tx.commit().await?;
    Ok(user.go(&app, "/feeds", &Flash::good(format!("The feed “{}” is no longer published.", feed.name))))
}

#[derive(Deserialize)]
struct Settings {
    name: String,
    privacy: FeedPrivacy,
}

async fn update(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
    Sent(settings): Sent<Settings>,
) -> Result<Response, PageError> {
    let feed = found(&app, &user, id).await?;
    let name = settings.name.trim();
    if !is_name(name) {
        let form = EditPage {
            name: settings.name,
            privacy: settings.privacy,
            fault: Some(NAME_RULE),
            ..EditPage::of(&app, &user, feed).await?
        };
        let mut response = page(&app, &user, &form)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    }
    let mut tx = app.context.db.begin().await?;
    let feed = feeds::update(&mut tx, user.business.id, id, name, settings.privacy, app.now()).await?;
    user.note(&mut tx, &app, "changed", (HistorySubject::Feed, feed.id.0), &feed.for_history()).await?;
    tx.commit().await?;
    Ok(user.go(&app, "/feeds", &Flash::good(format!("The feed “{}” was changed.", feed.name))))
}

#[derive(Template)]
#[template(path = "feed_edit.html")]
struct EditPage {
    frame: Frame,
    id: FeedId,
    name: String,
    privacy: FeedPrivacy,
    /// What is wrong with the name.
    fault: Option<&'static str>,
}

impl EditPage {
    async fn of(app: &App, user: &CurrentUser, feed: Feed) -> Result<Self, PageError> {
        let frame = Frame::around(app, user, Place::Feeds, format!("Edit {}", feed.name)).await?;
        Ok(Self { frame, id: feed.id, name: feed.name, privacy: feed.privacy, fault: None })
    }
}

async fn edit(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
) -> Result<Response, PageError> {
    let feed = found(&app, &user, id).await?;
    page(&app, &user, &EditPage::of(&app, &user, feed).await?)
}

#[derive(Template)]
#[template(path = "feed_ask.html")]
struct AskPage {
    frame: Frame,
    id: FeedId,
    name: String,
    /// Whether it gets a new address, or ends.
    rotates: bool,
}

async fn ask_rotate(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
) -> Result<Response, PageError> {
    ask(&app, &user, id, true).await
}

async fn ask_revoke(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<FeedId>,
) -> Result<Response, PageError> {
    ask(&app, &user, id, false).await
}

async fn ask(app: &App, user: &CurrentUser, id: FeedId, rotates: bool) -> Result<Response, PageError> {
    let feed = found(app, user, id).await?;
    let frame = Frame::around(app, user, Place::Feeds, feed.name.clone()).await?;
    page(app, user, &AskPage { frame, id, name: feed.name, rotates })
}

/// The address opens the feed to whoever has it, so it is as long as a key.
fn new_token() -> SecretString {
    secret::new_token("cf_")
}

fn subject_named(text: &str) -> Option<FeedSubject> {
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

async fn found(app: &App, user: &CurrentUser, id: FeedId) -> Result<Feed, PageError> {
    feeds::find(&app.context.db, user.business.id, id)
        .await?
        .filter(|feed| feed.revoked_at.is_none() && may_see(user, feed))
        .ok_or(PageError::NotFound("feed"))
}

async fn refuse(
    app: &App,
    user: &CurrentUser,
    wish: &Wish,
    fault: (&'static str, &'static str),
) -> Result<Response, PageError> {
    let feeds = FeedsPage { fault: Some(fault), ..describe(app, user, wish).await? };
    let mut response = page(app, user, &feeds)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// Commits, and leads to the page that shows the address: it must be nowhere else.
async fn show_once(
    app: &App,
    user: &CurrentUser,
    mut tx: Tx,
    (feed, token, is_new): (&Feed, &SecretString, bool),
) -> Result<Response, PageError> {
    let url = address_of(app, token.expose_secret());
    let subscribe = url.replacen("https://", "webcal://", 1).replacen("http://", "webcal://", 1);
    let shown = ShownOnce { name: feed.name.clone(), url, subscribe, is_new };
    let id = reveal::keep(&mut tx, app, user, PATH, &shown).await?;
    tx.commit().await?;
    Ok(reveal::go(PATH, id))
}

async fn describe(app: &App, user: &CurrentUser, wish: &Wish) -> Result<FeedsPage, PageError> {
    let db = &app.context.db;
    let mut names = Names::load(db, user.business.id, user.business.zone).await?;
    let all = feeds::list(db, user.business.id).await?;
    let mut rows = Vec::new();
    for feed in all.iter().filter(|feed| may_see(user, feed)) {
        rows.push(row(app, user, feed, &mut names).await?);
    }
    let whole = if user.is_manager() {
        vec![Choice::new("business", format!("Everything of {}", user.business.name), &wish.about)]
    } else {
        Vec::new()
    };
    let resources = names.resources.iter().filter(|_| user.is_manager());
    let staff = |scope: &'static str| {
        let seen = names.staff.iter().filter(|staff| user.may_see(staff.id));
        let choice = |staff: &Staff| Choice::new(format!("{scope}:{}", staff.id), &staff.name, &wish.about);
        seen.map(choice).collect()
    };
    Ok(FeedsPage {
        frame: Frame::around(app, user, Place::Feeds, "Feeds").await?,
        rows,
        whole,
        resources: resources
            .map(|resource| Choice::new(format!("resource:{}", resource.id), &resource.name, &wish.about))
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

async fn row(app: &App, user: &CurrentUser, feed: &Feed, names: &mut Names) -> Result<Row, PageError> {
    let db = &app.context.db;
    let about = match (feed.scope, feed.subject_id) {
        (FeedScope::Resource, Some(id)) => {
            names.learn_resource(db, ResourceId(id)).await?;
            names.of_resource(ResourceId(id))
        }
        (FeedScope::Staff, Some(id)) => {
            names.learn_staff(db, StaffId(id)).await?;
            names.of_staff(StaffId(id))
        }
        (FeedScope::Driver, Some(id)) => {
            names.learn_staff(db, StaffId(id)).await?;
            format!("Deliveries of {}", names.of_staff(StaffId(id)))
        }
        (FeedScope::Channel, Some(id)) => of_channel(app, user, ChannelId(id), names).await?,
        _ => "Everything".to_owned(),
    };
    Ok(Row {
        id: feed.id,
        name: feed.name.clone(),
        about,
        privacy: privacy_label(feed.privacy),
        prefix: feed.token_prefix.clone(),
        read: feed.last_read_at.map(|at| When::of(at, app.now(), user.business.zone)),
    })
}

/// The platform, and what is sold there.
async fn of_channel(
    app: &App,
    user: &CurrentUser,
    id: ChannelId,
    names: &mut Names,
) -> Result<String, PageError> {
    let db = &app.context.db;
    let Some(channel) = channels::find(db, user.business.id, id).await? else {
        return Ok("A channel".to_owned());
    };
    names.learn_resource(db, channel.resource_id).await?;
    let platform = app.context.platforms.find(&channel.platform);
    let platform = platform.map_or(channel.platform.as_str(), |platform| platform.name.as_str());
    Ok(format!("{} for {platform}", names.of_resource(channel.resource_id)))
}

fn privacy_label(privacy: FeedPrivacy) -> &'static str {
    match privacy {
        FeedPrivacy::Busy => "Busy only",
        FeedPrivacy::Title => "Titles",
        FeedPrivacy::Full => "Everything",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_a_feed_is_about_is_named_in_one_word() {
        let id = Uuid::from_u128(7);
        assert_eq!(subject_named("business"), Some(FeedSubject::Business));
        assert_eq!(subject_named(&format!("resource:{id}")), Some(FeedSubject::Resource(ResourceId(id))));
        assert_eq!(subject_named(&format!("staff:{id}")), Some(FeedSubject::Staff(StaffId(id))));
        assert_eq!(subject_named(&format!("driver:{id}")), Some(FeedSubject::Driver(StaffId(id))));
        for bad in ["", "resource", "resource:", "staff:7", "planet:1"] {
            assert_eq!(subject_named(bad), None, "{bad:?}");
        }
    }
}

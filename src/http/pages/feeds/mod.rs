//! Published feeds: made, given a new address, changed, ended. An address is shown once; only its digest is kept.
//! `list` is the page of all of them, `readers` is who reads one.

mod list;
mod readers;

use askama::Template;
use axum::{
    Router,
    routing::{MethodRouter, get},
};
use concord_domain::{
    feed::FeedScope,
    ids::{FeedId, StaffId},
    privacy::FeedPrivacy,
};
use concord_services::feeds;
use concord_storage::{
    Tx,
    feeds::{self as store, Feed, FeedSubject, NewFeed},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    Confirmation, CurrentUser, Flash, Form, Layout, NAME_RULE, NavItem, PageError, PageForm, PagePath,
    PageResult, confirm_page, is_name, isolated, render_page, render_refused, reveal,
};
use crate::{app::App, http::feeds::feed_url};

const PATH: &str = "/feeds";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(list::show).post(create))
        .route("/feeds/{id}/readers", get(readers::show))
        .route("/feeds/{id}/edit", get(edit).post(update))
        .route("/feeds/{id}/rotate", ask(rotate_confirmation).post(rotate))
        .route("/feeds/{id}/revoke", ask(revoke_confirmation).post(revoke))
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

async fn create(user: CurrentUser, PageForm(form): PageForm<NewFeedForm>) -> PageResult {
    let Some(subject) = parse_subject(&form.about).filter(|subject| may_publish(&user, *subject)) else {
        return refuse(&user, form, ("about", "Choose which bookings the feed shows.")).await;
    };
    let name = form.name.trim();
    if !is_name(name) {
        return refuse(&user, form, ("name", NAME_RULE)).await;
    }
    let new = NewFeed {
        business: user.business.id,
        subject,
        name: name.to_owned(),
        privacy: form.privacy.parse().unwrap_or(FeedPrivacy::Busy),
    };
    let mut tx = user.app.context.db.begin().await?;
    let (feed, token) = feeds::create(&mut tx, &user.change(), &new).await?;
    commit_and_reveal(&user, tx, (&feed, &token, true)).await
}

async fn rotate(user: CurrentUser, PagePath(id): PagePath<FeedId>) -> PageResult {
    find_feed(&user, id).await?;
    let mut tx = user.app.context.db.begin().await?;
    let (feed, token) = feeds::rotate(&mut tx, &user.app.context, &user.change(), id).await?;
    commit_and_reveal(&user, tx, (&feed, &token, false)).await
}

async fn revoke(user: CurrentUser, PagePath(id): PagePath<FeedId>) -> PageResult {
    find_feed(&user, id).await?;
    let feed = feeds::revoke(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("The feed “{}” is no longer published.", feed.name));
    Ok(user.redirect_with_flash("/feeds", &flash))
}

#[derive(Deserialize)]
struct FeedSettingsForm {
    name: String,
    privacy: FeedPrivacy,
}

async fn update(
    user: CurrentUser,
    PagePath(id): PagePath<FeedId>,
    PageForm(settings): PageForm<FeedSettingsForm>,
) -> PageResult {
    let feed = find_feed(&user, id).await?;
    let name = settings.name.trim();
    if !is_name(name) {
        let form = Form::refused(settings, ("name", NAME_RULE));
        return render_refused(&user, &EditFeedPage::of(&user, &feed, form).await?);
    }
    let (by, settings) = (user.change(), (name.to_owned(), settings.privacy));
    let feed = feeds::change::<PageError>(&user.app.context, &by, id, |_| Ok(settings)).await?;
    let flash = Flash::success(format!("The feed “{}” was changed.", feed.name));
    Ok(user.redirect_with_flash("/feeds", &flash))
}

#[derive(Template)]
#[template(path = "feed_edit.html")]
struct EditFeedPage {
    layout: Layout,
    id: FeedId,
    form: Form<FeedSettingsForm>,
    privacy: FeedPrivacy,
}

impl EditFeedPage {
    async fn of(user: &CurrentUser, feed: &Feed, form: Form<FeedSettingsForm>) -> PageResult<Self> {
        let layout = Layout::load(user, NavItem::Feeds, format!("Edit {}", feed.name)).await?;
        Ok(Self { layout, id: feed.id, privacy: form.privacy, form })
    }
}

async fn edit(user: CurrentUser, PagePath(id): PagePath<FeedId>) -> PageResult {
    let feed = find_feed(&user, id).await?;
    let form = FeedSettingsForm { name: feed.name.clone(), privacy: feed.privacy }.into();
    render_page(&user, &EditFeedPage::of(&user, &feed, form).await?)
}

fn rotate_confirmation(feed: &Feed) -> Confirmation {
    Confirmation {
        is_danger: false,
        ..Confirmation::danger(
            (format!("rotate-{}", feed.id), format!("/feeds/{}/rotate", feed.id)),
            format!("New link for “{}”?", isolated(&feed.name)),
            "The old link stops working immediately. Subscribers need the new one.",
            "Generate link",
        )
    }
}

fn revoke_confirmation(feed: &Feed) -> Confirmation {
    Confirmation::danger(
        (format!("revoke-{}", feed.id), format!("/feeds/{}/revoke", feed.id)),
        format!("Revoke “{}”?", isolated(&feed.name)),
        "The link stops working immediately and permanently. Subscribers see no more changes.",
        "Revoke feed",
    )
}

fn ask(question: fn(&Feed) -> Confirmation) -> MethodRouter<App> {
    get(async move |user: CurrentUser, PagePath(id): PagePath<FeedId>| {
        let feed = find_feed(&user, id).await?;
        confirm_page(&user, (NavItem::Feeds, PATH), question(&feed)).await
    })
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

async fn find_feed(user: &CurrentUser, id: FeedId) -> PageResult<Feed> {
    store::find(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|feed| feed.revoked_at.is_none() && may_see(user, feed))
        .ok_or(PageError::NotFound("feed"))
}

async fn refuse(user: &CurrentUser, form: NewFeedForm, fault: (&'static str, &'static str)) -> PageResult {
    render_refused(user, &list::build_page(user, Form::refused(form, fault)).await?)
}

/// Commits, and leads to the page that shows the address: it must be nowhere else.
async fn commit_and_reveal(
    user: &CurrentUser,
    tx: Tx,
    (feed, token, is_new): (&Feed, &SecretString, bool),
) -> PageResult {
    let url = feed_url(&user.app, token.expose_secret());
    let subscribe = url.replacen("https://", "webcal://", 1).replacen("http://", "webcal://", 1);
    let shown = FeedUrlReveal { name: feed.name.clone(), url, subscribe, is_new };
    reveal::commit_and_redirect(tx, user, PATH, &shown).await
}

fn privacy_label(privacy: FeedPrivacy) -> &'static str {
    match privacy {
        FeedPrivacy::Busy => "Busy only",
        FeedPrivacy::Title => "Titles",
        FeedPrivacy::Full => "Full details",
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::ResourceId;
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

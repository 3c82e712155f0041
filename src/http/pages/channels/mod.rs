//! Resources on booking platforms: which are in step, what each platform does not know yet, and what waits for a word.
//!
//! `summary` is how a channel stands, told alike on every page; `list` shows all, `new` connects one, `detail` and its
//! `live` part show one, `actions` does what its buttons say, `confirm` asks before it, `form` is what is chosen for one
//! and `settings` saves it, `labels` are the words for all of it. For managers only.

mod actions;
pub(super) mod address_warnings;
mod confirm;
mod detail;
mod form;
pub(super) mod labels;
mod list;
mod live;
mod new;
mod settings;
pub(super) mod summary;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::ChannelId;
use concord_services::channels::ChannelError;
use concord_storage::{
    StorageError,
    channels::{self, Channel},
    feeds, resources,
};
use secrecy::ExposeSecret;

use super::{Manager, PageError, PageResult, sentence};
use crate::{app::App, http::feeds::feed_url};

pub(super) fn router() -> Router<App> {
    use confirm::ChannelQuestion::{Approve, DisableWebhooks, Remove, RenewWebhooks, RotateFeed};
    Router::new()
        .route("/channels", get(list::show))
        .route("/channels/live", get(list::live))
        .route("/channels/new", get(new::show).post(new::create))
        .route("/channels/{id}", get(detail::show).post(settings::save))
        .route("/channels/{id}/live", get(live::show))
        .route("/channels/{id}/sync", post(actions::sync))
        .route("/channels/{id}/release", confirm::ask(Approve).post(actions::approve_quarantine))
        .route("/channels/{id}/keep", post(actions::keep))
        .route("/channels/{id}/unconfirmed/{item}/booking", post(actions::settle_as_booking))
        .route("/channels/{id}/unconfirmed/{item}/ours", post(actions::settle_as_echo))
        .route("/channels/{id}/runs/{run}/undo", post(actions::undo))
        .route("/channels/{id}/rotate", confirm::ask(RotateFeed).post(actions::rotate))
        .route("/channels/{id}/confirm-read", post(actions::confirm_read))
        .route("/channels/{id}/webhooks", get(actions::show_webhooks).post(actions::enable_webhooks))
        .route("/channels/{id}/webhooks/renew", confirm::ask(RenewWebhooks))
        .route("/channels/{id}/webhooks/forbid", confirm::ask(DisableWebhooks).post(actions::forbid_webhooks))
        .route("/channels/{id}/remove", confirm::ask(Remove).post(actions::remove))
}

/// The channel, for managers, if it is not removed.
async fn find_channel(user: &Manager, id: ChannelId) -> PageResult<Channel> {
    let found = channels::find(&user.app.context.db, user.business.id, id).await?;
    found.ok_or(PageError::NotFound("channel"))
}

/// The page of a channel.
pub(super) fn channel_path(id: ChannelId) -> String {
    format!("/channels/{id}")
}

/// What a platform is called; its id, if this installation knows it no more.
pub(super) fn platform_name(app: &App, platform: &str) -> String {
    app.context.platforms.find(platform).map_or_else(|| platform.to_owned(), |known| known.name.clone())
}

/// "Sea View on Airbnb".
pub(super) async fn channel_name(app: &App, channel: &Channel) -> Result<String, StorageError> {
    let resource = resources::find(&app.context.db, channel.business_id, channel.resource_id).await?;
    let resource = resource.map_or_else(|| "A resource".to_owned(), |resource| resource.name);
    Ok(format!("{resource} on {}", platform_name(app, &channel.platform)))
}

/// The address that the platform is to read; `None`: nothing is published.
async fn channel_feed_url(app: &App, channel: &Channel) -> Result<Option<String>, StorageError> {
    let context = &app.context;
    let Some(feed) = channel.feed_id else { return Ok(None) };
    let token = feeds::remembered(&context.db, &context.ring, channel.business_id, feed).await?;
    Ok(token.map(|token| feed_url(app, token.expose_secret())))
}

impl From<ChannelError> for PageError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::NoChannel => Self::NotFound("channel"),
            ChannelError::NoResource => Self::NotFound("resource"),
            ChannelError::Storage(error) => error.into(),
            other => Self::NotPossible(sentence(&other)),
        }
    }
}

/// What is wrong with an address that somebody typed, for the page that shows it again; other errors are none of its.
fn address_error_message(error: ChannelError) -> PageResult<String> {
    match error {
        ChannelError::Address(_)
        | ChannelError::AddressTaken
        | ChannelError::Published
        | ChannelError::OwnFeed
        | ChannelError::NothingToRead(_) => Ok(sentence(&error)),
        other => Err(other.into()),
    }
}

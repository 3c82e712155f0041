//! Resources on booking platforms: which are in step, what each platform does not know yet, and what waits for a word.
//!
//! `glance` is how a channel stands, told alike on every page; `list` shows all, `new` connects one, `detail` and its
//! `live` part show one, `act` does what its buttons say, `ask` asks before it, `settings` is its form, `words` are the
//! words for all of it. For managers only.

mod act;
pub(super) mod against;
mod ask;
mod detail;
pub(super) mod glance;
mod list;
mod live;
mod new;
mod settings;
pub(super) mod words;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::ChannelId;
use concord_jobs::channels::manage::ChannelError;
use concord_storage::{
    StorageError,
    channels::{self, Channel},
    feeds, resources,
};
use secrecy::ExposeSecret;

use super::{PageError, pieces::capital, session::CurrentUser};
use crate::{app::App, http::feeds::address_of};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/channels", get(list::show))
        .route("/channels/live", get(list::live))
        .route("/channels/new", get(new::show).post(new::create))
        .route("/channels/{id}", get(detail::show).post(settings::save))
        .route("/channels/{id}/live", get(live::show))
        .route("/channels/{id}/sync", post(act::sync))
        .route("/channels/{id}/release", get(ask::release).post(act::release))
        .route("/channels/{id}/keep", post(act::keep))
        .route("/channels/{id}/doubt/{item}/booking", post(act::is_booking))
        .route("/channels/{id}/doubt/{item}/ours", post(act::is_ours))
        .route("/channels/{id}/runs/{run}/undo", post(act::undo))
        .route("/channels/{id}/rotate", get(ask::rotate).post(act::rotate))
        .route("/channels/{id}/confirm-read", post(act::confirm_read))
        .route("/channels/{id}/webhooks", get(act::show_webhooks).post(act::allow_webhooks))
        .route("/channels/{id}/webhooks/renew", get(ask::renew_webhooks))
        .route("/channels/{id}/webhooks/forbid", get(ask::forbid_webhooks).post(act::forbid_webhooks))
        .route("/channels/{id}/remove", get(ask::remove).post(act::remove))
}

/// The channel, for managers, if it is not removed.
async fn found(app: &App, user: &CurrentUser, id: ChannelId) -> Result<Channel, PageError> {
    user.must_be_manager()?;
    let found = channels::find(&app.context.db, user.business.id, id).await?;
    found.ok_or(PageError::NotFound("channel"))
}

/// The page of a channel.
pub(super) fn path_of(id: ChannelId) -> String {
    format!("/channels/{id}")
}

/// What a platform is called; its id, if this installation knows it no more.
pub(super) fn platform_name(app: &App, platform: &str) -> String {
    app.context.platforms.find(platform).map_or_else(|| platform.to_owned(), |known| known.name.clone())
}

/// "Sea View on Airbnb".
pub(super) async fn name_of(app: &App, channel: &Channel) -> Result<String, StorageError> {
    let resource = resources::find(&app.context.db, channel.business_id, channel.resource_id).await?;
    let resource = resource.map_or_else(|| "A resource".to_owned(), |resource| resource.name);
    Ok(format!("{resource} on {}", platform_name(app, &channel.platform)))
}

/// The address that the platform is to read; `None`: nothing is published.
async fn feed_address(app: &App, channel: &Channel) -> Result<Option<String>, StorageError> {
    let context = &app.context;
    let Some(feed) = channel.feed_id else { return Ok(None) };
    let token = feeds::remembered(&context.db, &context.ring, channel.business_id, feed).await?;
    Ok(token.map(|token| address_of(app, token.expose_secret())))
}

impl From<ChannelError> for PageError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::NoChannel => Self::NotFound("channel"),
            ChannelError::NoResource => Self::NotFound("resource"),
            ChannelError::Storage(error) => error.into(),
            other => Self::NotPossible(format!("{}.", capital(&other.to_string()))),
        }
    }
}

/// What is wrong with an address that somebody typed, for the page that shows it again; other errors are none of its.
fn address_fault(error: ChannelError) -> Result<String, PageError> {
    match error {
        ChannelError::Address(_)
        | ChannelError::AddressTaken
        | ChannelError::Published
        | ChannelError::OwnFeed
        | ChannelError::NothingToRead(_) => Ok(format!("{}.", capital(&error.to_string()))),
        other => Err(other.into()),
    }
}

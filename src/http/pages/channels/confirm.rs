//! What is asked before something is done: in a dialog, or on a page of its own for whoever has no script.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::ids::ChannelId;
use concord_jobs::channels::quarantine;
use concord_storage::channels::Channel;

use super::{
    super::{
        PageError,
        extract::PagePath,
        layout::{Layout, NavItem, render_page},
        session::CurrentUser,
    },
    channel_path, find_channel, platform_name,
};
use crate::app::App;

/// A question, and the form that answers it with yes.
pub(super) struct ChannelConfirmation {
    pub id: &'static str,
    /// Where the form is sent.
    pub path: String,
    pub title: String,
    pub text: String,
    /// The button that leaves things as they are.
    pub keep: &'static str,
    /// The button that does it.
    pub deed: String,
    pub is_danger: bool,
}

/// "these 3 bookings", "this booking".
pub(super) fn bookings_phrase(number: usize) -> String {
    match number {
        1 => "this booking".to_owned(),
        many => format!("these {many} bookings"),
    }
}

pub(super) fn approve_confirmation(channel: &Channel, platform: &str, waiting: usize) -> ChannelConfirmation {
    let they = if waiting == 1 { "It will be" } else { "They will be" };
    ChannelConfirmation {
        id: "release",
        path: format!("{}/release", channel_path(channel.id)),
        title: format!("Cancel {}?", bookings_phrase(waiting)),
        text: format!(
            "{they} cancelled here because {platform}'s calendar no longer shows {}. The nights \
             become available again here and on other platforms. You can undo this for a week.",
            if waiting == 1 { "it" } else { "them" }
        ),
        keep: "Not yet",
        deed: format!("Cancel {}", bookings_phrase(waiting)),
        is_danger: true,
    }
}

pub(super) fn rotate_confirmation(channel: &Channel, platform: &str) -> ChannelConfirmation {
    ChannelConfirmation {
        id: "rotate",
        path: format!("{}/rotate", channel_path(channel.id)),
        title: "Generate a new link?".to_owned(),
        text: format!(
            "The old link stops working immediately. {platform} does not see your availability until you \
             paste the new one there."
        ),
        keep: "Cancel",
        deed: "Generate link".to_owned(),
        is_danger: false,
    }
}

pub(super) fn remove_confirmation(channel: &Channel, platform: &str) -> ChannelConfirmation {
    ChannelConfirmation {
        id: "remove",
        path: format!("{}/remove", channel_path(channel.id)),
        title: "Remove this channel?".to_owned(),
        text: format!(
            "Bookings from {platform} are kept. Syncing stops, and {platform} no longer \
             sees your availability: it may sell the same nights again."
        ),
        keep: "Cancel",
        deed: "Remove channel".to_owned(),
        is_danger: true,
    }
}

pub(super) fn renew_webhooks_confirmation(channel: &Channel) -> ChannelConfirmation {
    ChannelConfirmation {
        id: "renew",
        path: format!("{}/webhooks", channel_path(channel.id)),
        title: "Generate a new URL and key?".to_owned(),
        text: "The old URL and key stop working immediately. No reservations arrive until you \
               enter the new ones at your channel manager."
            .to_owned(),
        keep: "Cancel",
        deed: "Generate new URL and key".to_owned(),
        is_danger: false,
    }
}

pub(super) fn disable_webhooks_confirmation(channel: &Channel) -> ChannelConfirmation {
    ChannelConfirmation {
        id: "forbid",
        path: format!("{}/webhooks/forbid", channel_path(channel.id)),
        title: "Disable webhooks?".to_owned(),
        text: "New messages from the channel manager are refused. Bookings it already sent are kept."
            .to_owned(),
        keep: "Cancel",
        deed: "Disable webhooks".to_owned(),
        is_danger: true,
    }
}

#[derive(Template)]
#[template(path = "channel_ask.html")]
struct ConfirmChannelPage {
    frame: Layout,
    back: String,
    question: ChannelConfirmation,
}

async fn confirm_page(
    app: &App,
    user: &CurrentUser,
    channel: &Channel,
    question: ChannelConfirmation,
) -> Result<Response, PageError> {
    let frame = Layout::load(app, user, NavItem::Channels, question.title.clone()).await?;
    render_page(app, user, &ConfirmChannelPage { frame, back: channel_path(channel.id), question })
}

pub(super) async fn confirm_approve(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    let waiting = quarantine::waiting(&app.context, &channel).await?.len();
    if waiting == 0 || channel.import_guard.is_none() {
        return Err(PageError::NotPossible("Nothing is held for review any more.".to_owned()));
    }
    let question = approve_confirmation(&channel, &platform_name(&app, &channel.platform), waiting);
    confirm_page(&app, &user, &channel, question).await
}

pub(super) async fn confirm_rotate(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    let question = rotate_confirmation(&channel, &platform_name(&app, &channel.platform));
    confirm_page(&app, &user, &channel, question).await
}

pub(super) async fn confirm_remove(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    let question = remove_confirmation(&channel, &platform_name(&app, &channel.platform));
    confirm_page(&app, &user, &channel, question).await
}

pub(super) async fn confirm_renew_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    if !channel.has_webhook {
        return Err(PageError::NotPossible("Webhooks are not enabled for this channel.".to_owned()));
    }
    confirm_page(&app, &user, &channel, renew_webhooks_confirmation(&channel)).await
}

pub(super) async fn confirm_disable_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ChannelId>,
) -> Result<Response, PageError> {
    let channel = find_channel(&app, &user, id).await?;
    confirm_page(&app, &user, &channel, disable_webhooks_confirmation(&channel)).await
}

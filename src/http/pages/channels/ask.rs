//! What is asked before something is done: in a dialog, or on a page of its own for whoever has no script.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::ids::ChannelId;
use concord_jobs::channels::held;
use concord_storage::channels::Channel;

use super::{
    super::{
        PageError,
        asked::Named,
        frame::{Frame, Place, page},
        session::CurrentUser,
    },
    found, path_of, platform_name,
};
use crate::app::App;

/// A question, and the form that answers it with yes.
pub(super) struct Question {
    /// Of the dialog.
    pub id: &'static str,
    /// Where the form is sent.
    pub path: String,
    pub title: String,
    /// What will happen.
    pub text: String,
    /// The button that leaves things as they are.
    pub keep: &'static str,
    /// The button that does it.
    pub deed: String,
    pub is_danger: bool,
}

/// "these 3 bookings", "this booking".
pub(super) fn these(number: usize) -> String {
    match number {
        1 => "this booking".to_owned(),
        many => format!("these {many} bookings"),
    }
}

pub(super) fn to_release(channel: &Channel, platform: &str, waiting: usize) -> Question {
    let they = if waiting == 1 { "It is" } else { "They are" };
    Question {
        id: "release",
        path: format!("{}/release", path_of(channel.id)),
        title: format!("Cancel {}?", these(waiting)),
        text: format!(
            "{they} cancelled here, because the calendar of {platform} does not show {} any more. The nights can be \
             sold again at once, here and on every other platform. You can undo it for a week.",
            if waiting == 1 { "it" } else { "them" }
        ),
        keep: "Not yet",
        deed: format!("Cancel {}", these(waiting)),
        is_danger: true,
    }
}

pub(super) fn to_rotate(channel: &Channel, platform: &str) -> Question {
    Question {
        id: "rotate",
        path: format!("{}/rotate", path_of(channel.id)),
        title: "Give our calendar a new address?".to_owned(),
        text: format!(
            "The old address stops working at once. Until {platform} is given the new one, it does not see what is \
             taken here."
        ),
        keep: "Keep the old one",
        deed: "Make a new address".to_owned(),
        is_danger: false,
    }
}

pub(super) fn to_remove(channel: &Channel, platform: &str) -> Question {
    Question {
        id: "remove",
        path: format!("{}/remove", path_of(channel.id)),
        title: "Remove this channel?".to_owned(),
        text: format!(
            "The bookings that came from {platform} stay. Nothing is read from there any more, and {platform} will no \
             longer see what is taken here: it may sell the same nights again."
        ),
        keep: "Keep it",
        deed: "Remove channel".to_owned(),
        is_danger: true,
    }
}

pub(super) fn to_renew_webhooks(channel: &Channel) -> Question {
    Question {
        id: "renew",
        path: format!("{}/webhooks", path_of(channel.id)),
        title: "Make a new address and key?".to_owned(),
        text: "What is sent under the old ones is refused at once. Until the channel manager is given the new ones, \
               nothing of what it tells arrives."
            .to_owned(),
        keep: "Keep the old ones",
        deed: "Make new ones".to_owned(),
        is_danger: false,
    }
}

pub(super) fn to_forbid_webhooks(channel: &Channel) -> Question {
    Question {
        id: "forbid",
        path: format!("{}/webhooks/forbid", path_of(channel.id)),
        title: "Take no more webhooks?".to_owned(),
        text: "What the channel manager sends from now on is refused. What it sent before stays.".to_owned(),
        keep: "Go on taking them",
        deed: "Take no more".to_owned(),
        is_danger: true,
    }
}

#[derive(Template)]
#[template(path = "channel_ask.html")]
struct AskPage {
    frame: Frame,
    back: String,
    question: Question,
}

async fn ask(
    app: &App,
    user: &CurrentUser,
    channel: &Channel,
    question: Question,
) -> Result<Response, PageError> {
    let frame = Frame::around(app, user, Place::Channels, question.title.clone()).await?;
    page(app, user, &AskPage { frame, back: path_of(channel.id), question })
}

pub(super) async fn release(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let waiting = held::waiting(&app.context, &channel).await?.len();
    if waiting == 0 || channel.import_guard.is_none() {
        return Err(PageError::NotPossible("Nothing is held back any more.".to_owned()));
    }
    let question = to_release(&channel, &platform_name(&app, &channel.platform), waiting);
    ask(&app, &user, &channel, question).await
}

pub(super) async fn rotate(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let question = to_rotate(&channel, &platform_name(&app, &channel.platform));
    ask(&app, &user, &channel, question).await
}

pub(super) async fn remove(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let question = to_remove(&channel, &platform_name(&app, &channel.platform));
    ask(&app, &user, &channel, question).await
}

pub(super) async fn renew_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    if !channel.has_webhook {
        return Err(PageError::NotPossible("No webhooks are taken for this channel.".to_owned()));
    }
    ask(&app, &user, &channel, to_renew_webhooks(&channel)).await
}

pub(super) async fn forbid_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    ask(&app, &user, &channel, to_forbid_webhooks(&channel)).await
}

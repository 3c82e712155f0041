//! What can be done with a channel.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use concord_domain::{
    channel::{ChannelState, Settled},
    ids::{ChannelId, ChannelItemId, ChannelRunId},
};
use concord_jobs::channels::{
    held::{self, Undone, WordError},
    in_doubt, manage,
};
use concord_storage::channels::runs;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        PageError,
        asked::Named,
        flash::Flash,
        frame::{Frame, Place, page},
        pieces::{capital, count},
        reveal::{self, Reveal, Shown},
        session::CurrentUser,
    },
    found, name_of, path_of, platform_name,
};
use crate::app::App;

pub(super) async fn sync(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let channel = manage::sync_now(&app.context, &user.change(&app), id).await?;
    let platform = platform_name(&app, &channel.platform);
    let flash = match (channel.polled, channel.state) {
        (true, ChannelState::Active) => Flash::good(format!("The calendar of {platform} is being read.")),
        (true, ChannelState::Paused) => Flash::information("Nothing is read: the channel is paused."),
        (false, _) => Flash::information("Nothing is read: the channel has no address to read."),
    };
    Ok(user.go(&app, &path_of(id), &flash))
}

/// Somebody was faster, or a mistake of ours.
fn refused(error: WordError) -> Result<Flash, PageError> {
    match error {
        WordError::Nothing => Ok(Flash::information("Nothing is held back any more.")),
        WordError::TooLate => Ok(Flash::wrong(format!("{}.", capital(&error.to_string())))),
        WordError::Storage(error) => Err(error.into()),
        WordError::Other(words) => Err(PageError::Broken(words)),
    }
}

pub(super) async fn release(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let (context, business, actor) = (app.context.clone(), user.business.id, user.actor());
    let release = async move { held::release(&context, business, id, &actor).await };
    let flash = match app.to_the_end(release).await? {
        Ok((run, number)) => {
            let were = count(number, "booking was", "bookings were");
            Flash::good(format!("{were} cancelled."))
                .with_undo(format!("{}/runs/{run}/undo", path_of(id)), &[])
        }
        Err(error) => refused(error)?,
    };
    Ok(user.go(&app, &path_of(id), &flash))
}

pub(super) async fn keep(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let flash = match held::keep(&app.context, user.business.id, id).await {
        Ok(number) => Flash::good(format!(
            "{} although the calendar of {} lacks {}.",
            count(i64::try_from(number).unwrap_or(i64::MAX), "booking stands", "bookings stand"),
            platform_name(&app, &channel.platform),
            if number == 1 { "it" } else { "them" }
        )),
        Err(error) => refused(error)?,
    };
    Ok(user.go(&app, &path_of(id), &flash))
}

pub(super) async fn is_booking(
    State(app): State<App>,
    user: CurrentUser,
    Named((id, item)): Named<(ChannelId, ChannelItemId)>,
) -> Result<Response, PageError> {
    let text = "It is a booking now. Its nights stay taken.";
    settle(&app, &user, (id, item), Settled::Booking, text).await
}

pub(super) async fn is_ours(
    State(app): State<App>,
    user: CurrentUser,
    Named((id, item)): Named<(ChannelId, ChannelItemId)>,
) -> Result<Response, PageError> {
    settle(&app, &user, (id, item), Settled::Ours, "Its nights are free.").await
}

async fn settle(
    app: &App,
    user: &CurrentUser,
    (id, item): (ChannelId, ChannelItemId),
    settled: Settled,
    text: &str,
) -> Result<Response, PageError> {
    found(app, user, id).await?;
    let (context, business, actor) = (app.context.clone(), user.business.id, user.actor());
    let settle = async move { in_doubt::settle(&context, business, (id, item), settled, &actor).await };
    let flash = match app.to_the_end(settle).await? {
        Ok(()) => Flash::good(text),
        Err(WordError::Nothing) => Flash::information("It is not in doubt any more."),
        Err(error) => refused(error)?,
    };
    Ok(user.go(app, &path_of(id), &flash))
}

pub(super) async fn undo(
    State(app): State<App>,
    user: CurrentUser,
    Named((id, run)): Named<(ChannelId, ChannelRunId)>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let (context, business, actor) = (app.context.clone(), user.business.id, user.actor());
    let reading = runs::find(&context.db, business, run).await?;
    reading.filter(|reading| reading.channel_id == id).ok_or(PageError::NotFound("reading"))?;
    let undo = async move { held::undo(&context, business, run, &actor).await };
    let flash = match app.to_the_end(undo).await? {
        Ok(undone) => in_words(undone),
        Err(error) => refused(error)?,
    };
    Ok(user.go(&app, &path_of(id), &flash))
}

fn in_words(undone: Undone) -> Flash {
    let Undone { brought_back, conflicts, taken_back, left_changed } = undone;
    let mut said = Vec::new();
    if taken_back > 0 {
        said.push(format!("{} taken back.", count(taken_back, "booking was", "bookings were")));
    }
    if brought_back > 0 {
        let stand = count(brought_back, "booking stands", "bookings stand");
        said.push(match conflicts {
            0 => format!("{stand} again."),
            _ => format!("{stand} again, {conflicts} of them without room: the time was taken meanwhile."),
        });
    }
    let was_undone = !said.is_empty();
    if !was_undone {
        said.push("Nothing was left to undo.".to_owned());
    }
    if left_changed > 0 {
        let were = count(left_changed, "booking that was changed stays", "bookings that were changed stay");
        said.push(format!("{were} as changed: that cannot be undone."));
    }
    if was_undone && conflicts == 0 && left_changed == 0 {
        Flash::good(said.join(" "))
    } else {
        Flash::information(said.join(" "))
    }
}

pub(super) async fn rotate(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    manage::rotate_feed(&app.context, &user.change(&app), id).await?;
    let platform = platform_name(&app, &channel.platform);
    let text = format!("Our calendar has a new address. Give it to {platform} now: the old one is closed.");
    Ok(user.go(&app, &path_of(id), &Flash::good(text)))
}

pub(super) async fn confirm_read(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    // Who has fetched it a moment ago is written down first.
    app.access.flush(&app.context.db).await?;
    manage::confirm_read(&app.context, &user.change(&app), id).await?;
    let platform = platform_name(&app, &channel.platform);
    let text = format!("Noted: {platform} has read our calendar as it was last fetched.");
    Ok(user.go(&app, &path_of(id), &Flash::good(text)))
}

pub(super) async fn remove(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let name = name_of(&app, &channel).await?;
    manage::remove(&app.context, &user.change(&app), id).await?;
    let text = format!("{name} is a channel no more. Its bookings stay.");
    Ok(user.go(&app, "/channels", &Flash::good(text)))
}

/// What a channel manager needs, shown this once.
#[derive(Template)]
#[template(path = "channel_keys.html")]
struct KeysPage {
    frame: Frame,
    name: String,
    back: String,
    /// `None`: they were shown before.
    keys: Option<Keys>,
}

#[derive(Serialize, Deserialize)]
struct Keys {
    url: String,
    key: String,
}

fn path_of_keys(id: ChannelId) -> String {
    format!("{}/webhooks", path_of(id))
}

pub(super) async fn allow_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let (mut tx, path) = (app.context.db.begin().await?, path_of_keys(id));
    let keys = manage::allow_webhooks(&mut tx, &app.context, &user.change(&app), id).await?;
    let keys = Keys {
        url: app.address(&format!("/hooks/channels/{}", keys.token.expose_secret())),
        key: keys.secret.expose_secret().to_owned(),
    };
    let shown = reveal::keep(&mut tx, &app, &user, &path, &keys).await?;
    tx.commit().await?;
    Ok(reveal::go(&path, shown))
}

pub(super) async fn show_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
    shown: Shown,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let frame = Frame::around(&app, &user, Place::Channels, "Webhooks").await?;
    let name = name_of(&app, &channel).await?;
    let keys = match reveal::take(&app, &user, &path_of_keys(id), &shown).await? {
        Reveal::Nothing => return Ok(Redirect::to(&path_of(id)).into_response()),
        reveal => reveal.now(),
    };
    page(&app, &user, &KeysPage { frame, name, back: path_of(id), keys })
}

pub(super) async fn forbid_webhooks(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    manage::forbid_webhooks(&app.context, &user.change(&app), id).await?;
    Ok(user.go(&app, &path_of(id), &Flash::good("Webhooks are taken no more.")))
}

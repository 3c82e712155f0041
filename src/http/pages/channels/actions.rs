//! What can be done with a channel.

use askama::Template;
use axum::response::{IntoResponse, Redirect};
use concord_domain::{
    channel::{ChannelState, Settled},
    ids::{ChannelId, ChannelItemId, ChannelRunId},
};
use concord_jobs::channels::{
    quarantine::{self, ReviewError, UndoCounts},
    unconfirmed,
};
use concord_services::channels as manage;
use concord_storage::channels::runs;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{channel_name, channel_path, find_channel, platform_name};
use crate::http::pages::{
    Flash, Layout, Manager, NavItem, PageError, PagePath, PageResult, Reveal, RevealQuery, pluralize,
    render_page, reveal, sentence,
};

pub(super) async fn sync(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    find_channel(&user, id).await?;
    let channel = manage::sync_now(&user.app.context, &user.change(), id).await?;
    let platform = platform_name(&user.app, &channel.platform);
    let flash = match (channel.polled, channel.state) {
        (true, ChannelState::Active) => Flash::success(format!("Syncing {platform}'s calendar.")),
        (true, ChannelState::Paused) => Flash::information("Not synced: the channel is paused."),
        (false, _) => Flash::information("Not synced: the channel has no calendar link."),
    };
    Ok(user.redirect_with_flash(&channel_path(id), &flash))
}

/// Somebody was faster, or a mistake of ours.
fn refusal_flash(error: ReviewError) -> PageResult<Flash> {
    match error {
        ReviewError::Nothing => Ok(Flash::information("Nothing is held for review any more.")),
        ReviewError::TooLate => Ok(Flash::failure(sentence(&error))),
        ReviewError::Storage(error) => Err(error.into()),
        ReviewError::Other(words) => Err(PageError::Broken(words)),
    }
}

pub(super) async fn approve_quarantine(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    find_channel(&user, id).await?;
    let (context, business, actor) = (user.app.context.clone(), user.business.id, user.actor());
    let release = async move { quarantine::release(&context, business, id, &actor).await };
    let flash = match user.app.run_to_completion(release).await? {
        Ok((run, number)) => {
            let were = pluralize(number, "booking was", "bookings were");
            Flash::success(format!("{were} cancelled."))
                .with_undo(format!("{}/runs/{run}/undo", channel_path(id)), &[])
        }
        Err(error) => refusal_flash(error)?,
    };
    Ok(user.redirect_with_flash(&channel_path(id), &flash))
}

pub(super) async fn keep(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    let channel = find_channel(&user, id).await?;
    let flash = match quarantine::keep(&user.app.context, user.business.id, id, &user.actor()).await {
        Ok(number) => Flash::success(format!(
            "{}, though {}'s calendar is missing {}.",
            pluralize(i64::try_from(number).unwrap_or(i64::MAX), "booking is kept", "bookings are kept"),
            platform_name(&user.app, &channel.platform),
            if number == 1 { "it" } else { "them" }
        )),
        Err(error) => refusal_flash(error)?,
    };
    Ok(user.redirect_with_flash(&channel_path(id), &flash))
}

pub(super) async fn settle_as_booking(
    user: Manager,
    PagePath((id, item)): PagePath<(ChannelId, ChannelItemId)>,
) -> PageResult {
    let text = "Confirmed as a booking. Its nights stay blocked.";
    settle(&user, (id, item), Settled::Booking, text).await
}

pub(super) async fn settle_as_echo(
    user: Manager,
    PagePath((id, item)): PagePath<(ChannelId, ChannelItemId)>,
) -> PageResult {
    settle(&user, (id, item), Settled::Ours, "Marked as ours. Its nights are available again.").await
}

async fn settle(
    user: &Manager,
    (id, item): (ChannelId, ChannelItemId),
    settled: Settled,
    text: &str,
) -> PageResult {
    find_channel(user, id).await?;
    let (context, business, actor) = (user.app.context.clone(), user.business.id, user.actor());
    let settle = async move { unconfirmed::settle(&context, business, (id, item), settled, &actor).await };
    let flash = match user.app.run_to_completion(settle).await? {
        Ok(()) => Flash::success(text),
        Err(ReviewError::Nothing) => Flash::information("This was already decided."),
        Err(error) => refusal_flash(error)?,
    };
    Ok(user.redirect_with_flash(&channel_path(id), &flash))
}

pub(super) async fn undo(
    user: Manager,
    PagePath((id, run)): PagePath<(ChannelId, ChannelRunId)>,
) -> PageResult {
    find_channel(&user, id).await?;
    let (context, business, actor) = (user.app.context.clone(), user.business.id, user.actor());
    let reading = runs::find(&context.db, business, run).await?;
    reading.filter(|reading| reading.channel_id == id).ok_or(PageError::NotFound("reading"))?;
    let undo = async move { quarantine::undo(&context, business, run, &actor).await };
    let flash = match user.app.run_to_completion(undo).await? {
        Ok(undone) => undone_flash(undone),
        Err(error) => refusal_flash(error)?,
    };
    Ok(user.redirect_with_flash(&channel_path(id), &flash))
}

fn undone_flash(undone: UndoCounts) -> Flash {
    let UndoCounts { brought_back, conflicts, taken_back, left_changed } = undone;
    let mut said = Vec::new();
    if taken_back > 0 {
        said.push(format!("{} undone.", pluralize(taken_back, "booking was", "bookings were")));
    }
    if brought_back > 0 {
        let stand = pluralize(brought_back, "booking was restored", "bookings were restored");
        said.push(match conflicts {
            0 => format!("{stand}."),
            _ => format!("{stand}. {conflicts} of them overlap other bookings made in the meantime."),
        });
    }
    let was_undone = !said.is_empty();
    if !was_undone {
        said.push("There was nothing left to undo.".to_owned());
    }
    if left_changed > 0 {
        let were =
            pluralize(left_changed, "booking that was changed stays", "bookings that were changed stay");
        said.push(format!("{were} changed. This cannot be undone."));
    }
    if was_undone && conflicts == 0 && left_changed == 0 {
        Flash::success(said.join(" "))
    } else {
        Flash::information(said.join(" "))
    }
}

pub(super) async fn rotate(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    let channel = find_channel(&user, id).await?;
    manage::rotate_feed(&user.app.context, &user.change(), id).await?;
    let platform = platform_name(&user.app, &channel.platform);
    let text = format!("New link generated. Paste it at {platform} now: the old link no longer works.");
    Ok(user.redirect_with_flash(&channel_path(id), &Flash::success(text)))
}

pub(super) async fn confirm_read(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    let channel = find_channel(&user, id).await?;
    // Who has fetched it a moment ago is written down first.
    user.app.access.flush(&user.app.context.db).await?;
    manage::confirm_read(&user.app.context, &user.change(), id).await?;
    let platform = platform_name(&user.app, &channel.platform);
    let text = format!("Marked as imported by {platform}, as of its last visit.");
    Ok(user.redirect_with_flash(&channel_path(id), &Flash::success(text)))
}

pub(super) async fn remove(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    let channel = find_channel(&user, id).await?;
    let name = channel_name(&user.app, &channel).await?;
    manage::remove(&user.app.context, &user.change(), id).await?;
    let text = format!("{name} was removed. Its bookings are kept.");
    Ok(user.redirect_with_flash("/channels", &Flash::success(text)))
}

/// What a channel manager needs, shown this once.
#[derive(Template)]
#[template(path = "channel_keys.html")]
struct ChannelWebhookPage {
    layout: Layout,
    name: String,
    back: String,
    /// `None`: they were shown before.
    keys: Option<ChannelWebhookReveal>,
}

#[derive(Serialize, Deserialize)]
struct ChannelWebhookReveal {
    url: String,
    key: String,
}

fn webhook_path(id: ChannelId) -> String {
    format!("{}/webhooks", channel_path(id))
}

pub(super) async fn enable_webhooks(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    find_channel(&user, id).await?;
    let (mut tx, path) = (user.app.context.db.begin().await?, webhook_path(id));
    let keys = manage::allow_webhooks(&mut tx, &user.app.context, &user.change(), id).await?;
    let keys = ChannelWebhookReveal {
        url: user.app.absolute_url(&format!("/hooks/channels/{}", keys.token.expose_secret())),
        key: keys.secret.expose_secret().to_owned(),
    };
    reveal::commit_and_redirect(tx, &user, &path, &keys).await
}

pub(super) async fn show_webhooks(
    user: Manager,
    PagePath(id): PagePath<ChannelId>,
    shown: RevealQuery,
) -> PageResult {
    let channel = find_channel(&user, id).await?;
    let layout = Layout::load(&user, NavItem::Channels, "Webhooks").await?;
    let name = channel_name(&user.app, &channel).await?;
    let keys = match reveal::take(&user, &webhook_path(id), &shown).await? {
        Reveal::NotRequested => return Ok(Redirect::to(&channel_path(id)).into_response()),
        reveal => reveal.into_value(),
    };
    render_page(&user, &ChannelWebhookPage { layout, name, back: channel_path(id), keys })
}

pub(super) async fn forbid_webhooks(user: Manager, PagePath(id): PagePath<ChannelId>) -> PageResult {
    find_channel(&user, id).await?;
    manage::forbid_webhooks(&user.app.context, &user.change(), id).await?;
    Ok(user.redirect_with_flash(&channel_path(id), &Flash::success("Webhooks disabled.")))
}

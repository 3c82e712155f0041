//! One channel: how it stands, what goes each way, and what can be done.

use askama::Template;
use concord_domain::{channel::ChannelState, ids::ChannelId};
use concord_jobs::channels::{intervals, load_poll_interval};
use concord_storage::channels::Channel;

use super::labels::{block_rule_options, fill_steps, preference_options};
use super::live::{ChannelLive, ChannelPageQuery, build_live};
use super::{
    channel_feed_url, channel_path, confirm::ChannelQuestion, find_channel, form::ChannelSettingsForm,
};
use crate::http::pages::{
    Confirmation, CurrentUser, Form, Layout, Manager, NavItem, PagePath, PageQuery, PageResult, SelectOption,
    render_page,
};

#[derive(Template)]
#[template(path = "channel.html")]
pub(super) struct ChannelPage {
    layout: Layout,
    path: String,
    /// Where the part that changes is asked for again.
    live_path: String,
    live: ChannelLive,
    /// The address of our feed; `None`: nothing is published.
    feed_url: Option<String>,
    /// Whether the platform has a feed of its own, and whether it reads ours.
    offers_feed: bool,
    reads_ours: bool,
    import_steps: Vec<String>,
    export_steps: Vec<String>,
    notes: Vec<String>,
    has_address: bool,
    has_webhooks: bool,
    form: Form<ChannelSettingsForm>,
    states: Vec<SelectOption>,
    preferences: Vec<SelectOption>,
    blocks: Vec<SelectOption>,
    /// "every 60 minutes", if nothing is said here.
    usual_minutes: i64,
    /// Which minutes may be chosen.
    interval_range: String,
    questions: Vec<Confirmation>,
}

impl ChannelPage {
    fn address_help(&self) -> &'static str {
        if self.has_address {
            "Leave empty to keep the current link. It is stored encrypted and not shown again."
        } else {
            "Leave empty to import nothing."
        }
    }
}

pub(super) async fn show(
    user: Manager,
    PagePath(id): PagePath<ChannelId>,
    PageQuery(query): PageQuery<ChannelPageQuery>,
) -> PageResult {
    let channel = find_channel(&user, id).await?;
    let form = ChannelSettingsForm::from_channel(&channel);
    let shown = build_page(&user, &channel, query, form.into()).await?;
    render_page(&user, &shown)
}

pub(super) async fn build_page(
    user: &CurrentUser,
    channel: &Channel,
    query: ChannelPageQuery,
    form: Form<ChannelSettingsForm>,
) -> PageResult<ChannelPage> {
    let path = channel_path(channel.id);
    let live_path = match &query.after {
        Some(after) => format!("{path}/live?after={after}"),
        None => format!("{path}/live"),
    };
    let live = build_live(user, channel, query).await?;
    let known = user.app.context.platforms.find(&channel.platform);
    let feed_url = channel_feed_url(&user.app, channel).await?;
    let values = [
        ("resource", live.glance.resource.as_str()),
        ("business", user.business.name.as_str()),
        ("feed_url", feed_url.as_deref().unwrap_or_default()),
    ];
    let offered = [
        (ChannelQuestion::Remove, true),
        (ChannelQuestion::Approve, channel.import_guard.is_some() && !live.waiting.is_empty()),
        (ChannelQuestion::RotateFeed, feed_url.is_some()),
        (ChannelQuestion::RenewWebhooks, channel.has_webhook),
        (ChannelQuestion::DisableWebhooks, channel.has_webhook),
    ];
    let offered = offered.into_iter().filter(|(_, is_offered)| *is_offered);
    let questions = offered
        .map(|(question, _)| question.confirmation(channel, &live.glance.platform, live.waiting.len()))
        .collect();
    let allowed = intervals(known);
    let unset = Channel { interval_minutes: None, ..channel.clone() };
    let title = format!("{} on {}", live.glance.resource, live.glance.platform);
    Ok(ChannelPage {
        layout: Layout::load(user, NavItem::Channels, title).await?,
        path,
        live_path,
        offers_feed: known.is_none_or(|platform| platform.exports),
        reads_ours: known.is_none_or(|platform| platform.imports),
        import_steps: known.map(|known| fill_steps(&known.import_steps, &values)).unwrap_or_default(),
        export_steps: known.map(|known| fill_steps(&known.export_steps, &values)).unwrap_or_default(),
        notes: known.map(|known| known.notes.clone()).unwrap_or_default(),
        has_address: channel.has_import,
        has_webhooks: channel.has_webhook,
        states: state_options(&form.state),
        preferences: preference_options(&form.preference),
        blocks: block_rule_options(&form.blocks),
        usual_minutes: load_poll_interval(&user.app.context, &unset).await?.num_minutes(),
        interval_range: format!("From {} to {}.", allowed.start(), allowed.end()),
        form,
        questions,
        feed_url,
        live,
    })
}

fn state_options(chosen: &str) -> Vec<SelectOption> {
    let label = |state| match state {
        ChannelState::Active => "Active",
        ChannelState::Paused => "Sync paused",
    };
    ChannelState::ALL.iter().map(|one| SelectOption::new(one.as_str(), label(*one), chosen)).collect()
}

//! How the channels stand: what is sold elsewhere, beside the calendars.

use askama::{Template, filters::HtmlSafe};
use concord_storage::channels::Channel;

use crate::http::pages::channels::{channel_path, platform_name, summary};
use crate::http::pages::{
    Attention, CurrentUser, NameDirectory, PageResult, Pill, RelativeTime, attention::exposed_nights,
    channels::labels::hue_class,
};

/// How the channels stand: it changes while it is looked at.
#[derive(Template)]
#[template(path = "overview_channels.html")]
pub(super) struct OverviewChannels {
    lines: Vec<OverviewChannelRow>,
    more: usize,
    /// Whether there is anything to sell at all.
    has_resources: bool,
}
impl HtmlSafe for OverviewChannels {}

struct OverviewChannelRow {
    path: String,
    resource: String,
    platform: String,
    hue: String,
    state: Pill,
    read: Option<RelativeTime>,
    /// What the platform does not know: "2 nights exposed".
    unknown: Option<String>,
}

/// So many are shown one by one.
const SHOWN: usize = 8;

/// Those that somebody has to see to first, then those that do not know everything.
pub(super) async fn channels(
    user: &CurrentUser,
    attention: &Attention,
    names: &mut NameDirectory,
) -> PageResult<OverviewChannels> {
    let mut all: Vec<&Channel> = attention.channels.iter().collect();
    all.sort_by_key(|channel| {
        let knows_all =
            !attention.exposed.contains_key(&channel.id) && !attention.unread.contains(&channel.id);
        (channel.failing_since.is_none(), channel.import_guard.is_none(), knows_all)
    });
    let mut lines = Vec::new();
    for channel in all.iter().take(SHOWN) {
        names.load_resource(&user.app.context.db, channel.resource_id).await?;
        lines.push(OverviewChannelRow {
            path: channel_path(channel.id),
            resource: names.resource_name(channel.resource_id),
            platform: platform_name(&user.app, &channel.platform),
            hue: hue_class(user.app.context.platforms.find(&channel.platform)),
            state: summary::status_pill(channel, false),
            read: channel.read_at.map(|at| RelativeTime::new(at, user.app.now(), user.business.zone)),
            unknown: exposure_message(attention, channel),
        });
    }
    Ok(OverviewChannels { more: all.len() - lines.len(), lines, has_resources: !names.resources.is_empty() })
}

fn exposure_message(attention: &Attention, channel: &Channel) -> Option<String> {
    let nights = attention.exposed.get(&channel.id);
    let exposed = nights.map(|nights| exposed_nights(*nights));
    match (exposed, attention.unread.contains(&channel.id)) {
        (Some(exposed), true) => Some(format!("{exposed}: has not imported our calendar yet")),
        (None, true) => Some("Has not imported our calendar yet".to_owned()),
        (exposed, false) => exposed,
    }
}

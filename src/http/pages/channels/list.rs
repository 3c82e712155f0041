//! All channels, those of one resource together; what is wrong comes first.

use askama::{Template, filters::HtmlSafe};
use concord_storage::channels;

use super::summary::ChannelSummary;
use crate::http::pages::{
    CurrentUser, Layout, Manager, NameDirectory, NavItem, PageResult, render_page, render_partial,
};

#[derive(Template)]
#[template(path = "channels.html")]
struct ChannelsPage {
    layout: Layout,
    live: ChannelsLive,
    has_resources: bool,
}

/// What changes while it is looked at.
#[derive(Template)]
#[template(path = "channels_live.html")]
struct ChannelsLive {
    csrf: String,
    resources: Vec<ResourceChannels>,
}
impl HtmlSafe for ChannelsLive {}

struct ResourceChannels {
    id: String,
    name: String,
    channels: Vec<ChannelSummary>,
}

impl ChannelsLive {
    fn all(&self) -> impl Iterator<Item = &ChannelSummary> {
        self.resources.iter().flat_map(|resource| &resource.channels)
    }

    fn is_under_way(&self) -> bool {
        self.all().any(|glance| glance.is_under_way)
    }

    fn in_trouble(&self) -> Vec<&ChannelSummary> {
        self.all().filter(|glance| glance.trouble.is_some()).collect()
    }
}

pub(super) async fn show(user: Manager) -> PageResult {
    let mut names = NameDirectory::load(&user.app.context.db, user.business.id, user.business.zone).await?;
    let live = build_live(&user, &mut names).await?;
    let layout = Layout::load(&user, NavItem::Channels, "Channels").await?;
    render_page(&user, &ChannelsPage { layout, live, has_resources: !names.resources.is_empty() })
}

pub(super) async fn live(user: Manager) -> PageResult {
    let mut names = NameDirectory::load(&user.app.context.db, user.business.id, user.business.zone).await?;
    render_partial(&build_live(&user, &mut names).await?)
}

async fn build_live(user: &CurrentUser, names: &mut NameDirectory) -> PageResult<ChannelsLive> {
    let db = &user.app.context.db;
    let mut resources: Vec<ResourceChannels> = Vec::new();
    for channel in channels::list(db, user.business.id).await? {
        names.load_resource(db, channel.resource_id).await?;
        let (glance, _) = ChannelSummary::load(user, &channel, names).await?;
        let id = channel.resource_id.to_string();
        match resources.iter_mut().find(|resource| resource.id == id) {
            Some(resource) => resource.channels.push(glance),
            None => {
                resources.push(ResourceChannels {
                    id,
                    name: glance.resource.clone(),
                    channels: vec![glance],
                });
            }
        }
    }
    resources.sort_by_key(|resource| resource.name.to_lowercase());
    Ok(ChannelsLive { csrf: user.token.form_token(), resources })
}

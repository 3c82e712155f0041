//! All channels, those of one resource together; what is wrong comes first.

use askama::{Template, filters::HtmlSafe};
use axum::{extract::State, response::Response};
use concord_storage::channels;

use super::{
    super::{
        PageError,
        frame::{Frame, Place, page, part},
        names::Names,
        session::CurrentUser,
    },
    glance::Glance,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "channels.html")]
struct ChannelsPage {
    frame: Frame,
    live: ChannelsLive,
    has_resources: bool,
}

/// What changes while it is looked at.
#[derive(Template)]
#[template(path = "channels_live.html")]
struct ChannelsLive {
    csrf: String,
    resources: Vec<OfResource>,
}
impl HtmlSafe for ChannelsLive {}

struct OfResource {
    id: String,
    name: String,
    channels: Vec<Glance>,
}

impl ChannelsLive {
    fn all(&self) -> impl Iterator<Item = &Glance> {
        self.resources.iter().flat_map(|resource| &resource.channels)
    }

    fn is_under_way(&self) -> bool {
        self.all().any(|glance| glance.is_under_way)
    }

    fn in_trouble(&self) -> Vec<&Glance> {
        self.all().filter(|glance| glance.trouble.is_some()).collect()
    }
}

pub(super) async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let mut names = Names::load(&app.context.db, user.business.id, user.business.zone).await?;
    let live = look(&app, &user, &mut names).await?;
    let frame = Frame::around(&app, &user, Place::Channels, "Channels").await?;
    page(&app, &user, &ChannelsPage { frame, live, has_resources: !names.resources.is_empty() })
}

pub(super) async fn live(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let mut names = Names::load(&app.context.db, user.business.id, user.business.zone).await?;
    part(&look(&app, &user, &mut names).await?)
}

async fn look(app: &App, user: &CurrentUser, names: &mut Names) -> Result<ChannelsLive, PageError> {
    let db = &app.context.db;
    let mut resources: Vec<OfResource> = Vec::new();
    for channel in channels::list(db, user.business.id).await? {
        names.learn_resource(db, channel.resource_id).await?;
        let (glance, _) = Glance::of(app, user, &channel, names).await?;
        let id = channel.resource_id.to_string();
        match resources.iter_mut().find(|resource| resource.id == id) {
            Some(resource) => resource.channels.push(glance),
            None => {
                resources.push(OfResource { id, name: glance.resource.clone(), channels: vec![glance] });
            }
        }
    }
    resources.sort_by_key(|resource| resource.name.to_lowercase());
    Ok(ChannelsLive { csrf: user.token.form_token(), resources })
}

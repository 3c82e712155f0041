//! One channel: how it stands, what goes each way, and what can be done.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::{channel::ChannelState, ids::ChannelId};
use concord_jobs::channels::{interval_of, intervals};
use concord_storage::channels::Channel;

use super::{
    super::{
        PageError,
        asked::{Asked, Named},
        frame::{Frame, Place as InRail, page},
        pieces::Choice,
        session::CurrentUser,
    },
    ask::{self, Question},
    feed_address, found,
    live::{ChannelLive, Place, look},
    path_of,
    settings::Form,
    words::{block_rules, preferences, steps},
};
use crate::app::App;

#[derive(Template)]
#[template(path = "channel.html")]
pub(super) struct ChannelPage {
    frame: Frame,
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
    form: Form,
    states: Vec<Choice>,
    preferences: Vec<Choice>,
    blocks: Vec<Choice>,
    /// "every 60 minutes", if nothing is said here.
    usual_minutes: i64,
    fewest_minutes: i64,
    most_minutes: i64,
    faults: Vec<(&'static str, String)>,
    questions: Vec<Question>,
}

impl ChannelPage {
    fn fault(&self, field: &str) -> Option<&str> {
        self.faults.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }
}

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ChannelId>,
    Asked(place): Asked<Place>,
) -> Result<Response, PageError> {
    let channel = found(&app, &user, id).await?;
    let form = Form::of(&channel);
    let shown = describe(&app, &user, &channel, place, (form, Vec::new())).await?;
    page(&app, &user, &shown)
}

pub(super) async fn describe(
    app: &App,
    user: &CurrentUser,
    channel: &Channel,
    place: Place,
    (form, faults): (Form, Vec<(&'static str, String)>),
) -> Result<ChannelPage, PageError> {
    let path = path_of(channel.id);
    let live_path = match &place.after {
        Some(after) => format!("{path}/live?after={after}"),
        None => format!("{path}/live"),
    };
    let live = look(app, user, channel, place).await?;
    let known = app.context.platforms.find(&channel.platform);
    let feed_url = feed_address(app, channel).await?;
    let values = [
        ("resource", live.glance.resource.as_str()),
        ("business", user.business.name.as_str()),
        ("feed_url", feed_url.as_deref().unwrap_or_default()),
    ];
    let mut questions = vec![ask::to_remove(channel, &live.glance.platform)];
    if channel.import_guard.is_some() && !live.waiting.is_empty() {
        questions.push(ask::to_release(channel, &live.glance.platform, live.waiting.len()));
    }
    if feed_url.is_some() {
        questions.push(ask::to_rotate(channel, &live.glance.platform));
    }
    if channel.has_webhook {
        questions.push(ask::to_renew_webhooks(channel));
        questions.push(ask::to_forbid_webhooks(channel));
    }
    let allowed = intervals(known);
    let unset = Channel { interval_minutes: None, ..channel.clone() };
    let title = format!("{} on {}", live.glance.resource, live.glance.platform);
    Ok(ChannelPage {
        frame: Frame::around(app, user, InRail::Channels, title).await?,
        path,
        live_path,
        offers_feed: known.is_none_or(|platform| platform.exports),
        reads_ours: known.is_none_or(|platform| platform.imports),
        import_steps: known.map(|known| steps(&known.import_steps, &values)).unwrap_or_default(),
        export_steps: known.map(|known| steps(&known.export_steps, &values)).unwrap_or_default(),
        notes: known.map(|known| known.notes.clone()).unwrap_or_default(),
        has_address: channel.has_import,
        has_webhooks: channel.has_webhook,
        states: states(&form.state),
        preferences: preferences(&form.preference),
        blocks: block_rules(&form.blocks),
        usual_minutes: interval_of(&app.context, &unset).await?.num_minutes(),
        fewest_minutes: *allowed.start(),
        most_minutes: *allowed.end(),
        form,
        faults,
        questions,
        feed_url,
        live,
    })
}

fn states(chosen: &str) -> Vec<Choice> {
    let label = |state| match state {
        ChannelState::Active => "Kept in step",
        ChannelState::Paused => "Paused: nothing is read",
    };
    ChannelState::ALL.iter().map(|one| Choice::new(one.as_str(), label(*one), chosen)).collect()
}

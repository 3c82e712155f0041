//! All feeds that the person may see, and the form of a new one.

use askama::Template;
use concord_domain::{
    feed::FeedScope,
    ids::{ChannelId, FeedId, ResourceId, StaffId},
    privacy::FeedPrivacy,
};
use concord_storage::{
    channels,
    feeds::{self, Feed},
    people::Staff,
};

use super::{
    FeedUrlReveal, NewFeedForm, PATH, may_see, privacy_label, revoke_confirmation, rotate_confirmation,
};
use crate::http::pages::{
    Confirmation, CurrentUser, Form, Layout, NameDirectory, NavItem, PageResult, RelativeTime, RevealQuery,
    SelectOption, render_page, reveal,
};

#[derive(Template)]
#[template(path = "feeds.html")]
pub(super) struct FeedsPage {
    layout: Layout,
    rows: Vec<FeedRow>,
    questions: Vec<Confirmation>,
    /// What a feed can be about: of the business, its resources, its people.
    whole: Vec<SelectOption>,
    resources: Vec<SelectOption>,
    staff: Vec<SelectOption>,
    drivers: Vec<SelectOption>,
    form: Form<NewFeedForm>,
    privacy: FeedPrivacy,
    /// The address of a feed that was just made or rotated.
    shown_once: Option<FeedUrlReveal>,
    /// One was made, and shown before.
    was_shown: bool,
}

impl FeedsPage {
    /// Whether there is anything that the person may publish.
    fn may_publish_any(&self) -> bool {
        !(self.whole.is_empty() && self.resources.is_empty() && self.staff.is_empty())
    }
}

struct FeedRow {
    id: FeedId,
    name: String,
    about: String,
    privacy: &'static str,
    prefix: String,
    read: Option<RelativeTime>,
}

pub(super) async fn show(user: CurrentUser, shown: RevealQuery) -> PageResult {
    let feeds = build_page(&user, NewFeedForm::default().into()).await?;
    let reveal = reveal::take(&user, PATH, &shown).await?;
    let feeds = FeedsPage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..feeds };
    render_page(&user, &feeds)
}

pub(super) async fn build_page(user: &CurrentUser, form: Form<NewFeedForm>) -> PageResult<FeedsPage> {
    let db = &user.app.context.db;
    let mut names = NameDirectory::load(db, user.business.id, user.business.zone).await?;
    let all = feeds::list(db, user.business.id).await?;
    let (mut rows, mut questions) = (Vec::new(), Vec::new());
    for feed in all.iter().filter(|feed| may_see(user, feed)) {
        rows.push(feed_row(user, feed, &mut names).await?);
        questions.extend([rotate_confirmation(feed), revoke_confirmation(feed)]);
    }
    let whole = if user.is_manager() {
        vec![SelectOption::new("business", format!("All bookings of {}", user.business.name), &form.about)]
    } else {
        Vec::new()
    };
    let resources = names.resources.iter().filter(|_| user.is_manager());
    let staff = |scope: &'static str| {
        let seen = names.staff.iter().filter(|staff| user.may_see(staff.id));
        let choice =
            |staff: &Staff| SelectOption::new(format!("{scope}:{}", staff.id), &staff.name, &form.about);
        seen.map(choice).collect()
    };
    Ok(FeedsPage {
        layout: Layout::load(user, NavItem::Feeds, "Feeds").await?,
        rows,
        questions,
        whole,
        resources: resources
            .map(|resource| {
                SelectOption::new(format!("resource:{}", resource.id), &resource.name, &form.about)
            })
            .collect(),
        staff: staff("staff"),
        drivers: staff("driver"),
        privacy: form.privacy.parse().unwrap_or(FeedPrivacy::Busy),
        form,
        shown_once: None,
        was_shown: false,
    })
}

async fn feed_row(user: &CurrentUser, feed: &Feed, names: &mut NameDirectory) -> PageResult<FeedRow> {
    let db = &user.app.context.db;
    let about = match (feed.scope, feed.subject_id) {
        (FeedScope::Resource, Some(id)) => {
            names.load_resource(db, ResourceId(id)).await?;
            names.resource_name(ResourceId(id))
        }
        (FeedScope::Staff, Some(id)) => {
            names.load_staff(db, StaffId(id)).await?;
            names.staff_name(StaffId(id))
        }
        (FeedScope::Driver, Some(id)) => {
            names.load_staff(db, StaffId(id)).await?;
            format!("Deliveries of {}", names.staff_name(StaffId(id)))
        }
        (FeedScope::Channel, Some(id)) => channel_subject(user, ChannelId(id), names).await?,
        _ => "All bookings".to_owned(),
    };
    Ok(FeedRow {
        id: feed.id,
        name: feed.name.clone(),
        about,
        privacy: privacy_label(feed.privacy),
        prefix: feed.token_prefix.clone(),
        read: feed.last_read_at.map(|at| RelativeTime::new(at, user.app.now(), user.business.zone)),
    })
}

/// The platform, and what is sold there.
async fn channel_subject(user: &CurrentUser, id: ChannelId, names: &mut NameDirectory) -> PageResult<String> {
    let db = &user.app.context.db;
    let Some(channel) = channels::find(db, user.business.id, id).await? else {
        return Ok("A channel".to_owned());
    };
    names.load_resource(db, channel.resource_id).await?;
    let platform = user.app.context.platforms.find(&channel.platform);
    let platform = platform.map_or(channel.platform.as_str(), |platform| platform.name.as_str());
    Ok(format!("{} for {platform}", names.resource_name(channel.resource_id)))
}

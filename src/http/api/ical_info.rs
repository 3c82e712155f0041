//! `GET /api/ical/info`: the address of a business's bookings, and where each platform takes it.

use std::collections::BTreeMap;

use axum::{
    Extension, Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, header},
    routing::get,
};
use concord_domain::{
    ids::BusinessId,
    platform::{Platforms, fill},
    privacy::FeedPrivacy,
};
use concord_services::channels as manage;
use concord_storage::{ChangeContext, StorageError, businesses, channels, feeds, resources};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth,
    problem::{ApiError, Kind, ProblemDocument},
};
use crate::{
    app::{App, admission::AdmissionError},
    http::{
        feeds::{ANY_PLATFORM, bookings_feed_url, feed_url},
        pages::{CurrentUser, PageError},
        request_origin::RequestOrigin,
    },
};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/ical/info", get(info))
}

/// For whoever gives the address of all bookings to a platform that has no file.
const FOR_CALENDARS: &str = "`export_url` is for calendar apps. For platforms, use a channel's feed: it covers one listing, \
     shows no names, and leaves out the platform's own reservations.";

/// For platforms that sell, while no channel of theirs is there.
const CONNECT_FIRST: &str =
    "First connect a channel (POST /api/v1/channels) to get a feed for the platform. Then:";

const UNPUBLISHED: &str = "The feed of all bookings is not published yet. Publish it on the page Calendar sync, or ask with an API key.";

/// How to export bookings to platforms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ICalInfo)]
pub(super) struct IcalInfoResponse {
    /// The address of its approved and confirmed bookings, which is a secret: whoever has it can read them.
    export_url: String,
    /// What to do, by platform; `general` for any other. A platform that sells nights is given the addresses of its channels,
    /// never the one of all bookings: it would give its own back.
    instructions: BTreeMap<String, String>,
    /// What there is.
    features: Vec<&'static str>,
}

/// Get the export URL and instructions
///
/// The address of `/api/ical/bookings.ics` with its token, and what each platform wants to be done with it. The feed is
/// published when this is first asked for with a key; it tells all there is (`full`) until a manager changes that, at the
/// page of feeds or at `/api/v1/feeds`. Managers who are signed in may read it too, once the feed is published.
#[utoipa::path(get, path = "/api/ical/info", tag = "Feeds", operation_id = "ical_info",
    security(("key" = [])),
    responses(
        (status = 200, description = "Address and instructions", body = IcalInfoResponse),
        (status = "default", description = "A problem", content_type = "application/problem+json",
            body = ProblemDocument),
    ))]
pub(super) async fn info(
    State(app): State<App>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Json<IcalInfoResponse>), ApiError> {
    let (caller, change) = authenticate(&app, &headers, &visit).await?;
    let business = businesses::find(&app.context.db, change.business).await?;
    let business = business.ok_or_else(|| ApiError::internal("a key of no business"))?;
    let token = match caller {
        Caller::Program => manage::publish_business_feed(&app.context, &change, FeedPrivacy::Full).await?.0,
        Caller::Manager => {
            let published = manage::business_feed(&app.context, business.id).await?;
            published.map(|(_, token)| token).ok_or_else(|| ApiError::new(Kind::NotFound, UNPUBLISHED))?
        }
    };
    let export_url = bookings_feed_url(&app, &token);
    let channels = channel_feed_urls(&app, business.id).await?;
    let instructions = instructions(&app.context.platforms, (&export_url, &channels), &business.name);
    let info = IcalInfoResponse { export_url, instructions, features: FEATURES.to_vec() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)))
}

const FEATURES: &[&str] = &[
    "Approved and confirmed bookings, as they are at the moment of each request",
    "Stays as whole days, with the day of departure free; everything else in UTC",
    "Privacy of the feed: everything, titles with first names, or busy times only",
    "A secret URL, which can be rotated or revoked",
    "ETag, 304 Not Modified and gzip",
    "A log of who fetched which revision, and when",
    "Feeds of a resource, a member of the staff, a driver or a channel, besides this one of everything",
    "Platform calendars are imported on schedule, without duplicates",
];

/// Who asks. A session's cookie comes with every link that a manager follows, so that it publishes nothing.
enum Caller {
    Program,
    Manager,
}

/// A program with a key, or a manager with a session.
async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    visit: &RequestOrigin,
) -> Result<(Caller, ChangeContext), ApiError> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(user) =
            CurrentUser::of(app, headers, visit).await.map_err(|error| to_api_error(&error))?
    {
        if !user.is_manager() {
            return Err(ApiError::new(Kind::Forbidden, "Only managers can see the feed of all bookings."));
        }
        return Ok((Caller::Manager, user.change()));
    }
    Ok((Caller::Program, auth::identify(app, headers, visit).await?.change()))
}

fn to_api_error(error: &PageError) -> ApiError {
    match error {
        PageError::TooMany { seconds } => AdmissionError::RateLimited { seconds: *seconds }.into(),
        PageError::Full | PageError::Busy | PageError::Unavailable(_) => AdmissionError::Full.into(),
        _ => ApiError::internal("no session could be read"),
    }
}

/// A listing on a platform: the resource's name, and the address that the platform is to read.
struct ChannelFeedUrl {
    platform: String,
    resource: String,
    address: String,
}

/// The addresses of all channels of a business.
async fn channel_feed_urls(app: &App, business: BusinessId) -> Result<Vec<ChannelFeedUrl>, StorageError> {
    let (db, ring) = (&app.context.db, &app.context.ring);
    let mut listings = Vec::new();
    for channel in channels::list(db, business).await? {
        let Some(feed) = channel.feed_id else { continue };
        let Some(token) = feeds::remembered(db, ring, business, feed).await? else { continue };
        let resource = resources::find(db, business, channel.resource_id).await?;
        listings.push(ChannelFeedUrl {
            platform: channel.platform,
            resource: resource.map(|resource| resource.name).unwrap_or_default(),
            address: feed_url(app, token.expose_secret()),
        });
    }
    Ok(listings)
}

/// What each platform that reads feeds wants to be done, filled in.
fn instructions(
    platforms: &Platforms,
    (url, listings): (&str, &[ChannelFeedUrl]),
    business: &str,
) -> BTreeMap<String, String> {
    let reading = platforms.iter().filter(|platform| !platform.import_steps.is_empty());
    reading
        .map(|platform| {
            let filled = |url: &str, resource: &str| {
                let values = [("feed_url", url), ("resource", resource), ("business", business)];
                platform.import_steps.iter().map(|step| fill(step, &values)).collect::<Vec<_>>().join(" ")
            };
            let id = platform.id.as_str();
            let own: Vec<String> = listings
                .iter()
                .filter(|listing| listing.platform == id)
                .map(|listing| filled(&listing.address, &listing.resource))
                .collect();
            let words = match (platform.sells(), own.is_empty()) {
                (false, _) => filled(url, business),
                (true, true) => {
                    format!("{CONNECT_FIRST} {}", filled("(the channel's feed_url)", "the listing"))
                }
                (true, false) => own.join(" "),
            };
            if id == ANY_PLATFORM {
                return ("general".to_owned(), format!("{words} {FOR_CALENDARS}"));
            }
            (id.to_owned(), words)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_platform_that_sells_is_given_what_it_would_give_back() {
        let url = "https://concord.example/api/ical/bookings.ics?token=cf_x";
        let listing = |resource: &str| ChannelFeedUrl {
            platform: "airbnb".to_owned(),
            resource: resource.to_owned(),
            address: format!("https://concord.example/feeds/{resource}.ics"),
        };
        let listings = [listing("one"), listing("two")];
        let told = instructions(&Platforms::builtin(), (url, &listings), "Casa do Mar");
        for platform in Platforms::builtin().iter().filter(|one| one.sells()) {
            let name = if platform.id.as_str() == ANY_PLATFORM { "general" } else { platform.id.as_str() };
            let Some(steps) = told.get(name) else { continue };
            assert!(!steps.contains(url), "{}: {steps}", platform.name);
        }
        assert!(listings.iter().all(|listing| told["airbnb"].contains(&listing.address)));
        assert!(told["vrbo"].starts_with(CONNECT_FIRST), "{}", told["vrbo"]);
        assert!(told["google"].contains(url) && told["outlook"].contains(url));
        assert!(told["general"].starts_with(CONNECT_FIRST) && told["general"].ends_with(FOR_CALENDARS));
        assert!(!told.contains_key(ANY_PLATFORM));
        assert!(told.values().all(|steps| !steps.contains('{')), "{told:?}");
    }
}

//! `/api/ical/info`: the address of a business's bookings, and where each platform takes it.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, header},
    routing::get,
};
use concord_domain::platform::{Platforms, fill};
use concord_jobs::channels::manage;
use concord_storage::{StorageError, bookings::Change, businesses};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        api::{
            auth,
            problem::{ApiError, Kind},
        },
        pages::CurrentUser,
    },
};

pub(in crate::http) fn router() -> Router<App> {
    Router::new().route("/api/ical/info", get(info))
}

/// The platform of no name: what it says holds for any.
const ANY_PLATFORM: &str = "generic";

/// For platforms that sell: this feed is of all resources, and tells them who comes.
const RATHER_A_CHANNEL: &str = "For one listing, rather connect a channel (POST /api/v1/channels) and give the platform that one's address: it is of \
     that resource alone, tells no names, and leaves out what came from there.";

/// How a business's bookings get to platforms.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ICalInfo)]
pub(in crate::http) struct Info {
    /// The address of its approved and confirmed bookings, which is a secret: whoever has it can read them.
    export_url: String,
    /// What to do with it, by platform; `general` for any other.
    instructions: BTreeMap<String, String>,
    /// What there is.
    features: Vec<&'static str>,
}

/// Where the bookings are exported
///
/// The address of `/api/ical/bookings.ics` with its token, and what each platform wants to be done with it. The feed is
/// made when this is first asked for; it tells all there is (`full`) until a manager changes that, at the page of feeds
/// or at `/api/v1/feeds`. For programs with a key, and for managers who are signed in.
#[utoipa::path(get, path = "/api/ical/info", tag = "Feeds", operation_id = "ical_info",
    security(("key" = [])),
    responses(
        (status = 200, description = "Address and instructions", body = Info),
        (status = "default", description = "A problem", content_type = "application/problem+json",
            body = crate::http::api::problem::Document),
    ))]
pub(in crate::http) async fn info(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Json<Info>), ApiError> {
    let change = who_asks(&app, &headers).await?;
    let business = businesses::find(&app.context.db, change.business).await?;
    let business = business.ok_or_else(|| ApiError::internal("a key of no business"))?;
    let export_url = export_address(&app, &change).await?;
    let instructions = instructions(&app.context.platforms, &export_url, &business.name);
    let info = Info { export_url, instructions, features: FEATURES.to_vec() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)))
}

const FEATURES: &[&str] = &[
    "Approved and confirmed bookings, as they are at the moment of each request",
    "Stays as whole days, with the day of departure free; everything else in UTC",
    "Privacy of the feed: everything, titles with first names, or busy times only",
    "A secret address, which can be made anew or revoked",
    "ETag, 304 Not Modified and gzip for those who come back",
    "A record of who has read which revision, and when",
    "Feeds of a resource, a member of the staff, a driver or a channel, besides this one of everything",
    "Calendars of platforms are read at their own times, each event once",
];

/// The address of all bookings of a business.
pub(in crate::http) async fn export_address(app: &App, change: &Change) -> Result<String, StorageError> {
    let token = manage::business_feed(&app.context, change).await?;
    Ok(app.address(&format!("/api/ical/bookings.ics?token={}", token.expose_secret())))
}

/// A program with a key, or a manager with a session.
async fn who_asks(app: &App, headers: &HeaderMap) -> Result<Change, ApiError> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(user) =
            CurrentUser::of(app, headers).await.map_err(|_| ApiError::internal("no session could be read"))?
    {
        if !user.is_manager() {
            return Err(ApiError::new(Kind::Forbidden, "Only managers see the address of all bookings."));
        }
        return Ok(user.change(app));
    }
    Ok(auth::identify(app, headers).await?.change(app.now()))
}

/// What each platform that reads feeds wants to be done with this one, filled in.
fn instructions(platforms: &Platforms, url: &str, business: &str) -> BTreeMap<String, String> {
    let values = [("feed_url", url), ("resource", business), ("business", business)];
    let reading = platforms.iter().filter(|platform| !platform.import_steps.is_empty());
    reading
        .map(|platform| {
            let id = platform.id.as_str();
            let key = if id == ANY_PLATFORM { "general" } else { id };
            let mut steps: Vec<String> =
                platform.import_steps.iter().map(|step| fill(step, &values)).collect();
            steps.extend(platform.sells().then(|| RATHER_A_CHANNEL.to_owned()));
            (key.to_owned(), steps.join(" "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_that_reads_feeds_is_told_of_with_the_address() {
        let url = "https://concord.example/api/ical/bookings.ics?token=cf_x";
        let told = instructions(&Platforms::builtin(), url, "Casa do Mar");
        for platform in ["airbnb", "booking_com", "vrbo", "general"] {
            assert!(told[platform].contains(url), "{platform}: {}", told[platform]);
        }
        assert!(told["airbnb"].ends_with(RATHER_A_CHANNEL) && !told["google"].contains(RATHER_A_CHANNEL));
        assert!(!told.contains_key(ANY_PLATFORM));
        assert!(told.values().all(|steps| !steps.contains('{')), "{told:?}");
    }
}

//! The booking platforms that this installation knows, and how the business wants each to be treated.

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use concord_domain::platform::{Platform, PlatformKind};
use concord_jobs::channels::{intervals, manage};
use concord_storage::platform_settings::{self, PlatformSettings};
use serde::Deserialize;

use super::{
    PageError,
    asked::{Named, Sent},
    channels::words::{abilities, block_rules, by_hand, hue_class, preferences, steps, typed_interval},
    flash::Flash,
    frame::{Frame, Place, page},
    pieces::Choice,
    session::CurrentUser,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings/platforms", get(show)).route("/settings/platforms/{platform}", post(save))
}

#[derive(Template)]
#[template(path = "platforms.html")]
struct PlatformsPage {
    frame: Frame,
    platforms: Vec<Row>,
}

struct Row {
    id: String,
    name: String,
    hue: String,
    kind: &'static str,
    abilities: &'static str,
    /// Whether there is a feed to read, so that it can be said how often.
    is_read: bool,
    /// "every 120 to 180 minutes"; empty: nobody knows.
    reads_ours: String,
    usual_minutes: u32,
    fewest_minutes: i64,
    most_minutes: i64,
    interval: String,
    preferences: Vec<Choice>,
    blocks: Vec<Choice>,
    notes: Vec<String>,
    import_steps: Vec<String>,
    export_steps: Vec<String>,
    by_hand: Vec<String>,
    /// What is wrong with the minutes.
    fault: Option<String>,
    /// Whether its form is open.
    is_open: bool,
}

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Form {
    interval: String,
    preference: String,
    blocks: String,
}

impl Form {
    fn of(said: &PlatformSettings) -> Self {
        Self {
            interval: said.interval_minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
            preference: said.preference.to_string(),
            blocks: said.blocks.to_string(),
        }
    }
}

async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let shown = describe(&app, &user, None).await?;
    page(&app, &user, &shown)
}

/// A form that was refused: of which platform, what was typed, and what is wrong with it.
type Refused<'a> = (&'a Platform, Form, String);

async fn describe(
    app: &App,
    user: &CurrentUser,
    refused: Option<Refused<'_>>,
) -> Result<PlatformsPage, PageError> {
    let all = platform_settings::of_business(&app.context.db, user.business.id).await?;
    let row = |platform: &Platform| {
        if let Some((wrong, form, fault)) = &refused
            && wrong.id == platform.id
        {
            return Row { is_open: true, ..row(platform, user, form, Some(fault.clone())) };
        }
        let said = all.iter().find(|said| said.platform == platform.id.as_str()).cloned();
        let said = said.unwrap_or_else(|| PlatformSettings::unsaid(platform.id.as_str()));
        row(platform, user, &Form::of(&said), None)
    };
    Ok(PlatformsPage {
        frame: Frame::around(app, user, Place::Settings, "Platforms").await?,
        platforms: app.context.platforms.iter().map(row).collect(),
    })
}

fn row(platform: &Platform, user: &CurrentUser, form: &Form, fault: Option<String>) -> Row {
    let allowed = intervals(Some(platform));
    let business = user.business.name.as_str();
    let resource = "the room's name";
    let values = [
        ("resource", resource),
        ("business", business),
        ("feed_url", "(the address that the channel shows)"),
    ];
    let checklist = platform.checklist.as_ref();
    Row {
        id: platform.id.to_string(),
        name: platform.name.clone(),
        hue: hue_class(Some(platform)),
        kind: kind_label(platform.kind),
        abilities: abilities(platform),
        is_read: platform.exports,
        reads_ours: platform
            .reads_every
            .map(|(shortest, longest)| format!("every {shortest} to {longest} minutes"))
            .unwrap_or_default(),
        usual_minutes: platform.interval_minutes,
        fewest_minutes: *allowed.start(),
        most_minutes: *allowed.end(),
        interval: form.interval.clone(),
        preferences: preferences(&form.preference),
        blocks: block_rules(&form.blocks),
        notes: platform.notes.clone(),
        import_steps: steps(&platform.import_steps, &values),
        export_steps: steps(&platform.export_steps, &values),
        by_hand: checklist.map(|list| by_hand(list, resource, business)).unwrap_or_default(),
        fault,
        is_open: false,
    }
}

fn kind_label(kind: PlatformKind) -> &'static str {
    match kind {
        PlatformKind::Ical => "Calendars",
        PlatformKind::Manual => "By hand",
        PlatformKind::Both => "Calendars, or by hand",
    }
}

async fn save(
    State(app): State<App>,
    user: CurrentUser,
    Named(name): Named<String>,
    Sent(form): Sent<Form>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let platform = app.context.platforms.find(&name).ok_or(PageError::NotFound("platform"))?;
    let interval_minutes = match typed_interval(&form.interval, Some(platform)) {
        Ok(minutes) => minutes,
        Err(fault) => {
            let shown = describe(&app, &user, Some((platform, form, fault))).await?;
            let mut response = page(&app, &user, &shown)?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
    };
    let before = platform_settings::find(&app.context.db, user.business.id, platform.id.as_str()).await?;
    let said = PlatformSettings {
        interval_minutes,
        preference: form.preference.parse().unwrap_or(before.preference),
        blocks: form.blocks.parse().unwrap_or(before.blocks),
        platform: before.platform,
    };
    manage::save_platform(&app.context, &user.change(&app), &said).await?;
    let text = format!("The settings of {} were saved.", platform.name);
    Ok(user.go(&app, "/settings/platforms", &Flash::good(text)))
}

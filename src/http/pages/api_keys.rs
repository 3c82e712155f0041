//! Keys by which programs act for the business.

use askama::Template;
use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
use concord_domain::{ids::ApiKeyId, record::HistorySubject};
use concord_storage::{
    api_keys::{self, ApiKey},
    secret,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    PageError,
    asked::{Named, Sent},
    flash::Flash,
    frame::{Frame, Place, page},
    names::{NAME_RULE, is_name},
    reveal::{self, Shown},
    session::CurrentUser,
    when::When,
};
use crate::app::App;

const PATH: &str = "/settings/api-keys";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(list).post(create))
        .route("/settings/api-keys/{id}/revoke", get(ask).post(revoke))
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct ApiKeysPage {
    frame: Frame,
    rows: Vec<Row>,
    name: String,
    fault: Option<&'static str>,
    /// A key that was just made.
    shown_once: Option<ShownOnce>,
    /// One that was made was shown before.
    was_shown: bool,
    /// Where the API stands.
    base: String,
}

struct Row {
    id: ApiKeyId,
    name: String,
    prefix: String,
    made: When,
    used: Option<When>,
    revoked: Option<When>,
}

#[derive(Serialize, Deserialize)]
struct ShownOnce {
    name: String,
    token: String,
}

async fn list(State(app): State<App>, user: CurrentUser, shown: Shown) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let keys = describe(&app, &user, String::new()).await?;
    let reveal = reveal::take(&app, &user, PATH, &shown).await?;
    page(&app, &user, &ApiKeysPage { was_shown: reveal.is_over(), shown_once: reveal.now(), ..keys })
}

async fn describe(app: &App, user: &CurrentUser, name: String) -> Result<ApiKeysPage, PageError> {
    let mut keys = api_keys::list(&app.context.db, user.business.id).await?;
    // What still opens something first, the newest of each first.
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    let when = |at| When::of(at, app.now(), user.business.zone);
    Ok(ApiKeysPage {
        frame: Frame::around(app, user, Place::Settings, "API keys").await?,
        rows: keys
            .into_iter()
            .map(|key| Row {
                id: key.id,
                name: key.name,
                prefix: key.prefix,
                made: when(key.created_at),
                used: key.last_used_at.map(when),
                revoked: key.revoked_at.map(when),
            })
            .collect(),
        name,
        fault: None,
        shown_once: None,
        was_shown: false,
        base: app.address("/api/v1"),
    })
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    name: String,
}

async fn create(
    State(app): State<App>,
    user: CurrentUser,
    Sent(wish): Sent<Wish>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let name = wish.name.trim();
    if !is_name(name) {
        let fault = Some(NAME_RULE);
        let shown = ApiKeysPage { fault, ..describe(&app, &user, wish.name).await? };
        let mut response = page(&app, &user, &shown)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(response);
    }
    let token = secret::new_token("ck_");
    let mut tx = app.context.db.begin().await?;
    let key = api_keys::create(&mut tx, user.business.id, name, &token, app.now()).await?;
    user.note(&mut tx, &app, "created", (HistorySubject::ApiKey, key.id.0), &json!({ "name": key.name }))
        .await?;
    let shown = ShownOnce { name: key.name, token: token.expose_secret().to_owned() };
    let id = reveal::keep(&mut tx, &app, &user, PATH, &shown).await?;
    tx.commit().await?;
    Ok(reveal::go(PATH, id))
}

async fn found(app: &App, user: &CurrentUser, id: ApiKeyId) -> Result<ApiKey, PageError> {
    user.must_be_manager()?;
    api_keys::list(&app.context.db, user.business.id)
        .await?
        .into_iter()
        .find(|key| key.id == id && key.revoked_at.is_none())
        .ok_or(PageError::NotFound("key"))
}

#[derive(Template)]
#[template(path = "api_key_revoke.html")]
struct AskPage {
    frame: Frame,
    id: ApiKeyId,
    name: String,
}

async fn ask(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ApiKeyId>,
) -> Result<Response, PageError> {
    let key = found(&app, &user, id).await?;
    let frame = Frame::around(&app, &user, Place::Settings, format!("Revoke {}", key.name)).await?;
    page(&app, &user, &AskPage { frame, id, name: key.name })
}

async fn revoke(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ApiKeyId>,
) -> Result<Response, PageError> {
    let key = found(&app, &user, id).await?;
    let mut tx = app.context.db.begin().await?;
    api_keys::revoke(&mut tx, user.business.id, id, app.now()).await?;
    user.note(&mut tx, &app, "revoked", (HistorySubject::ApiKey, key.id.0), &json!({ "name": key.name }))
        .await?;
    tx.commit().await?;
    let flash = Flash::good(format!("The key “{}” opens nothing any more.", key.name));
    Ok(user.go(&app, PATH, &flash))
}

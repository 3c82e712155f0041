//! Keys by which programs act for the business.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use concord_domain::ids::ApiKeyId;
use concord_services::api_keys;
use concord_storage::api_keys as store;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    PageError,
    extract::{PageForm, PagePath},
    flash::Flash,
    form::Form,
    format::RelativeTime,
    layout::{Layout, NavItem, render_page, render_refused},
    names::{NAME_RULE, is_name},
    reveal::{self, RevealQuery},
    session::CurrentUser,
};
use crate::app::App;

const PATH: &str = "/settings/api-keys";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(list).post(create))
        .route("/settings/api-keys/{id}/revoke", get(confirm_revoke).post(revoke))
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct ApiKeysPage {
    frame: Layout,
    rows: Vec<ApiKeyRow>,
    form: Form<NewApiKeyForm>,
    /// A key that was just made.
    shown_once: Option<ApiKeyReveal>,
    /// One that was made was shown before.
    was_shown: bool,
    /// Where the API stands.
    base: String,
}

struct ApiKeyRow {
    id: ApiKeyId,
    name: String,
    prefix: String,
    made: RelativeTime,
    used: Option<RelativeTime>,
    revoked: Option<RelativeTime>,
}

#[derive(Serialize, Deserialize)]
struct ApiKeyReveal {
    name: String,
    token: String,
}

async fn list(State(app): State<App>, user: CurrentUser, shown: RevealQuery) -> Result<Response, PageError> {
    user.require_manager()?;
    let keys = build_page(&app, &user, NewApiKeyForm::default().into()).await?;
    let reveal = reveal::take(&app, &user, PATH, &shown).await?;
    render_page(
        &app,
        &user,
        &ApiKeysPage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..keys },
    )
}

async fn build_page(
    app: &App,
    user: &CurrentUser,
    form: Form<NewApiKeyForm>,
) -> Result<ApiKeysPage, PageError> {
    let mut keys = store::list(&app.context.db, user.business.id).await?;
    // What still opens something first, the newest of each first.
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    let when = |at| RelativeTime::new(at, app.now(), user.business.zone);
    Ok(ApiKeysPage {
        frame: Layout::load(app, user, NavItem::Settings, "API keys").await?,
        rows: keys
            .into_iter()
            .map(|key| ApiKeyRow {
                id: key.id,
                name: key.name,
                prefix: key.prefix,
                made: when(key.created_at),
                used: key.last_used_at.map(when),
                revoked: key.revoked_at.map(when),
            })
            .collect(),
        form,
        shown_once: None,
        was_shown: false,
        base: app.absolute_url("/api/v1"),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewApiKeyForm {
    name: String,
}

async fn create(
    State(app): State<App>,
    user: CurrentUser,
    PageForm(wish): PageForm<NewApiKeyForm>,
) -> Result<Response, PageError> {
    user.require_manager()?;
    let name = wish.name.trim();
    if !is_name(name) {
        let form = Form::refused(wish, ("name", NAME_RULE));
        return render_refused(&app, &user, &build_page(&app, &user, form).await?);
    }
    let mut tx = app.context.db.begin().await?;
    let (key, token) = api_keys::create(&mut tx, &user.change(&app), name).await?;
    let shown = ApiKeyReveal { name: key.name, token: token.expose_secret().to_owned() };
    let id = reveal::store(&mut tx, &app, &user, PATH, &shown).await?;
    tx.commit().await?;
    Ok(reveal::redirect(PATH, id))
}

#[derive(Template)]
#[template(path = "api_key_revoke.html")]
struct RevokeApiKeyPage {
    frame: Layout,
    id: ApiKeyId,
    name: String,
}

async fn confirm_revoke(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ApiKeyId>,
) -> Result<Response, PageError> {
    user.require_manager()?;
    let key = api_keys::find(&app.context.db, user.business.id, id).await?;
    let frame = Layout::load(&app, &user, NavItem::Settings, format!("Revoke {}", key.name)).await?;
    render_page(&app, &user, &RevokeApiKeyPage { frame, id, name: key.name })
}

async fn revoke(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(id): PagePath<ApiKeyId>,
) -> Result<Response, PageError> {
    user.require_manager()?;
    let key = api_keys::revoke(&app.context, &user.change(&app), id).await?;
    let flash = Flash::success(format!("The key “{}” was revoked.", key.name));
    Ok(user.redirect_with_flash(&app, PATH, &flash))
}

//! Keys by which programs act for the business.

use askama::Template;
use axum::{Router, routing::get};
use concord_domain::ids::ApiKeyId;
use concord_services::api_keys;
use concord_storage::api_keys as store;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    Confirmation, CurrentUser, Flash, Form, Layout, Manager, NAME_RULE, NavItem, PageForm, PagePath,
    PageResult, RelativeTime, RevealQuery, confirm_page, is_name, isolated, render_page, render_refused,
    reveal,
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
    layout: Layout,
    rows: Vec<ApiKeyRow>,
    questions: Vec<Confirmation>,
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

async fn list(user: Manager, shown: RevealQuery) -> PageResult {
    let keys = build_page(&user, NewApiKeyForm::default().into()).await?;
    let reveal = reveal::take(&user, PATH, &shown).await?;
    render_page(
        &user,
        &ApiKeysPage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..keys },
    )
}

async fn build_page(user: &CurrentUser, form: Form<NewApiKeyForm>) -> PageResult<ApiKeysPage> {
    let mut keys = store::list(&user.app.context.db, user.business.id).await?;
    // What still opens something first, the newest of each first.
    keys.sort_by_key(|key| (key.revoked_at.is_some(), std::cmp::Reverse(key.created_at)));
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    Ok(ApiKeysPage {
        layout: Layout::load(user, NavItem::Settings, "API keys").await?,
        questions: keys
            .iter()
            .filter(|key| key.revoked_at.is_none())
            .map(|key| revoke_confirmation(key.id, &key.name))
            .collect(),
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
        base: user.app.absolute_url("/api/v1"),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewApiKeyForm {
    name: String,
}

async fn create(user: Manager, PageForm(new_key): PageForm<NewApiKeyForm>) -> PageResult {
    let name = new_key.name.trim();
    if !is_name(name) {
        let form = Form::refused(new_key, ("name", NAME_RULE));
        return render_refused(&user, &build_page(&user, form).await?);
    }
    let mut tx = user.app.context.db.begin().await?;
    let (key, token) = api_keys::create(&mut tx, &user.change(), name).await?;
    let shown = ApiKeyReveal { name: key.name, token: token.expose_secret().to_owned() };
    reveal::commit_and_redirect(tx, &user, PATH, &shown).await
}

fn revoke_confirmation(id: ApiKeyId, name: &str) -> Confirmation {
    Confirmation::danger(
        (format!("revoke-{id}"), format!("{PATH}/{id}/revoke")),
        format!("Revoke “{}”?", isolated(name)),
        "Apps using this key lose access immediately. This cannot be undone.",
        "Revoke key",
    )
}

async fn confirm_revoke(user: Manager, PagePath(id): PagePath<ApiKeyId>) -> PageResult {
    let key = api_keys::find(&user.app.context.db, user.business.id, id).await?;
    confirm_page(&user, (NavItem::Settings, PATH), revoke_confirmation(id, &key.name)).await
}

async fn revoke(user: Manager, PagePath(id): PagePath<ApiKeyId>) -> PageResult {
    let key = api_keys::revoke(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("The key “{}” was revoked.", key.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

//! The settings' front page: where everything else is.

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use super::{
    PageError,
    layout::{Layout, NavItem, render_page},
    session::CurrentUser,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/settings", get(show))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    layout: Layout,
    is_manager: bool,
    has_mail: bool,
}

async fn show(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    let layout = Layout::load(&app, &user, NavItem::Settings, "Settings").await?;
    let has_mail = app.context.mail.mailer.is_some();
    render_page(&app, &user, &SettingsPage { layout, is_manager: user.is_manager(), has_mail })
}

//! The settings' front page: where everything else is.

use askama::Template;
use axum::{Router, routing::get};

use super::{CurrentUser, Layout, NavItem, PageResult, render_page};
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

async fn show(user: CurrentUser) -> PageResult {
    let layout = Layout::load(&user, NavItem::Settings, "Settings").await?;
    let has_mail = user.app.context.mail.mailer.is_some();
    render_page(&user, &SettingsPage { layout, is_manager: user.is_manager(), has_mail })
}

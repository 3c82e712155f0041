//! Light, dark, or as the device has it: a form that the browser keeps.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use serde::Deserialize;

use super::cookies::{cookie, read_cookie, with_cookie};
use super::{PageForm, local_path};
use crate::app::App;

const COOKIE: &str = "concord_theme";
const YEAR: u64 = 365 * 86_400;

/// Light, dark, or as the device has it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Theme {
    /// As the device has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// All of them, as the menu shows them.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// What the browser kept.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        read_cookie(headers, COOKIE).and_then(|kept| kept.parse().ok()).unwrap_or_default()
    }

    /// In the page and in the form.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/theme", post(choose))
}

#[derive(Deserialize)]
struct ThemeForm {
    #[serde(default)]
    theme: Theme,
}

async fn choose(State(app): State<App>, headers: HeaderMap, PageForm(form): PageForm<ThemeForm>) -> Response {
    with_cookie(
        Redirect::to(&referer_path(&headers)).into_response(),
        cookie(&app, COOKIE, form.theme.as_str(), YEAR),
    )
}

/// The page on which the button was.
fn referer_path(headers: &HeaderMap) -> String {
    headers
        .get(header::REFERER)
        .and_then(|from| from.to_str().ok())
        .and_then(|from| url::Url::parse(from).ok())
        .map(|from| match from.query() {
            Some(query) => format!("{}?{query}", from.path()),
            None => from.path().to_owned(),
        })
        .filter(|path| local_path(path).is_some())
        .unwrap_or_else(|| "/".to_owned())
}

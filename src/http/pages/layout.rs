//! What stands around every page: the business, search, the word on sync, the person's menu, the places, and the line
//! that says what the last action came to.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{
    PageError,
    assets::Assets,
    attention::{Attention, SyncIndicator},
    cookies::with_cookie,
    flash::Flash,
    session::CurrentUser,
    theme::Theme,
};
use crate::app::App;

/// A place in the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NavItem {
    /// Is anything wrong, and what is next?
    Overview,
    Bookings,
    /// Whose calendars are connected.
    Calendars,
    /// What is sold on booking platforms.
    Channels,
    Feeds,
    Settings,
}

impl NavItem {
    /// As the rail shows them to a person. The bar at the bottom of phones has room for five: the first four and the last.
    fn visible_to(user: &CurrentUser) -> Vec<Self> {
        let all =
            [Self::Overview, Self::Bookings, Self::Calendars, Self::Channels, Self::Feeds, Self::Settings];
        all.into_iter().filter(|place| user.is_manager() || *place != Self::Channels).collect()
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Bookings => "/bookings",
            Self::Calendars => "/calendars",
            Self::Channels => "/channels",
            Self::Feeds => "/feeds",
            Self::Settings => "/settings",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Bookings => "Bookings",
            Self::Calendars => "Calendars",
            Self::Channels => "Channels",
            Self::Feeds => "Feeds",
            Self::Settings => "Settings",
        }
    }

    /// An SVG of ours.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Overview => include_str!("../../../templates/icons/overview.svg"),
            Self::Bookings => include_str!("../../../templates/icons/bookings.svg"),
            Self::Calendars => include_str!("../../../templates/icons/calendars.svg"),
            Self::Channels => include_str!("../../../templates/icons/channels.svg"),
            Self::Feeds => include_str!("../../../templates/icons/feeds.svg"),
            Self::Settings => include_str!("../../../templates/icons/settings.svg"),
        }
    }
}

/// What stands around a page.
pub(super) struct Layout {
    pub title: String,
    /// Where in the rail it is; `None`: nowhere.
    pub place: Option<NavItem>,
    pub business: String,
    pub user: String,
    /// The person's mail address.
    pub email: String,
    pub role: &'static str,
    pub csrf: String,
    pub theme: Theme,
    /// Whether all is in agreement.
    pub sync_word: SyncIndicator,
    /// What the last action came to.
    pub flash: Option<Flash>,
    /// What is being searched for.
    pub search: String,
    pub places: Vec<NavItem>,
    /// What the colours may be.
    pub themes: [Theme; 3],
    /// The addresses of style, script and icon.
    pub assets: Assets,
}

impl Layout {
    /// The frame of a page.
    pub(crate) async fn load(
        app: &App,
        user: &CurrentUser,
        place: impl Into<Option<NavItem>>,
        title: impl Into<String>,
    ) -> Result<Self, PageError> {
        let attention = Attention::of(app, user).await?;
        Ok(Self::with_attention(user, place, title, &attention))
    }

    /// The same for a page that has looked already.
    pub(crate) fn with_attention(
        user: &CurrentUser,
        place: impl Into<Option<NavItem>>,
        title: impl Into<String>,
        attention: &Attention,
    ) -> Self {
        Self {
            title: title.into(),
            place: place.into(),
            business: user.business.name.clone(),
            user: user.user.name.clone(),
            email: user.user.email.clone(),
            role: if user.is_manager() { "Manager" } else { "Staff" },
            csrf: user.token.form_token(),
            theme: user.theme,
            sync_word: attention.indicator(),
            flash: user.flash.clone(),
            search: String::new(),
            places: NavItem::visible_to(user),
            themes: Theme::ALL,
            assets: Assets::current(),
        }
    }

    /// The path of the place that the page belongs to; empty: it belongs to none.
    pub(crate) fn here(&self) -> &'static str {
        self.place.map_or("", NavItem::path)
    }

    /// Two letters that stand for the person.
    pub(crate) fn initials(&self) -> String {
        let mut words = self.user.split_whitespace();
        let first = words.next().and_then(|word| word.chars().next());
        let last = words.next_back().and_then(|word| word.chars().next());
        first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
    }
}

/// A page as an answer. The line that it showed is not shown again.
pub(super) fn render_page(
    app: &App,
    user: &CurrentUser,
    page: &impl Template,
) -> Result<Response, PageError> {
    let mut response = Html(page.render()?).into_response();
    // What is shown is one person's: who sits at the browser after them finds nothing of it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(if user.flash.is_some() { with_cookie(response, Flash::removal_cookie(app)) } else { response })
}

/// A page with a form to be mended.
pub(super) fn render_refused(
    app: &App,
    user: &CurrentUser,
    page: &impl Template,
) -> Result<Response, PageError> {
    let mut response = render_page(app, user, page)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// A part of a page that is asked for again and again.
pub(super) fn render_partial(part: &impl Template) -> Result<Response, PageError> {
    let mut response = Html(part.render()?).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

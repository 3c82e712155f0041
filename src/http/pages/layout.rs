//! What stands around every page: the business, search, the word on sync, the person's menu, the navigation, and the line
//! that says what the last action came to.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse},
};

use super::{
    Assets, Attention, CurrentUser, Flash, PageResult, Theme, attention::SyncIndicator, cookies::with_cookie,
};

/// Where in the navigation a page is.
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

/// A line of the navigation.
pub(super) struct NavEntry {
    pub item: NavItem,
    pub path: &'static str,
    pub label: &'static str,
    /// An SVG of ours.
    pub icon: &'static str,
}

macro_rules! nav_entry {
    ($item:ident, $path:literal, $icon:literal) => {
        NavEntry {
            item: NavItem::$item,
            path: $path,
            label: stringify!($item),
            icon: include_str!(concat!("../../../templates/icons/", $icon, ".svg")),
        }
    };
}

/// The bar at the bottom of phones has room for five: the first four and the last.
static NAV: [NavEntry; 6] = [
    nav_entry!(Overview, "/", "overview"),
    nav_entry!(Bookings, "/bookings", "bookings"),
    nav_entry!(Calendars, "/calendars", "calendars"),
    nav_entry!(Channels, "/channels", "channels"),
    nav_entry!(Feeds, "/feeds", "feeds"),
    nav_entry!(Settings, "/settings", "settings"),
];

/// What stands around a page.
pub(super) struct Layout {
    pub title: String,
    /// Where in the navigation it is; `None`: nowhere.
    pub nav_item: Option<NavItem>,
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
    pub nav: Vec<&'static NavEntry>,
    /// What the colours may be.
    pub themes: [Theme; 3],
    /// The addresses of style, script and icon.
    pub assets: Assets,
}

impl Layout {
    /// What stands around the page.
    pub(crate) async fn load(
        user: &CurrentUser,
        nav_item: impl Into<Option<NavItem>>,
        title: impl Into<String>,
    ) -> PageResult<Self> {
        let attention = Attention::of(user).await?;
        Ok(Self::with_attention(user, nav_item, title, &attention))
    }

    /// The same for a page that has looked already.
    pub(crate) fn with_attention(
        user: &CurrentUser,
        nav_item: impl Into<Option<NavItem>>,
        title: impl Into<String>,
        attention: &Attention,
    ) -> Self {
        Self {
            title: title.into(),
            nav_item: nav_item.into(),
            business: user.business.name.clone(),
            user: user.user.name.clone(),
            email: user.user.email.clone(),
            role: if user.is_manager() { "Manager" } else { "Staff" },
            csrf: user.token.form_token(),
            theme: user.theme,
            sync_word: attention.indicator(),
            flash: user.flash.clone(),
            search: String::new(),
            nav: NAV.iter().filter(|entry| user.is_manager() || entry.item != NavItem::Channels).collect(),
            themes: Theme::ALL,
            assets: Assets::current(),
        }
    }

    /// Whether the page is where the line leads.
    pub(crate) fn is_here(&self, entry: &NavEntry) -> bool {
        self.nav_item == Some(entry.item)
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
pub(super) fn render_page(user: &CurrentUser, page: &impl Template) -> PageResult {
    let mut response = Html(page.render()?).into_response();
    // What is shown is one person's: who sits at the browser after them finds nothing of it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(if user.flash.is_some() { with_cookie(response, Flash::removal_cookie(&user.app)) } else { response })
}

/// A page with a form to be mended.
pub(super) fn render_refused(user: &CurrentUser, page: &impl Template) -> PageResult {
    let mut response = render_page(user, page)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// A part of a page that is asked for again and again.
pub(super) fn render_partial(part: &impl Template) -> PageResult {
    let mut response = Html(part.render()?).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

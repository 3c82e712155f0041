//! The page of an error: in the layout for whoever is signed in, by itself for everybody else and where the database may
//! be what is in trouble.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::{Assets, CurrentUser, Layout, PageError, Theme, render_page};
use crate::{
    app::App,
    http::request_origin::{REQUEST_ID, RequestOrigin},
};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    theme: Theme,
    assets: Assets,
    said: ErrorPageText,
}

#[derive(Template)]
#[template(path = "error_in_layout.html")]
struct ErrorPageInLayout {
    layout: Layout,
    said: ErrorPageText,
}

/// What either page says.
struct ErrorPageText {
    title: &'static str,
    text: String,
    advice: &'static str,
    way_on: String,
    way_label: &'static str,
    /// Only where somebody may have to look for it in the log.
    request_id: Option<String>,
}

impl ErrorPageText {
    /// Writes the cause of what is our own fault to the log, too.
    fn from_error(error: &PageError, headers: &HeaderMap) -> Self {
        let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let is_ours = error.status().is_server_error();
        if is_ours {
            tracing::error!(request_id = id, cause = %error, "a page could not be shown");
        }
        let (way_on, way_label) = error.next_step();
        Self {
            title: error.title(),
            text: error.text(),
            advice: error.advice(),
            way_on: way_on.to_owned(),
            way_label,
            request_id: id.filter(|_| is_ours).map(str::to_owned),
        }
    }
}

/// Writes the page of a `PageError` for whoever is signed in, with everything around it that leads on. What it cannot
/// do is left to `render`, which stands around it.
pub(crate) async fn render_in_layout(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let visit = request.extensions().get::<RequestOrigin>().cloned().unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    match page_in_layout(&app, &headers, &visit, &error).await {
        Some(page) => page,
        None => error.into_response(),
    }
}

async fn page_in_layout(
    app: &App,
    headers: &HeaderMap,
    visit: &RequestOrigin,
    error: &PageError,
) -> Option<Response> {
    // The layout asks the database for its word on sync, which may be what is in trouble; and whoever was not let in is
    // not looked up again.
    let asks_too_much = matches!(
        error,
        PageError::Busy
            | PageError::Unavailable(_)
            | PageError::TooSlow
            | PageError::Broken(_)
            | PageError::TooMany { .. }
            | PageError::Full
            | PageError::SignedOut { .. }
    );
    if asks_too_much {
        return None;
    }
    let user = CurrentUser::of(app, headers, visit).await.ok()??;
    let layout = Layout::load(&user, None, error.title()).await.ok()?;
    let shown =
        render_page(&user, &ErrorPageInLayout { layout, said: ErrorPageText::from_error(error, headers) })
            .ok()?;
    Some(finish_response(error, shown))
}

/// Writes the page of whatever `PageError` is left. It stands around the whole front.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    let said = ErrorPageText::from_error(&error, &headers);
    let title = said.title;
    let page = ErrorPage { theme: Theme::from_headers(&headers), assets: Assets::current(), said };
    let html = page.render().unwrap_or_else(|_| title.to_owned());
    finish_response(&error, Html(html).into_response())
}

fn finish_response(error: &PageError, mut page: Response) -> Response {
    *page.status_mut() = error.status();
    let again_after = match error {
        PageError::TooMany { seconds } => Some(*seconds),
        PageError::Full | PageError::Busy | PageError::Unavailable(_) => Some(5),
        _ => None,
    };
    if let Some(seconds) = again_after {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

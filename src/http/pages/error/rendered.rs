//! The page of an error: in the frame for whoever is signed in, by itself for everybody else and where the database may
//! be what is in trouble.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::{
    super::{
        assets::Assets,
        frame::{Frame, page},
        session::CurrentUser,
        theme::Theme,
    },
    PageError,
};
use crate::{
    app::App,
    http::{security::REQUEST_ID, visit::Visit},
};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    theme: Theme,
    assets: Assets,
    said: Said,
}

#[derive(Template)]
#[template(path = "error_in_frame.html")]
struct ErrorInFrame {
    frame: Frame,
    said: Said,
}

/// What either page says.
struct Said {
    title: &'static str,
    text: String,
    advice: &'static str,
    way_on: String,
    way_label: &'static str,
    /// Only where somebody may have to look for it in the log.
    request_id: Option<String>,
}

impl Said {
    /// Writes the cause of what is our own fault to the log, too.
    fn of(error: &PageError, headers: &HeaderMap) -> Self {
        let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let is_ours = error.status().is_server_error();
        if is_ours {
            tracing::error!(request_id = id, cause = %error, "a page could not be shown");
        }
        let (way_on, way_label) = error.way_on();
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
pub(crate) async fn render_in_frame(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let visit = request.extensions().get::<Visit>().cloned().unwrap_or_default();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    match framed(&app, &headers, &visit, &error).await {
        Some(page) => page,
        None => error.into_response(),
    }
}

async fn framed(app: &App, headers: &HeaderMap, visit: &Visit, error: &PageError) -> Option<Response> {
    // The frame asks the database for its word on sync, which may be what is in trouble; and whoever was not let in is
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
    let frame = Frame::around(app, &user, None, error.title()).await.ok()?;
    let shown = page(app, &user, &ErrorInFrame { frame, said: Said::of(error, headers) }).ok()?;
    Some(finished(error, shown))
}

/// Writes the page of whatever `PageError` is left. It stands around the whole front.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else { return response };
    let said = Said::of(&error, &headers);
    let title = said.title;
    let page = ErrorPage { theme: Theme::chosen(&headers), assets: Assets::now(), said };
    let html = page.render().unwrap_or_else(|_| title.to_owned());
    finished(&error, Html(html).into_response())
}

fn finished(error: &PageError, mut page: Response) -> Response {
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

//! Where a person is signed in, and a way to end it there.

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::ids::SessionId;
use concord_services::users;
use concord_storage::sign_in::{self, Session};

use super::{CurrentUser, Flash, Layout, NavItem, PagePath, PageResult, RelativeTime, render_page};
use crate::app::App;

const PATH: &str = "/settings/sessions";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show))
        .route("/settings/sessions/{id}/end", post(end))
        .route("/settings/sessions/end-others", post(end_others))
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    layout: Layout,
    rows: Vec<SessionRow>,
    /// Whether there is more than this one.
    has_others: bool,
}

struct SessionRow {
    id: SessionId,
    browser: String,
    since: RelativeTime,
    seen: RelativeTime,
    is_this: bool,
}

async fn show(user: CurrentUser) -> PageResult {
    let (db, now) = (&user.app.context.db, user.app.now());
    let sessions = sign_in::list_sessions(db, user.business.id, user.user.id, now).await?;
    let own = user.token.digest();
    let when = |at| RelativeTime::new(at, now, user.business.zone);
    let row = |session: &Session| SessionRow {
        id: session.id,
        browser: browser_name(&session.user_agent),
        since: when(session.created_at),
        seen: when(session.last_seen_at),
        is_this: session.token_hash == own,
    };
    let mut rows: Vec<SessionRow> = sessions.iter().map(row).collect();
    rows.sort_by_key(|row| !row.is_this);
    let layout = Layout::load(&user, NavItem::Settings, "Your sessions").await?;
    render_page(&user, &SessionsPage { layout, has_others: rows.iter().any(|row| !row.is_this), rows })
}

async fn end(user: CurrentUser, PagePath(id): PagePath<SessionId>) -> PageResult {
    users::end_session_by_id(&user.app.context, &user.change(), user.user.id, id).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("That browser is signed out.")))
}

async fn end_others(user: CurrentUser) -> PageResult {
    let kept = user.token.digest();
    let ended = users::end_other_sessions(&user.app.context, &user.change(), user.user.id, &kept).await?;
    let text = match ended {
        0 => "You are signed in nowhere else.".to_owned(),
        1 => "Signed out of one other browser.".to_owned(),
        _ => format!("Signed out of {ended} other browsers."),
    };
    Ok(user.redirect_with_flash(PATH, &Flash::success(text)))
}

/// What calls itself this, as people know it: browsers name themselves after each other, so the order counts.
fn browser_name(agent: &str) -> String {
    let named = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = named(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = named(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_known_by_what_they_call_themselves() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "Unknown browser"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(browser_name(agent), name);
        }
    }
}

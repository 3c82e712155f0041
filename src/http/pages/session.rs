//! Who is signed in: a random token in a cookie, of which the database holds the digest.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use concord_domain::{
    audit::HistorySubject,
    ids::StaffId,
    people::{Actor, Role},
};
use concord_storage::{
    ChangeContext, StorageError, Tx, WriteCaller,
    businesses::{self, Business},
    history::{self, NewHistoryEntry},
    on_behalf_of,
    people::User,
    secret,
    sign_in::{self, Session},
};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{PageError, flash::Flash, theme::Theme};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::{RequestOrigin, SessionUser},
};

/// The cookie that holds the token.
const COOKIE: &str = "concord_session";

/// The token of a browser's session. Its digest names the session; what is derived from it proves that a form or a
/// flash came from us for this very session.
pub(crate) struct SessionToken(SecretString);

impl SessionToken {
    /// A token for a session about to begin.
    pub(super) fn new() -> Self {
        Self(secret::new_token("cs_"))
    }

    /// The token that a browser sent, true or not.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let token = read_cookie(headers, COOKIE)?;
        (!token.is_empty()).then(|| Self(SecretString::from(token)))
    }

    /// As the database knows it.
    pub(crate) fn digest(&self) -> String {
        secret::digest(&self.0)
    }

    /// What every form of the session carries.
    pub(super) fn form_token(&self) -> String {
        self.sign("form", b"")
    }

    /// Whether a form carries what it should.
    pub(super) fn is_form_token(&self, sent: &str) -> bool {
        self.verify("form", b"", sent)
    }

    /// A mark on something that the browser keeps for us.
    pub(super) fn sign(&self, purpose: &str, bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(purpose, bytes).finalize().into_bytes())
    }

    /// Whether the mark is ours.
    pub(super) fn verify(&self, purpose: &str, bytes: &[u8], mark: &str) -> bool {
        self.sign(purpose, bytes).as_bytes().ct_eq(mark.as_bytes()).into()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, purpose: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()).expect("a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac
    }

    /// The cookie that begins the session in the browser. It stays there for as long as a session can hold: when one is
    /// over is for the database to say.
    pub(super) fn cookie(&self, app: &App) -> HeaderValue {
        let longest = sign_in::max_session_age(app.config.security.session);
        cookie(app, COOKIE, self.0.expose_secret(), longest.as_secs())
    }

    /// The cookie that ends it.
    pub(super) fn removal_cookie(app: &App) -> HeaderValue {
        cookie(app, COOKIE, "", 0)
    }
}

/// A cookie of ours: out of scripts' reach, and not sent with what other sites embed or post. `Lax`, since the
/// provider's consent page leads back here from elsewhere. `value` is of letters, digits, `.`, `-` and `_`.
#[expect(clippy::expect_used, reason = "visible ASCII")]
pub(super) fn cookie(app: &App, name: &str, value: &str, seconds: u64) -> HeaderValue {
    let secure = if app.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("visible ASCII")
}

/// What a cookie of ours holds.
pub(super) fn read_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}

/// Adds a cookie to an answer.
pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// The person at the page, their business, and what their browser keeps for us.
pub(crate) struct CurrentUser {
    pub user: User,
    pub business: Business,
    pub token: SessionToken,
    /// What their last action came to.
    pub flash: Option<Flash>,
    pub theme: Theme,
}

impl CurrentUser {
    /// Who sent these headers; `None`: nobody who is signed in.
    pub(in crate::http) async fn of(
        app: &App,
        headers: &HeaderMap,
        visit: &RequestOrigin,
    ) -> Result<Option<Self>, PageError> {
        let Some(token) = SessionToken::from_headers(headers) else { return Ok(None) };
        let digest = token.digest();
        let lookup =
            app.admission.look_up(CredentialKind::Session, visit.network(), &digest, find(app, &digest));
        let found = visit.signed_in().get_or_try_init(|| lookup).await?;
        let Some(SessionUser { user, business }) = found.clone() else { return Ok(None) };
        let flash = Flash::from_headers(headers, &token);
        Ok(Some(Self { user, business, token, flash, theme: Theme::from_headers(headers) }))
    }

    /// A change that this person makes now.
    pub(crate) fn change(&self, app: &App) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: self.actor(), now: app.now() }
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::User { id: self.user.id, name: self.user.name.clone() }
    }

    /// Leaves a line in the history, in the transaction of what they did.
    pub(super) async fn record_history(
        &self,
        tx: &mut Tx,
        app: &App,
        action: &str,
        (subject_kind, subject): (HistorySubject, Uuid),
        detail: &Value,
    ) -> Result<(), StorageError> {
        let (business, actor) = (self.business.id, &self.actor());
        let line = NewHistoryEntry { business, actor, action, subject_kind, subject, detail };
        history::append(tx, &line, app.now()).await
    }

    /// Whether they may see and do everything in the business.
    pub(crate) fn is_manager(&self) -> bool {
        self.user.role == Role::Manager
    }

    /// Refuses whoever is not a manager.
    pub(crate) fn require_manager(&self) -> Result<(), PageError> {
        if self.is_manager() { Ok(()) } else { Err(PageError::ManagersOnly) }
    }

    /// Whether a staff member's calendars are theirs to see: another's do not exist for them.
    pub(crate) fn may_see(&self, staff: StaffId) -> bool {
        self.is_manager() || self.user.staff_id == Some(staff)
    }

    /// Whether there is somebody whose calendar they could connect.
    pub(crate) fn may_connect(&self) -> bool {
        self.is_manager() || self.user.staff_id.is_some()
    }

    /// Back to a page, with a line that says what happened.
    pub(crate) fn redirect_with_flash(&self, app: &App, path: &str, flash: &Flash) -> Response {
        with_cookie(Redirect::to(path).into_response(), flash.cookie(app, &self.token))
    }
}

async fn find(app: &App, digest: &str) -> Result<Option<SessionUser>, StorageError> {
    let db = &app.context.db;
    let Some((session, user)) = sign_in::find_session(db, digest, app.now()).await? else { return Ok(None) };
    let Some(business) = businesses::find(db, user.business_id).await? else { return Ok(None) };
    touch_session(app.clone(), session);
    Ok(Some(SessionUser { user, business }))
}

impl FromRequestParts<App> for CurrentUser {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let visit = parts.extensions.get::<RequestOrigin>().cloned().unwrap_or_default();
        Self::of(app, &parts.headers, &visit).await?.ok_or_else(|| PageError::SignedOut {
            // A form that was sent too late is not sent again by itself.
            next: (parts.method == Method::GET).then(|| parts.uri.to_string()),
        })
    }
}

/// Beside the request, not before it: nobody's page waits for the database's one writer, or fails with it.
fn touch_session(app: App, session: Session) {
    tokio::spawn(on_behalf_of(WriteCaller::BulkJob, async move {
        let lasts = app.config.security.session;
        if let Err(error) = sign_in::touch_session(&app.context.db, &session, lasts, app.now()).await {
            tracing::debug!(%error, "it was not noted that a session was seen");
        }
    }));
}

/// The path if it leads to a page of ours, and not elsewhere.
pub(crate) fn local_path(path: &str) -> Option<&str> {
    // Browsers read `//host`, `/\host` and what has tabs or line breaks in it as the way to another site.
    let is_local = path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && !path.chars().any(|c| c.is_control() || c == '\\');
    is_local.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_one_session_one_purpose_and_one_text() {
        let (ours, other) = (SessionToken::new(), SessionToken::new());
        let mark = ours.sign("flash", b"Saved");
        assert!(ours.verify("flash", b"Saved", &mark));
        assert!(!ours.verify("flash", b"Lost", &mark));
        assert!(!ours.verify("form", b"Saved", &mark));
        assert!(!other.verify("flash", b"Saved", &mark));
        assert!(!ours.verify("flash", b"Saved", ""));
    }

    #[test]
    fn the_way_back_stays_in_the_house() {
        for path in ["/", "/bookings?q=a%20b", "/a//b"] {
            assert_eq!(local_path(path), Some(path));
        }
        for elsewhere in
            ["", "bookings", "//evil.example", "/\\evil.example", "https://evil.example", "/a\n/b", "/a\\b"]
        {
            assert_eq!(local_path(elsewhere), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_not_there_is_no_session() {
        assert!(SessionToken::from_headers(&HeaderMap::new()).is_none());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("concord_session="));
        assert!(SessionToken::from_headers(&headers).is_none());
    }
}

//! Who is signed in: whom the session in the browser's cookie belongs to, and what they may do.

use std::ops::Deref;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use concord_domain::{
    ids::StaffId,
    people::{Actor, Role},
};
use concord_storage::{
    ChangeContext, StorageError, WriteCaller,
    businesses::{self, Business},
    on_behalf_of,
    people::User,
    sign_in::{self, Session},
};

use super::{Flash, PageError, SessionToken, Theme, cookies::with_cookie};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::{RequestOrigin, SessionUser},
};

/// The person at the page, their business, what their browser keeps for us, and the installation that they are at.
pub(crate) struct CurrentUser {
    pub app: App,
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
        let theme = Theme::from_headers(headers);
        Ok(Some(Self { app: app.clone(), user, business, token, flash, theme }))
    }

    /// A change that this person makes now.
    pub(crate) fn change(&self) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: self.actor(), now: self.app.now() }
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::User { id: self.user.id, name: self.user.name.clone() }
    }

    /// Whether they may see and do everything in the business.
    pub(crate) fn is_manager(&self) -> bool {
        self.user.role == Role::Manager
    }

    /// Whether a staff member's calendars are theirs to see: another's do not exist for them.
    pub(crate) fn may_see(&self, staff: StaffId) -> bool {
        self.is_manager() || self.user.staff_id == Some(staff)
    }

    /// Whose calendars are theirs to see: `Some(None)`: everybody's; `None`: nobody's.
    #[expect(clippy::option_option, reason = "no scope, nobody, or one staff member")]
    pub(crate) fn calendar_scope(&self) -> Option<Option<StaffId>> {
        if self.is_manager() { Some(None) } else { self.user.staff_id.map(Some) }
    }

    /// Whether there is somebody whose calendar they could connect.
    pub(crate) fn may_connect(&self) -> bool {
        self.is_manager() || self.user.staff_id.is_some()
    }

    /// Back to a page, with a line that says what happened.
    pub(crate) fn redirect_with_flash(&self, path: &str, flash: &Flash) -> Response {
        with_cookie(Redirect::to(path).into_response(), flash.cookie(&self.app, &self.token))
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

/// Who is signed in, if they are a manager: everybody else is refused before the handler runs.
pub(crate) struct Manager(CurrentUser);

impl Deref for Manager {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl FromRequestParts<App> for Manager {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let user = CurrentUser::from_request_parts(parts, app).await?;
        if user.is_manager() { Ok(Self(user)) } else { Err(PageError::ManagersOnly) }
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

//! What a request has made that is shown once, such as the address that opens a feed. It waits, sealed, for the page to
//! which the browser is sent, so that loading that page again makes no other; then the page says that it was shown.

use axum::{
    extract::{FromRequestParts, Query},
    http::{Method, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use concord_domain::ids::RevealId;
use concord_storage::{
    StorageError, Tx,
    reveals::{self, RevealViewer},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{CurrentUser, PageError, PageResult};

/// What the address of a page says of a secret to be shown there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RevealQuery {
    shown: Option<String>,
    /// Who asks for the head alone would never see it.
    #[serde(skip)]
    is_head: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for RevealQuery {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> PageResult<Self> {
        let Query(shown) = Query::<Self>::from_request_parts(parts, state).await?;
        Ok(Self { is_head: parts.method == Method::HEAD, ..shown })
    }
}

/// What there is to be shown once.
pub(super) enum Reveal<T> {
    /// Nothing was asked for.
    NotRequested,
    /// For the first and last time.
    Value(T),
    /// It was shown, or nobody came for it in time.
    Expired,
}

impl<T> Reveal<T> {
    /// Whether it was asked for, and is not to be had any more.
    pub(super) fn is_expired(&self) -> bool {
        matches!(self, Self::Expired)
    }

    /// What is shown, if anything is.
    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Self::Value(shown) => Some(shown),
            Self::NotRequested | Self::Expired => None,
        }
    }
}

fn viewer<'a>(user: &CurrentUser, session: &'a str, page: &'a str) -> RevealViewer<'a> {
    RevealViewer { business: user.business.id, session, page }
}

/// Keeps `what` for `page`, in the transaction that makes what it opens.
pub(super) async fn store(
    tx: &mut Tx,
    user: &CurrentUser,
    page: &str,
    what: &impl Serialize,
) -> PageResult<RevealId> {
    let broken = |error: serde_json::Error| PageError::Broken(error.to_string());
    let text = SecretString::from(serde_json::to_string(what).map_err(broken)?);
    let session = user.token.digest();
    let viewer = viewer(user, &session, page);
    Ok(reveals::keep(tx, &user.app.context.ring, viewer, &text, user.app.now()).await?)
}

/// To the page that shows it.
pub(super) fn redirect(page: &str, id: RevealId) -> Response {
    Redirect::to(&format!("{page}?shown={id}")).into_response()
}

/// Commits `tx`, in which `what` was made, and leads to `page`, which shows it. Where jobs are to be woken after the commit,
/// `store` and `redirect` stand around it instead.
pub(super) async fn commit_and_redirect(
    mut tx: Tx,
    user: &CurrentUser,
    page: &str,
    what: &impl Serialize,
) -> PageResult {
    let id = store(&mut tx, user, page, what).await?;
    tx.commit().await?;
    Ok(redirect(page, id))
}

/// What `page` shows this once: to be taken last, when all else of the page is there.
pub(super) async fn take<T: DeserializeOwned>(
    user: &CurrentUser,
    page: &str,
    asked: &RevealQuery,
) -> PageResult<Reveal<T>> {
    if asked.is_head {
        return Ok(Reveal::NotRequested);
    }
    load(user, (page, asked), true).await
}

/// The same for what may be shown again, for some minutes.
pub(super) async fn peek<T: DeserializeOwned>(
    user: &CurrentUser,
    page: &str,
    asked: &RevealQuery,
) -> PageResult<Reveal<T>> {
    load(user, (page, asked), false).await
}

async fn load<T: DeserializeOwned>(
    user: &CurrentUser,
    (page, asked): (&str, &RevealQuery),
    once: bool,
) -> PageResult<Reveal<T>> {
    let Some(id) = &asked.shown else { return Ok(Reveal::NotRequested) };
    let Ok(id) = id.parse::<RevealId>() else { return Ok(Reveal::Expired) };
    let session = user.token.digest();
    let (db, ring, viewer) = (&user.app.context.db, &user.app.context.ring, viewer(user, &session, page));
    let text = if once {
        reveals::take(db, ring, viewer, id, user.app.now()).await
    } else {
        reveals::look(db, ring, viewer, id, user.app.now()).await
    };
    let text = match text {
        // A key was taken away in these minutes.
        Err(StorageError::Sealed { .. }) => None,
        text => text?,
    };
    let read = text.and_then(|text| serde_json::from_str(text.expose_secret()).ok());
    Ok(read.map_or(Reveal::Expired, Reveal::Value))
}

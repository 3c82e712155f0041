//! Who is let in: before anything of a request is read but its head.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_storage::secret;

use super::{
    api::{auth::bearer, problem::ApiError},
    pages::{PageError, SessionToken},
    request_origin::RequestOrigin,
};
use crate::app::App;

/// Lets pass who shows what is known to be right, and has everybody else wait for one of a few places, so that requests of
/// the first never stand behind hundreds of the others. What shows nothing at all is counted by its address.
pub(crate) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // Machines that watch; and what counts for itself, since it waits for others: providers, and bodies that come slowly.
    let passes = matches!(path, "/api/health" | "/readyz" | "/metrics")
        || path.starts_with("/hooks/")
        || path.starts_with("/oauth/");
    let mut digests = credential_digests(request.headers());
    let link = link_token(path);
    digests.extend(link.map(|token| secret::digest_bytes(token.as_bytes())));
    if passes || digests.iter().any(|digest| app.admission.is_known(digest)) {
        return next.run(request).await;
    }
    let is_program = path.starts_with("/api/");
    let signs_in = link.is_some() || path == "/sign-in";
    let is_open = digests.is_empty() && !is_for_everybody(path);
    let network = request.extensions().get::<RequestOrigin>().and_then(RequestOrigin::network);
    match app.admission.admit_unknown(is_open, signs_in, network).await {
        Ok(_place) => next.run(request).await,
        Err(error) if is_program => ApiError::from(error).into_response(),
        Err(error) => PageError::from(error).into_response(),
    }
}

/// What pages and mails show to everybody; the proxies of a mail service ask for it for very many readers.
fn is_for_everybody(path: &str) -> bool {
    path.starts_with("/assets/") || path.starts_with("/logos/")
}

/// The token of a path that is itself what somebody shows.
fn link_token(path: &str) -> Option<&str> {
    let rest = ["/sign-in/", "/b/", "/my/", "/digests/off/", "/digests/on/"]
        .iter()
        .find_map(|start| path.strip_prefix(start))?;
    Some(rest.split_once('/').map_or(rest, |(token, _)| token))
}

/// Of the key and the session that a request shows.
fn credential_digests(headers: &HeaderMap) -> Vec<String> {
    let key = headers.get(header::AUTHORIZATION).map(|shown| match bearer(shown) {
        Some(token) => secret::digest(&token),
        None => String::new(),
    });
    let session = SessionToken::from_headers(headers).map(|token| token.digest());
    key.into_iter().chain(session).collect()
}

#[cfg(test)]
mod tests {
    use super::link_token;

    #[test]
    fn a_path_shows_its_token() {
        for (path, token) in [
            ("/b/cb_1", Some("cb_1")),
            ("/b/cb_1/reminders/off", Some("cb_1")),
            ("/my/cp_1", Some("cp_1")),
            ("/sign-in/cl_1", Some("cl_1")),
            ("/digests/off/ud_1", Some("ud_1")),
            ("/sign-in", None),
            ("/bookings/1", None),
        ] {
            assert_eq!(link_token(path), token, "{path}");
        }
    }
}

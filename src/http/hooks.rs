//! `/hooks/{google|microsoft}`: where providers say that something has changed.
//!
//! Nobody signs in here. A notification proves itself by the word of its channel (`concord_jobs::push`), and whoever
//! cannot do that gets the same answer as one who can: nobody learns which channels there are. What has not the form of a
//! notification is refused, and who sends much that is not believed is not listened to for a while.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Extension, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use concord_jobs::push::{Heard, Listener};
use concord_providers::{NoNotice, Notice, google, microsoft};

use super::limits::{Buckets, client_address};
use crate::app::App;

/// A full message of Microsoft's is far smaller.
const MOST_BYTES: usize = 256 * 1024;

/// Validation tokens are a line long.
const LONGEST_TOKEN: usize = 2_000;

/// Notifications that are not believed, of one address in a minute.
const MOST_REFUSED: u32 = 120;

/// What is remembered from one request to the next.
#[derive(Clone)]
struct Ears {
    listener: Listener,
    refused: Arc<Buckets<IpAddr>>,
}

/// Where providers notify us.
pub fn router(app: &App) -> Router<App> {
    let ears = Ears {
        listener: Listener::new(app.context.clone()),
        refused: Arc::new(Buckets::new(MOST_REFUSED, &app.context.clock)),
    };
    Router::new()
        .route("/hooks/google", post(from_google))
        .route("/hooks/microsoft", post(from_microsoft))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(Extension(ears))
}

type Peer = Option<Extension<ConnectInfo<SocketAddr>>>;

/// Everything is in the headers. The body is empty, and read to see that it is not too large.
async fn from_google(
    State(app): State<App>,
    Extension(ears): Extension<Ears>,
    peer: Peer,
    headers: HeaderMap,
    _body: Bytes,
) -> Response {
    let sender = Sender::of(&app, ears, peer, &headers);
    if let Some(refusal) = sender.refusal() {
        return refusal;
    }
    match google::push::notice(&headers) {
        Ok(notice) => sender.answer(vec![Ok(notice)]).await,
        Err(fault) => sender.malformed(fault),
    }
}

/// A message, or the question whether there is anybody (`validationToken`), which is echoed
/// (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation>).
async fn from_microsoft(
    State(app): State<App>,
    Extension(ears): Extension<Ears>,
    peer: Peer,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(token) = validation_token(query.as_deref().unwrap_or_default()) {
        if token.len() > LONGEST_TOKEN {
            return StatusCode::BAD_REQUEST.into_response();
        }
        let plain =
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
        return (plain, token).into_response();
    }
    let sender = Sender::of(&app, ears, peer, &headers);
    if let Some(refusal) = sender.refusal() {
        return refusal;
    }
    if !is_json(&headers) {
        sender.note_refused("it is no JSON");
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match microsoft::push::notices(&body) {
        Ok(notices) => sender.answer(notices).await,
        Err(fault) => sender.malformed(fault),
    }
}

fn validation_token(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "validationToken").map(|(_, token)| token.into_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Whoever sends notifications.
struct Sender {
    ears: Ears,
    address: Option<IpAddr>,
}

impl Sender {
    fn of(app: &App, ears: Ears, peer: Peer, headers: &HeaderMap) -> Self {
        let address =
            peer.map(|Extension(ConnectInfo(peer))| client_address(headers, peer.ip(), &app.config.server));
        Self { ears, address }
    }

    /// For those of whose notifications too many were not believed.
    fn refusal(&self) -> Option<Response> {
        let seconds = self.ears.refused.look(&self.address?).err()?;
        Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())]).into_response())
    }

    /// The same for what is believed and what is not. Only what could not be judged is asked for again.
    async fn answer(&self, notices: Vec<Result<Notice, NoNotice>>) -> Response {
        for notice in notices {
            let notice = match notice {
                Ok(notice) => notice,
                Err(NoNotice(reason)) => {
                    self.note_refused(reason);
                    continue;
                }
            };
            match self.ears.listener.hear(&notice).await {
                Ok(Heard::Refused(reason)) => self.note_refused(reason),
                Ok(heard) => {
                    tracing::debug!(channel = %notice.channel, ?heard, "a provider told of a change");
                }
                Err(error) => {
                    tracing::warn!(%error, "a notification could not be judged");
                    return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response();
                }
            }
        }
        StatusCode::ACCEPTED.into_response()
    }

    fn malformed(&self, NoNotice(reason): NoNotice) -> Response {
        self.note_refused(reason);
        StatusCode::BAD_REQUEST.into_response()
    }

    /// A line in the log, as long as the address has not sent too many: then it is not listened to any more. Nothing of
    /// what was sent is in it.
    fn note_refused(&self, reason: &str) {
        let address = self.address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        let counted = match self.address {
            Some(address) => self.ears.refused.take(&address),
            None => Ok(()),
        };
        if counted.is_ok() {
            tracing::warn!(address, reason, "a notification was not believed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_echoed_as_it_was_before_it_was_encoded() {
        let token = "Validation: Testing client application reachability for subscription Request-Id: a+b/c=";
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("validationToken", token)
            .finish();
        assert_eq!(validation_token(&query).as_deref(), Some(token));
        assert_eq!(validation_token("other=1"), None);
        assert_eq!(validation_token(""), None);
    }

    #[test]
    fn json_is_told_by_its_type() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/jsonx", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}

//! The token endpoint answering out of order.

use std::time::Duration;

use concord_domain::{clock::Clock, provider::OAuthDescription};
use concord_providers::{GoogleEndpoints, HttpClient, HttpConfig, OAuthApp, OAuthConfig, ProviderError};
use secrecy::{ExposeSecret, SecretString};

use crate::server::{CannedReply, CannedServer, answer_of, json};

const SECRET: &str = "GOCSPX-client-secret";
const REFRESH: &str = "1//refresh-token";

const DESCRIPTION: OAuthDescription = OAuthDescription {
    scopes: &["openid", "https://www.googleapis.com/auth/calendar.events"],
    authorize_params: &[],
    explains_refusals: false,
    api_word: "google",
    accounts: None,
};

fn app(server: &CannedServer) -> OAuthApp {
    let config = OAuthConfig {
        client_id: "the-client".to_owned(),
        client_secret: SECRET.into(),
        redirect_url: "http://127.0.0.1/oauth/calendar/google/callback".parse().unwrap(),
        description: &DESCRIPTION,
        endpoints: GoogleEndpoints::below(&server.url).oauth,
        explain: |_, _, _| None,
    };
    let http = HttpConfig { request_timeout: Duration::from_secs(2), ..HttpConfig::default() };
    OAuthApp::new(config, HttpClient::new(http).unwrap(), Clock::system())
}

async fn refresh(reply: CannedReply) -> ProviderError {
    let server = CannedServer::start(reply).await;
    let error = app(&server).refresh(&REFRESH.into()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(REFRESH), "{shown}");
    error
}

#[tokio::test]
async fn only_invalid_grant_is_a_dead_grant() {
    for (status, code, expected) in [
        ("400 Bad Request", "invalid_grant", "grant_dead"),
        ("401 Unauthorized", "invalid_client", "account_unusable"),
        ("400 Bad Request", "unauthorized_client", "account_unusable"),
        ("400 Bad Request", "redirect_uri_mismatch", "account_unusable"),
        ("400 Bad Request", "invalid_request", "rejected"),
        ("400 Bad Request", "temporarily_unavailable", "transient"),
        ("403 Forbidden", "rate_limit_exceeded", "rate_limited"),
        ("429 Too Many Requests", "rate_limit_exceeded", "rate_limited"),
        ("500 Internal Server Error", "invalid_grant", "transient"),
    ] {
        let body = format!(r#"{{"error": "{code}", "error_description": "It was {REFRESH} by {SECRET}."}}"#);
        assert_eq!(refresh(json(status, &body)).await.code(), expected, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    for (code, advice) in [
        ("invalid_client", "client id and client secret"),
        ("redirect_uri_mismatch", "register http://127.0.0.1/oauth/calendar/google/callback"),
    ] {
        let text = refresh(json("400 Bad Request", &format!(r#"{{"error": "{code}"}}"#))).await.to_string();
        assert!(text.contains(advice), "{text}");
    }
}

#[tokio::test]
async fn the_wait_is_kept() {
    let error = refresh(answer_of("429 Slow", "application/json", "retry-after: 5\r\n", "{}")).await;
    let five = Some(Duration::from_secs(5));
    assert!(matches!(error, ProviderError::RateLimited { retry_after } if retry_after == five), "{error:?}");
}

#[tokio::test]
async fn what_is_no_token_is_passing() {
    for reply in [
        answer_of("200 OK", "text/html", "", "<html>"),
        answer_of("404 Not Found", "text/html", "", "<html>"),
        json("200 OK", "{\"access_token\": \"ya29"),
        json("200 OK", "{}"),
        json("200 OK", ""),
        json("400 Bad Request", "[1]"),
        CannedReply::Bytes(Vec::new()),
        CannedReply::Silence,
    ] {
        assert_eq!(refresh(reply).await.code(), "transient");
    }
}

#[tokio::test]
async fn a_grant_is_read_and_hidden() {
    let body = r#"{"access_token": "ya29.new", "expires_in": 3599, "refresh_token": "1//rotated",
        "scope": "openid https://www.googleapis.com/auth/calendar.events", "token_type": "Bearer"}"#;
    let server = CannedServer::start(json("200 OK", body)).await;
    let app = app(&server);
    let verifier = SecretString::from("verifier-verifier-verifier-verifier-verifier");
    let grant = app.exchange(&"the-code".into(), &verifier).await.unwrap();
    assert_eq!(grant.access_token.expose_secret(), "ya29.new");
    assert_eq!(grant.refresh_token.as_ref().unwrap().expose_secret(), "1//rotated");
    assert_eq!(grant.expires_in, Some(Duration::from_secs(3_599)));
    assert_eq!(app.missing_scopes(&grant), Vec::<String>::new());
    let shown = format!("{grant:?} {app:?}");
    assert!(
        !shown.contains("ya29.new") && !shown.contains("1//rotated") && !shown.contains(SECRET),
        "{shown}"
    );

    let request = &server.requests()[0];
    for part in
        ["grant_type=authorization_code", "code=the-code", "code_verifier=verifier-", "client_id=the-client"]
    {
        assert!(request.contains(part), "{part} is not in {request}");
    }
}

#[tokio::test]
async fn a_scope_that_was_unticked_is_missed() {
    let body = r#"{"access_token": "a", "token_type": "Bearer", "scope": "openid"}"#;
    let server = CannedServer::start(json("200 OK", body)).await;
    let app = app(&server);
    let grant = app.refresh(&REFRESH.into()).await.unwrap();
    assert!(grant.refresh_token.is_none());
    assert_eq!(app.missing_scopes(&grant), ["https://www.googleapis.com/auth/calendar.events"]);
}

#[tokio::test]
async fn revocation_succeeds_when_the_token_is_dead() {
    for (reply, expected) in [
        (json("200 OK", "{}"), None),
        (answer_of("200 OK", "text/html", "", ""), None),
        (json("400 Bad Request", r#"{"error": "invalid_token"}"#), None),
        (json("400 Bad Request", r#"{"error": "invalid_request"}"#), Some("rejected")),
        (json("503 Service Unavailable", "{}"), Some("transient")),
        (json("429 Too Many Requests", "{}"), Some("rate_limited")),
        (CannedReply::Bytes(Vec::new()), Some("transient")),
    ] {
        let server = CannedServer::start(reply).await;
        let outcome = app(&server).revoke(&REFRESH.into()).await;
        assert_eq!(outcome.err().map(|error| error.code()), expected);
        let request = &server.requests()[0];
        assert!(
            request.starts_with("POST /revoke ") && request.contains("token=1%2F%2Frefresh-token"),
            "{request}"
        );
    }
}

//! Consent, code, tokens, refresh, revocation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use sha2::{Digest, Sha256};
use url::Url;

use crate::client::{ANA, BEN, SandboxClient, SandboxResponse, send};

const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const CALLBACK: &str = "http://127.0.0.1:9/oauth/calendar/google/callback";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";

/// Parameters that differ from the usual ones.
type ExtraParameters<'a> = &'a [(&'a str, &'a str)];

/// What an application sends a browser with.
fn asking(extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs: Vec<(String, String)> = [
        ("client_id", "sandbox-google-client"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", &format!("openid email {CALENDAR}")),
        ("state", "st&te=1"),
        ("access_type", "offline"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    for (name, value) in extra {
        pairs.retain(|(known, _)| known != name);
        pairs.push(((*name).into(), (*value).into()));
    }
    pairs
}

/// Goes through the consent page by plain HTTP and returns where it sends the browser.
async fn decide(outside: &SandboxClient, account: &str, decision: &str, extra: &[(&str, &str)]) -> Url {
    let address = outside.url("/google/o/oauth2/v2/auth");
    let asking = asking(extra);
    let page = send(outside.http.get(&address).query(&asking)).await.expect(200);
    assert!(page.as_str().unwrap().contains("Ana Pereira"), "{page}");
    let mut form = asking;
    form.push(("account".into(), account.into()));
    form.push(("decision".into(), decision.into()));
    let answer = send(outside.http.post(&address).form(&form)).await;
    assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.body);
    Url::parse(answer.headers["location"].to_str().unwrap()).unwrap()
}

fn pair(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn redeem(outside: &SandboxClient, code: &str, extra: &[(&str, &str)]) -> SandboxResponse {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("client_id", "sandbox-google-client"),
        ("client_secret", "sandbox-google-secret"),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in extra {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    send(outside.http.post(outside.url("/google/token")).form(&form)).await
}

async fn refresh(outside: &SandboxClient, token: &str) -> SandboxResponse {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "sandbox-google-client"),
        ("client_secret", "sandbox-google-secret"),
    ];
    send(outside.http.post(outside.url("/google/token")).form(&form)).await
}

async fn code(outside: &SandboxClient, extra: &[(&str, &str)]) -> String {
    pair(&decide(outside, BEN, "allow", extra).await, "code").unwrap()
}

#[tokio::test]
async fn a_consent_becomes_tokens_that_work() {
    let outside = SandboxClient::start().await;
    let back = decide(&outside, BEN, "allow", &[]).await;
    assert!(back.as_str().starts_with(CALLBACK));
    assert_eq!(pair(&back, "state").as_deref(), Some("st&te=1"));
    let tokens = redeem(&outside, &pair(&back, "code").unwrap(), &[]).await.expect(200);
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["token_type"], "Bearer");
    let access = tokens["access_token"].as_str().unwrap();
    let who = send(outside.http.get(outside.url("/google/oauth2/v3/userinfo")).bearer_auth(access))
        .await
        .expect(200);
    assert_eq!((&who["email"], who["sub"].as_str().map(str::len)), (&BEN.into(), Some(21)));

    let fresh = refresh(&outside, tokens["refresh_token"].as_str().unwrap()).await.expect(200);
    let fresh = fresh["access_token"].as_str().unwrap();
    assert_ne!(fresh, access);
    let list = outside.url("/google/calendar/v3/users/me/calendarList");
    let list = send(outside.http.get(list).bearer_auth(fresh)).await.expect(200);
    assert_eq!(list["items"][0]["id"], BEN);
}

#[tokio::test]
async fn a_refresh_token_comes_once_unless_consent_is_asked_for_anew() {
    let outside = SandboxClient::start().await;
    let first = redeem(&outside, &code(&outside, &[]).await, &[]).await.expect(200);
    assert!(first["refresh_token"].is_string());
    let second = redeem(&outside, &code(&outside, &[]).await, &[]).await.expect(200);
    assert!(second["refresh_token"].is_null());
    let anew = redeem(&outside, &code(&outside, &[("prompt", "consent")]).await, &[]).await.expect(200);
    assert!(anew["refresh_token"].is_string());
    let online = code(&outside, &[("prompt", "consent"), ("access_type", "online")]).await;
    assert!(redeem(&outside, &online, &[]).await.expect(200)["refresh_token"].is_null());
}

#[tokio::test]
async fn a_denied_consent_goes_back_with_its_state() {
    let outside = SandboxClient::start().await;
    let back = decide(&outside, BEN, "deny", &[]).await;
    assert_eq!(pair(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(pair(&back, "state").as_deref(), Some("st&te=1"));
    assert_eq!(pair(&back, "code"), None);
}

#[tokio::test]
async fn code_is_single_use_and_bound_to_client_uri_and_verifier() {
    let outside = SandboxClient::start().await;
    let code = code(&outside, &[]).await;
    let wrong: [(ExtraParameters<'_>, u16, &str); 7] = [
        (&[("code_verifier", "another-verifier-of-at-least-43-characters-01234")], 400, "invalid_grant"),
        (&[("code_verifier", "")], 400, "invalid_grant"),
        (&[("redirect_uri", "http://127.0.0.1:9/other")], 400, "redirect_uri_mismatch"),
        (&[("client_secret", "guessed")], 401, "invalid_client"),
        (&[("client_id", "nobody")], 401, "invalid_client"),
        (&[("grant_type", "password")], 400, "unsupported_grant_type"),
        (&[("code", "4/0made-up")], 400, "invalid_grant"),
    ];
    for (extra, status, error) in wrong {
        let body = redeem(&outside, &code, extra).await.expect(status);
        assert_eq!(body["error"], error, "{extra:?}");
    }
    redeem(&outside, &code, &[]).await.expect(200);
    assert_eq!(redeem(&outside, &code, &[]).await.expect(400)["error"], "invalid_grant");
}

#[tokio::test]
async fn a_verifier_that_nobody_asked_for_is_refused() {
    let outside = SandboxClient::start().await;
    let code = code(&outside, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    assert_eq!(redeem(&outside, &code, &[]).await.expect(400)["error"], "invalid_grant");
    redeem(&outside, &code, &[("code_verifier", "")]).await.expect(200);
}

#[tokio::test]
async fn a_bad_request_for_consent_is_shown_and_not_sent_on() {
    let outside = SandboxClient::start().await;
    let wrong = [
        ("client_id", "nobody"),
        ("redirect_uri", ""),
        ("redirect_uri", "javascript:alert(1)"),
        ("response_type", "token"),
        ("scope", "https://www.googleapis.com/auth/drive"),
        ("code_challenge_method", "S512"),
    ];
    for extra in wrong {
        let request = outside.http.get(outside.url("/google/o/oauth2/v2/auth")).query(&asking(&[extra]));
        let page = send(request).await.expect(400);
        assert!(page.as_str().unwrap().contains("Access blocked"), "{extra:?}");
    }
    let mut form = asking(&[]);
    form.extend([("account".into(), "nobody@example.com".into()), ("decision".into(), "allow".into())]);
    send(outside.http.post(outside.url("/google/o/oauth2/v2/auth")).form(&form)).await.expect(400);
}

#[tokio::test]
async fn the_hinted_account_is_chosen_and_nothing_is_injected() {
    let outside = SandboxClient::start().await;
    let asking = asking(&[("login_hint", BEN), ("state", "\"><script>alert(1)</script>")]);
    let page =
        send(outside.http.get(outside.url("/google/o/oauth2/v2/auth")).query(&asking)).await.expect(200);
    let page = page.as_str().unwrap();
    assert!(page.contains(&format!("value=\"{BEN}\" checked")));
    assert!(!page.contains("<script>alert"));
}

#[tokio::test]
async fn a_revoked_consent_takes_all_its_tokens_with_it() {
    let outside = SandboxClient::start().await;
    let other = outside.grant(BEN, CALENDAR).await;
    let revoke =
        |token: String| send(outside.http.post(outside.url("/google/revoke")).form(&[("token", token)]));
    revoke(outside.refresh_token.clone()).await.expect(200);
    let answer = outside.get("/users/me/calendarList").await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::UNAUTHORIZED, "authError"));
    assert_eq!(refresh(&outside, &outside.refresh_token).await.expect(400)["error"], "invalid_grant");
    assert_eq!(revoke(outside.refresh_token.clone()).await.expect(400)["error"], "invalid_token");
    refresh(&outside, other["refresh_token"].as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn a_narrow_consent_does_not_open_everything() {
    let mut outside = SandboxClient::start().await;
    let narrow = outside.grant(ANA, "https://www.googleapis.com/auth/calendar.events.readonly").await;
    outside.token = narrow["access_token"].as_str().unwrap().into();
    outside.get("/calendars/primary/events").await.expect(200);
    let refused = outside.insert(crate::client::hour("no", 9)).await;
    assert_eq!((refused.status, refused.reason()), (StatusCode::FORBIDDEN, "insufficientPermissions"));
    assert_eq!(outside.get("/users/me/calendarList").await.reason(), "insufficientPermissions");
    let userinfo = outside.http.get(outside.url("/google/oauth2/v3/userinfo")).bearer_auth(&outside.token);
    send(userinfo).await.expect(403);
    let nobody = send(outside.http.request(Method::GET, outside.url("/google/calendar/v3/colors"))).await;
    assert!(nobody.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    nobody.expect(401);
}

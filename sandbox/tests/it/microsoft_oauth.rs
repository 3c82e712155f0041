//! Microsoft's identity endpoints: consent, code, tokens that are replaced.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use sha2::{Digest, Sha256};
use url::Url;

use crate::client::{SandboxResponse, send};
use crate::graph::{EVA, FARID, GRACE, GraphTestClient, code, event};

const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const CALLBACK: &str = "http://127.0.0.1:9/oauth/calendar/microsoft/callback";

type FormPairs<'a> = &'a [(&'a str, &'a str)];

fn asking(extra: FormPairs<'_>) -> Vec<(String, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let usual = [
        ("client_id", "sandbox-microsoft-client"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid offline_access User.Read https://graph.microsoft.com/Calendars.ReadWrite"),
        ("state", "st&te=1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual.iter().filter(|(name, _)| extra.iter().all(|(other, _)| other != name));
    kept.chain(extra)
        .filter(|(_, value)| !value.is_empty())
        .map(|(a, b)| ((*a).into(), (*b).into()))
        .collect()
}

/// Goes through the consent page by plain HTTP.
async fn decide(
    graph: &GraphTestClient,
    tenant: &str,
    account: &str,
    decision: &str,
    extra: FormPairs<'_>,
) -> SandboxResponse {
    let address = graph.url(&format!("/microsoft/{tenant}/oauth2/v2.0/authorize"));
    let mut form = asking(extra);
    send(graph.http.get(&address).query(&form)).await.expect(200);
    form.extend([("account".into(), account.into()), ("decision".into(), decision.into())]);
    send(graph.http.post(&address).form(&form)).await
}

fn back(answer: &SandboxResponse) -> Url {
    assert_eq!(answer.status.as_u16(), 302, "{}", answer.body);
    Url::parse(answer.headers["location"].to_str().unwrap()).unwrap()
}

fn pair(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn token(graph: &GraphTestClient, tenant: &str, extra: FormPairs<'_>) -> SandboxResponse {
    let usual = [
        ("client_id", "sandbox-microsoft-client"),
        ("client_secret", "sandbox-microsoft-secret"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("grant_type", "authorization_code"),
    ];
    let kept = usual.iter().filter(|(name, _)| extra.iter().all(|(other, _)| other != name));
    let form: Vec<_> = kept.chain(extra).filter(|(_, value)| !value.is_empty()).collect();
    send(graph.http.post(graph.url(&format!("/microsoft/{tenant}/oauth2/v2.0/token"))).form(&form)).await
}

async fn refresh(graph: &GraphTestClient, refresh_token: &str) -> SandboxResponse {
    token(graph, "common", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

fn number(answer: &SandboxResponse) -> u64 {
    answer.body["error_codes"][0].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn consent_yields_tokens_and_refresh_token_rotates() {
    let mut graph = GraphTestClient::start().await;
    let url = back(&decide(&graph, "common", FARID, "allow", &[]).await);
    assert_eq!(pair(&url, "state"), "st&te=1");
    let tokens = token(&graph, "common", &[("code", &pair(&url, "code"))]).await.expect(200);
    assert!(!tokens["scope"].as_str().unwrap().contains("offline_access"));
    graph.token = tokens["access_token"].as_str().unwrap().into();
    assert_eq!(graph.read("/me").await.expect(200)["userPrincipalName"], FARID);

    let first = tokens["refresh_token"].as_str().unwrap();
    let second = refresh(&graph, first).await.expect(200);
    assert_ne!(second["refresh_token"], first);
    let third = refresh(&graph, first).await.expect(200);
    assert_ne!(third["refresh_token"], second["refresh_token"]);
    refresh(&graph, second["refresh_token"].as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn no_offline_access_means_no_refresh_token() {
    let mut graph = GraphTestClient::start().await;
    let url = back(&decide(&graph, "common", EVA, "allow", &[("scope", "Calendars.Read")]).await);
    let tokens = token(&graph, "common", &[("code", &pair(&url, "code"))]).await.expect(200);
    assert!(tokens["refresh_token"].is_null());
    graph.token = tokens["access_token"].as_str().unwrap().into();
    graph.read("/me/calendars").await.expect(200);
    let refused = graph.write(Method::POST, "/me/events", event("no", 9)).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (403, "ErrorAccessDenied"));
    assert_eq!(graph.read("/me").await.status.as_u16(), 403);
}

#[tokio::test]
async fn consent_errors_carry_aadsts_code() {
    let graph = GraphTestClient::start().await;
    for (decision, error, number) in [
        ("deny", "access_denied", "AADSTS65004"),
        ("admin", "access_denied", "AADSTS90094"),
        ("foreign", "access_denied", "AADSTS50020"),
        ("unconsented", "interaction_required", "AADSTS65001"),
    ] {
        let url = back(&decide(&graph, "common", EVA, decision, &[]).await);
        assert_eq!(pair(&url, "error"), error);
        assert!(pair(&url, "error_description").starts_with(number), "{url}");
        assert_eq!((pair(&url, "state"), pair(&url, "code")), ("st&te=1".into(), String::new()));
    }
    for (tenant, account) in [("organizations", GRACE), ("consumers", EVA), ("northwind.example", GRACE)] {
        let shown = decide(&graph, tenant, account, "allow", &[]).await.expect(400);
        assert!(shown.as_str().unwrap().contains("AADSTS50020"), "{tenant} {account}");
    }
    let address = graph.url("/microsoft/common/oauth2/v2.0/authorize");
    for (extra, error) in [
        (("prompt", "none"), "interaction_required"),
        (("scope", "openid Calendars.Write"), "invalid_client"),
        (("response_type", "token"), "unsupported_response_type"),
    ] {
        let answer = send(graph.http.get(&address).query(&asking(&[extra]))).await;
        assert_eq!(pair(&back(&answer), "error"), error);
    }
    for extra in
        [("client_id", "nobody"), ("redirect_uri", "javascript:alert(1)"), ("code_challenge_method", "S512")]
    {
        let shown = send(graph.http.get(&address).query(&asking(&[extra]))).await.expect(400);
        assert!(shown.as_str().unwrap().contains("AADSTS"), "{extra:?}");
    }
    let nowhere = graph.url("/microsoft/nowhere.example/oauth2/v2.0/authorize");
    send(graph.http.get(&nowhere).query(&asking(&[]))).await.expect(400);
}

#[tokio::test]
async fn code_is_single_use_and_bound_to_client_uri_and_verifier() {
    let graph = GraphTestClient::start().await;
    let url = back(&decide(&graph, "northwind.example", EVA, "allow", &[]).await);
    let code = pair(&url, "code");
    let wrong: [(FormPairs<'_>, u16, &str, u64); 8] = [
        (&[("code_verifier", "another")], 400, "invalid_grant", 501_481),
        (&[("code_verifier", "")], 400, "invalid_grant", 501_481),
        (&[("redirect_uri", "http://127.0.0.1:9/x")], 401, "invalid_client", 500_112),
        (&[("client_secret", "guessed")], 401, "invalid_client", 7_000_215),
        (&[("client_secret", "")], 401, "invalid_client", 7_000_218),
        (&[("client_id", "nobody")], 400, "unauthorized_client", 700_016),
        (&[("grant_type", "password")], 400, "unsupported_grant_type", 70_003),
        (&[("code", "made-up")], 400, "invalid_grant", 9_002_313),
    ];
    for (extra, status, error, known) in wrong {
        let mut form = vec![("code", code.as_str())];
        form.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
        form.extend(extra);
        let answer = token(&graph, "common", &form).await;
        assert_eq!((number(&answer), answer.body["error"].as_str()), (known, Some(error)), "{extra:?}");
        let said = answer.expect(status);
        assert!(said["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{known}: ")));
    }
    token(&graph, "common", &[("code", &code)]).await.expect(200);
    assert_eq!(number(&token(&graph, "common", &[("code", &code)]).await), 54_005);
    assert_eq!(number(&refresh(&graph, "made-up").await), 70_008);
    graph.graph_fault(serde_json::json!({ "kind": "revoke_grant" })).await;
    assert_eq!(number(&refresh(&graph, &graph.refresh_token).await), 50_173);
    let revoked = graph.read("/me").await;
    assert_eq!((revoked.status.as_u16(), crate::graph::code(&revoked)), (401, "InvalidAuthenticationToken"));
}

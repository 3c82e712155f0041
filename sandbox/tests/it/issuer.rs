//! The OpenID Connect issuer: a code for a person, tokens for a code, and all that it refuses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::client::{SandboxClient, SandboxResponse, send};

const VERIFIER: &str = "a-verifier-of-at-least-43-characters-0123456789";
const CALLBACK: &str = "http://127.0.0.1:9/oauth/sign-in/callback";
/// Client and secret, each as in a form.
const CREDENTIALS: (&str, &str) = ("sandbox-issuer-client", "sandbox+issuer%3A+secret%2F%2B%25");

fn asking(without: &str) -> Vec<(&'static str, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("client_id", CREDENTIALS.0.to_owned()),
        ("redirect_uri", CALLBACK.to_owned()),
        ("response_type", "code".to_owned()),
        ("scope", "openid email".to_owned()),
        ("state", "st&te=1".to_owned()),
        ("nonce", "the-nonce".to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ];
    pairs.retain(|(name, _)| *name != without);
    pairs
}

async fn code(outside: &SandboxClient) -> String {
    let address = outside.url("/issuer/authorize");
    let mut form = asking("");
    form.extend([("email", "ana@example.com".to_owned()), ("decision", "allow".to_owned())]);
    let answer = send(outside.http.post(&address).form(&form)).await;
    assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.body);
    let url: Url = answer.headers["location"].to_str().unwrap().parse().unwrap();
    let pair = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!((pair("state"), pair("iss")), ("st&te=1".to_owned(), outside.url("/issuer")));
    pair("code")
}

async fn redeem(
    outside: &SandboxClient,
    code: &str,
    verifier: &str,
    credentials: (&str, &str),
) -> SandboxResponse {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", verifier),
    ];
    let request = outside.http.post(outside.url("/issuer/token"));
    send(request.basic_auth(credentials.0, Some(credentials.1)).form(&form)).await
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn issuer_signs_what_its_keys_verify() {
    let outside = SandboxClient::start().await;
    let discovery = outside.url("/issuer/.well-known/openid-configuration");
    let document = send(outside.http.get(discovery)).await.expect(200);
    assert_eq!(document["issuer"], outside.url("/issuer"));
    let tokens = redeem(&outside, &code(&outside).await, VERIFIER, CREDENTIALS).await.expect(200);
    let token = tokens["id_token"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let (header, claims) = (decoded(header), decoded(claims));
    let keys = send(outside.http.get(document["jwks_uri"].as_str().unwrap())).await.expect(200);
    let key = &keys["keys"][0];
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &key["alg"]));
    let mut point = vec![4];
    for part in ["x", "y"] {
        point.extend(URL_SAFE_NO_PAD.decode(key[part].as_str().unwrap()).unwrap());
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).unwrap();
    assert_eq!((&claims["nonce"], &claims["aud"]), (&"the-nonce".into(), &CREDENTIALS.0.into()));
    assert!(claims.get("email").is_none(), "that is in the userinfo");

    let info = outside.http.get(document["userinfo_endpoint"].as_str().unwrap());
    let access = tokens["access_token"].as_str().unwrap();
    let info = send(info.bearer_auth(access)).await.expect(200);
    assert_eq!((&info["email"], &info["sub"]), (&"ana@example.com".into(), &claims["sub"]));
}

#[tokio::test]
async fn issuer_refuses_what_is_not_in_order() {
    let outside = SandboxClient::start().await;
    for missing in
        ["client_id", "redirect_uri", "response_type", "scope", "code_challenge", "code_challenge_method"]
    {
        let page = send(outside.http.get(outside.url("/issuer/authorize")).query(&asking(missing))).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{missing}");
    }
    let first = code(&outside).await;
    let wrong = redeem(&outside, &first, VERIFIER, (CREDENTIALS.0, "wrong")).await;
    assert_eq!(wrong.expect(401)["error"], "invalid_client");
    let tokens = redeem(&outside, &first, VERIFIER, CREDENTIALS).await.expect(200);
    let again = redeem(&outside, &first, VERIFIER, CREDENTIALS).await;
    assert_eq!(again.expect(400)["error"], "invalid_grant");
    // What was given for a code that is shown again ends.
    let userinfo = || outside.http.get(outside.url("/issuer/userinfo"));
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(send(userinfo().bearer_auth(access)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(send(userinfo()).await.status, StatusCode::UNAUTHORIZED);
    let other = redeem(&outside, &code(&outside).await, "another-verifier", CREDENTIALS).await;
    assert_eq!(other.expect(400)["error"], "invalid_grant");
}

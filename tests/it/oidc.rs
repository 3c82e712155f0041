//! Signing in at an OpenID Connect issuer: there and back, and all that signs nobody in.

use concord_domain::people::Role;
use concord_sandbox::OAuthClient;
use concord_storage::{
    on_both_databases,
    people::{self, NewUser},
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::json;
use url::Url;

use crate::{
    logs,
    page_client::{PageClient, PageResponse, person},
    test_app::{TestApp, TestAppOptions},
};

/// With the sandbox's issuer at the place of its own, as its address is known only once it runs.
async fn start(db: &TestDb) -> TestApp {
    let client = OAuthClient::issuer();
    let settings = vec![
        ("sign_in.oidc.client_id", client.client_id),
        ("sign_in.oidc.client_secret", client.client_secret),
        ("sign_in.oidc.name", "Example <Login>".to_owned()),
    ];
    TestApp::start_with(db, TestAppOptions { issuer: true, settings, ..TestAppOptions::default() }).await
}

/// Goes to the issuer's page, and decides there. Returns the path of the callback with its query.
async fn at_issuer(visitor: &mut PageClient<'_>, test_app: &TestApp, email: &str, decision: &str) -> String {
    let begun = visitor.get("/oauth/sign-in").await;
    visitor.keep_cookies(&begun);
    let url: Url = begun.leads_to().parse().unwrap();
    assert!(url.as_str().starts_with(&format!("{}/issuer/authorize?", test_app.sandbox.url())), "{url}");
    let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    for name in ["state", "nonce", "code_challenge"] {
        assert!(form.iter().any(|(key, value)| key == name && value.len() >= 43), "{name}: {url}");
    }
    form.extend(
        [("email", email), ("decision", decision)].map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut page = url;
    page.set_query(None);
    let request = test_app.api.http.post(page).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
    let location = answer.headers()["location"].to_str().unwrap();
    location.strip_prefix(&test_app.api.base).unwrap().to_owned()
}

async fn sign_in(visitor: &mut PageClient<'_>, test_app: &TestApp, email: &str) -> PageResponse {
    let callback = at_issuer(visitor, test_app, email, "allow").await;
    let answer = visitor.get(&callback).await;
    visitor.keep_cookies(&answer);
    answer
}

async fn issuer_signs_in_whoever_has_the_address(db: &TestDb) {
    let test_app = start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    let refused = visitor.get("/bookings?q=maria").await;
    let page = visitor.get(refused.leads_to()).await;
    assert!(page.text.contains("Continue with Example &#60;Login&#62;"), "{}", page.text);
    visitor.keep_cookies(&page);
    let callback = at_issuer(&mut visitor, &test_app, "Staff@Example.org", "allow").await;
    let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
    logs::keep_out(code);
    logs::keep_out(&OAuthClient::issuer().client_secret);
    let answer = visitor.get(&callback).await;
    assert_eq!(answer.leads_to(), "/bookings?q=maria");
    visitor.keep_cookies(&answer);
    assert_eq!(visitor.get("/bookings").await.status, 200);
    // The way back leads nobody in a second time.
    let mut again = PageClient::signed_out(&test_app);
    again.cookies.clone_from(&visitor.cookies);
    again.cookies.retain(|cookie| !cookie.starts_with("concord_session="));
    assert_eq!(again.get(&callback).await.status, 403);
    logs::check();
    test_app.stop().await;
}

async fn answer_is_taken_in_the_browser_that_asked(db: &TestDb) {
    let test_app = start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut asked = PageClient::signed_out(&test_app);
    let callback = at_issuer(&mut asked, &test_app, "staff@example.org", "allow").await;
    // Somebody is sent another's answer, to be signed in as them: without a way of their own, and with one.
    let mut victim = PageClient::signed_out(&test_app);
    for round in 0..2 {
        let page = victim.get(&callback).await;
        assert_eq!(page.status, 403, "{round}");
        assert!(
            page.text.contains("started in another browser") && page.cookies().is_empty(),
            "{}",
            page.text
        );
        let begun = victim.get("/oauth/sign-in").await;
        victim.keep_cookies(&begun);
    }
    // Nor does an answer of another issuer's, or of none.
    for changed in [
        callback.replace("iss=", "iss=https%3A%2F%2Fevil.example%2F"),
        callback.replace("iss=", "was="),
        callback.replace("code=", "code=x"),
        callback.replace("code=", "was="),
    ] {
        assert_eq!(asked.get(&changed).await.status, 502, "{changed}");
    }
    assert_eq!(asked.get(&callback).await.leads_to(), "/");
    test_app.stop().await;
}

async fn what_the_issuer_says_wrong_signs_nobody_in(db: &TestDb) {
    let test_app = start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    for (kind, status, words) in [
        ("wrong_nonce", 502, "could not be accepted"),
        ("wrong_audience", 502, "could not be accepted"),
        ("wrong_issuer", 502, "could not be accepted"),
        ("expired_id_token", 502, "could not be accepted"),
        ("other_subject", 502, "could not be accepted"),
        ("server_error", 502, "could not be reached"),
        ("unverified_email", 403, "does not confirm that your email address is yours"),
    ] {
        let fault = json!({ "provider": "issuer", "kind": kind });
        test_app.control(Method::POST, "/faults", fault).await;
        let page = sign_in(&mut visitor, &test_app, "staff@example.org").await;
        assert_eq!(page.status, status, "{kind}: {}", page.text);
        assert!(page.text.contains(words), "{kind}: {}", page.text);
        assert!(page.cookies().is_empty(), "{kind}");
        test_app.control(Method::DELETE, "/faults?provider=issuer", json!({})).await;
    }
    let denied = at_issuer(&mut visitor, &test_app, "staff@example.org", "deny").await;
    let page = visitor.get(&denied).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("access was denied"), "{}", page.text);
    assert_eq!(sign_in(&mut visitor, &test_app, "staff@example.org").await.leads_to(), "/");
    test_app.stop().await;
}

async fn address_of_nobody_is_told_whom_to_ask(db: &TestDb) {
    let test_app = start(db).await;
    let gone = person(&test_app, Role::Staff, None).await;
    let mut tx = begin(db).await;
    people::archive_user(&mut tx, test_app.business.id, gone.id, test_app.app.now()).await.unwrap();
    commit(tx).await;
    let mut visitor = PageClient::signed_out(&test_app);
    for email in ["else@example.org", &gone.email] {
        let page = sign_in(&mut visitor, &test_app, email).await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains(&format!("No user has the address {email}")), "{}", page.text);
        assert!(page.text.contains("Ask a manager"), "{}", page.text);
    }
    assert_eq!(visitor.get("/").await.leads_to(), "/sign-in?next=%2F");
    test_app.stop().await;
}

async fn person_of_two_businesses_chooses(db: &TestDb) {
    let test_app = start(db).await;
    let here = person(&test_app, Role::Manager, None).await;
    let (other, _) = test_app.other_business().await;
    let new = NewUser {
        business: other.id,
        staff: None,
        name: "Nina Hill".to_owned(),
        email: here.email.clone(),
        role: Role::Staff,
    };
    let mut tx = begin(db).await;
    people::create_user(&mut tx, &new, test_app.app.now()).await.unwrap();
    commit(tx).await;
    let mut visitor = PageClient::signed_out(&test_app);
    let page = sign_in(&mut visitor, &test_app, &here.email).await;
    assert_eq!(page.status, 200);
    let chosen = page.text.split("action=\"").skip(1).find(|form| form.contains("Nina Hill")).unwrap();
    let path = chosen.split('"').next().unwrap().to_owned();
    assert_eq!(visitor.post(&path, &[]).await.leads_to(), "/");
    assert!(visitor.get("/settings").await.text.contains("Nina Hill"));
    assert_eq!(visitor.post(&path, &[]).await.status, 410);
    test_app.stop().await;
}

async fn without_an_issuer_there_is_no_such_page(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_out(&test_app);
    assert!(!visitor.get("/sign-in").await.text.contains("Continue with"));
    assert_eq!(visitor.get("/oauth/sign-in").await.status, 404);
    assert_eq!(visitor.get("/oauth/sign-in/callback?state=a&code=b").await.status, 404);
    test_app.stop().await;
}

on_both_databases!(
    issuer_signs_in_whoever_has_the_address,
    answer_is_taken_in_the_browser_that_asked,
    what_the_issuer_says_wrong_signs_nobody_in,
    address_of_nobody_is_told_whom_to_ask,
    person_of_two_businesses_chooses,
    without_an_issuer_there_is_no_such_page,
);

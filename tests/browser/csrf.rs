//! Forms that did not come from a page of this session change nothing.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::DemoApp,
};

#[tokio::test]
async fn a_forged_form_is_refused() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/bookings/CA-1001/cancel")).await;
    let csrf = browser.value("csrf").await;
    let cookie = browser.cookie().await;
    let cancel =
        async |csrf: Option<&str>, site: Option<&str>, origin: Option<&str>, cookie: Option<&str>| {
            let mut request = demo_app.http.post(demo_app.url("/bookings/CA-1001/cancel"));
            for (name, value) in [("sec-fetch-site", site), ("origin", origin), ("cookie", cookie)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let fields: Vec<(&str, &str)> = csrf.map(|csrf| ("csrf", csrf)).into_iter().collect();
            request.form(&fields).send().await.unwrap().status().as_u16()
        };
    let (token, session) = (Some(csrf.as_str()), Some(cookie.as_str()));
    assert_eq!(cancel(None, None, None, session).await, 403, "no token");
    assert_eq!(cancel(Some("made-up"), None, None, session).await, 403, "another token");
    assert_eq!(cancel(token, Some("cross-site"), None, session).await, 403, "from another site");
    assert_eq!(cancel(token, None, Some("https://evil.example"), session).await, 403, "from another origin");
    assert_eq!(cancel(token, None, None, None).await, 401, "from nobody");
    let made_up = Some("concord_session=cs_made-up");
    assert_eq!(cancel(token, None, None, made_up).await, 401, "from a session that there is not");
    let other = Browser::signed_in(BrowserKind::Desk, &demo_app).await.cookie().await;
    assert_ne!(other, cookie);
    assert_eq!(cancel(token, None, None, Some(&other)).await, 403, "from another session");
    browser.go(&demo_app.url("/bookings/CA-1001")).await;
    browser.see("Confirmed").await;
    assert_eq!(cancel(token, Some("same-origin"), None, session).await, 303, "and the real one works");
    browser.go(&demo_app.url("/bookings/CA-1001")).await;
    browser.see("Cancelled").await;
}

#[tokio::test]
async fn every_answer_carries_the_policies() {
    let demo_app = DemoApp::open().await;
    for path in ["/", "/sign-in", "/nowhere", "/assets/none", "/api/health", "/api/v1/bookings"] {
        let answer = demo_app.http.get(demo_app.url(path)).send().await.unwrap();
        let headers = answer.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert!(headers.contains_key("x-request-id"), "{path}");
    }
    let page = demo_app.http.get(demo_app.url("/nowhere")).send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("Not found"));
}

#[tokio::test]
async fn too_much_is_refused_with_a_page() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let body = format!("csrf=x&notes={}", "x".repeat(2_000_000));
    let answer = demo_app.http.post(demo_app.url("/bookings")).header("cookie", browser.cookie().await);
    let answer =
        answer.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(answer.text().await.unwrap().contains("Too large"));
}

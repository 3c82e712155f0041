//! Signing in by link, and out.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::DemoApp,
};

#[tokio::test]
async fn a_sign_in_link_works_once_and_is_not_used_up_by_looking() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/settings/people")).await;
    browser.fill("name", "Nina Novak").await;
    browser.fill("email", "nina@example.com").await;
    browser.click_on("Add and create link").await;
    browser.see("A sign-in link for Nina Novak").await;
    let link = browser.find("#link").await.text().await.unwrap();

    // What scans mails for links opens them too.
    for _ in 0..2 {
        let looked = demo_app.http.get(&link).send().await.unwrap();
        assert_eq!(looked.status(), 200);
        assert!(looked.headers().get("set-cookie").is_none());
    }
    browser.forget().await;
    browser.go(&link).await;
    browser.see("Welcome, Nina Novak").await;
    browser.click_on("Sign in as Nina Novak").await;
    browser.see("Overview").await;
    browser.see("Nina Novak").await;

    let again = demo_app.http.get(&link).send().await.unwrap();
    assert_eq!(again.status(), 410);
    assert!(again.text().await.unwrap().contains("This link no longer works"));
    let token = link.rsplit('/').next().unwrap();
    assert!(!demo_app.logs().contains(token), "a token is in no log line");
}

#[tokio::test]
async fn who_is_signed_out_is_told_how_to_sign_in() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let cookie = browser.cookie().await;
    browser.click(".menu summary").await;
    browser.click_on("Sign out").await;
    browser.see("concord user link EMAIL").await;
    // The session is over for whoever kept its cookie, too.
    let answer = demo_app.http.get(demo_app.url("/bookings")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/sign-in?next=%2Fbookings");
    browser.go(&demo_app.url("/bookings?q=maria")).await;
    browser.see("You sign in with a one-time link.").await;
    assert_eq!(browser.path().await, "/sign-in");
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let demo_app = DemoApp::open().await;
    let answer = demo_app.http.get(demo_app.demo("sign_in_url")).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=7776000"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Secure"), "the demo is served over http");
}

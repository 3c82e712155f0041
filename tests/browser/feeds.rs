//! A feed is made, read, given a new address and ended; its address is shown once.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::DemoApp,
};

async fn shown_address(browser: &Browser) -> String {
    browser.find("#feed-url").await.text().await.expect("an address")
}

#[tokio::test]
async fn a_feed_is_published_rotated_and_revoked() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let read = async |url: &str| demo_app.http.get(url).send().await.unwrap();

    browser.go(&demo_app.url("/feeds")).await;
    browser.fill("about", "Sea View Suite").await;
    browser.fill("name", "Airbnb").await;
    browser.click_on("Create feed").await;
    browser.see("The feed “Airbnb” is published.").await;
    let first = shown_address(&browser).await;
    let answer = read(&first).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/calendar"));
    let text = answer.text().await.unwrap();
    assert!(text.contains("SUMMARY:Busy") && !text.contains("Maria"), "busy is all that it tells: {text}");

    browser.go(&demo_app.url("/feeds")).await;
    browser.see("Airbnb").await;
    let token = first.rsplit('/').next().unwrap().trim_end_matches(".ics");
    assert!(!browser.ask("return document.documentElement.outerHTML").await.to_string().contains(token));
    assert!(!demo_app.logs().contains(token), "a token is in no log line");

    browser.click_on("New link for Airbnb").await;
    browser.see("The old link stops working immediately.").await;
    browser.click("dialog[open] button.primary").await;
    browser.see("has a new link. The old one no longer works.").await;
    let second = shown_address(&browser).await;
    assert_ne!(first, second);
    assert_eq!(read(&first).await.status(), 404);
    assert_eq!(read(&second).await.status(), 200);

    browser.click_on("Revoke Airbnb").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("is no longer published.").await;
    assert_eq!(read(&second).await.status(), 404);
}

#[tokio::test]
async fn api_key_is_shown_once_and_works_until_revoked() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/settings/api-keys")).await;
    browser.fill("name", "Website").await;
    browser.click_on("Create key").await;
    browser.see("Copy it now. It is shown only once.").await;
    let key = browser.find("#key").await.text().await.unwrap();
    let status = async || {
        let url = demo_app.url("/api/v1/bookings");
        demo_app.http.get(url).bearer_auth(&key).send().await.unwrap().status()
    };
    assert_eq!(status().await, 200);
    browser.click_on("Revoke Website").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("was revoked.").await;
    assert_eq!(status().await, 401);
    assert!(!browser.ask("return document.documentElement.outerHTML").await.to_string().contains(&key));
}

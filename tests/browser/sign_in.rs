//! Signing in by link, and out.

use serde_json::Value;

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, until},
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
    browser.see("Send sign-in link").await;
    // The session is over for whoever kept its cookie, too.
    let answer = demo_app.http.get(demo_app.url("/bookings")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/sign-in?next=%2Fbookings");
    browser.go(&demo_app.url("/bookings?q=maria")).await;
    browser.see("There is no password.").await;
    assert_eq!(browser.path().await, "/sign-in");
}

/// Lets Nina in, and signs the manager out.
async fn with_nina(demo_app: &DemoApp) -> Browser {
    let browser = Browser::signed_in(BrowserKind::Desk, demo_app).await;
    browser.go(&demo_app.url("/settings/people")).await;
    browser.fill("name", "Nina Novak").await;
    browser.fill("email", "nina@example.com").await;
    browser.click_on("Add and create link").await;
    browser.see("It is on its way to nina@example.com").await;
    browser.forget().await;
    browser
}

/// The link of the mail of this number, from 0, about signing in that came to the sandbox's mailbox for Nina.
async fn mailed_link(demo_app: &DemoApp, number: usize) -> String {
    let url = format!("{}/control/mails", demo_app.demo("sandbox_url"));
    until("the mail has come", async || {
        let mails: Vec<Value> = demo_app.http.get(&url).send().await.ok()?.json().await.ok()?;
        let mail = mails.iter().filter(|mail| mail["subject"] == "Sign in to Concord").nth(number)?;
        assert_eq!(mail["to"], serde_json::json!(["nina@example.com"]));
        let text = mail["text"].as_str()?.to_owned();
        text.lines().find(|line| line.contains("/sign-in/cl_")).map(str::to_owned)
    })
    .await
}

async fn ask_for_link(browser: &Browser, demo_app: &DemoApp, number: usize) -> String {
    browser.go(&demo_app.url("/bookings?q=maria")).await;
    browser.fill("email", "nina@example.com").await;
    browser.click_on("Send sign-in link").await;
    browser.see("Check your email").await;
    mailed_link(demo_app, number).await
}

#[tokio::test]
async fn sign_in_by_mailed_link_needs_no_further_press() {
    let demo_app = DemoApp::open().await;
    let browser = with_nina(&demo_app).await;
    let link = ask_for_link(&browser, &demo_app, 0).await;
    // The mail is read where mails are: in the sandbox's mailbox.
    browser.go(demo_app.demo("mailbox_url")).await;
    browser.see("Sign in to Concord").await;
    browser.go(&link).await;
    browser.see("Nina Novak").await;
    until("the page that was wanted", async || (browser.path().await == "/bookings").then_some(())).await;
    let token = link.rsplit('/').next().unwrap();
    assert!(!demo_app.logs().contains(token), "a token is in no log line");
}

#[tokio::test]
async fn sign_in_in_another_browser_is_confirmed_and_ended() {
    let demo_app = DemoApp::open().await;
    let browser = with_nina(&demo_app).await;
    let link = ask_for_link(&browser, &demo_app, 0).await;
    let phone = Browser::open(BrowserKind::Phone).await;
    phone.go(&link).await;
    phone.see("Sign in on this device?").await;
    phone.click_on("Sign in on this device").await;
    phone.see("Overview").await;
    browser.go(&link).await;
    browser.see("This link no longer works").await;

    let link = ask_for_link(&browser, &demo_app, 1).await;
    browser.go(&link).await;
    browser.see("Nina Novak").await;
    browser.go(&demo_app.url("/settings/sessions")).await;
    browser.see("this browser").await;
    browser.click_on("Sign out everywhere else").await;
    browser.see("Signed out of one other browser.").await;
    phone.go(&demo_app.url("/bookings")).await;
    phone.see("Send sign-in link").await;
}

#[tokio::test]
async fn sign_in_at_an_issuer_leads_back() {
    let demo_app = DemoApp::open().await;
    let browser = with_nina(&demo_app).await;
    browser.go(&demo_app.url("/bookings")).await;
    browser.click_on("Continue with the sandbox").await;
    browser.see("Sandbox sign-in").await;
    browser.fill("email", "Nina@example.com").await;
    browser.click_on("Continue").await;
    browser.see("Nina Novak").await;
    assert_eq!(browser.path().await, "/bookings");
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

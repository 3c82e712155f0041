//! What somebody does in their own calendar is asked about, or followed and taken back, on the pages.

use serde_json::{Value, json};

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, until},
};

async fn read_calendars(browser: &Browser, demo_app: &DemoApp) {
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Import busy times").await;
    browser.see("Importing busy times from").await;
}

/// Loads the page until it says so.
async fn comes_to_say(browser: &Browser, url: &str, words: &str) {
    until(words, async || {
        browser.go(url).await;
        browser.text().await.contains(words).then_some(())
    })
    .await;
}

/// The name of the customer of a booking of Ana's whose entry stands in her calendar.
async fn somebody(demo_app: &DemoApp) -> (String, String) {
    let all = until("an entry of Ana's", async || {
        let all = demo_app.entries().await;
        let ours = |entry: &&Value| {
            entry["account"] == "ana@example.com" && entry["private_properties"] != json!({})
        };
        all.iter().find(ours).cloned()
    })
    .await;
    let text = |field: &str| all[field].as_str().expect("a text").to_owned();
    (text("id"), text("title"))
}

#[tokio::test]
async fn a_deleted_entry_is_asked_about_and_revert() {
    let demo_app = DemoApp::open().await;
    let (entry, title) = somebody(&demo_app).await;
    demo_app.person(reqwest::Method::DELETE, &entry, Value::Null).await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    read_calendars(&browser, &demo_app).await;
    comes_to_say(
        &browser,
        &demo_app.url("/"),
        &format!("Ana Pereira deleted “{title}” in their Google calendar"),
    )
    .await;
    browser.see("Cancel the booking, or revert the entry?").await;
    browser.see("1 item needs attention").await;
    browser.click_on("Revert").await;
    browser.see("Its entry in Ana Pereira's calendar is being reverted.").await;
    demo_app.entries_named(&title, 1).await;
    browser.go(&demo_app.url("/changes")).await;
    browser.see("Reverted").await;
    browser.see("decided by").await;

    demo_app.person(reqwest::Method::DELETE, &entry, Value::Null).await;
    read_calendars(&browser, &demo_app).await;
    comes_to_say(&browser, &demo_app.url("/"), "Cancel the booking, or revert the entry?").await;
    browser.click_on("Cancel booking").await;
    browser.see("was cancelled.").await;
    demo_app.entries_named(&title, 0).await;
    browser.click_on("Undo").await;
    browser.see("is as it was before.").await;
    demo_app.entries_named(&title, 1).await;
}

#[tokio::test]
async fn a_renamed_entry_is_followed_and_taken_back() {
    let demo_app = DemoApp::open().await;
    let (entry, title) = somebody(&demo_app).await;
    let plain = title.split(" (").next().expect("a beginning").to_owned();
    let wanted = format!("{plain} (Quiet please)");
    demo_app.person(reqwest::Method::PATCH, &entry, json!({ "title": wanted })).await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    read_calendars(&browser, &demo_app).await;
    comes_to_say(&browser, &demo_app.url("/"), "Recent changes from calendars").await;
    browser.see("The booking was renamed too.").await;
    browser.click(".rows a[href^='/bookings/']").await;
    browser.see("In calendars").await;
    browser.see("Ana Pereira, in their calendar").await;
    browser.see("Followed").await;
    browser.click_on("Undo").await;
    browser.see("is as it was before.").await;
    browser.see("undid it.").await;
    demo_app.entry_named(&title).await;
}

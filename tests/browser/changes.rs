//! What somebody does in their own calendar is asked about, or followed and taken back, on the pages.

use serde_json::{Value, json};

use crate::{
    browser::{Browser, Kind},
    house::{House, until},
};

impl House {
    /// The entry of ours in Ana's calendar that stands first of those whose title holds the text.
    async fn entry_named(&self, text: &str) -> String {
        until(&format!("an entry named {text}"), async || {
            let all = self.entries().await;
            let found = all.iter().find(|entry| {
                entry["account"] == "ana@example.com"
                    && entry["title"].as_str().is_some_and(|title| title.contains(text))
            });
            found.map(|entry| entry["id"].as_str().expect("an id").to_owned())
        })
        .await
    }

    /// What a person does to an entry in their own calendar.
    async fn person(&self, method: reqwest::Method, entry: &str, body: Value) {
        let url = format!("{}/control/events/{entry}?provider=google", self.demo("sandbox_url"));
        let done = self.http.request(method, url).json(&body).send().await.expect("an answer");
        assert!(done.status().is_success(), "{}", done.text().await.expect("a text"));
    }
}

async fn read_calendars(browser: &Browser, house: &House) {
    browser.go(&house.url("/calendars")).await;
    browser.click_on("Import all availability").await;
    browser.see("being read now.").await;
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
async fn somebody(house: &House) -> (String, String) {
    let all = until("an entry of Ana's", async || {
        let all = house.entries().await;
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
    let house = House::open().await;
    let (entry, title) = somebody(&house).await;
    house.person(reqwest::Method::DELETE, &entry, Value::Null).await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    read_calendars(&browser, &house).await;
    comes_to_say(
        &browser,
        &house.url("/"),
        &format!("Ana Pereira deleted “{title}” in their Google calendar"),
    )
    .await;
    browser.see("Cancel the booking, or put the entry back?").await;
    browser.see("1 thing needs you").await;
    browser.click_on("Put it back").await;
    browser.see("Its entry is being put back in Ana Pereira's calendar.").await;
    house.entries_named(&title, 1).await;
    browser.go(&house.url("/changes")).await;
    browser.see("Put back").await;
    browser.see("decided so").await;

    house.person(reqwest::Method::DELETE, &entry, Value::Null).await;
    read_calendars(&browser, &house).await;
    comes_to_say(&browser, &house.url("/"), "Cancel the booking, or put the entry back?").await;
    browser.click_on("Cancel the booking").await;
    browser.see("was cancelled.").await;
    house.entries_named(&title, 0).await;
    browser.click_on("Undo").await;
    browser.see("is as it was before.").await;
    house.entries_named(&title, 1).await;
}

#[tokio::test]
async fn a_renamed_entry_is_followed_and_taken_back() {
    let house = House::open().await;
    let (entry, title) = somebody(&house).await;
    let plain = title.split(" (").next().expect("a beginning").to_owned();
    let wanted = format!("{plain} (Quiet please)");
    house.person(reqwest::Method::PATCH, &entry, json!({ "title": wanted })).await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    read_calendars(&browser, &house).await;
    comes_to_say(&browser, &house.url("/"), "Changed in calendars").await;
    browser.see("The booking was renamed too.").await;
    browser.click(".rows a[href^='/bookings/']").await;
    browser.see("In calendars").await;
    browser.see("Ana Pereira, in their calendar").await;
    browser.see("Followed").await;
    browser.click_on("Undo").await;
    browser.see("is as it was before.").await;
    browser.see("took that back.").await;
    house.entry_named(&title).await;
}

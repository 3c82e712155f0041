//! A platform is connected by its address: what it sells comes, what is taken here is known there, and what it seems to
//! lose waits for a person.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accessibility::{axe, judge},
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, until},
};

/// Connects the sandbox's listing at Airbnb as a person does.
async fn connect_airbnb(demo_app: &DemoApp, browser: &Browser) -> String {
    let (listing, address) = demo_app.listing("airbnb", "Sea View Suite");
    browser.go(&demo_app.url("/channels")).await;
    browser.see("No platforms connected yet.").await;
    browser.click_on("Connect a platform").await;
    browser.fill("resource", "Sea View Suite").await;
    browser.tick("Airbnb").await;
    browser.click_on("Continue").await;
    browser.see("1. Import from Airbnb").await;
    browser.fill("address", "my calendar").await;
    browser.click_on("Connect Airbnb").await;
    browser.see("Please fix the following. Nothing was saved.").await;
    assert_eq!(browser.value("address").await, "my calendar", "what was typed is not lost");
    browser.fill("address", &address).await;
    browser.click_on("Connect Airbnb").await;
    browser.see("Airbnb connected: its reservations are being imported.").await;
    browser.see("In sync").await;
    listing
}

/// Breaks the feed of the listing, or mends it, and has it read.
async fn with_fault(demo_app: &DemoApp, browser: &Browser, listing: &str, fault: Option<&str>) {
    if let Some(kind) = fault {
        let fault = json!({ "provider": "ota", "account": listing, "kind": kind });
        demo_app.control(Method::POST, "/faults", fault).await;
    } else {
        let faults = format!("/faults?provider=ota&account={listing}");
        demo_app.control(Method::DELETE, &faults, Value::Null).await;
    }
    browser.click_on("Sync now").await;
}

#[tokio::test]
async fn a_platform_is_connected_and_what_it_loses_waits_for_a_word() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let axe = axe();
    let listing = connect_airbnb(&demo_app, &browser).await;
    browser.see("Reserved").await;
    browser.see("Blocked dates").await;
    judge(&browser, axe.as_deref(), "a channel").await;

    // The platform is given our address, and knows then what is taken.
    browser.see("has not imported our calendar yet").await;
    browser.click_on("Copy link").await;
    let copied = browser.find("[data-copy] [data-label]").await;
    let answer = until("an answer to the press", async || {
        let text = copied.text().await.ok()?;
        (text != "Copy").then_some(text)
    })
    .await;
    assert!(answer == "Copied" || answer.starts_with("Selected"), "{answer}");
    let url = browser.find("#feed-url").await.text().await.unwrap();
    let own = json!({ "url": url, "every_seconds": 3600 });
    demo_app.control(Method::PUT, &format!("/ota/{listing}/import"), own).await;
    demo_app.control(Method::POST, &format!("/ota/{listing}/read"), Value::Null).await;
    let path = browser.path().await;
    until("what the platform has read is noted", async || {
        browser.go(&demo_app.url(&path)).await;
        browser.text().await.contains("Up to date").then_some(())
    })
    .await;

    with_fault(&demo_app, &browser, &listing, Some("empty")).await;
    browser.see("is suddenly empty").await;
    judge(&browser, axe.as_deref(), "a channel that holds back").await;
    browser.click_on("Overview").await;
    browser.see("Sea View Suite on Airbnb has cancellations held for review").await;
    judge(&browser, axe.as_deref(), "the overview").await;
    browser.click_on("Review Sea View Suite on Airbnb").await;
    browser.click_on("Cancel these 2 bookings").await;
    browser.see("You can undo this for a week.").await;
    judge(&browser, axe.as_deref(), "the question").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("2 bookings were cancelled.").await;
    browser.click(".flash button").await;
    browser.see("2 bookings were restored.").await;
    browser.see("kept, though missing from the calendar").await;

    with_fault(&demo_app, &browser, &listing, None).await;
    until("the calendar has them again", async || {
        browser.go(&demo_app.url(&path)).await;
        let text = browser.text().await;
        (!text.contains("kept, though missing from the calendar")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_platform_is_connected_without_script() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::WithoutScript, &demo_app).await;
    let (_, address) = demo_app.listing("vrbo", "Sea View Suite");
    browser.go(&demo_app.url("/channels/new")).await;
    browser.fill("resource", "Sea View Suite").await;
    browser.tick("Vrbo").await;
    browser.click_on("Continue").await;
    browser.fill("address", &address).await;
    browser.click_on("Connect Vrbo").await;
    browser.see("Vrbo connected: its reservations are being imported.").await;
    let path = browser.path().await;
    until("it is read", async || {
        browser.go(&demo_app.url(&path)).await;
        browser.text().await.contains("In sync").then_some(())
    })
    .await;
    browser.click_on("Remove").await;
    browser.see("it may sell the same nights again").await;
    browser.click_on("Remove channel").await;
    browser.see("was removed. Its bookings are kept.").await;
}

#[tokio::test]
async fn a_calendar_is_imported_after_it_was_shown() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    let (_, address) = demo_app.listing("booking_com", "Sea View Suite");
    browser.go(&demo_app.url("/settings")).await;
    browser.click("a[href='/calendar-sync']").await;
    browser.fill("platform", "Booking.com").await;
    browser.fill("resource", "Sea View Suite").await;
    browser.fill("address", &address).await;
    browser.click_on("Preview import").await;
    browser.see("Nothing has changed yet.").await;
    judge(&browser, axe().as_deref(), "a preview").await;
    browser.click_on("Import 1 booking").await;
    browser.see("Imported from Booking.com to Sea View Suite: 1 new.").await;
    browser.see("URL import").await;
}

//! A platform is connected by its address: what it sells comes, what is taken here is known there, and what it seems to
//! lose waits for a person.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accessible::{axe, judge},
    browser::{Browser, Kind},
    house::{House, until},
};

/// Connects the sandbox's listing at Airbnb as a person does.
async fn connect_airbnb(house: &House, browser: &Browser) -> String {
    let (listing, address) = house.listing("airbnb", "Sea View Suite");
    browser.go(&house.url("/channels")).await;
    browser.see("No platform is connected yet.").await;
    browser.click_on("Connect a platform").await;
    browser.fill("resource", "Sea View Suite").await;
    browser.tick("Airbnb").await;
    browser.click_on("Go on").await;
    browser.see("1. What Airbnb sells comes here").await;
    browser.fill("address", "my calendar").await;
    browser.click_on("Connect Airbnb").await;
    browser.see("Some things need mending; nothing was saved yet.").await;
    assert_eq!(browser.value("address").await, "my calendar", "what was typed is not lost");
    browser.fill("address", &address).await;
    browser.click_on("Connect Airbnb").await;
    browser.see("What Airbnb sells comes here now.").await;
    browser.see("In step").await;
    listing
}

/// Breaks the feed of the listing, or mends it, and has it read.
async fn with_fault(house: &House, browser: &Browser, listing: &str, fault: Option<&str>) {
    let path = format!("/ota/{listing}/faults");
    match fault {
        Some(kind) => house.control(Method::POST, &path, json!({ "kind": kind })).await,
        None => house.control(Method::DELETE, &path, Value::Null).await,
    }
    browser.click_on("Sync now").await;
}

#[tokio::test]
async fn a_platform_is_connected_and_what_it_loses_waits_for_a_word() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    let axe = axe();
    let listing = connect_airbnb(&house, &browser).await;
    browser.see("Reserved").await;
    browser.see("Closed there").await;
    judge(&browser, axe.as_deref(), "a channel").await;

    // The platform is given our address, and knows then what is taken.
    browser.see("has never read our calendar").await;
    browser.click_on("Copy the address").await;
    let copied = browser.find("[data-copy] [data-label]").await;
    let answer = until("an answer to the press", async || {
        let text = copied.text().await.ok()?;
        (text != "Copy").then_some(text)
    })
    .await;
    assert!(answer == "Copied" || answer.starts_with("Selected"), "{answer}");
    let url = browser.find("#feed-url").await.text().await.unwrap();
    let own = json!({ "url": url, "every_seconds": 3600 });
    house.control(Method::PUT, &format!("/ota/{listing}/import"), own).await;
    house.control(Method::POST, &format!("/ota/{listing}/read"), Value::Null).await;
    let path = browser.path().await;
    until("what the platform has read is noted", async || {
        browser.go(&house.url(&path)).await;
        browser.text().await.contains("Knows everything").then_some(())
    })
    .await;

    with_fault(&house, &browser, &listing, Some("empty")).await;
    browser.see("is empty all at once").await;
    judge(&browser, axe.as_deref(), "a channel that holds back").await;
    browser.click_on("Overview").await;
    browser.see("Sea View Suite on Airbnb seems to have cancelled much at once").await;
    judge(&browser, axe.as_deref(), "the overview").await;
    browser.click_on("Decide about Sea View Suite on Airbnb").await;
    browser.click_on("Cancel these 2 bookings").await;
    browser.see("You can undo it for a week.").await;
    judge(&browser, axe.as_deref(), "the question").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("2 bookings were cancelled.").await;
    browser.click(".flash button").await;
    browser.see("2 bookings stand again.").await;
    browser.see("kept although the calendar lacks it").await;

    with_fault(&house, &browser, &listing, None).await;
    until("the calendar has them again", async || {
        browser.go(&house.url(&path)).await;
        let text = browser.text().await;
        (!text.contains("kept although the calendar lacks it")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_platform_is_connected_without_script() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::WithoutScript, &house).await;
    let (_, address) = house.listing("vrbo", "Sea View Suite");
    browser.go(&house.url("/channels/new")).await;
    browser.fill("resource", "Sea View Suite").await;
    browser.tick("Vrbo").await;
    browser.click_on("Go on").await;
    browser.fill("address", &address).await;
    browser.click_on("Connect Vrbo").await;
    browser.see("What Vrbo sells comes here now.").await;
    let path = browser.path().await;
    until("it is read", async || {
        browser.go(&house.url(&path)).await;
        browser.text().await.contains("In step").then_some(())
    })
    .await;
    browser.click_on("Remove").await;
    browser.see("it may sell the same nights again").await;
    browser.click_on("Remove channel").await;
    browser.see("is a channel no more. Its bookings stay.").await;
}

#[tokio::test]
async fn a_calendar_is_imported_after_it_was_shown() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    let (_, address) = house.listing("booking_com", "Sea View Suite");
    browser.go(&house.url("/settings")).await;
    browser.click("a[href='/calendar-sync']").await;
    browser.fill("platform", "Booking.com").await;
    browser.fill("resource", "Sea View Suite").await;
    browser.fill("address", &address).await;
    browser.click_on("Show what would happen").await;
    browser.see("Nothing is changed yet.").await;
    judge(&browser, axe().as_deref(), "a preview").await;
    browser.click_on("Import 1 booking").await;
    browser.see("Imported from Booking.com to Sea View Suite: 1 new.").await;
    browser.see("Import of an address").await;
}

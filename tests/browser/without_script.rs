//! Everything works without script: with a page in between where a script would open a dialog.

use crate::{
    browser::{Browser, Kind},
    house::House,
};

#[tokio::test]
async fn a_booking_lives_without_script() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::WithoutScript, &house).await;
    browser.click_on("New booking").await;
    browser.fill("resource", "Treatment Room").await;
    // The next full hours are proposed; there is room for them far from the demo's bookings.
    browser.tick("Nights").await;
    browser.fill("name", "Noscript Nell").await;
    browser.click_on("Create booking").await;
    let text = browser.text().await;
    if text.contains("That time is taken") {
        browser.click(".alternatives button").await;
        browser.see("The time is filled in.").await;
        browser.click_on("Create booking").await;
    }
    browser.see("was created.").await;
    browser.click_on("Cancel booking").await;
    browser.see("The customer is not told.").await;
    assert!(browser.path().await.ends_with("/cancel"), "a page of its own asks");
    browser.click("main button.danger").await;
    browser.see("was cancelled.").await;
    browser.click_on("Undo").await;
    browser.see("stands again").await;
    browser.click_on("Feeds").await;
    browser.fill("name", "Plain").await;
    browser.click_on("Create feed").await;
    browser.see("The feed “Plain” is published.").await;
}

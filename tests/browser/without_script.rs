//! Everything works without script: with a page in between where a script would open a dialog.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::DemoApp,
};

#[tokio::test]
async fn a_booking_lives_without_script() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::WithoutScript, &demo_app).await;
    browser.click_on("New booking").await;
    browser.fill("resource", "Treatment Room").await;
    // The next full hours are proposed; there is room for them far from the demo's bookings.
    browser.tick("Nights").await;
    browser.fill("name", "Noscript Nell").await;
    browser.click_on("Create booking").await;
    let text = browser.text().await;
    if text.contains("This time is not available") {
        browser.click(".alternatives button").await;
        browser.see("New time selected.").await;
        browser.click_on("Create booking").await;
    }
    browser.see("was created.").await;
    browser.click_on("Cancel booking").await;
    browser.see("The customer is not notified.").await;
    assert!(browser.path().await.ends_with("/cancel"), "a page of its own asks");
    browser.click("main button.danger").await;
    browser.see("was cancelled.").await;
    browser.click_on("Undo").await;
    browser.see("was restored").await;
    browser.click_on("Feeds").await;
    browser.fill("name", "Plain").await;
    browser.click_on("Create feed").await;
    browser.see("The feed “Plain” is published.").await;
}

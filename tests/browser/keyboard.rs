//! Everything can be done without a mouse.

use concord_testing::app::browser::{FOCUSED, Key};

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, day, told},
};

#[tokio::test]
async fn a_booking_is_made_and_cancelled_with_the_keyboard_alone() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;

    browser.tab_to("Skip to content").await;
    browser.keys(&Key::Enter).await;
    browser.tab_to("New booking").await;
    browser.keys(&Key::Enter).await;
    browser.see("Resource and time").await;

    browser.tab_to("Resource").await;
    browser.keys("Treat").await;
    browser.tab_to("Hours").await;
    browser.keys(&Key::Right).await;
    browser.tab_to("Arrival").await;
    browser.keys(&day(60).format("%m%d%Y").to_string()).await;
    browser.tab_to("Departure").await;
    browser.keys(&day(62).format("%m%d%Y").to_string()).await;
    browser.tab_to("Carla Nunes").await;
    browser.keys(" ").await;
    browser.tab_to("Name optional").await;
    browser.keys("Kay Board").await;
    // Enter in a field sends the form.
    browser.keys(&Key::Enter).await;
    browser.see("was created.").await;
    browser.see(&told(day(62))).await;
    browser.see("2 nights").await;
    browser.see("Carla Nunes").await;

    browser.tab_to("Cancel booking").await;
    browser.keys(&Key::Enter).await;
    browser.see("The customer is not notified.").await;
    // Escape leaves things as they are and gives the focus back.
    browser.keys(&Key::Escape).await;
    assert_eq!(browser.ask(FOCUSED).await, "Cancel booking");
    browser.keys(&Key::Enter).await;
    browser.see("The customer is not notified.").await;
    browser.tab_to("Cancel booking").await;
    browser.keys(&Key::Enter).await;
    browser.see("was cancelled.").await;
    browser.tab_to("Undo").await;
    browser.keys(&Key::Enter).await;
    browser.see("was restored").await;
}

#[tokio::test]
async fn a_slash_searches_and_the_menu_changes_the_colours() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.keys("/").await;
    assert_eq!(browser.ask(FOCUSED).await, "Search bookings");
    browser.keys("boiler").await;
    browser.keys(&Key::Enter).await;
    browser.see("Boiler service").await;
    assert!(!browser.text().await.contains("Noor Haddad"));

    let background = "return getComputedStyle(document.body.parentElement).backgroundColor";
    browser.click(".menu summary").await;
    browser.click_on("Dark").await;
    let dark = browser.ask(background).await;
    assert_eq!(dark, "rgb(22, 21, 19)");
    // The next page is dark from its first moment.
    crate::demo_app::until("the choice is kept", async || {
        browser.go(&demo_app.url("/feeds")).await;
        (browser.ask("return document.documentElement.dataset.theme").await == "dark").then_some(())
    })
    .await;
    assert_eq!(browser.ask(background).await, dark);
}

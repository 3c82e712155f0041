//! A booking is made, seen in the calendar, changed, cancelled and taken back; a taken time is refused with free ones.

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, day, told},
};

#[tokio::test]
async fn a_booking_reaches_the_calendar_and_leaves_it() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;

    browser.click_on("New booking").await;
    browser.fill("resource", "Treatment Room").await;
    browser.fill("starts_at", &format!("{}T10:00", day(40))).await;
    browser.fill("ends_at", &format!("{}T11:00", day(40))).await;
    browser.tick("Ana Pereira").await;
    browser.fill("name", "Zelda Quist").await;
    browser.fill("title", "Foot massage").await;
    browser.click_on("Create booking").await;

    // The page brings itself up to date: nobody loads it again.
    browser.see("was created.").await;
    browser.see("In sync").await;
    demo_app.entries_named("Zelda", 1).await;

    browser.click_on("Edit").await;
    browser.fill("title", "Hand massage").await;
    browser.click_on("Save changes").await;
    browser.see("was changed.").await;
    browser.see("Foot massage → Hand massage").await;
    demo_app.entries_named("Hand massage", 1).await;

    browser.click_on("Cancel booking").await;
    browser.see("The customer is not notified.").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("was cancelled.").await;
    browser.see("Removed").await;
    demo_app.entries_named("Zelda", 0).await;

    browser.click_on("Undo").await;
    browser.see("was restored: confirmed.").await;
    browser.see("In sync").await;
    demo_app.entries_named("Zelda", 1).await;

    browser.go(&demo_app.url("/bookings?q=zelda&from=")).await;
    browser.see("In Ana's").await;
}

#[tokio::test]
async fn taken_time_shows_conflict_and_alternatives() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    for name in ["First Guest", "Second Guest"] {
        browser.go(&demo_app.url("/bookings/new")).await;
        browser.fill("resource", "Sea View Suite").await;
        browser.tick("Nights").await;
        browser.fill("check_in", &day(50).to_string()).await;
        browser.fill("check_out", &day(52).to_string()).await;
        browser.fill("name", name).await;
        browser.fill("notes", "Late arrival").await;
        browser.click_on("Create booking").await;
        if name == "First Guest" {
            browser.see("was created.").await;
        }
    }
    browser.see("This time is not available. Nothing was saved.").await;
    browser.see(&told(day(52))).await;
    assert_eq!(browser.value("name").await, "Second Guest");
    assert_eq!(browser.value("notes").await, "Late arrival");
    assert_eq!(browser.value("check_in").await, day(50).to_string());

    browser.click(".alternatives button").await;
    browser.see("New time selected. Select Create booking to save.").await;
    assert_ne!(browser.value("check_in").await, day(50).to_string());
    assert_eq!(browser.value("notes").await, "Late arrival");
    browser.click_on("Create booking").await;
    browser.see("was created.").await;
    browser.see("Second Guest").await;
    browser.see("2 nights").await;
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.click_on("New booking").await;
    browser.fill("starts_at", &format!("{}T10:00", day(40))).await;
    browser.fill("ends_at", &format!("{}T09:00", day(40))).await;
    browser.fill("email", "nobody").await;
    browser.fill("name", "<b>Zoë</b> & Co").await;
    browser.click_on("Create booking").await;
    browser.see("Please fix the following. Nothing was saved.").await;
    browser.see("Choose a resource.").await;
    assert_eq!(browser.value("name").await, "<b>Zoë</b> & Co");
    browser.fill("resource", "Treatment Room").await;
    browser.click_on("Create booking").await;
    browser.see("The email is not a valid email address.").await;
    browser.see("The end must be after the start.").await;
    browser.fill("email", "zoe@example.com").await;
    browser.fill("ends_at", &format!("{}T12:00", day(40))).await;
    browser.click_on("Create booking").await;
    browser.see("was created.").await;
    browser.see("<b>Zoë</b> & Co").await;
}

/// Sets a field as a person does who picks a date: the page hears of it.
async fn pick(browser: &Browser, field: &str, value: &str) {
    let script = format!(
        "const field = document.querySelector(\"main [name='{field}']\"); field.value = '{value}'; \
         field.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    );
    browser.ask(&script).await;
}

#[tokio::test]
async fn the_end_of_a_new_booking_follows_its_start() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/bookings/new")).await;
    let (one, two) = (day(40), day(41));
    pick(&browser, "starts_at", &format!("{one}T10:00")).await;
    assert_eq!(browser.value("ends_at").await, format!("{one}T11:00"), "an hour, as it was");
    pick(&browser, "ends_at", &format!("{one}T12:30")).await;
    pick(&browser, "starts_at", &format!("{one}T22:30")).await;
    assert_eq!(browser.value("ends_at").await, format!("{two}T01:00"), "as long as it was made");
    browser.tick("Nights").await;
    pick(&browser, "check_in", &one.to_string()).await;
    assert_eq!(browser.value("check_out").await, two.to_string());
    pick(&browser, "check_out", &day(43).to_string()).await;
    pick(&browser, "check_in", &day(50).to_string()).await;
    assert_eq!(browser.value("check_out").await, day(53).to_string());
}

#[tokio::test]
async fn what_is_booked_next_is_seen_without_loading_the_page_again() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.see("Upcoming").await;
    let now = concord_domain::clock::Clock::system().now();
    // A room that the sample lets by the night is taken from midnight on, which may be minutes away.
    let body = serde_json::json!({
        "resource": demo_app.id_of("resources", "Treatment Room"), "customer": { "name": "Zelda Quist" },
        "starts_at": now + chrono::Duration::minutes(10),
        "ends_at": now + chrono::Duration::minutes(70),
    });
    let url = demo_app.url("/api/v1/bookings");
    let made =
        demo_app.http.post(url).bearer_auth(demo_app.demo("api_key")).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    browser.see("Zelda Quist").await;
}

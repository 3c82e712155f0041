//! A booking is made, seen in the calendar, changed, cancelled and taken back; a taken time is refused with free ones.

use crate::{
    browser::{Browser, Kind},
    house::{House, day, told},
};

#[tokio::test]
async fn a_booking_reaches_the_calendar_and_leaves_it() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;

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
    browser.see("Synced").await;
    house.entries_named("Zelda", 1).await;

    browser.click_on("Edit").await;
    browser.fill("title", "Hand massage").await;
    browser.click_on("Save changes").await;
    browser.see("was changed.").await;
    browser.see("Foot massage → Hand massage").await;
    house.entries_named("Hand massage", 1).await;

    browser.click_on("Cancel booking").await;
    browser.see("The customer is not told.").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("was cancelled.").await;
    browser.see("Removed").await;
    house.entries_named("Zelda", 0).await;

    browser.click_on("Undo").await;
    browser.see("stands again: confirmed.").await;
    browser.see("Synced").await;
    house.entries_named("Zelda", 1).await;

    browser.go(&house.url("/bookings?q=zelda&from=")).await;
    browser.see("In Ana's").await;
}

#[tokio::test]
async fn a_taken_time_is_refused_with_what_stands_there_and_what_is_free() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    for name in ["First Guest", "Second Guest"] {
        browser.go(&house.url("/bookings/new")).await;
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
    browser.see("That time is taken, so nothing was saved.").await;
    browser.see(&told(day(52))).await;
    assert_eq!(browser.value("name").await, "Second Guest");
    assert_eq!(browser.value("notes").await, "Late arrival");
    assert_eq!(browser.value("check_in").await, day(50).to_string());

    browser.click(".alternatives button").await;
    browser.see("The time is filled in. Press Create booking to save.").await;
    assert_ne!(browser.value("check_in").await, day(50).to_string());
    assert_eq!(browser.value("notes").await, "Late arrival");
    browser.click_on("Create booking").await;
    browser.see("was created.").await;
    browser.see("Second Guest").await;
    browser.see("2 nights").await;
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    browser.click_on("New booking").await;
    browser.fill("starts_at", &format!("{}T10:00", day(40))).await;
    browser.fill("ends_at", &format!("{}T09:00", day(40))).await;
    browser.fill("email", "nobody").await;
    browser.fill("name", "<b>Zoë</b> & Co").await;
    browser.click_on("Create booking").await;
    browser.see("Some things need mending; nothing was saved yet.").await;
    browser.see("Choose what is booked.").await;
    assert_eq!(browser.value("name").await, "<b>Zoë</b> & Co");
    browser.fill("resource", "Treatment Room").await;
    browser.click_on("Create booking").await;
    browser.see("The mail address is not a mail address.").await;
    browser.see("The end must be after the start.").await;
    browser.fill("email", "zoe@example.com").await;
    browser.fill("ends_at", &format!("{}T12:00", day(40))).await;
    browser.click_on("Create booking").await;
    browser.see("was created.").await;
    browser.see("<b>Zoë</b> & Co").await;
}

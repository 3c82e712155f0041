//! A calendar at a CalDAV server is connected by name and password, written, changed by its owner, and disconnected.

use concord_testing::{CaldavServer, CaldavUser, ObservedObject, ServerSoftware};

use crate::{
    browser::{Browser, BrowserKind},
    demo_app::{DemoApp, until},
};

/// Waits for an entry in a calendar of which `holds` holds.
async fn the_entry(
    owner: &CaldavUser,
    calendar: &str,
    what: &str,
    holds: impl Fn(&ObservedObject) -> bool,
) -> ObservedObject {
    until(what, async || owner.sees(calendar).await.into_iter().find(&holds)).await
}

#[tokio::test]
async fn a_calendar_is_connected_by_password_and_goes_both_ways() {
    let demo_app = DemoApp::open().await;
    let server = CaldavServer::start(ServerSoftware::Radicale).await;
    let (user, password) = server.new_account().await;
    let (owner, calendar) = (server.person(&user, password.as_str().into()), server.calendar_of(&user));
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on("Connect CalDAV for Ben Okafor").await;
    browser.see("iCloud").await;
    browser.fill("address", &server.proxy.url()).await;
    browser.fill("user", &user).await;
    browser.fill("password", "not-it").await;
    browser.click_on("Connect").await;
    browser.see("Nothing was connected.").await;
    assert_eq!(browser.value("password").await, "", "a password is not sent back");
    assert_eq!(browser.value("user").await, user);
    browser.fill("password", &password).await;
    browser.click_on("Connect").await;
    browser.see("is connected.").await;

    // What he had to do before is written now.
    let written = the_entry(&owner, &calendar, "Peter's entry", |seen| seen.title.contains("Peter")).await;
    let renamed = written.text.replace(&written.title, "Peter brings a friend");
    assert_ne!(renamed, written.text);
    owner.puts(&written.path, &renamed).await;
    browser.click_on("Import busy times").await;
    browser.see("Importing busy times from").await;
    until("the change is told", async || {
        browser.go(&demo_app.url("/changes")).await;
        browser.text().await.contains("Ben Okafor renamed").then_some(())
    })
    .await;
    browser.click_on("Undo").await;
    the_entry(&owner, &calendar, "the former title", |seen| seen.title == written.title).await;

    browser.go(&demo_app.url("/calendars")).await;
    browser.click_on(&format!("Manage {user}")).await;
    browser.click_on("Disconnect").await;
    browser.tick("Delete entries").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("is disconnected. Its entries are being deleted.").await;
    until("an empty calendar", async || owner.sees(&calendar).await.is_empty().then_some(())).await;
}

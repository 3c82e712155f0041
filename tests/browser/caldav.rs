//! A calendar at a CalDAV server is connected by name and password, written, changed by its owner, and disconnected.

use concord_foreign::{CaldavPerson, CaldavServer, SeenObject, Software};

use crate::{
    browser::{Browser, Kind},
    house::{House, until},
};

/// Waits for the only entry in a calendar, in which `holds` must hold.
async fn the_entry(
    owner: &CaldavPerson,
    calendar: &str,
    what: &str,
    holds: impl Fn(&SeenObject) -> bool,
) -> SeenObject {
    until(what, async || {
        let mut seen = owner.sees(calendar).await;
        (seen.len() == 1 && holds(&seen[0])).then(|| seen.remove(0))
    })
    .await
}

#[tokio::test]
async fn a_calendar_is_connected_by_password_and_goes_both_ways() {
    let house = House::open().await;
    let server = CaldavServer::start(Software::Radicale).await;
    let (user, password) = server.new_account().await;
    let (owner, calendar) = (server.person(&user, password.as_str().into()), server.calendar_of(&user));
    let browser = Browser::signed_in(Kind::Phone, &house).await;
    browser.go(&house.url("/calendars")).await;
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
    browser.click_on("Import all availability").await;
    browser.see("being read now.").await;
    until("the change is told", async || {
        browser.go(&house.url("/changes")).await;
        browser.text().await.contains("Ben Okafor renamed").then_some(())
    })
    .await;
    browser.click_on("Undo").await;
    the_entry(&owner, &calendar, "the former title", |seen| seen.title == written.title).await;

    browser.go(&house.url("/calendars")).await;
    browser.click_on(&format!("Manage {user}")).await;
    browser.click_on("Disconnect").await;
    browser.tick("Remove them").await;
    browser.click("dialog[open] button.danger").await;
    browser.see("is disconnected. Its entries are being removed.").await;
    until("an empty calendar", async || owner.sees(&calendar).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_calendar_is_compared_when_somebody_asks() {
    let house = House::open().await;
    let browser = Browser::signed_in(Kind::Desk, &house).await;
    house.entries_named("Noor", 1).await;
    let noor = house
        .entries()
        .await
        .into_iter()
        .find(|one| one["title"].as_str().is_some_and(|title| title.contains("Noor")));
    let id = noor.expect("it stands")["id"].as_str().expect("an id").to_owned();
    browser.go(&house.url("/calendars")).await;
    browser.click_on("Manage ana@example.com").await;
    browser.see("Not compared").await;
    browser.click_on("Compare now").await;
    browser.see("What stands in it is being compared with what should.").await;
    browser.see("2 of 2").await;

    // Somebody has copied an entry, mark and all.
    let copy = format!("{}/control/events/{id}/duplicate?provider=google", house.demo("sandbox_url"));
    let copied = house.http.post(copy).send().await.expect("an answer");
    assert!(copied.status().is_success(), "{}", copied.text().await.expect("a text"));
    house.entries_named("Noor", 2).await;
    browser.click_on("Compare now").await;
    browser.see("1 too many").await;
    house.entries_named("Noor", 1).await;
    browser.click_on("Compare now").await;
    browser.see("2 of 2").await;
}

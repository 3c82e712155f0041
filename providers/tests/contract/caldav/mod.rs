//! CalDAV keeps the contract, at servers that are not ours: Radicale and Xandikos.

mod additions;
mod objects;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use concord_domain::{clock::Clock, connection::ProviderKind, interval::Interval};
use concord_providers::{
    Caldav, CalendarProvider, HttpClient, HttpConfig, NextPage, OAuthApp, ProviderCredentials, SsrfGuard,
    SyncPosition,
    caldav::{CaldavLogin, DiscoveryError},
};
use concord_testing::{CaldavServer, CaldavUser, ProxyFault, ServerSoftware};
use url::Url;

use crate::{
    fixture::{Appointment, ProviderFault, ProviderFixture, TestAccount, VisibleEntry},
    sandbox::hasty,
    suite::{self, contract},
};

/// A CalDAV server and people with an account at it. What we ask goes through a proxy that can let it go wrong; what
/// people do goes to the server itself.
pub(crate) struct CaldavFixture {
    server: CaldavServer,
    provider: Arc<Caldav>,
    hasty: Arc<Caldav>,
}

fn caldav(config: HttpConfig, guard: SsrfGuard) -> Arc<Caldav> {
    let http = HttpClient::new(config).unwrap().guarded_for_passwords(guard).unwrap();
    Arc::new(Caldav::new(http, Clock::system()))
}

fn allow_localhost() -> SsrfGuard {
    SsrfGuard::of("providers.caldav.allowed_hosts").allowing(["127.0.0.1"])
}

impl CaldavFixture {
    async fn start(software: ServerSoftware) -> Self {
        Self {
            server: CaldavServer::start(software).await,
            provider: caldav(HttpConfig::default(), allow_localhost()),
            hasty: caldav(hasty(), allow_localhost()),
        }
    }

    /// Without the reports by which a server tells what changed: the versions of all objects are compared.
    async fn without_tokens() -> Self {
        let fixture = Self::start(ServerSoftware::Radicale).await;
        fixture.server.proxy.replace("<sync-token/>", "<no-sync-token/>");
        fixture
    }

    /// Without versions too: neither what is stored nor what is listed has an ETag.
    async fn without_versions() -> Self {
        let fixture = Self::without_tokens().await;
        fixture.server.proxy.hide_etags();
        fixture
    }

    fn person(&self, place: &TestAccount) -> CaldavUser {
        let ProviderCredentials::Password { user, password, .. } = &place.credentials else {
            panic!("{place:?}")
        };
        self.server.person(user, password.clone())
    }

    fn asked(&self, user: &str, password: &str) -> CaldavLogin {
        CaldavLogin { address: self.server.proxy.url(), user: user.to_owned(), password: password.into() }
    }
}

#[async_trait]
impl ProviderFixture for CaldavFixture {
    fn provider(&self) -> Arc<dyn CalendarProvider> {
        self.provider.clone()
    }

    fn hasty_provider(&self) -> Arc<dyn CalendarProvider> {
        self.hasty.clone()
    }

    fn kind(&self) -> ProviderKind {
        ProviderKind::Caldav
    }

    fn more_than_a_page(&self) -> usize {
        120
    }

    fn oauth(&self) -> &OAuthApp {
        panic!("CalDAV knows no consent")
    }

    fn unknown_calendar(&self, place: &TestAccount) -> String {
        place.calendar.replace("/calendar/", "/nowhere/")
    }

    async fn place(&self) -> TestAccount {
        let (user, password) = self.server.new_account().await;
        let asked = self.asked(&user, &password);
        let credentials =
            asked.credentials(self.provider.discover(&asked).await.unwrap().home, chrono_tz::Tz::UTC);
        TestAccount {
            calendar: self.server.calendar_of(&user),
            email: user,
            credentials,
            refresh_token: String::new().into(),
        }
    }

    async fn consent(&self, _page: &Url, _email: &str, _allow: bool) -> Url {
        panic!("CalDAV knows no consent")
    }

    async fn person_hides_a_calendar(&self, place: &TestAccount) -> String {
        let rota = place.calendar.replace("/calendar/", "/rota/");
        self.person(place).make_calendar(&rota).await;
        rota
    }

    async fn person_adds(&self, place: &TestAccount, appointment: &Appointment) -> String {
        let name = format!("{}.ics", uuid::Uuid::now_v7());
        self.person(place).puts(&format!("{}{name}", place.calendar), &objects::of(appointment)).await;
        name
    }

    async fn person_moves(
        &self,
        place: &TestAccount,
        id: &str,
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    ) {
        let (person, path) = (self.person(place), format!("{}{id}", place.calendar));
        let object = person.gets(&path).await;
        person.puts(&path, &objects::moved(&object, starts_at, ends_at)).await;
    }

    async fn person_deletes(&self, place: &TestAccount, id: &str) {
        self.person(place).deletes(&format!("{}{id}", place.calendar)).await;
    }

    async fn person_sees(&self, place: &TestAccount) -> Vec<VisibleEntry> {
        let objects = self.person(place).sees(&place.calendar).await;
        let seen = |one: concord_testing::ObservedObject| VisibleEntry {
            title: one.title,
            description: one.description,
            location: one.location,
        };
        objects.into_iter().map(seen).collect()
    }

    async fn next_call_fails(&self, _place: &TestAccount, fault: ProviderFault) {
        let answer = |status: &str, headers: &str, body: &str| ProxyFault::Answer {
            status: status.to_owned(),
            headers: headers.to_owned(),
            body: body.to_owned(),
        };
        let proxy = &self.server.proxy;
        match fault {
            ProviderFault::RateLimit => {
                proxy.fail_next(answer("429 Too Many Requests", "Retry-After: 3\r\n", ""));
            }
            ProviderFault::ServerError => proxy.fail_next(answer("503 Service Unavailable", "", "")),
            ProviderFault::Timeout => proxy.fail_next(ProxyFault::Silence),
            ProviderFault::ApplyThenDrop => proxy.fail_next(ProxyFault::ApplyThenDrop),
            ProviderFault::ExpireToken | ProviderFault::RevokeGrant => {
                proxy.fail_next(answer("401 Unauthorized", "", ""));
            }
            ProviderFault::GoneCursor => {
                let body = "<error xmlns=\"DAV:\"><valid-sync-token/></error>";
                proxy.fail_next_containing("<sync-collection", answer("403 Forbidden", "", body));
            }
        }
    }
}

mod radicale {
    use super::*;
    contract!(CaldavFixture::start(ServerSoftware::Radicale));
}

mod xandikos {
    use super::*;
    contract!(CaldavFixture::start(ServerSoftware::Xandikos), all_writable);
}

/// What its owner has declined takes none of their time, and what they have not answered is not sure.
#[tokio::test]
async fn the_owners_answers_to_invitations_count() {
    for software in [ServerSoftware::Radicale, ServerSoftware::Xandikos] {
        let fixture = CaldavFixture::start(software).await;
        let place = fixture.place().await;
        for (hour, answer) in [(9, "DECLINED"), (11, "NEEDS-ACTION"), (13, "ACCEPTED")] {
            let path = format!("{}{answer}.ics", place.calendar);
            let object = objects::invitation(&place.email.to_uppercase(), answer, hour);
            fixture.person(&place).puts(&path, &object).await;
        }
        let at = |hour| {
            chrono::NaiveDate::from_ymd_opt(2026, 12, 1).unwrap().and_hms_opt(hour, 0, 0).unwrap().and_utc()
        };
        let day = Interval::new(at(0), at(23)).unwrap();
        let hour = |hour| Interval::new(at(hour), at(hour + 1)).unwrap();
        let (provider, start) = (fixture.provider(), SyncPosition::Start);
        let page = provider.changes(&place.credentials, &place.calendar, day, &start).await.unwrap();
        let mut told: Vec<_> =
            page.entries.iter().map(|one| (one.external_id.as_str(), one.busy, one.tentative)).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [("ACCEPTED.ics", true, false), ("DECLINED.ics", false, false), ("NEEDS-ACTION.ics", true, true)]
        );
        let mut busy = provider.busy(&place.credentials, &place.calendar, day).await.unwrap();
        busy.sort_by_key(|one| one.start);
        assert_eq!(busy, [hour(11), hour(13)]);

        // And when it is found among what has changed.
        let NextPage::Cursor(cursor) = page.next else { panic!("{:?}", page.next) };
        let object = objects::invitation(&place.email, "DECLINED", 15);
        fixture.person(&place).puts(&format!("{}later.ics", place.calendar), &object).await;
        let from = SyncPosition::Cursor(cursor);
        let page = provider.changes(&place.credentials, &place.calendar, day, &from).await.unwrap();
        assert_eq!(page.entries.iter().map(|one| one.busy).collect::<Vec<_>>(), [false]);
    }
}

/// The cases in which the way to find changes counts.
mod radicale_without_tokens {
    use super::*;

    async fn fixture() -> CaldavFixture {
        CaldavFixture::without_tokens().await
    }

    #[tokio::test]
    async fn what_a_person_does_is_seen() {
        suite::changes::what_a_person_does_is_seen(&fixture().await).await;
    }

    #[tokio::test]
    async fn what_we_write_is_known_again() {
        suite::changes::what_we_write_is_known_again(&fixture().await).await;
    }

    #[tokio::test]
    async fn a_first_read_keeps_to_the_window() {
        suite::changes::a_first_read_keeps_to_the_window(&fixture().await).await;
    }

    #[tokio::test]
    async fn a_recurring_appointment_comes_as_instances() {
        suite::changes::a_recurring_appointment_comes_as_instances(&fixture().await).await;
    }

    #[tokio::test]
    async fn a_large_calendar_comes_in_pages() {
        suite::changes::a_large_calendar_comes_in_pages(&fixture().await).await;
    }
}

/// The cases in which versions count.
mod radicale_without_versions {
    use super::*;

    async fn fixture() -> CaldavFixture {
        CaldavFixture::without_versions().await
    }

    #[tokio::test]
    async fn an_entry_is_created_found_changed_and_removed() {
        suite::lifecycle::an_entry_is_created_found_changed_and_removed(&fixture().await).await;
    }

    #[tokio::test]
    async fn creating_twice_is_noticed() {
        suite::lifecycle::creating_twice_is_noticed(&fixture().await).await;
    }

    #[tokio::test]
    async fn a_stale_version_is_noticed() {
        suite::lifecycle::a_stale_version_is_noticed(&fixture().await).await;
    }

    #[tokio::test]
    async fn what_a_person_deleted_comes_back_to_life() {
        suite::lifecycle::what_a_person_deleted_comes_back_to_life(&fixture().await).await;
    }

    #[tokio::test]
    async fn what_a_person_does_is_seen() {
        suite::changes::what_a_person_does_is_seen(&fixture().await).await;
    }

    #[tokio::test]
    async fn what_we_write_is_known_again() {
        suite::changes::what_we_write_is_known_again(&fixture().await).await;
    }
}

#[tokio::test]
async fn whoever_gives_a_wrong_password_is_told_so() {
    for software in [ServerSoftware::Radicale, ServerSoftware::Xandikos] {
        let fixture = CaldavFixture::start(software).await;
        let (user, _) = fixture.server.new_account().await;
        let error = fixture.provider.discover(&fixture.asked(&user, "wrong")).await.unwrap_err();
        assert!(matches!(error, DiscoveryError::WrongPassword { .. }), "{error:?}");
        let shown = format!("{error} {error:?} {:?}", fixture.asked(&user, "wrong-password"));
        assert!(!shown.contains("wrong-password"), "{shown}");
    }
}

#[tokio::test]
async fn a_calendar_is_found_from_each_address_that_a_person_may_know() {
    for software in [ServerSoftware::Radicale, ServerSoftware::Xandikos] {
        let fixture = CaldavFixture::start(software).await;
        let (user, password) = fixture.server.new_account().await;
        let url = fixture.server.proxy.url();
        let mut homes = Vec::new();
        let calendar = fixture.server.calendar_of(&user);
        for path in ["", "/", "/.well-known/caldav", &calendar] {
            let asked = CaldavLogin { address: format!("{url}{path}"), ..fixture.asked(&user, &password) };
            let found = fixture.provider.discover(&asked).await.unwrap();
            // Where it is the address of a calendar, that one is meant.
            let named = (path == calendar).then(|| calendar.replace("%40", "@"));
            assert_eq!(found.calendar.map(|id| id.replace("%40", "@")), named, "{path}");
            homes.push(found.home);
        }
        homes.dedup();
        assert_eq!(homes.len(), 1, "{homes:?}");
    }
}

#[tokio::test]
async fn private_address_is_refused_unless_allowed() {
    let fixture = CaldavFixture::start(ServerSoftware::Radicale).await;
    let (user, password) = fixture.server.new_account().await;
    let seen = fixture.server.proxy.seen();
    let strict = caldav(HttpConfig::default(), SsrfGuard::of("providers.caldav.allowed_hosts"));
    let error = strict.discover(&fixture.asked(&user, &password)).await.unwrap_err();
    assert!(error.to_string().contains("private address"), "{error}");
    assert_eq!(fixture.server.proxy.seen(), seen, "it was called all the same");
}

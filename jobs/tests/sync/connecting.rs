//! Accounts that open to a name and a password: found, refused, given a new password.

use std::sync::Arc;

use concord_domain::connection::{ConnectionState, EntryState, ProviderKind};
use concord_jobs::Context;
use concord_providers::{
    DiscoveryError, ProviderRegistry, ProviderRegistryConfig, SsrfGuard, caldav::CaldavLogin,
};
use concord_services::{
    connect::{self, ConnectError, ConnectedAccount},
    connections as manage,
};
use concord_storage::{
    connections, on_both_databases,
    testing::{TestDb, monday},
};
use concord_testing::ProxyFault;

use crate::fixture::{ANA, PATIENCE, SyncFixture, unhurried};

async fn with_radicale(db: &TestDb) -> SyncFixture<'_> {
    SyncFixture::of(db, ProviderKind::Caldav, unhurried(), PATIENCE, monday()).await
}

async fn try_it(
    fixture: &SyncFixture<'_>,
    context: &Context,
    asked: &CaldavLogin,
) -> Result<ConnectedAccount, ConnectError> {
    let whose = (&fixture.change(), fixture.ana.id);
    connect::connect_with_password(context, whose, asked, "/settings".to_owned()).await
}

/// Why it is refused; nothing is written then, and the password is nowhere in the words.
async fn refused(fixture: &SyncFixture<'_>, context: &Context, asked: &CaldavLogin) -> DiscoveryError {
    let error = try_it(fixture, context, asked).await.unwrap_err();
    assert!(!format!("{error} {error:?} {asked:?}").contains("pass-word"), "{error}");
    assert_eq!(connections::list(fixture.db, fixture.business.id).await.unwrap().len(), 0);
    assert_eq!(fixture.open_jobs().await.len(), 0);
    match error {
        ConnectError::Discovery(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn the_right_password_connects(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let finished = try_it(&fixture, &fixture.context, &fixture.outside.asked(ANA)).await.unwrap();
    assert_eq!((finished.account_email.as_str(), finished.return_to.as_str()), (ANA, "/settings"));
    fixture.settle().await;
    assert_eq!(fixture.state(finished.connection).await, ConnectionState::Active);
    let main = fixture.calendars(finished.connection).await.remove(0);
    assert!(main.is_primary && main.reads && main.writes, "{main:?}");
    // What was booked before is there too.
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.outside.one_seen_by(ANA).await.starts_at, "2027-03-01T09:00:00Z");
}

async fn a_wrong_password_is_said_and_asked_once(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let wrong = CaldavLogin { password: "wrong-pass-word".into(), ..fixture.outside.asked(ANA) };
    let seen = fixture.outside.radicale().proxy.seen();
    let error = refused(&fixture, &fixture.context, &wrong).await;
    assert!(matches!(error, DiscoveryError::WrongPassword { .. }), "{error:?}");
    let asked = fixture.outside.radicale().proxy.seen() - seen;
    assert!(asked <= 2, "{asked} calls bring the account near to being locked");
    let nobody = CaldavLogin { user: "nobody@harbour.example".to_owned(), ..fixture.outside.asked(ANA) };
    let error = refused(&fixture, &fixture.context, &nobody).await;
    assert!(matches!(error, DiscoveryError::WrongPassword { .. }), "{error:?}");
}

async fn an_address_without_calendars_is_said(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let asked = fixture.outside.asked(ANA);
    // The sandbox is a server on the web, and knows nothing of CalDAV; nobody listens at the other.
    let web = CaldavLogin { address: fixture.outside.address("/"), ..asked.clone() };
    let error = refused(&fixture, &fixture.context, &web).await;
    assert!(matches!(error, DiscoveryError::NoCaldav { .. }), "{error:?}");
    let silent = CaldavLogin { address: "http://127.0.0.1:9/".to_owned(), ..asked.clone() };
    let error = refused(&fixture, &fixture.context, &silent).await;
    assert!(matches!(error, DiscoveryError::Unreachable { .. }), "{error:?}");
    for address in ["", "not an address", "ftp://127.0.0.1/", "http://ana:pass-word@127.0.0.1/"] {
        let nonsense = CaldavLogin { address: address.to_owned(), ..asked.clone() };
        assert_eq!(
            refused(&fixture, &fixture.context, &nonsense).await,
            DiscoveryError::Address,
            "{address}"
        );
    }
}

async fn a_password_goes_to_no_other_host(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let proxy = &fixture.outside.radicale().proxy;
    let elsewhere = fixture.outside.address("/elsewhere/next").replace("127.0.0.1", "localhost");
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for _ in 0..2 {
            proxy.fail_next(ProxyFault::Answer {
                status: status.to_owned(),
                headers: format!("Location: {elsewhere}\r\n"),
                body: String::new(),
            });
        }
        let error = refused(&fixture, &fixture.context, &fixture.outside.asked(ANA)).await;
        assert!(
            matches!(&error, DiscoveryError::Elsewhere { to, .. } if to.contains("localhost")),
            "{error:?}"
        );
        proxy.is_well();
    }
    // By an answer that names somebody else's place for the account.
    let principal = format!(
        r#"<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><current-user-principal><href>{elsewhere}</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
    );
    for _ in 0..2 {
        proxy.fail_next(ProxyFault::Answer {
            status: "207 Multi-Status".to_owned(),
            headers: "Content-Type: application/xml\r\n".to_owned(),
            body: principal.clone(),
        });
    }
    let error = refused(&fixture, &fixture.context, &fixture.outside.asked(ANA)).await;
    assert!(matches!(error, DiscoveryError::Elsewhere { .. }), "{error:?}");
    let visits = fixture.outside.visits_elsewhere().await;
    assert!(visits.is_empty(), "{visits:#?}");
}

async fn a_private_address_is_not_called(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let config = ProviderRegistryConfig {
        caldav: Some(SsrfGuard::of("providers.caldav.allowed_hosts")),
        ..ProviderRegistryConfig::default()
    };
    let registry = ProviderRegistry::new(config, &fixture.clock).unwrap();
    let strict = Context { providers: Arc::new(registry), ..fixture.context.clone() };
    let seen = fixture.outside.radicale().proxy.seen();
    let port = fixture.outside.radicale().proxy.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"] {
        let asked = CaldavLogin { address: format!("http://{host}:{port}/"), ..fixture.outside.asked(ANA) };
        let error = refused(&fixture, &strict, &asked).await;
        assert!(
            matches!(&error, DiscoveryError::Refused(why) if why.contains("private")),
            "{host}: {error:?}"
        );
    }
    assert_eq!(fixture.outside.radicale().proxy.seen(), seen, "it was called all the same");
}

async fn the_same_account_gets_another_password(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let id = fixture.connected(&fixture.ana).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let before = fixture.outside.one_seen_by(ANA).await;
    fixture.outside.radicale().set_password(ANA, "another-pass-word-5678");
    // Given before anybody has noticed; by another address of the same server.
    let asked = fixture.outside.asked(ANA);
    let asked = CaldavLogin { address: format!("{}/{ANA}/calendar/", asked.address), ..asked };
    assert_eq!(try_it(&fixture, &fixture.context, &asked).await.unwrap().connection, id);
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    let seen = fixture.outside.seen_by(ANA).await;
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().any(|one| (&one.id, &one.raw) == (&before.id, &before.raw)), "it was written again");
    assert_eq!(connections::list(db, fixture.business.id).await.unwrap().len(), 1);
}

async fn account_without_calendars_is_written_once_it_has_one(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let email = "new@harbour.example";
    fixture.outside.radicale().add_account_without_calendars(email);
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let finished = try_it(&fixture, &fixture.context, &fixture.outside.asked(email)).await.unwrap();
    let id = finished.connection;
    assert_eq!(finished.calendars, 0, "whoever connects it is told");
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert!(report.ok && report.message.contains("no calendar yet"), "{report:?}");
    fixture.settle().await;
    assert_eq!((fixture.calendars(id).await.len(), fixture.failed().await.len()), (0, 0));
    assert_eq!(fixture.state(id).await, ConnectionState::Active);

    let path = fixture.outside.radicale().calendar_of(email);
    fixture.outside.person(email).make_calendar(&path).await;
    let report = manage::test(&fixture.context, fixture.business.id, id).await.unwrap();
    assert_eq!((report.ok, report.calendars), (true, 1), "{report:?}");
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(fixture.outside.seen_by(email).await.len(), 1);
}

on_both_databases!(
    the_right_password_connects,
    a_wrong_password_is_said_and_asked_once,
    an_address_without_calendars_is_said,
    a_password_goes_to_no_other_host,
    a_private_address_is_not_called,
    the_same_account_gets_another_password,
    account_without_calendars_is_written_once_it_has_one,
);

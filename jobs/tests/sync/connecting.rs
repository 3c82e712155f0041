//! Accounts that open to a name and a password: found, refused, given a new password.

use std::sync::Arc;

use concord_domain::connection::{ConnectionState, EntryState, ProviderKind};
use concord_foreign::ProxyFault;
use concord_jobs::{
    Context,
    connect::{self, ConnectError, Finished},
    connections as manage,
};
use concord_providers::{DiscoveryError, Guard, ProvidersConfig, Registry, caldav::Asked};
use concord_storage::{
    connections, on_both_databases,
    testing::{TestDb, monday},
};

use crate::world::{ANA, PATIENCE, World, unhurried};

async fn with_radicale(db: &TestDb) -> World<'_> {
    World::of(db, ProviderKind::Caldav, unhurried(), PATIENCE, monday()).await
}

async fn try_it(world: &World<'_>, context: &Context, asked: &Asked) -> Result<Finished, ConnectError> {
    let whose = (world.business.id, world.ana.id);
    connect::connect_with_password(context, whose, asked, "/settings".to_owned()).await
}

/// Why it is refused; nothing is written then, and the password is nowhere in the words.
async fn refused(world: &World<'_>, context: &Context, asked: &Asked) -> DiscoveryError {
    let error = try_it(world, context, asked).await.unwrap_err();
    assert!(!format!("{error} {error:?} {asked:?}").contains("pass-word"), "{error}");
    assert_eq!(connections::list(world.db, world.business.id).await.unwrap().len(), 0);
    assert_eq!(world.open_jobs().await.len(), 0);
    match error {
        ConnectError::Discovery(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn the_right_password_connects(db: &TestDb) {
    let world = with_radicale(db).await;
    let booking = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let finished = try_it(&world, &world.context, &world.outside.asked(ANA)).await.unwrap();
    assert_eq!((finished.account_email.as_str(), finished.return_to.as_str()), (ANA, "/settings"));
    world.settle().await;
    assert_eq!(world.state(finished.connection).await, ConnectionState::Active);
    let main = world.calendars(finished.connection).await.remove(0);
    assert!(main.is_primary && main.reads && main.writes, "{main:?}");
    // What was booked before is there too.
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(world.outside.one_seen_by(ANA).await.starts_at, "2027-03-01T09:00:00Z");
}

async fn a_wrong_password_is_said_and_asked_once(db: &TestDb) {
    let world = with_radicale(db).await;
    let wrong = Asked { password: "wrong-pass-word".into(), ..world.outside.asked(ANA) };
    let seen = world.outside.radicale().proxy.seen();
    let error = refused(&world, &world.context, &wrong).await;
    assert!(matches!(error, DiscoveryError::WrongPassword { .. }), "{error:?}");
    let asked = world.outside.radicale().proxy.seen() - seen;
    assert!(asked <= 2, "{asked} calls bring the account near to being locked");
    let nobody = Asked { user: "nobody@harbour.example".to_owned(), ..world.outside.asked(ANA) };
    let error = refused(&world, &world.context, &nobody).await;
    assert!(matches!(error, DiscoveryError::WrongPassword { .. }), "{error:?}");
}

async fn an_address_without_calendars_is_said(db: &TestDb) {
    let world = with_radicale(db).await;
    let asked = world.outside.asked(ANA);
    // The sandbox is a server on the web, and knows nothing of CalDAV; nobody listens at the other.
    let web = Asked { address: world.outside.address("/"), ..asked.clone() };
    let error = refused(&world, &world.context, &web).await;
    assert!(matches!(error, DiscoveryError::NoCaldav { .. }), "{error:?}");
    let silent = Asked { address: "http://127.0.0.1:9/".to_owned(), ..asked.clone() };
    let error = refused(&world, &world.context, &silent).await;
    assert!(matches!(error, DiscoveryError::Unreachable { .. }), "{error:?}");
    for address in ["", "not an address", "ftp://127.0.0.1/", "http://ana:pass-word@127.0.0.1/"] {
        let nonsense = Asked { address: address.to_owned(), ..asked.clone() };
        assert_eq!(refused(&world, &world.context, &nonsense).await, DiscoveryError::Address, "{address}");
    }
}

async fn a_password_goes_to_no_other_host(db: &TestDb) {
    let world = with_radicale(db).await;
    let proxy = &world.outside.radicale().proxy;
    let elsewhere = world.outside.address("/elsewhere/next").replace("127.0.0.1", "localhost");
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for _ in 0..2 {
            proxy.next_fails(ProxyFault::Answer {
                status: status.to_owned(),
                headers: format!("Location: {elsewhere}\r\n"),
                body: String::new(),
            });
        }
        let error = refused(&world, &world.context, &world.outside.asked(ANA)).await;
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
        proxy.next_fails(ProxyFault::Answer {
            status: "207 Multi-Status".to_owned(),
            headers: "Content-Type: application/xml\r\n".to_owned(),
            body: principal.clone(),
        });
    }
    let error = refused(&world, &world.context, &world.outside.asked(ANA)).await;
    assert!(matches!(error, DiscoveryError::Elsewhere { .. }), "{error:?}");
    let visits = world.outside.visits_elsewhere().await;
    assert!(visits.is_empty(), "{visits:#?}");
}

async fn a_private_address_is_not_called(db: &TestDb) {
    let world = with_radicale(db).await;
    let config = ProvidersConfig {
        caldav: Some(Guard::of("providers.caldav.allowed_hosts")),
        ..ProvidersConfig::default()
    };
    let registry = Registry::new(config, &world.clock).unwrap();
    let strict = Context { providers: Arc::new(registry), ..world.context.clone() };
    let seen = world.outside.radicale().proxy.seen();
    let port = world.outside.radicale().proxy.url().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"] {
        let asked = Asked { address: format!("http://{host}:{port}/"), ..world.outside.asked(ANA) };
        let error = refused(&world, &strict, &asked).await;
        assert!(
            matches!(&error, DiscoveryError::Refused(why) if why.contains("private")),
            "{host}: {error:?}"
        );
    }
    assert_eq!(world.outside.radicale().proxy.seen(), seen, "it was called all the same");
}

async fn the_same_account_gets_another_password(db: &TestDb) {
    let world = with_radicale(db).await;
    let id = world.connected(&world.ana).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    let before = world.outside.one_seen_by(ANA).await;
    world.outside.radicale().set_password(ANA, "another-pass-word-5678");
    // Given before anybody has noticed; by another address of the same server.
    let asked = world.outside.asked(ANA);
    let asked = Asked { address: format!("{}/{ANA}/calendar/", asked.address), ..asked };
    assert_eq!(try_it(&world, &world.context, &asked).await.unwrap().connection, id);
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.state(id).await, ConnectionState::Active);
    let seen = world.outside.seen_by(ANA).await;
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().any(|one| (&one.id, &one.raw) == (&before.id, &before.raw)), "it was written again");
    assert_eq!(connections::list(db, world.business.id).await.unwrap().len(), 1);
}

async fn an_account_without_calendars_gets_its_bookings_when_it_has_one(db: &TestDb) {
    let world = with_radicale(db).await;
    let email = "new@harbour.example";
    world.outside.radicale().add_account_without_calendars(email);
    let booking = world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let finished = try_it(&world, &world.context, &world.outside.asked(email)).await.unwrap();
    let id = finished.connection;
    assert_eq!(finished.calendars, 0, "whoever connects it is told");
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert!(report.ok && report.message.contains("no calendar yet"), "{report:?}");
    world.settle().await;
    assert_eq!((world.calendars(id).await.len(), world.failed().await.len()), (0, 0));
    assert_eq!(world.state(id).await, ConnectionState::Active);

    let path = world.outside.radicale().calendar_of(email);
    world.outside.person(email).makes_a_calendar(&path).await;
    let report = manage::test(&world.context, world.business.id, id).await.unwrap();
    assert_eq!((report.ok, report.calendars), (true, 1), "{report:?}");
    world.settle().await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    assert_eq!(world.outside.seen_by(email).await.len(), 1);
}

on_both_databases!(
    the_right_password_connects,
    a_wrong_password_is_said_and_asked_once,
    an_address_without_calendars_is_said,
    a_password_goes_to_no_other_host,
    a_private_address_is_not_called,
    the_same_account_gets_another_password,
    an_account_without_calendars_gets_its_bookings_when_it_has_one,
);

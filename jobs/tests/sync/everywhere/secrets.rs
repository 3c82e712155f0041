//! No token and no password shows, in a whole life with everything that can go wrong.

use concord_domain::connection::ProviderKind;
use concord_services::connections as manage;
use concord_storage::testing::TestDb;

use super::{
    everywhere,
    faults::BadResponse,
    grants::{book, own_hour},
};
use crate::{
    fixture::{ANA, SyncFixture},
    secrets::show_nowhere,
};
use concord_testing::logs;

async fn no_secret_shows_in_a_whole_life(db: &TestDb, kind: ProviderKind) {
    logs::collect();
    let fixture = SyncFixture::with_provider(db, kind).await;
    let id = fixture.connected(&fixture.ana).await;
    let mut shown = Vec::new();
    for (hour, bad) in (1..).zip(BadResponse::all(kind)) {
        book(&fixture, "is made", hour).await;
        own_hour(&fixture, hour + 20).await;
        fixture.outside.answers_badly(bad).await;
        fixture.settle().await;
        fixture.outside.answers_badly(bad).await;
        shown.push(format!("{:?}", manage::test(&fixture.context, fixture.business.id, id).await));
        fixture.clock.advance(chrono::Duration::minutes(61));
        fixture.settle().await;
    }
    fixture.outside.shut_out(ANA).await;
    book(&fixture, "finds out", 10).await;
    fixture.settle().await;
    shown.push(format!("{:?}", manage::test(&fixture.context, fixture.business.id, id).await));
    if kind == ProviderKind::Caldav {
        // With the wrong one, in each place where a person might put it.
        let asked = fixture.outside.asked(ANA);
        let wrong =
            concord_providers::caldav::CaldavLogin { password: "a-wrong-pass-word".into(), ..asked.clone() };
        let in_address = concord_providers::caldav::CaldavLogin {
            address: asked.address.replace("http://", "http://ana:a-wrong-pass-word@"),
            ..asked.clone()
        };
        for asked in [wrong, in_address] {
            let whose = (&fixture.change(), fixture.ana.id);
            let refused = concord_services::connect::connect_with_password(
                &fixture.context,
                whose,
                &asked,
                "/".to_owned(),
            )
            .await;
            let error = refused.unwrap_err();
            shown.push(format!("{error} {error:?} {:?}", asked.password));
        }
        shown.push(format!("{asked:?}"));
    }
    let rows_before = db.rows_as_text().await;
    fixture.connected(&fixture.ana).await;
    shown.push(format!("{:?} {:?}", fixture.context, fixture.connection(id).await));
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    shown.push(format!("{:#?}", fixture.log_lines().await));

    let rows = [rows_before, db.rows_as_text().await].join("\n");
    assert!(rows.contains("Sea View") && rows.contains(ANA), "the rows were not read");
    let (shown, logged) = (shown.join("\n"), logs::written());
    assert!(logged.contains("called a provider"), "nothing was logged");
    let mut secrets = fixture.outside.all_secrets();
    assert!(secrets.len() > 3, "{} secrets", secrets.len());
    secrets.push("a-wrong-pass-word".to_owned());
    show_nowhere(&secrets, &logged, &shown, &rows);
}

everywhere!(no_secret_shows_in_a_whole_life);

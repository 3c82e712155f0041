//! No token and no password shows, in a whole life with everything that can go wrong.

use concord_domain::connection::ProviderKind;
use concord_jobs::connections as manage;
use concord_storage::testing::TestDb;

use super::{
    everywhere,
    grants::{book, own_hour},
    outside::BadAnswer,
};
use crate::{
    logs::log,
    secrets::show_nowhere,
    world::{ANA, World},
};

async fn no_secret_shows_in_a_whole_life(db: &TestDb, kind: ProviderKind) {
    let log = log();
    let world = World::with_provider(db, kind).await;
    let id = world.connected(&world.ana).await;
    let mut shown = Vec::new();
    for (hour, bad) in (1..).zip(BadAnswer::all(kind)) {
        book(&world, "is made", hour).await;
        own_hour(&world, hour + 20).await;
        world.outside.answers_badly(bad).await;
        world.settle().await;
        world.outside.answers_badly(bad).await;
        shown.push(format!("{:?}", manage::test(&world.context, world.business.id, id).await));
        world.clock.advance(chrono::Duration::minutes(61));
        world.settle().await;
    }
    world.outside.shut_out(ANA).await;
    book(&world, "finds out", 10).await;
    world.settle().await;
    shown.push(format!("{:?}", manage::test(&world.context, world.business.id, id).await));
    if kind == ProviderKind::Caldav {
        // With the wrong one, in each place where a person might put it.
        let asked = world.outside.asked(ANA);
        let wrong =
            concord_providers::caldav::Asked { password: "a-wrong-pass-word".into(), ..asked.clone() };
        let in_address = concord_providers::caldav::Asked {
            address: asked.address.replace("http://", "http://ana:a-wrong-pass-word@"),
            ..asked.clone()
        };
        for asked in [wrong, in_address] {
            let whose = (world.business.id, world.ana.id);
            let refused =
                concord_jobs::connect::connect_with_password(&world.context, whose, &asked, "/".to_owned())
                    .await;
            let error = refused.unwrap_err();
            shown.push(format!("{error} {error:?} {:?}", asked.password));
        }
        shown.push(format!("{asked:?}"));
    }
    let rows_before = db.rows_as_text().await;
    world.connected(&world.ana).await;
    shown.push(format!("{:?} {:?}", world.context, world.connection(id).await));
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    shown.push(format!("{:#?}", world.log_lines().await));

    let rows = [rows_before, db.rows_as_text().await].join("\n");
    assert!(rows.contains("Sea View") && rows.contains(ANA), "the rows were not read");
    let (shown, logged) = (shown.join("\n"), log.text());
    assert!(logged.contains("called a provider"), "nothing was logged");
    let mut secrets = world.outside.all_secrets();
    assert!(secrets.len() > 3, "{} secrets", secrets.len());
    secrets.push("a-wrong-pass-word".to_owned());
    show_nowhere(&secrets, &logged, &shown, &rows);
}

everywhere!(no_secret_shows_in_a_whole_life);

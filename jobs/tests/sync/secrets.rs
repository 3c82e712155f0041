//! No token shows: not in a log line, not in an error, not in any row.

use chrono::Duration;
use concord_domain::connection::ProviderKind;
use concord_jobs::{
    connect::{self, Begin, Browser, Callback},
    connections as manage,
};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::{
    logs::log,
    world::{ANA, World},
};

async fn no_token_shows_in_a_whole_life(db: &TestDb) {
    let log = log();
    let world = World::new(db).await;
    let mut shown = Vec::new();

    // Connected by way of the consent page, twice: once with a code that is no good.
    for good in [false, true] {
        let begin = Begin {
            business: world.business.id,
            staff: world.ana.id,
            provider: ProviderKind::Google,
            asker: world.asked_by_key().await,
            return_to: "/".to_owned(),
            login_hint: None,
        };
        let page = connect::begin(&world.context, begin).await.unwrap();
        let back = world.outside.at_consent_page(&page, ANA, "allow").await;
        let of =
            |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if !good {
            world.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
        }
        let callback =
            Callback { state: of("state"), code: of("code").map(Into::into), ..Callback::default() };
        shown.push(format!("{callback:?}"));
        let browser = Browser { session: None, is_confirmed: true };
        let finished = connect::finish(&world.context, ProviderKind::Google, callback, browser).await;
        shown.push(format!("{finished:?}"));
        assert_eq!(finished.is_ok(), good, "{finished:?}");
    }
    world.settle().await;
    let id = concord_storage::connections::list(db, world.business.id).await.unwrap()[0].id;

    // Every sort of trouble, in writing, reading, refreshing and testing.
    for (number, kind) in
        ["rate_limit", "server_error", "apply_then_drop", "expire_token", "gone_cursor"].iter().enumerate()
    {
        world.outside.fault(json!({ "kind": kind, "count": 2 })).await;
        let number = i64::try_from(number).unwrap();
        world.put(&format!("A-{number}"), &world.draft(&[&world.ana], number * 60, number * 60 + 60)).await;
        world.outside.person_adds(ANA, (at(6_000 + number * 60), at(6_030 + number * 60)), json!({})).await;
        shown.push(format!("{:?}", manage::test(&world.context, world.business.id, id).await));
        world.clock.advance(Duration::minutes(61));
        world.settle().await;
    }
    world.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    world.put("B-1", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    shown.push(format!("{:?}", manage::test(&world.context, world.business.id, id).await));
    shown.push(format!("{:?} {:?}", world.context, world.connection(id).await));
    world.connected(&world.ana).await;
    let rows_before = db.rows_as_text().await;
    manage::disconnect(&world.context, &world.change(), id, true).await.unwrap();
    world.settle().await;
    shown.push(format!("{:#?}", world.log_lines().await));

    let rows = [rows_before, db.rows_as_text().await].join("\n");
    assert!(rows.contains("Sea View") && rows.contains(ANA), "the rows were not read");
    let shown = shown.join("\n");
    let logged = log.text();
    assert!(logged.contains("called a provider"), "nothing was logged");
    let mut secrets = world.outside.secrets();
    assert!(secrets.len() > 8, "{} secrets", secrets.len());
    secrets.push(concord_sandbox::OAuthClient::default().client_secret);
    show_nowhere(&secrets, &logged, &shown, &rows);
}

/// None of these stands in the log, in what people and developers are shown, or in a row of the database.
pub(crate) fn show_nowhere(secrets: &[String], logged: &str, shown: &str, rows: &str) {
    for secret in secrets {
        assert!(secret.len() > 10, "{secret:?} is no secret");
        // The log holds the sandbox's own lines too: it has none with a token in it either.
        let line = logged.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "a secret was logged: {line:?}");
        assert!(!shown.contains(secret), "a secret shows in {shown}");
        let row = rows.lines().find(|row| row.contains(secret));
        assert!(row.is_none(), "a secret stands in a row: {row:?}");
    }
}

on_both_databases!(no_token_shows_in_a_whole_life);

//! No token shows: not in a log line, not in an error, not in any row.

use chrono::Duration;
use concord_domain::connection::ProviderKind;
use concord_services::{
    connect::{self, CallbackBrowser, ConnectRequest, OAuthCallback},
    connections as manage,
};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, at},
};
use serde_json::json;

use crate::fixture::{ANA, SyncFixture};
use concord_testing::logs;

async fn no_token_shows_in_a_whole_life(db: &TestDb) {
    logs::collect();
    let fixture = SyncFixture::new(db).await;
    let mut shown = Vec::new();

    // Connected by way of the consent page, twice: once with a code that is no good.
    for good in [false, true] {
        let begin = ConnectRequest {
            business: fixture.business.id,
            staff: fixture.ana.id,
            provider: ProviderKind::Google,
            asker: fixture.asked_by_key().await,
            return_to: "/".to_owned(),
            login_hint: None,
        };
        let page = connect::begin(&fixture.context, begin).await.unwrap();
        let back = fixture.outside.at_consent_page(&page, ANA, "allow").await;
        let of =
            |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if !good {
            fixture.outside.fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
        }
        let callback = OAuthCallback {
            state: of("state"),
            code: of("code").map(Into::into),
            ..OAuthCallback::default()
        };
        shown.push(format!("{callback:?}"));
        let browser = CallbackBrowser { session: None, is_confirmed: true };
        let finished = connect::finish(&fixture.context, ProviderKind::Google, callback, browser).await;
        shown.push(format!("{finished:?}"));
        assert_eq!(finished.is_ok(), good, "{finished:?}");
    }
    fixture.settle().await;
    let id = concord_storage::connections::list(db, fixture.business.id).await.unwrap()[0].id;

    // Every sort of trouble, in writing, reading, refreshing and testing.
    for (number, kind) in
        ["rate_limit", "server_error", "apply_then_drop", "expire_token", "gone_cursor"].iter().enumerate()
    {
        fixture.outside.fault(json!({ "kind": kind, "count": 2 })).await;
        let number = i64::try_from(number).unwrap();
        fixture
            .put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], number * 60, number * 60 + 60))
            .await;
        fixture.outside.person_adds(ANA, (at(6_000 + number * 60), at(6_030 + number * 60)), json!({})).await;
        shown.push(format!("{:?}", manage::test(&fixture.context, fixture.business.id, id).await));
        fixture.clock.advance(Duration::minutes(61));
        fixture.settle().await;
    }
    fixture.outside.fault(json!({ "kind": "revoke_grant", "count": 1 })).await;
    fixture.put("B-1", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    shown.push(format!("{:?}", manage::test(&fixture.context, fixture.business.id, id).await));
    shown.push(format!("{:?} {:?}", fixture.context, fixture.connection(id).await));
    fixture.connected(&fixture.ana).await;
    let rows_before = db.rows_as_text().await;
    manage::disconnect(&fixture.context, &fixture.change(), id, true).await.unwrap();
    fixture.settle().await;
    shown.push(format!("{:#?}", fixture.log_lines().await));

    let rows = [rows_before, db.rows_as_text().await].join("\n");
    assert!(rows.contains("Sea View") && rows.contains(ANA), "the rows were not read");
    let shown = shown.join("\n");
    let logged = logs::written();
    assert!(logged.contains("called a provider"), "nothing was logged");
    let mut secrets = fixture.outside.secrets();
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

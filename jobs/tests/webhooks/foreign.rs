//! The reference library for JavaScript believes what was sent.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use concord_domain::clock::Clock;
use concord_services::webhooks;
use concord_storage::testing::TestDb;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::fixture::WebhookFixture;

fn believed(messages: &Value) -> Vec<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = root.join("../target/standard-webhooks/node_modules/standardwebhooks");
    assert!(library.exists(), "{} is not there: run scripts/standard_webhooks_js.sh", library.display());
    let script = root.join("tests/webhooks/foreign.mjs");
    let node =
        Command::new("node").arg(script).arg(library).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = node.unwrap_or_else(|error| panic!("install Node.js: {error}"));
    child.stdin.take().unwrap().write_all(messages.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    serde_json::from_slice(&done.stdout).unwrap()
}

async fn foreign_library_verifies_what_was_sent(db: &TestDb) {
    // It looks at the machine's clock.
    let fixture = WebhookFixture::at(db, Clock::system()).await;
    let shop = fixture.endpoint(&[]).await;
    fixture.put("B-1", "Zoë 🛶 \"Z\" \\ </script>").await;
    fixture.drain().await;
    let mut tx = db.begin().await.unwrap();
    let (_, new) = webhooks::rotate(&mut tx, &fixture.context, &fixture.change(), shop.id).await.unwrap();
    tx.commit().await.unwrap();
    fixture.put("B-1", "During a rotation").await;
    fixture.drain().await;
    let came = shop.receiver.take();
    assert_eq!(came.len(), 2);
    let message = |number: usize, secret: &str| {
        let one = &came[number];
        let headers = json!({
            "webhook-id": one.id, "webhook-timestamp": one.timestamp.to_string(), "webhook-signature": one.signature(),
        });
        json!({ "secret": secret, "headers": headers, "body": one.body() })
    };
    let (old, new) = (shop.secret.as_str(), new.expose_secret());
    let mut forged = message(0, old);
    forged["body"] = json!(forged["body"].as_str().unwrap().replace("Zoë", "Eve"));
    let all = json!([message(0, old), message(1, old), message(1, new), message(0, new), forged]);
    assert_eq!(believed(&all), [true, true, true, false, false]);
}

concord_storage::on_both_databases!(foreign_library_verifies_what_was_sent);

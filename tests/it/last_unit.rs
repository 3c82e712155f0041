//! Two hundred want the last free unit at one instant.

use std::{collections::BTreeMap, time::Duration};

use concord_storage::testing::TestDb;
use serde_json::{Value, json};

use crate::test_app::{ApiClient, ApiResponse, TestApp, stay};

const CALLERS: usize = 200;

async fn one_of_many_gets_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    test_app.api.put("/api/v1/bookings/before", stay(&room, 1, 3)).await.expect(201);

    let requests = (0..CALLERS).map(|caller| {
        let (api, body) = (test_app.api.clone(), stay(&room, 2, 2));
        tokio::spawn(async move { answered(&api, &format!("/api/v1/bookings/caller-{caller}"), body).await })
    });
    let answers = futures::future::join_all(requests).await;

    let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
    let mut winner = None;
    let mut named: Vec<Value> = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        *by_status.entry(answer.status).or_default() += 1;
        if answer.status == 201 {
            winner = Some(answer.body["reference"].clone());
        } else {
            let problem = answer.problem(409, "taken");
            named.push(
                problem["conflicts"].as_array().unwrap().iter().map(|one| one["reference"].clone()).collect(),
            );
        }
    }
    assert_eq!(by_status, BTreeMap::from([(201, 1), (409, CALLERS - 1)]));
    // Whoever was refused is told of both that stand there.
    let winner = winner.unwrap();
    for references in named {
        let references = references.as_array().unwrap();
        assert!(references.contains(&json!("before")) && references.contains(&winner), "{references:?}");
    }
    let list = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    test_app.stop().await;
}

/// Whoever waits too long on a slow machine is told to come again, and does.
async fn answered(api: &ApiClient, path: &str, body: Value) -> ApiResponse {
    loop {
        let answer = api.put(path, body.clone()).await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The same reference by all of them: one creates, the others find it as it is.
async fn one_reference_is_one_booking(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let requests = (0..40).map(|_| {
        let (api, body) = (test_app.api.clone(), stay(&room, 2, 2));
        tokio::spawn(async move { answered(&api, "/api/v1/bookings/same", body).await })
    });
    let mut created = 0;
    for answer in futures::future::join_all(requests).await {
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
        created += usize::from(answer.status == 201);
        assert_eq!(answer.body["version"], 1);
    }
    assert_eq!(created, 1);
    test_app.stop().await;
}

concord_storage::on_both_databases!(one_of_many_gets_it, one_reference_is_one_booking);

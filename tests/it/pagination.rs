//! Lists: narrowed, and a page at a time.

use concord_storage::testing::TestDb;
use serde_json::{Value, json};

use crate::test_app::{ApiClient, TestApp, day, hour, stay};

/// All items of a list, fetched by pages of `limit`.
async fn all(api: &ApiClient, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let page = api.get(&format!("{path}{joint}limit={limit}{cursor}")).await.expect(200);
        let part = page["items"].as_array().unwrap();
        assert!(part.len() <= limit);
        items.extend(part.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!(part.len(), limit, "a page that is not the last is full");
                cursor = format!("&cursor={next}");
            }
            None => return items,
        }
    }
}

fn references(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["reference"].as_str().unwrap()).collect()
}

async fn every_page_follows_the_one_before(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(50).await;
    for index in 0..23_u64 {
        // Many at one time: the order must hold there too.
        let body = stay(&room, index / 5, 2);
        test_app.api.put(&format!("/api/v1/bookings/B-{index:02}"), body).await.expect(201);
    }
    let whole = all(&test_app.api, "/api/v1/bookings", 200).await;
    assert_eq!(whole.len(), 23);
    assert!(whole.is_sorted_by_key(|booking| booking["check_in"].as_str().unwrap().to_owned()));
    for limit in [1, 5, 7, 23] {
        assert_eq!(all(&test_app.api, "/api/v1/bookings", limit).await, whole, "{limit}");
    }
    for name in ["b", "a", "c", "a", "b"] {
        test_app.api.post("/api/v1/staff", json!({ "name": name })).await.expect(201);
        test_app.api.post("/api/v1/resources", json!({ "name": name })).await.expect(201);
    }
    for path in ["/api/v1/staff", "/api/v1/resources"] {
        let whole = all(&test_app.api, path, 200).await;
        assert!(whole.is_sorted_by_key(|one| one["name"].as_str().unwrap().to_owned()), "{path}");
        assert_eq!(all(&test_app.api, path, 2).await, whole, "{path}");
    }
    // A cursor of one list leads nowhere in another.
    let page = test_app.api.get("/api/v1/staff?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    test_app.api.get(&format!("/api/v1/bookings?cursor={cursor}")).await.problem(400, "malformed");
    test_app.stop().await;
}

async fn lists_are_narrowed(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (sea, hill) = (test_app.resource(5).await, test_app.resource(5).await);
    let ana = test_app.staff("Ana").await;
    let timed = |room, from: u64, at: u32| json!({ "resource": room, "starts_at": hour(from, at), "ends_at": hour(from, at + 1) });
    let put = async |reference: &str, mut body: Value, more: Value| {
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        test_app.api.put(&format!("/api/v1/bookings/{reference}"), body).await.expect(201);
    };
    put("one", stay(&sea, 1, 2), json!({ "title": "Honeymoon_100%", "customer": { "name": "Maria Silva" } }))
        .await;
    put("two", timed(hill.id, 2, 9), json!({ "staff": [ana], "status": "pending" })).await;
    put(
        "three",
        timed(sea.id, 5, 9),
        json!({ "kind": "maintenance", "customer": { "email": "boiler@example.org" } }),
    )
    .await;
    let found = async |query: &str| {
        let page = test_app.api.get(&format!("/api/v1/bookings?{query}")).await.expect(200);
        references(page["items"].as_array().unwrap()).join(" ")
    };
    let (sea, hill) = (sea.id, hill.id);
    for (query, expected) in [
        (String::new(), "one two three"),
        (format!("resource={sea}"), "one three"),
        (format!("resource={hill}"), "two"),
        (format!("staff={ana}"), "two"),
        ("status=pending".to_owned(), "two"),
        ("kind=maintenance".to_owned(), "three"),
        (format!("from={}", day(4)), "three"),
        (format!("until={}", day(2)), "one"),
        (format!("from={}&until={}", day(2), day(3)), "one two"),
        (format!("from={}", hour(2, 10)), "one three"),
        ("search=HONEY".to_owned(), "one"),
        ("search=silva".to_owned(), "one"),
        ("search=boiler%40example".to_owned(), "three"),
        ("search=TWO".to_owned(), "two"),
        ("search=nothing".to_owned(), ""),
        (format!("resource={sea}&status=confirmed&kind=booking"), "one"),
        ("search=".to_owned(), "one two three"),
    ] {
        assert_eq!(found(&query).await, expected, "{query}");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(every_page_follows_the_one_before, lists_are_narrowed);

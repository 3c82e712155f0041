//! The OpenAPI document says what is so.

use std::collections::BTreeSet;

use concord_domain::{
    ids::{EventId, ReminderId, ReminderRuleId},
    webhook::{Event, ReminderPayload, body},
};
use concord_storage::testing::{self, TestDb};
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::test_app::TestApp;

/// An address of the pattern, of things that are not there but for the platform.
fn filled(pattern: &str) -> String {
    let nil = Uuid::nil().to_string();
    let path = ["{id}", "{calendar}", "{run}", "{event}", "{user}"]
        .iter()
        .fold(pattern.to_owned(), |path, parameter| path.replace(parameter, &nil));
    let path =
        path.replace("{reference}", "none").replace("{platform}", "airbnb").replace("{token}", "cf_none");
    path.replace("{kind}", "reminder").replace("{language}", "de")
}

async fn every_operation_answers_as_the_document_says(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            for field in ["summary", "tags", "responses"] {
                assert!(!operation[field].is_null(), "{id} has no {field}");
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let address = filled(path);
            assert!(!address.contains('{'), "a parameter that this test does not know: {path}");
            let body = operation.get("requestBody").map(|_| json!({}));
            let answer = test_app.api.send(method.clone(), &address, body, &[]).await;
            assert!(
                answer.status < 500 && answer.status != 405,
                "{method} {path}: {} {}",
                answer.status,
                answer.text
            );
            assert!(!answer.text.contains("No endpoint at"), "{method} {path} is not there");
            check_answer(&document, operation, &answer.status.to_string(), &answer.body);
        }
    }
    assert!(ids.len() > 35, "{ids:?}");
    test_app.stop().await;
}

/// The status is one of those written down, and the body has the fields that its schema requires.
fn check_answer(document: &Value, operation: &Value, status: &str, body: &Value) {
    let responses = &operation["responses"];
    let response = responses.get(status).or_else(|| responses.get("default"));
    let response = response.unwrap_or_else(|| panic!("{status} is not written down: {operation}"));
    let Some(content) = response["content"].as_object().and_then(|content| content.values().next()) else {
        return;
    };
    check_schema(document, &content["schema"], body, &operation["operationId"].to_string());
}

fn check_schema(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        let target = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return check_schema(document, target, value, &format!("{place} {reference}"));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return check_schema(document, &merged(document, parts), value, place);
    }
    if let Some(words) = schema["enum"].as_array().filter(|_| !value.is_null()) {
        assert!(words.contains(value), "{place}: {value} is none of {words:?}");
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(required).is_some(), "{place}: {required} is missing in {value}");
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            let property =
                properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not written down"));
            check_schema(document, property, field, &format!("{place}.{name}"));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for value in values {
            check_schema(document, items, value, place);
        }
    }
}

/// The one object that an object's parts make.
fn merged(document: &Value, parts: &[Value]) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let reference = part["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let part = reference.map_or(Some(part), |pointer| document.pointer(pointer)).unwrap();
        properties.extend(part["properties"].as_object().unwrap().clone());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
    }
    json!({ "properties": properties, "required": required })
}

async fn events_of_a_booking_are_as_the_document_says(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let room = test_app.resource(1).await;
    let draft = testing::draft(&room, 600, 660);
    let booking = testing::booking(db, &test_app.business, "tasting", &draft).await;
    let reminder = ReminderPayload {
        id: ReminderId(Uuid::nil()),
        rule: ReminderRuleId(Uuid::nil()),
        minutes_before: 60,
        due_at: booking.interval.start,
        useful_until: booking.interval.start,
        turned_off: false,
    };
    for event in [Event::booking(None, &booking), Event::booking_reminder(&booking, reminder)] {
        let pointer =
            format!("/webhooks/{}/post/requestBody/content/application~1json/schema", event.kind.as_str());
        let schema = document.pointer(&pointer).unwrap();
        let sent = body(EventId(Uuid::nil()), (event.kind, 1), booking.created_at, &event.data);
        let sent: Value = serde_json::from_str(&sent).unwrap();
        check_schema(&document, schema, &sent, event.kind.as_str());
    }
    test_app.stop().await;
}

async fn every_reference_leads_somewhere(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let mut waiting = vec![&document];
    let mut seen = 0;
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                    seen += 1;
                }
                waiting.extend(fields.values());
            }
            Value::Array(values) => waiting.extend(values),
            _ => {}
        }
    }
    assert!(seen > 50);
    test_app.stop().await;
}

async fn every_field_is_explained(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let explained = |field: &Value| {
        let choices = field["oneOf"].as_array().into_iter().flatten();
        [field]
            .into_iter()
            .chain(choices)
            .any(|one| one["description"].as_str().is_some_and(|words| words.len() > 5))
    };
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(explained(property), "{name}.{field}: {property}");
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(explained(parameter), "{path}: {parameter}");
            }
        }
    }
    test_app.stop().await;
}

async fn people_can_read_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let page = test_app.api.send_unauthenticated(Method::GET, "/api/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!page.text.contains("<script") && !page.text.contains(" style="), "the policy forbids it");
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let anchor = format!("id=\"{}\"", operation["operationId"].as_str().unwrap());
            assert!(page.text.contains(&anchor), "{anchor}");
        }
    }
    assert!(page.text.contains("curl -X PUT"));
    assert_eq!(test_app.api.send_unauthenticated(Method::GET, "/api/docs.css").await.status, 200);
    // The type of a problem is an address that explains it.
    let problem = test_app.api.get("/api/v1/bookings/none").await.problem(404, "not-found");
    let explained = test_app.api.send_unauthenticated(Method::GET, problem["type"].as_str().unwrap()).await;
    assert_eq!((explained.status, explained.header("location")), (303, "/api/docs#problem-not-found"));
    assert!(page.text.contains("id=\"problem-not-found\""));
    test_app.stop().await;
}

async fn what_is_not_there_is_a_problem_document(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for path in ["/api/v1/nothing", "/api/v1/bookings/a/b/c", "/api/v1"] {
        test_app.api.get(path).await.problem(404, "not-found");
    }
    test_app.api.send_unauthenticated(Method::GET, "/api/nothing").await.problem(404, "not-found");
    let wrong = test_app.api.send(Method::DELETE, "/api/v1/bookings", None, &[]).await;
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
    wrong.problem(405, "method-not-allowed");
    test_app.stop().await;
}

/// A body that has an object everywhere but at the end of the path, where a list of values stands that serde would take
/// for it.
fn with_list_at(path: &[String], list: &Value) -> Value {
    path.iter().rev().fold(list.clone(), |inner, step| match step.as_str() {
        "[]" => json!([inner]),
        name => json!({ name: inner }),
    })
}

/// The objects in a schema: the way to each, and their properties in the document's words.
fn objects_in(document: &Value, schema: &Value, path: &[String], found: &mut Vec<(Vec<String>, Value)>) {
    if path.len() > 6 {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return objects_in(document, document.pointer(&reference[1..]).unwrap(), path, found);
    }
    for choice in
        ["oneOf", "anyOf", "allOf"].iter().filter_map(|several| schema[several].as_array()).flatten()
    {
        objects_in(document, choice, path, found);
    }
    let step = |name: &str| [path, &[name.to_owned()]].concat();
    if schema["items"].is_object() {
        objects_in(document, &schema["items"], &step("[]"), found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.push((path.to_vec(), schema["properties"].clone()));
        for (name, property) in properties {
            objects_in(document, property, &step(name), found);
        }
    }
}

/// Something that the property takes, so that a list of such is what serde would take for the whole.
fn plausible(document: &Value, property: &Value) -> Value {
    if let Some(reference) = property["$ref"].as_str() {
        return plausible(document, document.pointer(&reference[1..]).unwrap());
    }
    let kinds = property["type"].as_array();
    if property["oneOf"].is_array() || kinds.is_some_and(|kinds| kinds.contains(&json!("null"))) {
        return Value::Null;
    }
    if let Some(first) = property["enum"].get(0) {
        return first.clone();
    }
    match (property["type"].as_str().unwrap_or_default(), property["format"].as_str().unwrap_or_default()) {
        ("string", "uuid") => json!(Uuid::nil()),
        ("integer" | "number", _) => json!(1),
        ("boolean", _) => json!(false),
        ("array", _) => json!([]),
        _ => json!("2026-12-01"),
    }
}

async fn list_is_no_object_at_any_endpoint(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/none", crate::test_app::stay(&room, 1, 1)).await.expect(201);
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let contents = operation["requestBody"]["content"].as_object();
            let json = contents.into_iter().flatten().find(|(kind, _)| kind.contains("json"));
            // Channel managers sign what they send; the domain's own test reads their messages.
            let Some((kind, content)) = json.filter(|_| !path.starts_with("/hooks/")) else { continue };
            let address = filled(path);
            let mut objects = Vec::new();
            objects_in(&document, &content["schema"], &[], &mut objects);
            if objects.is_empty() {
                // A merge patch, whose fields are those of what is changed.
                assert_eq!(content["schema"]["type"], "object", "{method} {path}: {content}");
                objects.push((Vec::new(), json!({})));
            }
            for (way, properties) in objects {
                let full: Vec<Value> =
                    properties.as_object().unwrap().values().map(|one| plausible(&document, one)).collect();
                for list in [json!([]), json!(full)] {
                    let body = with_list_at(&way, &list).to_string();
                    let method: Method = method.to_uppercase().parse().unwrap();
                    let answer =
                        test_app.api.raw(method.clone(), &address, Some((kind, body.clone())), &[]).await;
                    assert!(
                        matches!(answer.status, 400 | 422) && answer.text.contains("must be a JSON object"),
                        "{method} {path} {body}: {} {}",
                        answer.status,
                        answer.text
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 40, "{tried}");
    test_app.stop().await;
}

async fn security_and_bodies_are_written_down(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap_or_else(|| panic!("{method} {path}"));
            let address = filled(path);
            let answer =
                test_app.api.send_unauthenticated(method.to_uppercase().parse().unwrap(), &address).await;
            let needs_key = answer.header("www-authenticate") == "Bearer realm=\"concord\"";
            // A feed's token is no key, though the challenge is the same.
            if !path.contains(".ics") {
                assert_eq!(needs_key, *security == [json!({ "key": [] })], "{method} {path}: {security:?}");
            }
        }
    }
    let import = &document["paths"]["/api/ical/import"]["post"]["requestBody"]["content"];
    let kinds: Vec<&String> = import.as_object().unwrap().keys().collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(import["multipart/form-data"].is_object() && import["text/calendar"].is_object());
    let hook = &document["paths"]["/hooks/channels/{token}"]["post"]["responses"];
    for status in ["200", "400", "401", "408", "409", "413", "429", "503"] {
        assert!(hook[status].is_object(), "{status}: {hook}");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    list_is_no_object_at_any_endpoint,
    security_and_bodies_are_written_down,
    every_operation_answers_as_the_document_says,
    events_of_a_booking_are_as_the_document_says,
    every_reference_leads_somewhere,
    every_field_is_explained,
    people_can_read_it,
    what_is_not_there_is_a_problem_document,
);

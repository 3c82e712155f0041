//! What PostgreSQL says of its plans.

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::{LARGE, many, version};
use crate::testing::{
    database::{open, random_name, server},
    many::{LargeFixture, write_many},
    monday,
    pool::{execute, template},
};

/// A database with very many rows on the tests' server, made once for all tests of a version of the tables and of this
/// module.
pub(super) async fn large() -> PgConnection {
    let options = server();
    let name = format!("concord_test_many_{}", version(&crate::migrations::POSTGRES_MIGRATIONS));
    let empty = template(&options).await;
    let mut waiting = options.connect().await.expect("the PostgreSQL server can be reached");
    // Held until the connection closes.
    execute(&mut waiting, "SELECT pg_advisory_lock(8232020)".to_owned()).await;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut waiting)
        .await
        .expect("the databases can be listed");
    if !known {
        let draft = format!("concord_test_{}", random_name());
        execute(&mut waiting, format!("CREATE DATABASE {draft} TEMPLATE {empty}")).await;
        let db = open(options.clone().database(&draft).to_url_lossy().as_str()).await;
        write_many(&db, many()).await;
        db.close().await;
        execute(&mut waiting, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    waiting.close().await.expect("a connection closes");
    options.database(&name).connect().await.expect("the database is there")
}

pub(super) async fn walked(server: &mut PgConnection, text: &str) -> Vec<(&'static str, String)> {
    execute(server, format!("PREPARE asked AS {}", given(text))).await;
    let types: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(t.kind AS text) FROM pg_prepared_statements s, unnest(s.parameter_types) WITH ORDINALITY AS t (kind, place)
         WHERE s.name = 'asked' ORDER BY t.place",
    )
    .fetch_all(&mut *server)
    .await
    .expect("the parameters are known");
    let values: Vec<String> =
        types.iter().enumerate().map(|(place, kind)| value(text, place, kind)).collect();
    let arguments = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) EXECUTE asked{arguments}"));
    let plan: Value = sqlx::query_scalar(explain)
        .fetch_one(&mut *server)
        .await
        .unwrap_or_else(|error| panic!("{text} {arguments}: {error}"));
    execute(server, "DEALLOCATE asked".to_owned()).await;
    let mut walked = Vec::new();
    walk(&plan[0]["Plan"], false, &mut walked);
    walked
}

/// The text where each parameter that may be NULL is given, if it narrows what is asked for: of such a one alone the server
/// cannot tell the type.
fn given(text: &str) -> String {
    let uses = |parameter: &str| {
        text.split(|c: char| !(c.is_ascii_digit() || c == '$')).filter(|word| *word == parameter).count()
    };
    let mut parts = text.split(" IS NULL");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for after in parts {
        let parameter = made.rfind('$').filter(|at| made[at + 1..].chars().all(|c| c.is_ascii_digit()));
        match parameter.map(|at| (at, made[at..].to_owned())) {
            Some((at, name)) if uses(&name) > 1 => made.replace_range(at.., "FALSE"),
            // It narrows nothing.
            Some((at, name)) => made.replace_range(at.., &format!("CAST({name} AS text) IS NOT NULL")),
            None => made.push_str(" IS NULL"),
        }
        made.push_str(after);
    }
    made
}

/// What a parameter could be: the business first, an instant that is now.
fn value(text: &str, place: usize, kind: &str) -> String {
    match kind {
        "uuid" if place == 0 => format!("'{}'", LargeFixture::business(0).0),
        "uuid" => format!("'{}'", LargeFixture::resource(3, 0)),
        // What is deleted is old.
        "timestamp with time zone" if text.starts_with("DELETE") => "'2020-01-01T00:00:00Z'".to_owned(),
        "timestamp with time zone" => format!("'{}'", monday().to_rfc3339()),
        "date" => "'2027-03-01'".to_owned(),
        "bigint" | "integer" | "smallint" | "numeric" => "50".to_owned(),
        "boolean" => "TRUE".to_owned(),
        "jsonb" | "json" => "'{}'".to_owned(),
        _ => "'many'".to_owned(),
    }
}

/// `in_order`: only as much of the rows is read as is wanted.
fn walk(plan: &Value, in_order: bool, walked: &mut Vec<(&'static str, String)>) {
    let text = |key: &str| plan[key].as_str().unwrap_or_default();
    let node = text("Node Type");
    let in_order = match node {
        "Limit" => true,
        "Sort" | "Incremental Sort" | "Aggregate" | "Hash" | "HashAggregate" | "WindowAgg"
        | "Materialize" => false,
        _ => in_order,
    };
    let table = LARGE.iter().find(|table| **table == text("Relation Name"));
    if let Some(table) = table {
        let by = if node == "Bitmap Heap Scan" { text("Recheck Cond") } else { text("Index Cond") };
        let only_business =
            by.matches(" = ").count() == 1 && by.contains("business_id = ") && !by.contains(" AND ");
        let only_ids = (by.contains("(id > ") || by.contains("(id < ")) && !by.contains(" AND ");
        let is_walk = match node {
            "Seq Scan" => !in_order || !text("Filter").is_empty(),
            "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" => {
                (by.is_empty() || only_business) && !in_order || only_ids
            }
            _ => false,
        };
        if is_walk {
            walked.push((table, format!("{node} {} {by} {}", text("Index Name"), text("Filter"))));
        }
    }
    for part in plan["Plans"].as_array().into_iter().flatten() {
        let own = part["Parent Relationship"] == "Outer" || node == "Append" || node == "Subquery Scan";
        walk(part, in_order && own, walked);
    }
}

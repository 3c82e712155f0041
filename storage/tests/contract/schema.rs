//! Both databases hold the same tables: a column that one of them lacks is a query that fails for half of all users.

use std::collections::BTreeSet;

use concord_storage::{
    Db,
    testing::{self, TestDb},
};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, sqlx_macros::FromRow)]
struct SchemaColumn {
    of_table: String,
    name: String,
    kind: String,
    nullable: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, sqlx_macros::FromRow)]
struct SchemaReference {
    of_table: String,
    name: String,
    to_table: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, sqlx_macros::FromRow)]
struct SchemaUnique {
    of_table: String,
    /// In order, with commas.
    columns: String,
}

async fn sqlite<T>(db: &TestDb, query: &'static str) -> BTreeSet<T>
where
    T: Ord + Send + Unpin + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>,
{
    let Db::Sqlite { read, .. } = &**db else { unreachable!() };
    sqlx::query_as(query).fetch_all(read).await.unwrap().into_iter().collect()
}

async fn postgres<T>(db: &TestDb, query: &'static str) -> BTreeSet<T>
where
    T: Ord + Send + Unpin + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    let Db::Postgres(pool) = &**db else { unreachable!() };
    sqlx::query_as(query).fetch_all(pool).await.unwrap().into_iter().collect()
}

// SQLite says of a primary key that it may be NULL, for old times' sake; nothing here writes one.
const COLUMNS_SQLITE: &str = "
    SELECT t.name AS of_table, c.name AS name, c.type AS kind, (c.\"notnull\" = 0 AND c.pk = 0) AS nullable
    FROM pragma_table_list t JOIN pragma_table_info(t.name) c
    WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations'";
const COLUMNS_POSTGRES: &str = "
    SELECT CAST(table_name AS text) AS of_table, CAST(column_name AS text) AS name,
           CAST(data_type AS text) AS kind, is_nullable = 'YES' AS nullable
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";

/// How SQLite keeps what PostgreSQL has a type for.
fn kept_as(postgres_type: &str) -> &'static str {
    match postgres_type {
        "uuid" | "bytea" => "BLOB",
        "text" | "timestamp with time zone" | "date" | "jsonb" => "TEXT",
        "bigint" | "boolean" => "INTEGER",
        other => panic!("say here how SQLite keeps a {other}"),
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let here = sqlite::<SchemaColumn>(&testing::sqlite().await, COLUMNS_SQLITE).await;
    let there: BTreeSet<SchemaColumn> =
        postgres::<SchemaColumn>(&testing::postgres().await, COLUMNS_POSTGRES)
            .await
            .into_iter()
            .map(|column| SchemaColumn { kind: kept_as(&column.kind).to_owned(), ..column })
            .collect();
    assert!(here.len() > 150, "the tables are not there: {here:?}");
    let differences: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

const REFERENCES_SQLITE: &str = "
    SELECT t.name AS of_table, f.\"from\" AS name, f.\"table\" AS to_table
    FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f WHERE t.schema = 'main'";
const REFERENCES_POSTGRES: &str = "
    SELECT CAST(f.relname AS text) AS of_table, CAST(a.attname AS text) AS name,
           CAST(t.relname AS text) AS to_table
    FROM pg_constraint c
    JOIN pg_class f ON f.oid = c.conrelid
    JOIN pg_class t ON t.oid = c.confrelid
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    WHERE c.contype = 'f'";

#[tokio::test]
async fn both_databases_have_the_same_references() {
    let here = sqlite::<SchemaReference>(&testing::sqlite().await, REFERENCES_SQLITE).await;
    let there = postgres::<SchemaReference>(&testing::postgres().await, REFERENCES_POSTGRES).await;
    assert!(here.len() > 25, "the references are not there: {here:?}");
    let differences: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

const UNIQUE_SQLITE: &str = "
    SELECT t.name AS of_table,
           (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) AS columns
    FROM pragma_table_list t JOIN pragma_index_list(t.name) i
    WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' AND i.\"unique\" = 1
    UNION
    -- A primary key that is the row's number has no index of its own.
    SELECT t.name AS of_table, MAX(c.name) AS columns FROM pragma_table_list t JOIN pragma_table_info(t.name) c
    WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations' AND c.pk > 0
    GROUP BY t.name HAVING COUNT(*) = 1 AND MAX(c.type) = 'INTEGER'";
const UNIQUE_POSTGRES: &str = "
    SELECT CAST(t.relname AS text) AS of_table,
           (SELECT string_agg(a.attname, ',' ORDER BY k.place)
            FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) AS columns
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE i.indisunique AND n.nspname = 'public' AND t.relname <> '_sqlx_migrations'";

#[tokio::test]
async fn both_databases_hold_the_same_things_unique() {
    let here = sqlite::<SchemaUnique>(&testing::sqlite().await, UNIQUE_SQLITE).await;
    let there = postgres::<SchemaUnique>(&testing::postgres().await, UNIQUE_POSTGRES).await;
    assert!(here.len() > 25, "the unique keys are not there: {here:?}");
    let differences: Vec<_> = here.symmetric_difference(&there).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

//! What SQLite says of its plans.

use std::{env, fs::File, path::Path, time::Duration};

use sqlx::{AssertSqlSafe, Row};

use super::{aliases, many, version};
use crate::{
    Db,
    testing::{
        database::{open, random_name},
        many::write_many,
    },
};

/// A file with very many rows, made once for all tests of a version of the tables and of this module.
pub(super) async fn large() -> Db {
    let folder = env::temp_dir();
    let name = format!("concord-many-{}.db", version(&crate::migrations::SQLITE_MIGRATIONS));
    let path = folder.join(&name);
    let lock = File::create(folder.join(format!("{name}.lock"))).expect("a file to wait at");
    lock.lock().expect("it can be waited for");
    if !path.exists() {
        let draft = folder.join(format!("{name}.draft-{}", random_name()));
        let db = open(&format!("sqlite:{}", draft.display())).await;
        db.migrate().await.expect("an empty file can be migrated");
        write_many(&db, many()).await;
        db.close().await;
        forget_former(&folder);
        std::fs::rename(draft, &path).expect("it gets its name when it is complete");
    }
    drop(lock);
    open(&format!("sqlite:{}", path.display())).await
}

/// Files of versions that nobody has made use of since yesterday.
fn forget_former(folder: &Path) {
    let is_old = |path: &Path| {
        let made = path.metadata().and_then(|file| file.modified());
        made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > Duration::from_hours(24)))
    };
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("concord-many-") && is_old(&entry.path()) {
            let _somebody_was_faster = std::fs::remove_file(entry.path());
        }
    }
}

pub(super) async fn walked(db: &Db, text: &str) -> Vec<(&'static str, String)> {
    let Db::Sqlite { read, .. } = db else { unreachable!() };
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(read).await;
    let rows = rows.unwrap_or_else(|error| panic!("{text}: {error}"));
    let steps: Vec<String> = rows.iter().map(|row| row.get::<String, _>("detail")).collect();
    let named = aliases(text);
    let in_order =
        text.contains("LIMIT") && !steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
    let mut walked = Vec::new();
    for step in &steps {
        let mut parts = step.split(' ');
        let (way, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Some(table) = named.get(name) else { continue };
        let by = step.rsplit_once('(').map(|(_, by)| by.trim_end_matches(')')).unwrap_or_default();
        let is_walk = match way {
            "SCAN" => !in_order,
            "SEARCH" => by == "business_id=?" && !in_order || step.contains("ANY(") || is_range_of_ids(by),
            _ => false,
        };
        if is_walk {
            walked.push((*table, step.clone()));
        }
    }
    walked
}

fn is_range_of_ids(by: &str) -> bool {
    ["id>?", "id<?"].contains(&by)
}

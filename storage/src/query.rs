//! How a query is run: `all!(db, LIST, business, after)?` binds in order and runs on whichever database is open.
//!
//! The text is a constant, whose placeholders are counted against the binds when this crate is compiled: SQLite reads an
//! unbound parameter as NULL without a word. One that is put together first is `dynamic(text)`, counted when a build for
//! tests runs it; one that the database shall plan anew each time, for the values at hand, is `unprepared(text)`. Where the
//! two databases need two, it is `either(SQLITE, POSTGRES)`. Many binds stand after a semicolon, in lines as the columns do.

use sqlx::{SqlSafeStr, SqlStr};

use crate::{Result, StorageError};

/// Which database a query is about to run on.
pub(crate) enum Open<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// The most placeholders that one text may have here.
const MOST_PLACEHOLDERS: usize = 64;

/// The text, whose placeholders must be `$1` to `$binds`, each of them somewhere.
pub(crate) const fn checked(text: &'static str, binds: usize) -> &'static str {
    assert!(fits(text, binds), "the query's placeholders are not those that are bound");
    text
}

/// The same for a text that is known when it runs.
pub(crate) fn checked_now(text: impl SqlSafeStr, binds: usize) -> SqlStr {
    let text = text.into_sql_str();
    debug_assert!(fits(text.as_str(), binds), "{binds} binds do not fit {}", text.as_str());
    text
}

/// Whether a text's placeholders are exactly `$1` to `$binds`.
const fn fits(text: &str, binds: usize) -> bool {
    let text = text.as_bytes();
    let mut found = [false; MOST_PLACEHOLDERS + 1];
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'$' {
            at += 1;
            continue;
        }
        at += 1;
        let mut number = 0;
        while at < text.len() && text[at].is_ascii_digit() && number <= MOST_PLACEHOLDERS {
            number = number * 10 + (text[at] - b'0') as usize;
            at += 1;
        }
        if number > binds || number > MOST_PLACEHOLDERS {
            return false;
        }
        found[number] = true;
    }
    let mut number = 1;
    while number <= binds {
        if number > MOST_PLACEHOLDERS || !found[number] {
            return false;
        }
        number += 1;
    }
    true
}

/// `NotFound` where a statement changed no row.
pub(crate) fn at_least_one(changed: u64) -> Result<()> {
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

/// Runs one query text on the database that is open: `on_db!(db, c => sqlx::query(TEXT).bind(x).execute(c).await)`.
macro_rules! on_db {
    ($db:expr, $c:ident => $query:expr) => {
        match $db.open() {
            $crate::Open::Sqlite($c) => $query,
            $crate::Open::Postgres($c) => $query,
        }
    };
}
/// How many expressions there are.
macro_rules! count {
    ($($bind:expr),*) => {{
        let binds: &[&str] = &[$(stringify!($bind)),*];
        binds.len()
    }};
}

/// What all of the following are made of: `$way` is how the query is run on the connection `$c`.
macro_rules! run {
    (@fixed $kind:ident, [$($way:tt)*], $text:expr $(, $bind:expr)*) => {
        sqlx::$kind(const { $crate::query::checked($text, count!($($bind),*)) }) $(.bind($bind))* $($way)*
    };
    ($c:ident, $kind:ident, [$($way:tt)*], $db:expr, $text:expr; $($bind:expr),*) => {
        run!($c, $kind, [$($way)*], $db, $text $(, $bind)*)
    };
    ($c:ident, $kind:ident, [$($way:tt)*], $db:expr, dynamic($text:expr) $(, $bind:expr)* $(,)?) => {
        on_db!($db, $c => sqlx::$kind($crate::query::checked_now($text, count!($($bind),*)))
            $(.bind($bind))* $($way)*).map_err($crate::StorageError::from)
    };
    ($c:ident, $kind:ident, [$($way:tt)*], $db:expr, unprepared($text:expr) $(, $bind:expr)* $(,)?) => {
        on_db!($db, $c => sqlx::$kind($crate::query::checked_now($text, count!($($bind),*)))
            $(.bind($bind))* .persistent(false) $($way)*).map_err($crate::StorageError::from)
    };
    ($c:ident, $kind:ident, [$($way:tt)*], $db:expr, either($sqlite:expr, $postgres:expr) $(, $bind:expr)* $(,)?) => {
        match $db.open() {
            $crate::Open::Sqlite($c) => run!(@fixed $kind, [$($way)*], $sqlite $(, $bind)*),
            $crate::Open::Postgres($c) => run!(@fixed $kind, [$($way)*], $postgres $(, $bind)*),
        }
        .map_err($crate::StorageError::from)
    };
    ($c:ident, $kind:ident, [$($way:tt)*], $db:expr, $text:expr $(, $bind:expr)* $(,)?) => {
        on_db!($db, $c => run!(@fixed $kind, [$($way)*], $text $(, $bind)*)).map_err($crate::StorageError::from)
    };
}

/// One row; `NotFound` without one.
macro_rules! one {
    ($($query:tt)*) => { run!(c, query_as, [.fetch_one(c).await], $($query)*) };
}

/// One row or none.
macro_rules! optional {
    ($($query:tt)*) => { run!(c, query_as, [.fetch_optional(c).await], $($query)*) };
}

/// All rows, in the order of the query.
macro_rules! all {
    ($($query:tt)*) => { run!(c, query_as, [.fetch_all(c).await], $($query)*) };
}

/// All rows of a query with a list of ids, asked for in parts of so many: more binds in one statement are slow to plan.
/// `all_in!(db, build_query_as, ["... WHERE business_id = ", business, " AND id IN ("], ids, 500, ") ORDER BY id")`.
macro_rules! all_in {
    ($db:expr, $build:ident, [$head:expr $(, $bind:expr, $text:expr)*], $ids:expr, $size:expr, $tail:expr) => {{
        macro_rules! ask {
            ($database:ty, $pool:expr, $part:expr) => {{
                let mut query = sqlx::QueryBuilder::<$database>::new($head);
                $(query.push_bind($bind).push($text);)*
                let mut list = query.separated(", ");
                for id in $part {
                    list.push_bind(*id);
                }
                query.push($tail).$build().fetch_all($pool).await?
            }};
        }
        let mut rows = Vec::new();
        for part in $ids.chunks($size) {
            rows.append(&mut match $db.open() {
                $crate::Open::Sqlite(pool) => ask!(sqlx::Sqlite, pool, part),
                $crate::Open::Postgres(pool) => ask!(sqlx::Postgres, pool, part),
            });
        }
        rows
    }};
}

/// The first column of one row; `NotFound` without one.
macro_rules! scalar {
    ($($query:tt)*) => { run!(c, query_scalar, [.fetch_one(c).await], $($query)*) };
}

/// The first column of one row or of none.
macro_rules! optional_scalar {
    ($($query:tt)*) => { run!(c, query_scalar, [.fetch_optional(c).await], $($query)*) };
}

/// The first column of all rows.
macro_rules! scalars {
    ($($query:tt)*) => { run!(c, query_scalar, [.fetch_all(c).await], $($query)*) };
}

/// How many rows a statement changed.
macro_rules! changed {
    ($($query:tt)*) => { run!(c, query, [.execute(c).await.map(|done| done.rows_affected())], $($query)*) };
}

/// A statement that may change no row.
macro_rules! exec {
    ($($query:tt)*) => { changed!($($query)*).map(drop) };
}

/// A statement that is `NotFound` where it changes no row.
macro_rules! must_change {
    ($($query:tt)*) => { changed!($($query)*).and_then($crate::query::at_least_one) };
}

/// What to read of a table, in the `columns!` of the module: `select!("FROM feeds WHERE business_id = $1 AND id = $2")`.
macro_rules! select {
    ($from:literal) => {
        concat!("SELECT ", columns!(), " ", $from)
    };
}

/// A statement that answers with the rows that it wrote, in the same columns.
macro_rules! returning {
    ($write:literal) => {
        concat!($write, " RETURNING ", columns!())
    };
}

/// A change alone in its transaction: `in_tx!(db, tx => items::miss(&mut tx, business, id, now).await)?`. It is a macro
/// because a closure's future cannot be required to be `Send`. With `async_commit` the commit does not wait for the disk
/// (`Db::begin_async_commit`).
#[macro_export]
macro_rules! in_tx {
    ($db:expr, $tx:ident => $change:expr) => { $crate::in_tx!(@begun $db.begin(), $tx => $change) };
    ($db:expr, async_commit, $tx:ident => $change:expr) => {
        $crate::in_tx!(@begun $db.begin_async_commit(), $tx => $change)
    };
    (@begun $begin:expr, $tx:ident => $change:expr) => {
        async {
            let mut $tx = $begin.await?;
            let changed = $change?;
            $tx.commit().await?;
            Ok::<_, $crate::StorageError>(changed)
        }
        .await
    };
}

#[cfg(test)]
mod tests {
    use super::{checked_now, fits};

    #[test]
    fn query_whose_binds_fit_is_taken() {
        assert!(fits("SELECT 1", 0));
        assert!(fits("SELECT $2, $1, $1 WHERE detail ->> '$.kind' = $3", 3));
        let ten = "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        assert!(fits(ten, 10) && !fits(ten, 9) && !fits(ten, 11));
    }

    #[test]
    fn query_with_too_few_or_too_many_binds_is_refused() {
        assert!(!fits("SELECT $1, $2", 1), "one is not bound");
        assert!(!fits("SELECT $1, $2", 3), "one is bound to nothing");
        assert!(!fits("SELECT $1, $3", 2), "one is left out");
        assert!(!fits("SELECT $1", 0));
        assert!(!fits("SELECT $65", 65), "more than this can tell");
    }

    #[test]
    #[should_panic(expected = "1 binds do not fit SELECT $1, $2")]
    fn dynamic_query_is_checked_when_it_runs() {
        checked_now("SELECT $1, $2", 1);
    }
}

//! What sqlx tells of each statement that this process runs.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RECORDING: Once = Once::new();
/// How many of them ran.
static RAN: AtomicU64 = AtomicU64::new(0);

/// Takes down, from now on, the text of each statement that this process runs, if it is that of the contract suite, which
/// runs every query. Whether it is: then `check` is to be asked at the end.
pub fn watch(crate_name: &str) -> bool {
    let watches = crate_name == "contract";
    if watches {
        RECORDING.call_once(|| {
            tracing::subscriber::set_global_default(StatementRecorder)
                .expect("nobody else listens in this suite");
        });
    }
    watches
}

static IN_ORDER: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Takes down, from now on, each statement that this process runs on a database that it opens afterwards, in order.
///
/// # Panics
/// If somebody else listens.
pub fn take_down() {
    *locked(&IN_ORDER) = Some(Vec::new());
    RECORDING.call_once(|| {
        tracing::subscriber::set_global_default(StatementRecorder).expect("nobody else listens");
    });
}

/// What was taken down since this was last asked.
pub fn taken_down() -> Vec<String> {
    locked(&IN_ORDER).as_mut().map(std::mem::take).unwrap_or_default()
}

/// How many statements this process has run since it was watched.
pub fn statements() -> u64 {
    RAN.load(Ordering::SeqCst)
}

/// Whether sqlx is to tell of each statement.
pub(crate) fn is_watching() -> bool {
    RECORDING.is_completed()
}

/// Those that were run since the last time.
pub(super) fn take_seen() -> BTreeSet<String> {
    std::mem::take(&mut *locked(&SEEN))
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct StatementRecorder;

impl Subscriber for StatementRecorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = RecordedStatement::default();
        event.record(&mut statement);
        // The text is left out where the summary is all of it.
        let text = if statement.text.is_empty() { statement.summary } else { statement.text };
        RAN.fetch_add(1, Ordering::SeqCst);
        if let Some(all) = locked(&IN_ORDER).as_mut() {
            all.push(in_one_line(&text));
        }
        locked(&SEEN).insert(in_one_line(&text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct RecordedStatement {
    summary: String,
    text: String,
}

impl Visit for RecordedStatement {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.text),
            _ => {}
        }
    }
}

//! Everything that is logged in this process, at the finest level, so that a test can look for secrets in it.

use std::{
    io::Write,
    sync::{LazyLock, Mutex, Once, PoisonError},
};

static WRITTEN: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);
static SECRETS: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);
static ONCE: Once = Once::new();

#[derive(Clone)]
struct LogCollector;

impl Write for LogCollector {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to collect; once a process.
pub fn collect() {
    ONCE.call_once(|| {
        let collecting = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| LogCollector);
        // Another subscriber would mean that nothing is collected, and that nothing is found.
        collecting.try_init().expect("this is the first subscriber");
    });
}

/// This must be in no log.
pub fn keep_out(secret: &str) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
}

/// What was logged so far.
pub fn written() -> String {
    String::from_utf8_lossy(&WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// No key stands in any answer; whoever calls has it already.
pub fn check_answer(text: &str) {
    for secret in SECRETS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        assert!(!text.contains(secret.as_str()), "an answer holds a secret: {text}");
    }
}

/// No secret stands in any log.
#[track_caller]
pub fn check() {
    let written = written();
    for secret in SECRETS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let line = written.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "a log line holds a secret");
    }
}

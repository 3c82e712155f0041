//! What is logged while a test runs.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

/// All that this process logs, of every library at its most talkative.
#[derive(Clone, Default)]
pub(crate) struct CapturedSyncLog(Arc<Mutex<Vec<u8>>>);

impl CapturedSyncLog {
    /// What was logged up to now.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for CapturedSyncLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedSyncLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The process has one log; tests that share the process share it.
pub(crate) fn log() -> CapturedSyncLog {
    static LOG: OnceLock<CapturedSyncLog> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = CapturedSyncLog::default();
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
        log
    })
    .clone()
}

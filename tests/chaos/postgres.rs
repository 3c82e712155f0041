//! A PostgreSQL server of the test's own, which it may stop.

use std::process::Command;

use concord_storage::testing::{self, TestDb};
use tempfile::TempDir;

/// A server that goes with this.
pub(crate) struct PostgresProcess {
    state: TempDir,
}

impl PostgresProcess {
    /// Starts one, and makes a migrated database on it.
    pub(crate) async fn start() -> (Self, TestDb) {
        let server = Self { state: tempfile::tempdir().expect("a temporary folder") };
        let said = server.services("up").await;
        let line = said.lines().find(|line| line.contains(testing::POSTGRES_URL)).expect("its URL");
        let url = line.split('\'').nth(1).expect("in quotes").to_owned();
        let db = testing::postgres_at(&url).await;
        (server, db)
    }

    /// Ends it at once (`pg_ctl stop -m immediate`): no client is told, nothing is written any more.
    pub(crate) async fn crash(&self) {
        self.services("crash-postgres").await;
    }

    /// Starts it if it does not run; it recovers from its log.
    pub(crate) async fn start_again(&self) {
        self.services("start-postgres").await;
    }

    /// Beside everything else: it takes a moment. It comes to its end even if nobody waits for it any more.
    async fn services(&self, command: &'static str) -> String {
        let mut script = self.script(command);
        let done = tokio::task::spawn_blocking(move || script.output().expect("the script runs")).await;
        let done = done.expect("it does not panic");
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn script(&self, command: &str) -> Command {
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services.sh"));
        script.arg(command).env("CONCORD_SERVICES_DIR", self.state.path());
        script
    }
}

impl Drop for PostgresProcess {
    fn drop(&mut self) {
        // What is left behind spoils no test.
        let _ = self.script("down").output();
    }
}

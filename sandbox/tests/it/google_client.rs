//! The sandbox driven by Google's own client for Python.

use std::path::PathBuf;
use std::process::Command;

use crate::client::SandboxClient;

/// The Python that has the packages: `CONCORD_TEST_PYTHON`, or the one in the project's `target/python`.
///
/// Panics with the command that installs it if it is not there.
pub(crate) fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("CONCORD_TEST_PYTHON") {
        return named.into();
    }
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python"));
    assert!(
        own.exists(),
        "there is no {}; run: python3 -m venv target/python && \
         target/python/bin/pip install google-api-python-client jsonschema",
        own.display()
    );
    own
}

#[tokio::test]
async fn google_s_own_client_is_at_home() {
    let outside = SandboxClient::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/google_client.py");
    let mut command = Command::new(python());
    command.arg(script).arg(outside.sandbox.url()).arg(&outside.token).arg(&outside.refresh_token);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all is well"), "{said}");
}

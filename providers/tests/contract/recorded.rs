//! What was said between us and each provider is held against the provider's own definition.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{google, microsoft, sandbox::SandboxFixture};

#[tokio::test]
async fn all_traffic_with_google_is_as_google_defines_it() {
    let Some(definition) = definition("google-calendar-v3.swagger.json") else { return };
    let fixture = google::google().await;
    google::all(&fixture).await;
    validate_traffic(&definition, &fixture).await;
}

#[tokio::test]
async fn all_traffic_with_microsoft_is_as_microsoft_defines_it() {
    let Some(definition) = definition("graph-calendar.openapi.json") else { return };
    let fixture = microsoft::microsoft().await;
    microsoft::all(&fixture).await;
    validate_traffic(&definition, &fixture).await;
}

/// The provider's own definition, where it is there.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn definition(name: &str) -> Option<PathBuf> {
    let contracts = std::env::var_os("CONCORD_CONTRACTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/contracts"), PathBuf::from);
    let definition = contracts.join(name);
    if !definition.exists() {
        println!("skipped: {} is not there (CONCORD_CONTRACTS names its folder)", definition.display());
        return None;
    }
    Some(definition)
}

async fn validate_traffic(definition: &Path, fixture: &SandboxFixture) {
    let traffic = tempfile::NamedTempFile::new().unwrap();
    let recorded = std::str::from_utf8(&fixture.recorded().await).unwrap().to_owned();
    let lines: Vec<String> = recorded.lines().map(without_cleared_members).collect();
    std::fs::write(traffic.path(), lines.join("\n")).unwrap();
    let calls = lines.len();
    assert!(calls > 100, "hardly anything was recorded: {calls}");

    let output = Command::new(python())
        .arg(definition.with_file_name("validate_recorded.py"))
        .args([definition, traffic.path()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.trim_end().ends_with(" 0 failed"), "{said}");
}

/// A null in a patch clears the member (RFC 7396, and the providers' own words on patches); the definitions are of whole
/// resources, in which it has no place.
fn without_cleared_members(line: &str) -> String {
    fn drop_nulls(value: &mut Value) {
        if let Value::Object(members) = value {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
    }
    let Ok(mut exchange) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    if exchange["method"] == "PATCH"
        && let Some(body) = exchange.get_mut("body")
    {
        drop_nulls(body);
    }
    exchange.to_string()
}

/// A Python that has `jsonschema`.
fn python() -> PathBuf {
    let python = std::env::var_os("CONCORD_TEST_PYTHON").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python"),
        PathBuf::from,
    );
    assert!(
        python.exists(),
        "{} is not there: python3 -m venv target/python && target/python/bin/pip install jsonschema",
        python.display()
    );
    python
}

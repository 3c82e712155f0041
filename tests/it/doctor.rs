//! `concord doctor`: an installation that is well, one that is not, and one that is not there yet.

use std::{fs, path::Path};

use concord_sandbox::OAuthClient;
use concord_storage::{seal::MasterKey, testing::TestDb};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    command_line::concord,
    test_app::{TestApp, TestAppOptions},
};

/// What the doctor finds, with the code that it ends with. None of `secrets` is in it, in either form.
fn doctor(folder: &Path, variables: &[(&str, &str)], secrets: &[&str]) -> (Option<i32>, Value) {
    let run = |arguments: &[&str]| {
        tokio::task::block_in_place(|| concord(arguments, variables).current_dir(folder).output().unwrap())
    };
    let (words, json) = (run(&["doctor"]), run(&["doctor", "--json"]));
    for output in [&words, &json] {
        assert_eq!(output.status.code(), json.status.code(), "{output:?}");
        let shown = [&output.stdout[..], &output.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        for secret in secrets {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().len();
    // One line for each, and one for the whole.
    assert_eq!(String::from_utf8(words.stdout).unwrap().lines().count(), findings + 1);
    (json.status.code(), report)
}

/// The verdicts and texts of one part.
fn of<'r>(report: &'r Value, part: &str) -> Vec<(&'r str, &'r str)> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["part"] == part);
    findings.map(|one| (one["verdict"].as_str().unwrap(), one["text"].as_str().unwrap())).collect()
}

#[track_caller]
fn check(report: &Value, part: &str, verdict: &str, words: &str) {
    let found = of(report, part);
    assert!(
        found.iter().any(|(found, text)| *found == verdict && text.contains(words)),
        "{part} is not {verdict}, {words}: {report:#}"
    );
}

/// The surroundings of an installation, for another process of the same installation.
fn variables(test_app: &TestApp, db: &TestDb) -> Vec<(&'static str, String)> {
    let config = &test_app.app.config;
    let key = config.security.master_key.as_ref().unwrap().expose_secret().to_owned();
    let sandbox = test_app.sandbox.url();
    let (google, microsoft) = (OAuthClient::default(), OAuthClient::microsoft());
    let issuer = OAuthClient::issuer();
    let mut variables = vec![
        ("DATABASE_URL", db.url().to_owned()),
        ("SMTP_URL", test_app.sandbox.smtp_url()),
        ("PUBLIC_URL", test_app.api.base.clone()),
        ("CONCORD_MASTER_KEY", key),
        ("GOOGLE_CALENDAR_CLIENT_ID", google.client_id),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", google.client_secret),
        ("CONCORD__PROVIDERS__GOOGLE__API_BASE", format!("{sandbox}/google")),
        ("CONCORD__PROVIDERS__GOOGLE__AUTH_URL", format!("{sandbox}/google/o/oauth2/v2/auth")),
        ("CONCORD__PROVIDERS__GOOGLE__TOKEN_URL", format!("{sandbox}/google/token")),
        ("CONCORD__PROVIDERS__GOOGLE__REVOKE_URL", format!("{sandbox}/google/revoke")),
        ("MICROSOFT_GRAPH_CLIENT_ID", microsoft.client_id),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", microsoft.client_secret),
        ("CONCORD__PROVIDERS__MICROSOFT__API_BASE", format!("{sandbox}/microsoft")),
        ("CONCORD__PROVIDERS__MICROSOFT__LOGIN_BASE", format!("{sandbox}/microsoft")),
        ("CONCORD__SIGN_IN__OIDC__ISSUER", format!("{sandbox}/issuer")),
        ("CONCORD__SIGN_IN__OIDC__CLIENT_ID", issuer.client_id),
        ("CONCORD__SIGN_IN__OIDC__CLIENT_SECRET", issuer.client_secret),
    ];
    if let Some(redis) = &config.queue.redis_url {
        variables.push(("REDIS_URL", redis.expose_secret().to_owned()));
    }
    variables
}

fn borrowed<'v>(variables: &'v [(&'static str, String)]) -> Vec<(&'v str, &'v str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn an_installation_that_is_well_is_said_to_be(db: &TestDb) {
    let test_app = TestApp::start_with_redis(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, "ana@example.com").await;
    let folder = TempDir::new().unwrap();
    let variables = variables(&test_app, db);
    let secret = |name: &str| variables.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    let secrets = [
        secret("CONCORD_MASTER_KEY"),
        secret("GOOGLE_CALENDAR_CLIENT_SECRET"),
        secret("MICROSOFT_GRAPH_CLIENT_SECRET"),
        secret("CONCORD__SIGN_IN__OIDC__CLIENT_SECRET"),
        secret("REDIS_URL"),
    ];
    let (code, report) =
        doctor(folder.path(), &borrowed(&variables), &secrets.each_ref().map(String::as_str));
    assert_eq!((code, &report["verdict"]), (Some(0), &"warning".into()), "{report:#}");
    check(&report, "configuration", "ok", "DATABASE_URL");
    check(&report, "master key", "ok", "there is one");
    check(&report, "database", "ok", "up to date, and can be written to");
    check(&report, "database", "ok", db.kind());
    check(&report, "queue", "ok", "Redis ");
    check(&report, "mail", "ok", "responds");
    check(&report, "Google", "ok", "accepts the credentials");
    check(&report, "Microsoft", "ok", "accepts the credentials");
    check(&report, "clock", "ok", "as a provider's");
    check(&report, "sign-in", "ok", "/issuer can be read");
    check(&report, "public address", "warning", "is not encrypted");
    assert_eq!(report["findings"].as_array().unwrap().len(), 11, "{report:#}");
    test_app.stop().await;
}

async fn what_is_wrong_is_said_with_what_to_do(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_google(ana, "ana@example.com").await;
    let folder = TempDir::new().unwrap();
    let mut variables = variables(&test_app, db);
    let key = MasterKey::generate().to_base64().expose_secret().to_owned();
    let read_only = match db.kind() {
        "sqlite" => "mode=ro",
        _ => "options=-c%20default_transaction_read_only%3Don",
    };
    let and = if db.url().contains('?') { '&' } else { '?' };
    let nobody = "127.0.0.1:1";
    for (name, value) in [
        ("DATABASE_URL", format!("{}{and}{read_only}", db.url())),
        ("CONCORD_MASTER_KEY", key.clone()),
        ("REDIS_URL", format!("redis://:hush@{nobody}")),
        ("SMTP_URL", format!("smtp://ana:hush@{nobody}?tls=none")),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", "hush".to_owned()),
        ("CONCORD__PROVIDERS__MICROSOFT__LOGIN_BASE", format!("http://{nobody}/")),
        ("CONCORD__SIGN_IN__OIDC__ISSUER", format!("{}/issuer/", test_app.sandbox.url())),
        // Something else answers there.
        ("PUBLIC_URL", test_app.sandbox.url()),
    ] {
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value));
    }
    let (code, report) = doctor(folder.path(), &borrowed(&variables), &["hush", &key]);
    assert_eq!((code, &report["verdict"]), (Some(1), &"wrong".into()), "{report:#}");
    check(&report, "database", "wrong", "cannot be written to: ");
    check(&report, "queue", "wrong", "refused");
    check(&report, "mail", "wrong", "cannot be reached");
    check(&report, "Google", "wrong", "does not accept this installation");
    check(&report, "Microsoft", "wrong", "127.0.0.1: the provider could not be reached");
    check(&report, "sign-in", "wrong", "with or without a slash at its end");
    check(&report, "public address", "wrong", "does not answer as Concord");
    let advised = report["findings"].as_array().unwrap().iter().filter(|one| one["verdict"] != "ok");
    assert!(
        advised.clone().all(|one| one["advice"].as_str().is_some_and(|words| words.len() > 10)),
        "{report:#}"
    );

    // The database as it is: then what the key does not open is met.
    variables.retain(|(known, _)| *known != "DATABASE_URL");
    variables.push(("DATABASE_URL", db.url().to_owned()));
    let (_, report) = doctor(folder.path(), &borrowed(&variables), &["hush", &key]);
    check(&report, "master key", "wrong", "does not open the tokens of 1 of 1 connections");
    test_app.stop().await;
}

/// The address is of a proxy that leads nowhere.
async fn a_way_that_leads_nowhere_is_told_from_one_that_is_not_running(db: &TestDb) {
    let test_app = TestApp::start_with(db, TestAppOptions::default()).await;
    let folder = TempDir::new().unwrap();
    let mut variables = variables(&test_app, db);
    variables.retain(|(name, _)| *name != "PUBLIC_URL");
    variables.push(("PUBLIC_URL", "http://127.0.0.1:1".to_owned()));
    variables.push(("CONCORD__SERVER__LISTEN", test_app.api.base.trim_start_matches("http://").to_owned()));
    let (code, report) = doctor(folder.path(), &borrowed(&variables), &[]);
    assert_eq!(code, Some(1));
    check(&report, "public address", "wrong", "but Concord runs at ");
    // Where nothing is a provider, none is spoken of.
    let address = report["findings"].as_array().unwrap().iter().find(|one| one["part"] == "public address");
    assert!(!address.unwrap()["text"].as_str().unwrap().contains("provider"), "{report:#}");
    test_app.stop().await;
    let is_outside =
        |name: &str| ["SMTP", "GOOGLE", "MICROSOFT", "OIDC"].iter().any(|part| name.contains(part));
    variables.retain(|(name, _)| !is_outside(name));
    let (code, report) = doctor(folder.path(), &borrowed(&variables), &[]);
    assert_eq!(code, Some(0), "{report:#}");
    check(&report, "public address", "warning", "nothing answers at http://127.0.0.1:1/");
    check(&report, "clock", "ok", "not compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_yet_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    // Nobody listens there.
    let variables = [("CONCORD__SERVER__LISTEN", "127.0.0.1:1")];
    let (code, report) = doctor(folder.path(), &variables, &[]);
    assert_eq!((code, &report["verdict"]), (Some(0), &"warning".into()), "{report:#}");
    check(&report, "master key", "ok", "the first start creates one");
    check(&report, "database", "warning", "there is no database of Concord yet: ");
    check(&report, "queue", "ok", "inside the process");
    check(&report, "mail", "warning", "no mail server is set");
    check(&report, "Google", "ok", "not set up");
    check(&report, "public address", "warning", "nothing answers at http://127.0.0.1:1/");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_all_that_is_looked_at() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("concord.toml"),
        "[sync]\npol_minutes = 3\n[database]\nurl = \"mysql://hush\"",
    )
    .unwrap();
    let (code, report) = doctor(folder.path(), &[("REDIS_URL", "hush")], &["hush"]);
    assert_eq!(code, Some(1));
    check(
        &report,
        "configuration",
        "wrong",
        "concord.toml: sync.pol_minutes: there is no such key; did you mean",
    );
    assert!(report["findings"].as_array().unwrap().iter().all(|one| one["part"] == "configuration"));

    fs::remove_file(folder.path().join("concord.toml")).unwrap();
    let wrong = [("REDIS_URL", "hush"), ("DATABASE_URL", "mysql://hush")];
    let (code, report) = doctor(folder.path(), &wrong, &["hush"]);
    assert_eq!((code, of(&report, "configuration").len()), (Some(1), 2), "{report:#}");
    let missing = [("CONCORD_CONFIG", "/nonexistent/concord.toml")];
    let (code, report) = doctor(folder.path(), &missing, &[]);
    assert_eq!(code, Some(1));
    check(&report, "configuration", "wrong", "/nonexistent/concord.toml: cannot be read: ");
}

concord_storage::on_both_databases!(
    an_installation_that_is_well_is_said_to_be,
    what_is_wrong_is_said_with_what_to_do,
    a_way_that_leads_nowhere_is_told_from_one_that_is_not_running,
);

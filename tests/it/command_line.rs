//! The binary as people start it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use bytes::Bytes;
use concord_providers::{HttpClient, HttpConfig};
use tempfile::TempDir;

use crate::test_app::until;

/// With no variables but these, and as on most machines: others may read what is made, unless it is told otherwise.
pub(crate) fn concord(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "umask 022; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_concord")])
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Killed when the test ends, however it ends.
struct ChildGuard(Child);

impl ChildGuard {
    fn start(arguments: &[&str], variables: &[(&str, &str)], log: &Path) -> Self {
        let said = fs::File::create(log).unwrap();
        let mut command = concord(arguments, variables);
        Self(command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap())
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every file and folder below, with its permissions.
fn everything(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A file that SQLite or the demo has moved away meanwhile.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        found.push((path.display().to_string(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            found.extend(everything(&path));
        }
    }
    found
}

fn check_private(folder: &Path, expected: &[&str]) {
    let found = everything(folder);
    for name in expected {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "{name} is not among {found:?}");
    }
    for (path, mode) in &found {
        let is_folder = Path::new(path).is_dir();
        assert!(is_folder || *mode == 0o600, "{path} has mode {mode:o}");
    }
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn what_a_demo_keeps_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let (data, log) = (folder.path().join("new/demo"), folder.path().join("log"));
    // Started once and again; on every address it is opened at the loopback one.
    for (listen, url) in [("localhost:0", "http://localhost:"), ("0.0.0.0:0", "http://127.0.0.1:")] {
        let arguments = ["demo", "--listen", listen, "--data", data.to_str().unwrap()];
        let running = ChildGuard::start(&arguments, &[], &log);
        until("the demo says where it is", async || {
            fs::read_to_string(&log).unwrap().contains("Stop with Ctrl-C").then_some(())
        })
        .await;
        check_private(&data, &["concord.db", "-wal", "-shm", "demo.json", "master.key", "google.jsonl"]);
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.contains(url) && !said.contains("http://0.0.0.0"), "{said}");
        assert!(said.contains("work as often as you like, for 365 days"), "{said}");
        drop(running);
    }
}

#[tokio::test]
async fn what_an_installation_keeps_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let variables = [("CONCORD__DATA_DIR", data.to_str().unwrap())];
    let _running = ChildGuard::start(&["serve", "--listen", "127.0.0.1:0"], &variables, &log);
    until("it serves", async || fs::read_to_string(&log).unwrap().contains("serving").then_some(())).await;
    check_private(&data, &["concord.db", "-wal", "-shm", "master.key"]);
}

/// Whoever takes itself for the only one would take what another has in hand.
#[tokio::test]
async fn two_do_not_work_with_one_file() {
    let folder = TempDir::new().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let variables = [("CONCORD__DATA_DIR", data.to_str().unwrap())];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let running = ChildGuard::start(&serve, &variables, &log);
    until("it serves", async || fs::read_to_string(&log).unwrap().contains("serving").then_some(())).await;
    for second in [&serve[..], &["web", "--listen", "127.0.0.1:0"], &["worker"]] {
        let refused = refusal(&concord(second, &variables).output().unwrap());
        assert!(refused.contains("another Concord works with this database"), "{second:?}: {refused}");
        assert!(refused.contains("concord.db.lock"), "{refused}");
    }
    drop(running);
    let _web = ChildGuard::start(&["web", "--listen", "127.0.0.1:0"], &variables, &log);
    until("it serves", async || fs::read_to_string(&log).unwrap().contains("serving").then_some(())).await;
    refusal(&concord(&serve, &variables).output().unwrap());
}

/// What a worker counts is in no front.
#[tokio::test]
async fn a_worker_answers_for_itself_where_it_is_set_to() {
    let folder = TempDir::new().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let variables =
        [("CONCORD__DATA_DIR", data.to_str().unwrap()), ("CONCORD__WORKER__LISTEN", "127.0.0.1:0")];
    let _worker = ChildGuard::start(&["worker"], &variables, &log);
    let address = until("it answers", async || {
        let said = fs::read_to_string(&log).unwrap();
        let (_, rest) = said.split_once("serving metrics and health address=")?;
        rest.split_once('\n').map(|(address, _)| address.trim().to_owned())
    });
    let address = address.await;
    let http = HttpClient::new(HttpConfig::default()).unwrap();
    let get = |url: &str| http::Request::get(url).body(Bytes::new()).unwrap();
    let place = format!("http://{address}");
    let metrics = http.send(get(&format!("{place}/metrics"))).await.unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(metrics.contains("concord_database_up{kind=\"sqlite\"} 1"), "{metrics}");
    assert!(metrics.contains("concord_jobs{kind=\"retention\""), "{metrics}");
    assert!(concord(&["health", "--url", &place], &[]).status().unwrap().success());
    let page = http.send(get(&format!("{place}/sign-in"))).await.unwrap();
    assert_eq!(page.status, http::StatusCode::NOT_FOUND, "it serves no pages");
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_demo_keeps_out_of_what_is_in_earnest() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("concord.db"), "in earnest").unwrap();
    let data = folder.path().to_str().unwrap();
    let output = concord(&["demo", "--listen", "127.0.0.1:0", "--data", data], &[]).output().unwrap();
    let refused = refusal(&output);
    assert!(refused.contains("name a new folder, or an empty one"), "{refused}");
    assert_eq!(everything(folder.path()).len(), 1);
}

#[test]
fn a_place_that_cannot_be_had_is_named_with_its_key() {
    let folder = TempDir::new().unwrap();
    let variables = [
        ("CONCORD__DATA_DIR", folder.path().to_str().unwrap()),
        ("CONCORD__SERVER__LISTEN", "nobody.invalid:1"),
    ];
    let refused = refusal(&concord(&["serve"], &variables).output().unwrap());
    assert!(refused.contains("server.listen: cannot listen on nobody.invalid:1: "), "{refused}");
}

#[test]
fn a_business_is_made_as_pages_and_addresses_can_take_it() {
    let folder = TempDir::new().unwrap();
    let variables = [("CONCORD__DATA_DIR", folder.path().to_str().unwrap())];
    let user = |arguments: &[&str]| concord(&[&["user"], arguments].concat(), &variables).output().unwrap();
    let make = |name, slug, email, manager| {
        let options = ["--slug", slug, "--zone", "Europe/Lisbon", "--email", email, "--manager", manager];
        user(&[&["business", name], &options[..]].concat())
    };
    let refused = refusal(&make("", "Bad Slug/../", "not an address", " "));
    for words in [
        "NAME must not be empty",
        "--slug may contain only lowercase letters (a to z), digits and hyphens",
        "--email is not a valid email address",
        "--manager must not be empty",
    ] {
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(everything(folder.path()), [], "nothing was written");

    let made = make(" Casa do Mar ", "casa-do-mar", "rita@example.org", "Rita Alves");
    assert!(made.status.success(), "{made:?}");
    let refused = refusal(&user(&["add", "--business", "casa-do-mar", "nobody", "a\nb"]));
    assert!(refused.contains("EMAIL is not a valid email address"), "{refused}");
    assert!(refused.contains("NAME contains a control character or a line break"), "{refused}");
    let list = String::from_utf8(user(&["list"]).stdout).unwrap();
    assert!(list.starts_with("Casa do Mar (casa-do-mar, Europe/Lisbon)\n"), "{list}");
    assert_eq!(list.lines().count(), 2, "{list}");
}

/// The arguments that make a business.
const BUSINESS: [&str; 11] = [
    "user",
    "business",
    "Casa do Mar",
    "--slug",
    "casa-do-mar",
    "--zone",
    "Europe/Lisbon",
    "--email",
    "rita@example.org",
    "--manager",
    "Rita Alves",
];

#[test]
fn an_installation_is_begun_by_its_first_business_alone() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let file = data.join("concord.db").display().to_string();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        concord(arguments, variables).current_dir(folder.path()).output().unwrap()
    };
    let others: [&[&str]; 4] = [
        &["user", "list"],
        &["user", "link", "rita@example.org"],
        &["user", "add", "--business", "casa-do-mar", "rui@example.org", "Rui"],
        &["keys", "rotate"],
    ];
    for arguments in others {
        let refused = refusal(&run(arguments, &[]));
        assert!(refused.contains(&format!("there is no database of Concord yet: {file}\n")), "{refused}");
        assert!(refused.contains("CONCORD__DATA_DIR"), "{refused}");
        assert!(!data.exists(), "{arguments:?} made something");
    }
    let url = [("DATABASE_URL", "sqlite:elsewhere.db")];
    let refused = refusal(&run(&["user", "list"], &url));
    assert!(refused.contains("elsewhere.db\nWhat chooses it is DATABASE_URL (database.url"), "{refused}");

    let made = String::from_utf8(run(&BUSINESS, &[]).stdout).unwrap();
    assert!(made.starts_with(&format!("Created a new database: {file}\nRita Alves")), "{made}");
    let mut another = BUSINESS;
    another[4] = "casa-da-serra";
    let made = String::from_utf8(run(&another, &[]).stdout).unwrap();
    assert!(made.starts_with("Rita Alves"), "{made}");
    for arguments in others {
        let output = run(arguments, &[]);
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_waited_for_with_a_word() {
    let folder = TempDir::new().unwrap();
    // Nothing listens on port 1.
    let variables = [
        ("CONCORD__DATA_DIR", folder.path().to_str().unwrap()),
        ("DATABASE_URL", "postgres://concord:hunter2@127.0.0.1:1/concord"),
    ];
    let refused = refusal(&concord(&["web", "--listen", "127.0.0.1:0"], &variables).output().unwrap());
    let words = refused.to_lowercase();
    assert!(words.contains("waiting for the database at 127.0.0.1:1: connection refused"), "{refused}");
    assert!(
        words.contains("concord: cannot open the database at 127.0.0.1:1: connection refused"),
        "{refused}"
    );
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn added_user_is_mailed_their_link_if_there_is_a_mail_server() {
    let folder = TempDir::new().unwrap();
    let data = ("CONCORD__DATA_DIR", folder.path().to_str().unwrap());
    assert!(concord(&BUSINESS, &[data]).output().unwrap().status.success());
    let add = |email: &str, variables: &[(&str, &str)]| {
        let arguments = ["user", "add", "--business", "casa-do-mar", email, "Rui"];
        let output = concord(&arguments, variables).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let alone = add("rui@example.org", &[data]);
    assert!(alone.starts_with("Rui (staff) signs in once within 3 days at\nhttp"), "{alone}");
    assert!(!alone.contains("mailed"), "{alone}");
    let smtp = ("SMTP_URL", "smtp://127.0.0.1:1?tls=none");
    let mailed = add("eva@example.org", &[data, smtp]);
    assert!(mailed.ends_with("It is mailed to eva@example.org too.\n"), "{mailed}");
}

#[test]
fn a_rotation_says_what_is_left_to_do() {
    let folder = TempDir::new().unwrap();
    let variables = [("CONCORD__DATA_DIR", folder.path().to_str().unwrap())];
    assert!(concord(&BUSINESS, &variables).output().unwrap().status.success());
    let output = concord(&["keys", "rotate"], &variables).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with(
            "0 connections, 0 secrets of channels, 0 addresses of feeds, 0 secrets of webhooks, 0 addresses of customers' pages, 0 mails, 0 erasures and 0 kept answers were re-encrypted"
        ),
        "{said}"
    );
    assert!(said.contains("Restart every process that still runs with the old configuration"), "{said}");
}

#[tokio::test]
async fn a_backup_is_its_owners_alone_and_replaces_nothing() {
    let folder = TempDir::new().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy.db"));
    let variables = [("CONCORD__DATA_DIR", data.to_str().unwrap())];
    let backup = || concord(&["backup", copy.to_str().unwrap()], &variables).output().unwrap();
    let nothing = backup();
    assert!(!nothing.status.success() && !copy.exists(), "{nothing:?}");
    let migrated = concord(&["migrate"], &variables).output().unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let made = backup();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&copy).unwrap();
    let again = backup();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("cannot write"), "{said}");
    assert_eq!(fs::read(&copy).unwrap(), before);
}

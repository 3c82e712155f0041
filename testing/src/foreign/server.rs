//! Servers that are not ours, each started for one test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use concord_providers::{HttpClient, HttpConfig};
use http::Request;
use secrecy::SecretString;
use tempfile::TempDir;
use url::Url;

use crate::{CaldavUser, FaultProxy, free_port};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerSoftware {
    /// <https://radicale.org>: passwords and rights of its own.
    Radicale,
    /// <https://www.xandikos.org>: leaves passwords to a proxy before it, and keeps its objects in git.
    Xandikos,
}

/// A running server with the proxy before it. It ends with its value.
#[derive(Debug)]
pub struct CaldavServer {
    software: ServerSoftware,
    direct: Url,
    /// What stands before it; whoever is on trial knows only this address.
    pub proxy: FaultProxy,
    accounts: AtomicU32,
    /// Names and passwords; of one name the last counts.
    passwords: Mutex<Vec<(String, String)>>,
    http: HttpClient,
    process: Child,
    data: TempDir,
}

impl Drop for CaldavServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// So often a start is tried.
const STARTS: u32 = 5;

const PASSWORD: &str = "app-pass-word-1234";

impl CaldavServer {
    /// Starts one with no accounts, by the Python that `CONCORD_TEST_PYTHON` names.
    pub async fn start(software: ServerSoftware) -> Self {
        // Another test may take the port between the look and the start: then the next one is tried.
        for _ in 0..STARTS {
            if let Some(server) = Self::try_to_start(software).await {
                return server;
            }
        }
        panic!("{software:?} ends as soon as it is started");
    }

    /// `None`: it has ended at once.
    async fn try_to_start(software: ServerSoftware) -> Option<Self> {
        let data = TempDir::new().expect("the surroundings are in order");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let process = command(software, address, &data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{software:?} cannot be started: {error}; set CONCORD_TEST_PYTHON=$(scripts/python.sh)"
                )
            });
        let mut server = Self {
            software,
            direct: format!("http://{address}/").parse().expect("the surroundings are in order"),
            proxy: FaultProxy::start(address).await.expect("the surroundings are in order"),
            accounts: AtomicU32::new(0),
            passwords: Mutex::default(),
            http: HttpClient::new(HttpConfig {
                request_timeout: Duration::from_mins(1),
                ..HttpConfig::default()
            })
            .expect("the surroundings are in order"),
            process,
            data,
        };
        server.answers().await.then_some(server)
    }

    /// Waits until it answers; `false`: it has ended. That somebody listens says nothing: a connection to a port that is still
    /// free can come out at its own beginning.
    async fn answers(&mut self) -> bool {
        let waiting = async {
            let asked = || Request::get(self.direct.as_str()).body(Bytes::new()).expect("it can be asked");
            while self.http.send(asked()).await.is_err() {
                if self.process.try_wait().expect("the surroundings are in order").is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            true
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("the surroundings are in order")
    }

    /// A person's own way to the server.
    pub fn person(&self, user: &str, password: SecretString) -> CaldavUser {
        CaldavUser { http: self.http.clone(), server: self.direct.clone(), user: user.to_owned(), password }
    }

    /// A person with an empty calendar, and a password.
    pub async fn new_account(&self) -> (String, String) {
        let user = format!("person{}@example.com", self.accounts.fetch_add(1, Ordering::SeqCst));
        let password = self.add_account(&user).await;
        (user, password)
    }

    /// The same for a name that the test decides. Returns the password.
    pub async fn add_account(&self, user: &str) -> String {
        let password = self.add_account_without_calendars(user);
        if self.software == ServerSoftware::Radicale {
            self.add_holidays(user);
        }
        self.person(user, password.clone().into()).make_calendar(&self.calendar_of(user)).await;
        password
    }

    /// A person who has never made a calendar. Returns the password.
    pub fn add_account_without_calendars(&self, user: &str) -> String {
        self.set_password(user, PASSWORD);
        PASSWORD.to_owned()
    }

    /// From now on the person signs in with this.
    pub fn set_password(&self, user: &str, password: &str) {
        self.passwords().push((user.to_owned(), password.to_owned()));
        match self.software {
            ServerSoftware::Radicale => self.write_password_file(),
            ServerSoftware::Xandikos => self.proxy.admit(user, password),
        }
    }

    /// What the person signs in with.
    pub fn password_of(&self, user: &str) -> String {
        let passwords = self.passwords();
        let last = passwords.iter().rfind(|(name, _)| name == user);
        last.expect("the person has an account").1.clone()
    }

    /// Every name and password that there ever was.
    pub fn all_passwords(&self) -> Vec<(String, String)> {
        self.passwords().clone()
    }

    fn passwords(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a person's main calendar.
    pub fn calendar_of(&self, user: &str) -> String {
        match self.software {
            ServerSoftware::Radicale => format!("/{user}/calendar/"),
            ServerSoftware::Xandikos => format!("/{user}/calendars/calendar/"),
        }
    }

    fn write_password_file(&self) {
        let passwords = self.passwords();
        let now: BTreeMap<&String, &String> =
            passwords.iter().map(|(user, password)| (user, password)).collect();
        let users: String = now
            .into_iter()
            .flat_map(|(user, password)| [user.as_str(), ":", password.as_str(), "\n"])
            .collect();
        std::fs::write(self.data.path().join("users"), users).expect("the surroundings are in order");
    }

    /// Puts these objects, by name, into a person's main calendar, behind the server's back.
    ///
    /// # Panics
    /// On a server that is not Radicale.
    pub fn fill(&self, user: &str, objects: &[(String, String)]) {
        assert_eq!(self.software, ServerSoftware::Radicale, "the others keep no plain files");
        let folder = self.data.path().join("store/collection-root").join(user).join("calendar");
        for (name, object) in objects {
            std::fs::write(folder.join(name), object).expect("the surroundings are in order");
        }
    }

    /// A calendar that its owner may only read, made behind the server's back.
    fn add_holidays(&self, user: &str) {
        let folder = self.data.path().join("store/collection-root").join(user).join("holidays");
        std::fs::create_dir_all(&folder).expect("the surroundings are in order");
        std::fs::write(folder.join(".Radicale.props"), r#"{"tag":"VCALENDAR","D:displayname":"Holidays"}"#)
            .expect("the surroundings are in order");
        let object = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:easter\r\n\
            DTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20260405\r\nDTEND;VALUE=DATE:20260406\r\n\
            SUMMARY:Easter\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        std::fs::write(folder.join("easter.ics"), object).expect("the surroundings are in order");
    }
}

fn command(software: ServerSoftware, address: SocketAddr, data: &TempDir) -> Command {
    let python = std::env::var("CONCORD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    // Its own errors would otherwise tell of passwords.
    command.current_dir(data.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    match software {
        ServerSoftware::Radicale => {
            let folder = data.path().display();
            let config = format!(
                "[server]\nhosts = {address}\nmax_connections = 40\n\
                 [auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\nhtpasswd_encryption = plain\ndelay = 0\n\
                 [rights]\ntype = from_file\nfile = {folder}/rights\n\
                 [storage]\nfilesystem_folder = {folder}/store\n\
                 [logging]\nlevel = error\n"
            );
            std::fs::write(data.path().join("config"), config).expect("the surroundings are in order");
            std::fs::write(data.path().join("users"), "").expect("the surroundings are in order");
            std::fs::write(data.path().join("rights"), RIGHTS).expect("the surroundings are in order");
            command.args(["-m", "radicale", "--config"]).arg(data.path().join("config"));
        }
        ServerSoftware::Xandikos => {
            let port = address.port().to_string();
            command.args(["-m", "xandikos", "multi-user", "-l", "127.0.0.1", "-p", &port]);
            command.args(["--trust-x-remote-user-from", "127.0.0.1", "--no-detect-systemd"]);
            command
                .arg("-d")
                .arg(data.path().join("store"))
                .arg("--state-dir")
                .arg(data.path().join("state"));
        }
    }
    command
}

const RIGHTS: &str = "
[root]
user: .*
collection:
permissions: R

[principal]
user: .+
collection: {user}
permissions: RW

[holidays]
user: .+
collection: {user}/holidays
permissions: r

[calendars]
user: .+
collection: {user}/[^/]+
permissions: rw
";

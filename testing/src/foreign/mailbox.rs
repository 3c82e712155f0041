//! A mailbox that is not ours: Dovecot, as the system's packages have it.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;

use crate::free_port;

/// A mail server with one mailbox, `book`. It ends with its value.
#[derive(Debug)]
pub struct MailboxServer {
    process: Child,
    data: TempDir,
    port: u16,
    tls_port: u16,
    password: String,
    delivered: AtomicU32,
}

/// So often a start is tried.
const STARTS: u32 = 5;

impl Drop for MailboxServer {
    fn drop(&mut self) {
        // Its own processes end with the first one, if that is asked and not killed.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

impl MailboxServer {
    /// Starts one with this password. Its certificate is signed by nobody but itself.
    pub async fn start(password: &str) -> Self {
        for _ in 0..STARTS {
            if let Some(server) = Self::try_to_start(password).await {
                return server;
            }
        }
        panic!("dovecot ends as soon as it is started; scripts/tools.sh installs it");
    }

    async fn try_to_start(password: &str) -> Option<Self> {
        let data = TempDir::new().expect("the surroundings are in order");
        let (port, tls_port) = (free_port(), free_port());
        make_certificate(data.path());
        let config = data.path().join("dovecot.conf");
        fs::write(&config, configuration(data.path(), (port, tls_port), password))
            .expect("it can be written");
        if account().0 == "nobody" {
            // Started by root, it gives its rights away.
            let status = Command::new("chown").arg("-R").arg("nobody").arg(data.path()).status();
            assert!(status.is_ok_and(|status| status.success()));
        }
        let process = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dovecot is installed: scripts/tools.sh");
        let mut server = Self {
            process,
            data,
            port,
            tls_port,
            password: password.to_owned(),
            delivered: AtomicU32::new(0),
        };
        server.listens().await.then_some(server)
    }

    async fn listens(&mut self) -> bool {
        let waiting = async {
            while [self.port, self.tls_port]
                .iter()
                .any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
            {
                if self.process.try_wait().expect("the surroundings are in order").is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            true
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("the surroundings are in order")
    }

    /// Its address with the password, by which nothing is guarded.
    pub fn plain_url(&self) -> String {
        format!("imap://book:{}@127.0.0.1:{}/?tls=none", encoded(&self.password), self.port)
    }

    /// The same by STARTTLS, at the name in its certificate.
    pub fn starttls_url(&self) -> String {
        format!("imap://book:{}@localhost:{}", encoded(&self.password), self.port)
    }

    /// The same by TLS from the first byte.
    pub fn tls_url(&self) -> String {
        format!("imaps://book:{}@localhost:{}/INBOX", encoded(&self.password), self.tls_port)
    }

    /// Its certificate, for who is to trust it.
    pub fn certificate(&self) -> PathBuf {
        self.data.path().join("certificate.pem")
    }

    /// A mail comes, as a mail server puts it into a Maildir: made aside, then moved.
    pub fn deliver(&self, mail: &[u8]) {
        let number = self.delivered.fetch_add(1, Ordering::SeqCst);
        let name = format!("{:010}.{number}.test", 1_700_000_000 + number);
        let folder = self.maildir();
        let (aside, place) = (folder.join("tmp").join(&name), folder.join("new").join(&name));
        fs::write(&aside, mail).expect("it can be written");
        fs::set_permissions(&aside, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("it is ours");
        fs::rename(aside, place).expect("it can be moved");
    }

    /// The names of its mails that somebody has read, as Maildir says it.
    pub fn marked(&self) -> Vec<String> {
        let listed = fs::read_dir(self.maildir().join("cur")).expect("there is a mailbox");
        let names =
            listed.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(":2,")).collect()
    }

    /// It forgets the numbers of its mails, as after a restore: they get new ones.
    pub fn renumber(&self) {
        for file in [
            "dovecot-uidlist",
            "dovecot.index.log",
            "dovecot.index",
            "dovecot.index.cache",
            "dovecot-uidvalidity",
        ] {
            let _ = fs::remove_file(self.maildir().join(file));
        }
        let validity = fs::read_dir(self.maildir()).expect("there is a mailbox");
        for entry in validity.flatten() {
            if entry.file_name().to_string_lossy().starts_with("dovecot-uidvalidity") {
                fs::remove_file(entry.path()).expect("it is ours");
            }
        }
    }

    fn maildir(&self) -> PathBuf {
        self.data.path().join("book")
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// By whose rights it works, and their group: not root's, which it refuses.
fn account() -> (String, String) {
    let said = |option: &str| {
        let output = Command::new("id").arg(option).output().expect("the system knows who we are");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    match said("-un").as_str() {
        "root" => ("nobody".to_owned(), "nogroup".to_owned()),
        user => (user.to_owned(), said("-gn")),
    }
}

fn make_certificate(folder: &Path) {
    for box_folder in ["tmp", "new", "cur"] {
        fs::create_dir_all(folder.join("book").join(box_folder)).expect("it can be made");
    }
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .output()
        .expect("openssl comes with dovecot");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn configuration(folder: &Path, (port, tls_port): (u16, u16), password: &str) -> String {
    let (user, group) = account();
    let folder = folder.display();
    format!(
        "protocols = imap\nbase_dir = {folder}/run\nstate_dir = {folder}/run\nlisten = 127.0.0.1\n\
         log_path = {folder}/log\ndefault_login_user = {user}\ndefault_internal_user = {user}\n\
         default_internal_group = {group}\ndisable_plaintext_auth = no\nssl = yes\n\
         ssl_cert = <{folder}/certificate.pem\nssl_key = <{folder}/key.pem\n\
         mail_location = maildir:{folder}/book\nfirst_valid_uid = 0\nmail_uid = {user}\nmail_gid = {group}\n\
         service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {port}\n  }}\n  \
         inet_listener imaps {{\n    port = {tls_port}\n    ssl = yes\n  }}\n}}\n\
         service anvil {{\n  chroot =\n}}\n\
         passdb {{\n  driver = static\n  args = password={password}\n}}\n\
         userdb {{\n  driver = static\n  args = uid={user} gid={group} home={folder}/book\n}}\n"
    )
}

//! Real processes that are killed when the test ends, however it ends.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::free_port;

/// The program of this project that was built with the tests: beside the folder of the test's own program.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows itself");
    let folder = test.parent().and_then(Path::parent).expect("it is in a folder of Cargo's");
    folder.join("concord")
}

/// How long a process may take to be there, on a slow and busy machine.
const START: Duration = Duration::from_secs(30);

/// A program that can be killed and started again.
pub struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// Everything that it says, from all of its starts.
    log: PathBuf,
    child: Option<Child>,
    /// Writes the log: what a process may write to files is a trouble of its own.
    scribe: Option<Child>,
}

/// A signal would end a process that writes more than it may; the program is to see the error.
const WITHOUT_XFSZ: &str = r#"trap "" XFSZ; exec "$0" "$@""#;

impl Process {
    /// Starts it with these variables and no others but the path of programs.
    pub fn new(program: &Path, arguments: &[&str], variables: &[(String, String)], log: PathBuf) -> Self {
        let mut process = Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            variables: variables.to_vec(),
            log,
            child: None,
            scribe: None,
        };
        process.start();
        process
    }

    pub fn start(&mut self) {
        let said =
            OpenOptions::new().create(true).append(true).open(&self.log).expect("a log can be written");
        let mut scribe =
            Command::new("cat").stdin(Stdio::piped()).stdout(said).spawn().expect("cat is there");
        let said = scribe.stdin.take().expect("it reads");
        self.scribe = Some(scribe);
        let said = std::os::fd::OwnedFd::from(said);
        let also_said = said.try_clone().expect("a pipe can be shared");
        let child = Command::new("sh")
            .args(["-c", WITHOUT_XFSZ])
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(also_said)
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display())));
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(mut scribe) = self.scribe.take() {
            let _ = scribe.wait();
        }
    }

    /// Its number, as the kernel counts.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }
}

impl Process {
    /// A figure of its memory in MB, as the kernel counts it: `VmRSS` for what it takes now, `VmHWM` for the most so far.
    pub fn memory(&self, figure: &str) -> f64 {
        let id = self.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let kilobytes: Option<f64> = line.and_then(|text| text.split_whitespace().next()?.parse().ok());
        kilobytes.unwrap_or_else(|| panic!("the kernel does not say")) / 1024.0
    }
}

impl Process {
    /// The CPU time that it has taken so far, in milliseconds, of its own and the kernel's for it.
    pub fn cpu_ms(&self) -> f64 {
        let fields = stat_of(self.id()).expect("the kernel says");
        cpu_ms_of(&fields[11..13])
    }
}

/// What the kernel says of a process (proc(5)), from its state on, which is the third field: the name before it may hold
/// anything. `None`: it is gone.
fn stat_of(id: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Some(fields.map(str::to_owned).collect())
}

fn cpu_ms_of(ticks: &[String]) -> f64 {
    ticks.iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() * 10.0
}

fn all_processes() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").expect("the kernel says").filter_map(Result::ok);
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

/// The CPU time that a process and its children have taken so far, those that have ended included, in milliseconds.
pub fn family_cpu_ms(id: u32) -> f64 {
    let parent = id.to_string();
    let stats = all_processes().filter_map(|one| Some((one, stat_of(one)?)));
    let family = stats.filter(|(one, fields)| *one == id || fields[1] == parent);
    family.map(|(_, fields)| cpu_ms_of(&fields[11..15])).sum()
}

/// The process whose command line has all of these, its first word by the end of it.
pub fn process_with(program: &str, arguments: &[&str]) -> Option<u32> {
    all_processes().find(|id| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<&str> = line.split('\0').collect();
        words[0].ends_with(program) && arguments.iter().all(|one| words.contains(one))
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of every log in a folder.
pub fn last_words(folder: &Path) -> String {
    let files = fs::read_dir(folder).expect("the folder can be read");
    let logs = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension() == Some("log".as_ref()));
    let last = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("--- {}\n{}", path.display(), lines[lines.len().saturating_sub(25)..].join("\n"))
    };
    logs.map(last).collect::<Vec<_>>().join("\n")
}

/// Waits until something listens there.
pub async fn listens(port: u16) {
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(began.elapsed() < START, "nothing listens on port {port}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A Redis of its own that keeps nothing.
pub struct Redis {
    port: u16,
    process: Process,
    _folder: TempDir,
}

impl Redis {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let port_text = port.to_string();
        let dir = folder.path().display().to_string();
        let arguments =
            ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &dir];
        let log = folder.path().join("redis.log");
        let process = Process::new(Path::new("redis-server"), &arguments, &[], log);
        listens(port).await;
        Self { port, process, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// It is gone, with everything in it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// It is there again, if it was gone; empty.
    pub async fn start_again(&mut self) {
        self.process.kill();
        self.process.start();
        listens(self.port).await;
    }

    /// Everything in it is gone.
    pub async fn flush(&self) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("Redis listens");
        stream.write_all(b"FLUSHALL\r\n").await.expect("Redis listens");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.expect("Redis answers");
        assert_eq!(&answer, b"+OK\r\n");
    }
}

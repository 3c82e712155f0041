//! Where the key comes from that seals the tokens of connected calendars.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use concord_domain::hex;
use concord_storage::{seal::MasterKey, secret};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};

use super::Config;

const FILE: &str = "master.key";

/// What to do where no master key is set and none is in the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingKeyPolicy {
    /// Make one in the data folder. Right where the database is there too, so that they are lost or kept together.
    Create,
    /// Say that one is needed.
    Refuse,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error(
        "no master key: set CONCORD_MASTER_KEY to the output of `openssl rand -base64 32`, and keep a copy in a \
         safe place; without it, connected calendars can no longer be accessed"
    )]
    Missing,
    /// Others than its owner can read it.
    #[error("{path}: others can read this key; run: chmod 600 '{path}'", path = .0.display())]
    Exposed(PathBuf),
    /// It holds something else.
    #[error("{}: holds no master key, which is 32 bytes in base64", .0.display())]
    NotAKey(PathBuf),
    /// It cannot be read or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or its folder.
        path: PathBuf,
        source: io::Error,
    },
}

impl Config {
    /// The key that seals: from `security.master_key`, from `security.master_key_file`, or from the data folder.
    pub fn master_key(&self, when_missing: MissingKeyPolicy) -> Result<SecretString, MasterKeyError> {
        if let Some(key) = &self.security.master_key {
            return Ok(key.clone());
        }
        if let Some(path) = &self.security.master_key_file {
            return read(path);
        }
        match when_missing {
            MissingKeyPolicy::Create => load_or_create_master_key(&self.data_dir),
            MissingKeyPolicy::Refuse => {
                read_if_there(&self.data_dir.join(FILE))?.ok_or(MasterKeyError::Missing)
            }
        }
    }
}

/// The key in a data folder, made with mode 0600 if there is none; two processes that start at once get the same.
pub fn load_or_create_master_key(data_dir: &Path) -> Result<SecretString, MasterKeyError> {
    let path = data_dir.join(FILE);
    if let Some(key) = read_if_there(&path)? {
        return Ok(key);
    }
    create_private_folder(data_dir)
        .map_err(|source| MasterKeyError::Io { path: data_dir.to_path_buf(), source })?;
    let key = MasterKey::generate().to_base64();
    match write_new(&path, &key) {
        Ok(()) => Ok(key),
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => read(&path),
        Err(source) => Err(MasterKeyError::Io { path, source }),
    }
}

fn read_if_there(path: &Path) -> Result<Option<SecretString>, MasterKeyError> {
    match read(path) {
        Err(MasterKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn read(path: &Path) -> Result<SecretString, MasterKeyError> {
    let io_error = |source| MasterKeyError::Io { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(io_error)?;
    if is_exposed(&file).map_err(io_error)? {
        return Err(MasterKeyError::Exposed(path.to_path_buf()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(io_error)?;
    let key = SecretString::from(text.trim());
    text.zeroize();
    match MasterKey::from_base64(&key) {
        Ok(_) => Ok(key),
        Err(_) => Err(MasterKeyError::NotAKey(path.to_path_buf())),
    }
}

/// Written aside and then linked to its name, which fails if the name is taken: nobody ever reads half a key, and of
/// two that are made at once one wins for both.
fn write_new(path: &Path, key: &SecretString) -> io::Result<()> {
    let mut unique = [0_u8; 8];
    secret::fill_random(&mut unique);
    let aside = path.with_extension(format!("key.{}", hex(unique)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let linked = options.open(&aside).and_then(|mut file| {
        file.write_all(key.expose_secret().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::hard_link(&aside, path)
    });
    let removed = fs::remove_file(&aside);
    linked.and(removed)
}

/// Makes a folder that nobody else can look into; one that is there stays as it is.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    fn exposed(outcome: Result<SecretString, MasterKeyError>) -> String {
        outcome.unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = exposed(load_or_create_master_key(&data));
        MasterKey::from_base64(&first.as_str().into()).unwrap();
        assert_eq!(exposed(load_or_create_master_key(&data)), first);
        let other = exposed(load_or_create_master_key(&folder.path().join("c")));
        assert_ne!(other, first);
        let names: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["master.key"], "nothing is left aside");
    }

    #[cfg(unix)]
    #[test]
    fn world_readable_key_file_is_refused_with_chmod_hint() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        load_or_create_master_key(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        for lax in [0o640, 0o604, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(lax)).unwrap();
            let error = load_or_create_master_key(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 '{}'", path.display())), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        load_or_create_master_key(folder.path()).unwrap();
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        write_new(&folder.path().join(FILE), &"c2hvcnQ=".into()).unwrap();
        let error = load_or_create_master_key(folder.path()).unwrap_err();
        assert!(matches!(error, MasterKeyError::NotAKey(_)), "{error}");
        assert!(!error.to_string().contains("c2hvcnQ="));
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "c2hvcnQ=\n");
    }

    #[test]
    fn those_who_start_at_once_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let start = Barrier::new(8);
        let keys: Vec<String> = thread::scope(|scope| {
            let one = || {
                start.wait();
                exposed(load_or_create_master_key(folder.path()))
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

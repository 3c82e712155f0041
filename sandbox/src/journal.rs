//! An append-only file of JSON lines: how a provider's state survives a kill.
//!
//! Every change is one `write` call of whole lines before it is seen by anybody, so a killed process loses nothing that
//! it answered for. A line that was torn by the kill stands last and is dropped. At start the file is written anew
//! with what still matters.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::SandboxError;

/// The open journal of one provider, of records `R`.
#[derive(Debug)]
pub(crate) struct Journal<R> {
    file: File,
    /// How far the file holds whole lines; a failed write is cut back to here.
    length: u64,
    records: PhantomData<fn(R)>,
}

impl<R: Serialize + DeserializeOwned> Journal<R> {
    /// Reads every record of `path`; none if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Vec<R>, SandboxError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SandboxError::Storage { path: path.into(), source }),
        };
        let mut records = Vec::new();
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.last() != Some(&b'\n') {
                tracing::warn!(path = %path.display(), "the last line was torn by a kill and is dropped");
                break;
            }
            records.push(serde_json::from_slice(line).map_err(|error| SandboxError::Damaged {
                path: path.into(),
                line: index + 1,
                reason: error.to_string(),
            })?);
        }
        Ok(records)
    }

    /// Writes `records` as the whole content of `path` and opens it for more. The old content stands until the new
    /// one is complete.
    pub(crate) fn rewrite(path: &Path, records: &[R]) -> Result<Self, SandboxError> {
        let beside = path.with_extension("new");
        let failed = |path: &Path| {
            let path = PathBuf::from(path);
            move |source| SandboxError::Storage { path, source }
        };
        let content = lines(records).map_err(failed(&beside))?;
        private_file(&beside)
            .and_then(|mut file| file.write_all(&content).and_then(|()| file.sync_all()))
            .map_err(failed(&beside))?;
        std::fs::rename(&beside, path).map_err(failed(path))?;
        let mut file = OpenOptions::new().append(true).open(path).map_err(failed(path))?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed(path))?;
        Ok(Self { file, length, records: PhantomData })
    }

    /// Appends `records`, all or none.
    pub(crate) fn append(&mut self, records: &[R]) -> std::io::Result<()> {
        let bytes = lines(records)?;
        if let Err(error) = self.file.write_all(&bytes) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// Persons' calendars and tokens, even of a sandbox, are for its owner alone.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lines<R: Serialize>(records: &[R]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for record in records {
        serde_json::to_writer(&mut bytes, record)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_the_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::<u32>::rewrite(&path, &[1, 2]).unwrap();
        journal.append(&[3]).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"4").unwrap();
        assert_eq!(Journal::<u32>::read(&path).unwrap(), [1, 2, 3]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::<u32>::rewrite(&path, &[1]).unwrap();
        journal.append(&[2]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "1\nnonsense\n3\n").unwrap();
        let error = Journal::<u32>::read(&path).unwrap_err();
        assert!(matches!(error, SandboxError::Damaged { line: 2, .. }), "{error}");
    }
}

//! The data folder of the demo: its own and nobody else's, and `demo.json` in it, by which others find their way.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::DemoFile;
use crate::{cli::CommandError, config::create_private_folder};

pub(super) fn demo_file_path(data: &Path) -> PathBuf {
    data.join("demo.json")
}

/// Written beside and moved into place, so that nobody reads half of it. It is there from the first moment on, empty,
/// so that a first start that was killed leaves a folder that is known to be a demo's.
fn temp_file_path(data: &Path) -> PathBuf {
    data.join("demo.json.new")
}

/// Makes the folder, or finds that it is a demo's. In any other that holds something, a demo could spoil what is in
/// earnest.
pub(super) fn claim(data: &Path) -> Result<(), CommandError> {
    let unusable =
        |error: io::Error| format!("--data: cannot use the data folder {}: {error}", data.display());
    create_private_folder(data).map_err(unusable)?;
    let is_of_a_demo = demo_file_path(data).is_file() || temp_file_path(data).is_file();
    if !is_of_a_demo && fs::read_dir(data).map_err(unusable)?.next().is_some() {
        return Err(format!(
            "--data: the folder {} holds something that is not of a demo; name a new folder, or an empty one",
            data.display()
        )
        .into());
    }
    if !is_of_a_demo {
        create_temp_file(data).map_err(unusable)?;
    }
    Ok(())
}

/// For its owner alone, since it holds a key.
fn create_temp_file(data: &Path) -> io::Result<fs::File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(temp_file_path(data))
}

/// What a former start wrote: its key and links go on working.
pub(super) fn read(data: &Path) -> Option<DemoFile> {
    serde_json::from_slice(&fs::read(demo_file_path(data)).ok()?).ok()
}

/// Says how the demo is reached.
pub(super) fn write(data: &Path, demo: &DemoFile) -> Result<(), CommandError> {
    create_temp_file(data)?.write_all(&serde_json::to_vec_pretty(demo)?)?;
    fs::rename(temp_file_path(data), demo_file_path(data))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_folder_and_an_empty_one_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/demo");
        claim(&data).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&temp_file_path(&data))), (0o700, 0o600));
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        claim(&empty).unwrap();
    }

    #[test]
    fn what_a_killed_start_left_is_a_demos() {
        let folder = tempfile::tempdir().unwrap();
        claim(folder.path()).unwrap();
        fs::write(folder.path().join("concord.db"), "").unwrap();
        claim(folder.path()).unwrap();
        fs::rename(temp_file_path(folder.path()), demo_file_path(folder.path())).unwrap();
        claim(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_with_something_else_in_it_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("concord.db"), "in earnest").unwrap();
        let refused = claim(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("--data") && refused.contains("name a new folder"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

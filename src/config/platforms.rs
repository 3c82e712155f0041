//! `[platforms]`: booking platforms, each of them a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use concord_domain::platform::{PlatformFile, PlatformFileError, Platforms};
use serde::Deserialize;

use super::{ConfigError, ConfigFault, SettingSource, units};

/// What is set of booking platforms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformsConfig {
    /// The folder with an installation's own files.
    #[serde(deserialize_with = "units::optional")]
    pub folder: Option<PathBuf>,
}

impl PlatformsConfig {
    /// The platforms inside the program, and those of the folder. The error names everything that is wrong, by file and
    /// line.
    pub fn load(&self) -> Result<Platforms, ConfigError> {
        let files = match &self.folder {
            Some(folder) => read(folder)?,
            None => Vec::new(),
        };
        Platforms::with_files(&files)
            .map_err(|faults| ConfigError::Wrong(faults.into_iter().map(to_config_fault).collect()))
    }
}

fn to_config_fault(PlatformFileError { file, line, problem }: PlatformFileError) -> ConfigFault {
    ConfigFault {
        origin: SettingSource::File(file.into()),
        key: String::new(),
        problem: format!("line {line}: {problem}"),
    }
}

/// The files `*.toml` of a folder, by name, so that every start tells of them in the same order.
fn read(folder: &Path) -> Result<Vec<PlatformFile>, ConfigError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| ConfigError::Unreadable { path, source }
    };
    let entries = fs::read_dir(folder).map_err(unreadable(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(unreadable(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        Ok(PlatformFile { name: path.display().to_string(), text })
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = include_str!("../../config/platforms/generic.toml");

    fn loaded(files: &[(&str, &str)]) -> Result<Platforms, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let config = PlatformsConfig { folder: Some(folder.path().to_owned()) };
        let shorter =
            |error: ConfigError| error.to_string().replace(&format!("{}/", folder.path().display()), "");
        config.load().map_err(shorter)
    }

    #[test]
    fn without_a_folder_there_are_those_of_the_program() {
        assert_eq!(PlatformsConfig { folder: None }.load().unwrap(), Platforms::builtin());
        assert_eq!(loaded(&[("notes.txt", "no platform")]).unwrap(), Platforms::builtin());
    }

    #[test]
    fn a_folder_adds_and_replaces() {
        let other = OWN.replace("Other calendar", "Another calendar");
        let camp = OWN.replace("\"generic\"", "\"camp\"").replace("Other calendar", "Camp");
        let camp = camp.replace("aliases", "# aliases");
        let platforms = loaded(&[("b.toml", &other), ("a.toml", &camp)]).unwrap();
        assert_eq!(platforms.find("generic").unwrap().name, "Another calendar (iCal)");
        assert_eq!(platforms.iter().count(), Platforms::builtin().iter().count() + 1);
    }

    #[test]
    fn everything_wrong_is_named_by_file_and_line() {
        let (hue, key) = (OWN.replace("hue = 0", "hue = 999"), OWN.replace("imports", "import"));
        let error = loaded(&[("b.toml", &hue), ("a.toml", &key)]).unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 2, "{error}");
        assert!(lines[0].starts_with("a.toml: line 10: unknown field `import`"), "{error}");
        assert_eq!(lines[1], "b.toml: line 8: hue must be from 0 to 359, found 999");
    }

    #[test]
    fn a_folder_that_was_named_must_be_there() {
        let config = PlatformsConfig { folder: Some("/nonexistent/platforms".into()) };
        let error = config.load().unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/platforms: cannot be read: "), "{error}");
    }
}

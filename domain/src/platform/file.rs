//! Platforms' files: all of them together, those of the program and those of the installation.

use std::collections::HashMap;

use super::{
    Platform,
    file_check::PlatformFileCheck,
    file_keys::{FileKeys, PlatformFile, PlatformFileError},
};

/// A platform with the place of each of its names.
struct ParsedPlatform {
    platform: Platform,
    file: String,
    /// Whether it is the installation's, not the program's.
    is_own: bool,
    /// In lower case, with the line: the id, the name, the aliases.
    names: Vec<(String, usize)>,
}

/// Reads all files; those of `own` replace those of `builtin` with the same id, or are added.
pub(super) fn read_all(
    builtin: &[PlatformFile],
    own: &[PlatformFile],
) -> Result<Vec<Platform>, Vec<PlatformFileError>> {
    let mut faults = Vec::new();
    let mut all: Vec<ParsedPlatform> = Vec::new();
    let files = builtin.iter().map(|file| (file, false)).chain(own.iter().map(|file| (file, true)));
    for (file, is_own) in files {
        let read = match read(file, is_own) {
            Ok(read) => read,
            Err(found) => {
                faults.extend(found);
                continue;
            }
        };
        match all.iter_mut().find(|one| one.platform.id == read.platform.id) {
            None => all.push(read),
            Some(former) if is_own && !former.is_own => *former = read,
            Some(former) => {
                let problem = format!("{} has the id \"{}\" already", former.file, read.platform.id);
                let line = read.names.first().map_or(1, |(_, line)| *line);
                faults.push(PlatformFileError { file: read.file, line, problem });
            }
        }
    }
    faults.extend(duplicate_names(&all));
    if faults.is_empty() { Ok(all.into_iter().map(|read| read.platform).collect()) } else { Err(faults) }
}

/// Names by which two platforms would be found.
fn duplicate_names(all: &[ParsedPlatform]) -> Vec<PlatformFileError> {
    let mut faults = Vec::new();
    let mut taken: HashMap<&str, &ParsedPlatform> = HashMap::new();
    for read in all {
        for (name, line) in &read.names {
            let Some(other) = taken.insert(name, read) else { continue };
            if other.platform.id != read.platform.id {
                let problem =
                    format!("\"{name}\" is a name of \"{}\" too, in {}", other.platform.id, other.file);
                faults.push(PlatformFileError { file: read.file.clone(), line: *line, problem });
            }
        }
    }
    faults
}

fn read(file: &PlatformFile, is_own: bool) -> Result<ParsedPlatform, Vec<PlatformFileError>> {
    let mut check = PlatformFileCheck { file, faults: Vec::new() };
    let keys: FileKeys = match toml::from_str(&file.text) {
        Ok(keys) => keys,
        Err(error) => {
            // serde names Rust's type.
            let problem = error.message().replace("expected u32", "expected a whole number");
            check.wrong(&error.span().unwrap_or(0..0), problem);
            return Err(check.faults);
        }
    };
    let platform = check.platform(&keys);
    let named = [&keys.id, &keys.name].into_iter().chain(&keys.aliases);
    let names = named.map(|name| (name.get_ref().to_lowercase(), check.line(&name.span()))).collect();
    match platform {
        Some(platform) if check.faults.is_empty() => {
            Ok(ParsedPlatform { platform, file: file.name.clone(), is_own, names })
        }
        _ => {
            check.faults.sort_by_key(|fault| fault.line);
            Err(check.faults)
        }
    }
}

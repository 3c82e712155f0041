//! Every public query function is called in this suite: a query that has never run on both databases is not known to
//! work on either.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What opens and prepares rather than asks.
const NO_QUERIES: [&str; 4] = ["db", "testing", "tx", "write_gate"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module by whose name callers call: the folder of a family that has one, the file otherwise.
fn family(source: &Path, file: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_public_query_function_is_called_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = root.join("src");
    let suite: String = rust_files(&root.join("tests/contract"))
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut functions = 0;
    let mut missing = Vec::new();
    for file in rust_files(&source) {
        let family = family(&source, &file);
        if NO_QUERIES.contains(&family.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for declaration in text.split("\npub async fn ").skip(1) {
            let name = declaration.split(['(', '<']).next().unwrap();
            let call = format!("{family}::{name}(");
            // The parts of a family that are public are called by their own names.
            let part = format!("{}::{name}(", file.file_stem().unwrap().to_str().unwrap());
            functions += 1;
            if !suite.contains(&call) && !suite.contains(&part) {
                missing.push(call);
            }
        }
    }
    assert!(functions > 60, "only {functions} functions found: has the layout changed?");
    assert!(missing.is_empty(), "never called in the contract suite: {missing:#?}");
}

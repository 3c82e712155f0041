//! Holds `config/example.toml` and `docs/configuration.md` against the defaults.

use std::{fmt::Write as _, fs, path::Path};

use toml::{Table, Value};

use super::{Config, ConfigSources, defaults, named_variables};

const EXAMPLE: &str = include_str!("../../config/example.toml");

/// A key of the example with its explanation.
struct ExampleKey {
    section: String,
    key: String,
    default: String,
    explanation: String,
}

/// The example's sections with their explanations, and its keys with theirs.
fn read_example() -> (Vec<(String, String)>, Vec<ExampleKey>) {
    let (mut sections, mut entries) = (Vec::new(), Vec::new());
    let (mut section, mut words) = (String::new(), String::new());
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            sections.push((section.clone(), std::mem::take(&mut words)));
        } else if let Some(text) = line.strip_prefix("# ") {
            let _ = write!(words, "{}{text}", if words.is_empty() { "" } else { " " });
        } else if let Some((key, default)) = line.strip_prefix('#').and_then(|rest| rest.split_once(" = ")) {
            let explanation = std::mem::take(&mut words);
            let (key, default) = (key.to_owned(), default.to_owned());
            entries.push(ExampleKey { section: section.clone(), key, default, explanation });
        } else if line.is_empty() {
            words.clear();
        }
    }
    (sections, entries)
}

fn variable_for(entry: &ExampleKey) -> String {
    let key =
        if entry.section.is_empty() { entry.key.clone() } else { format!("{}.{}", entry.section, entry.key) };
    match named_variables().find(|(_, named)| *named == key) {
        Some((variable, _)) => (*variable).to_owned(),
        None => format!("CONCORD__{}", key.to_ascii_uppercase().replace('.', "__")),
    }
}

fn render() -> String {
    let (sections, entries) = read_example();
    let table = |section: &str| {
        let mut text = "| key | if not set | environment | meaning |\n|---|---|---|---|\n".to_owned();
        for entry in entries.iter().filter(|entry| entry.section == section) {
            let ExampleKey { key, default, explanation, .. } = entry;
            let variable = variable_for(entry);
            let _ = writeln!(
                text,
                "| `{key}` | `{default}` | `{variable}` | {} |",
                explanation.replace('|', "\\|")
            );
        }
        text
    };
    let mut page = format!("## At the top of the file\n\n{}", table(""));
    for (name, words) in sections {
        let _ = write!(page, "\n## `[{name}]`\n\n{words}\n\n{}", table(&name));
    }
    page
}

#[test]
fn the_example_as_it_is_sets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.toml");
    fs::write(&file, EXAMPLE).unwrap();
    let config = Config::load(&ConfigSources { file: Some(file), ..ConfigSources::default() }).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_example_without_its_comment_signs_is_the_default() {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let lines: Vec<&str> = EXAMPLE.lines().map(|line| if is_key(line) { &line[1..] } else { line }).collect();
    let text = lines.join("\n");
    let example: Table = text.parse().unwrap();
    assert_eq!(Value::Table(example), Value::Table(defaults()));
}

#[test]
fn every_key_and_section_of_the_example_is_explained() {
    let (sections, entries) = read_example();
    assert!(entries.len() > 50, "{} keys found", entries.len());
    for ExampleKey { section, key, explanation, .. } in &entries {
        assert!(explanation.len() > 5, "{section} {key} is not explained");
    }
    for (section, explanation) in &sections {
        assert!(explanation.len() > 5, "[{section}] is not explained");
    }
}

#[test]
fn the_page_about_the_configuration_is_up_to_date() {
    const MARK: &str = "<!-- From here on made from config/example.toml. -->\n\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (written, made) = page.split_once(MARK).expect("the mark");
    let expected = render();
    if std::env::var_os("CONCORD_WRITE_DOCS").is_some() {
        fs::write(&path, format!("{written}{MARK}{expected}")).unwrap();
    } else {
        assert!(made == expected, "out of date; run the tests with CONCORD_WRITE_DOCS=1");
    }
}

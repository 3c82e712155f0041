//! Where settings are read from, apart from the defaults.

use std::{
    env,
    path::{Path, PathBuf},
};

use concord_domain::provider::ProviderKind;

const NAMED_VARIABLES: &[(&str, &str)] = &[
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "queue.redis_url"),
    ("SMTP_URL", "mail.url"),
    ("IMAP_URL", "mail.imap_url"),
    ("PUBLIC_URL", "server.public_url"),
    ("CONCORD_MASTER_KEY", "security.master_key"),
];

/// The variables with a name of their own, and the key of each. All others are `CONCORD__SECTION__KEY`.
pub fn named_variables() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let providers = ProviderKind::ALL.iter().flat_map(|kind| kind.description().variables);
    NAMED_VARIABLES.iter().chain(providers)
}

/// What a variable begins with that sets any key.
pub(super) const PREFIX: &str = "CONCORD__";

const FILE_VARIABLE: &str = "CONCORD_CONFIG";
const FILE_IN_FOLDER: &str = "concord.toml";

/// All that a configuration is made of; later ones win: file, environment, command line.
#[derive(Clone, Debug, Default)]
pub struct ConfigSources {
    /// The file that was asked for; it must be there. Otherwise `CONCORD_CONFIG` is, and otherwise `concord.toml`
    /// in `folder` if there is one.
    pub file: Option<PathBuf>,
    /// Where `concord.toml` is looked for.
    pub folder: PathBuf,
    /// Variables; those that are none of ours are passed over.
    pub env: Vec<(String, String)>,
    /// Options of the command line.
    pub arguments: Vec<ConfigArgument>,
}

/// An option of the command line that sets a key.
#[derive(Clone, Debug)]
pub struct ConfigArgument {
    /// As it is typed, for messages: `--listen`.
    pub flag: &'static str,
    /// The key, sections separated by dots.
    pub key: &'static str,
    /// The value, in the form that a variable would have.
    pub value: String,
}

impl ConfigSources {
    /// The environment and the working folder of this process.
    pub fn from_process(file: Option<PathBuf>, arguments: Vec<ConfigArgument>) -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let env = env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { file, folder: PathBuf::from("."), env, arguments }
    }

    /// Where something is set, for people: the file, the variables' names, the options.
    pub fn describe(&self) -> Vec<String> {
        let file = self.file_to_read().map(|path| path.display().to_string());
        let variables = self.variables().map(|(name, ..)| name.to_owned());
        let arguments = self.arguments.iter().map(|argument| argument.flag.to_owned());
        file.into_iter().chain(variables).chain(arguments).collect()
    }

    /// The file to read, if any.
    pub(super) fn file_to_read(&self) -> Option<PathBuf> {
        let named = || {
            let value = self.env.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, value)| value)?;
            (!value.is_empty()).then(|| PathBuf::from(value))
        };
        let found = || {
            let path = self.folder.join(FILE_IN_FOLDER);
            path.is_file().then(|| path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path))
        };
        self.file.clone().or_else(named).or_else(found)
    }

    /// The variables of ours that are set, each with its key.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.env.iter().filter(|(_, value)| !value.is_empty()).filter_map(|(name, value)| {
            let named = named_variables().find(|(known, _)| known == name);
            let key = match named {
                Some((_, key)) => (*key).to_owned(),
                None => name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", "."),
            };
            Some((name.as_str(), key, value.as_str()))
        })
    }
}

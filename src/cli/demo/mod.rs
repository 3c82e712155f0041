//! `concord demo`: a sample business in a house of its own, with the sandbox as the outside world.
//!
//! Nothing outside of its data folder is used: the variables that configure a real installation are passed over, but for
//! those of its logs, so that trying Concord can never touch what is in earnest.

mod data_dir;
mod sample;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use concord_domain::clock::Clock;
use concord_providers::oidc::is_protected;
use concord_sandbox::{ListingAddress, OAuthClient, Sandbox, SandboxConfig};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use url::Url;

use super::{
    CommandError, init_telemetry, print_line,
    serve::{assemble, bind, serve_with_worker},
    shutdown_signal,
};
use crate::{
    app::App,
    config::{Config, ConfigArgument, ConfigSources, ListenAddress},
};

/// Options of `concord demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The address, or name, and port to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    /// Where everything of the demo is kept.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    data: PathBuf,
    /// Another database than a SQLite file in the data folder.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A Redis instead of the queue in this process.
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// A sandbox that runs elsewhere (`concord sandbox`) instead of one in this process.
    #[arg(long, value_name = "URL")]
    sandbox: Option<Url>,
}

/// The contents of `DIR/demo.json`: how to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DemoFile {
    /// Where the demo is served.
    pub url: String,
    /// Signs in as the manager, as often as it is used.
    pub sign_in_url: String,
    /// Signs in as a staff member, as often as it is used.
    pub staff_sign_in_url: String,
    pub api_key: String,
    pub business_id: String,
    pub sandbox_url: String,
    /// Where every mail of the demo can be read.
    #[serde(default)]
    pub mailbox_url: String,
    /// What can be booked.
    pub resources: Vec<DemoSubject>,
    /// Who does the work.
    pub staff: Vec<DemoSubject>,
    /// Listings of the sandbox's booking platforms, with the addresses of their calendars.
    #[serde(default)]
    pub listings: Vec<ListingAddress>,
}

/// A resource or a staff member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DemoSubject {
    pub id: String,
    pub name: String,
    /// The provider of a staff member's connected calendar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

pub(super) async fn run(options: DemoArgs) -> Result<(), CommandError> {
    data_dir::claim(&options.data)?;
    let listener = bind("--listen", &options.listen).await?;
    let address = listener.local_addr()?;
    let (sandbox, sandbox_url) = start_sandbox(&options, address).await?;
    let mail_server = sandbox_mail_server(sandbox.as_ref(), &sandbox_url).await?;
    let listen = options.listen.with_port(address.port());
    let config = configuration(&options, &listen, &sandbox_url, &mail_server)?;
    let _logs = init_telemetry(&config)?;
    let app = assemble(config, Clock::system()).await?;
    let before = data_dir::read(&options.data);
    let file = sample::seed(&app, &sandbox_url, before).await?;
    data_dir::write(&options.data, &file)?;
    print_links(&file, &options)?;
    run_until_stopped(app, listener, sandbox).await
}

async fn run_until_stopped(
    app: App,
    listener: TcpListener,
    sandbox: Option<Sandbox>,
) -> Result<(), CommandError> {
    let db = app.context.db.clone();
    let shutdown = shutdown_signal()?;
    let result = serve_with_worker(app, listener, shutdown).await;
    if let Some(sandbox) = sandbox {
        sandbox.stop().await;
    }
    db.close().await;
    result
}

/// The sandbox that was named, or one in this process: beside the demo's port if that is free.
async fn start_sandbox(
    options: &DemoArgs,
    address: SocketAddr,
) -> Result<(Option<Sandbox>, String), CommandError> {
    if let Some(url) = &options.sandbox {
        return Ok((None, url.as_str().trim_end_matches('/').to_owned()));
    }
    let data = options.data.join("sandbox");
    let ip: IpAddr = address.ip();
    let beside = SandboxConfig::new(SocketAddr::new(ip, address.port().wrapping_add(1)), &data);
    let sandbox = match Sandbox::start(beside).await {
        Ok(sandbox) => sandbox,
        Err(_) => Sandbox::start(SandboxConfig::new(SocketAddr::new(ip, 0), &data)).await?,
    };
    let url = sandbox.url();
    Ok((Some(sandbox), url))
}

/// What the sandbox says of its mailbox.
#[derive(Deserialize)]
struct SandboxMailServer {
    smtp_port: u16,
}

/// Where mails go: to the sandbox's mailbox, at the host by which the sandbox itself is reached.
async fn sandbox_mail_server(sandbox: Option<&Sandbox>, sandbox_url: &str) -> Result<String, CommandError> {
    if let Some(sandbox) = sandbox {
        return Ok(sandbox.smtp_url());
    }
    let url = Url::parse(sandbox_url)?;
    let answer = sample::call_sandbox(sandbox_url, http::Method::GET, "/control/mailbox", None).await?;
    if !answer.status.is_success() {
        return Err(format!("the sandbox at {sandbox_url} answers {}", answer.status).into());
    }
    let place: SandboxMailServer = serde_json::from_slice(&answer.body)?;
    let host = url.host_str().ok_or_else(|| format!("--sandbox: {url} names no host"))?;
    Ok(format!("smtp://{host}:{}?tls=none", place.smtp_port))
}

fn configuration(
    options: &DemoArgs,
    listen: &ListenAddress,
    sandbox_url: &str,
    mail_server: &str,
) -> Result<Config, CommandError> {
    let mut sources = ConfigSources::from_process(None, vec![]);
    sources.folder.clone_from(&options.data);
    sources.env.retain(|(name, _)| name.starts_with("CONCORD__TELEMETRY__"));
    let (google, microsoft) = (format!("{sandbox_url}/google"), format!("{sandbox_url}/microsoft"));
    let (google_client, microsoft_client) = (OAuthClient::default(), OAuthClient::microsoft());
    let mut argument = |flag, key, value: String| sources.arguments.push(ConfigArgument { flag, key, value });
    argument("--data", "data_dir", options.data.display().to_string());
    // Who tries something in the sandbox's calendar does not want to wait a quarter of an hour.
    argument("--sandbox", "sync.poll_minutes", "1".to_owned());
    // The sandbox tells over http too.
    argument("--sandbox", "sync.push", "always".to_owned());
    argument("--listen", "server.listen", listen.to_string());
    if let Some(url) = &options.database_url {
        argument("--database-url", "database.url", url.clone());
    }
    if let Some(url) = &options.queue_url {
        argument("--queue-url", "queue.redis_url", url.clone());
    }
    argument("--sandbox", "mail.url", mail_server.to_owned());
    argument("--sandbox", "mail.from_address", "concord@concord.example".to_owned());
    // A demo does not wait for more to happen.
    argument("--sandbox", "mail.digest_minutes", "0".to_owned());
    // The issuer is known by the sandbox's own name for itself, and nothing is sent to it that others could read.
    let issuer = format!("{sandbox_url}/issuer");
    if options.sandbox.is_none() && issuer.parse().is_ok_and(|url| is_protected(&url)) {
        let client = OAuthClient::issuer();
        argument("--sandbox", "sign_in.oidc.issuer", issuer);
        argument("--sandbox", "sign_in.oidc.client_id", client.client_id);
        argument("--sandbox", "sign_in.oidc.client_secret", client.client_secret);
        argument("--sandbox", "sign_in.oidc.name", "the sandbox".to_owned());
    }
    for (key, value) in [
        ("providers.google.client_id", google_client.client_id),
        ("providers.google.client_secret", google_client.client_secret),
        ("providers.google.api_base", google.clone()),
        ("providers.google.auth_url", format!("{google}/o/oauth2/v2/auth")),
        ("providers.google.token_url", format!("{google}/token")),
        ("providers.google.revoke_url", format!("{google}/revoke")),
        ("providers.microsoft.client_id", microsoft_client.client_id),
        ("providers.microsoft.client_secret", microsoft_client.client_secret),
        ("providers.microsoft.api_base", microsoft.clone()),
        ("providers.microsoft.login_base", microsoft),
        // Whoever tries it may have a CalDAV server here too.
        ("providers.caldav.allowed_hosts", r#"["127.0.0.1", "localhost"]"#.to_owned()),
        // The sandbox's feeds stand here.
        ("channels.allowed_hosts", r#"["127.0.0.1", "localhost", "::1"]"#.to_owned()),
        // Who books in the sandbox does not want to wait for half an hour.
        ("channels.every_minutes", "1".to_owned()),
    ] {
        argument("--sandbox", key, value);
    }
    let mut config = Config::load(&sources)?;
    // With PostgreSQL too the demo's key is its own, in its own folder.
    if config.security.master_key.is_none() {
        config.security.master_key = Some(crate::config::load_or_create_master_key(&options.data)?);
    }
    Ok(config)
}

fn print_links(file: &DemoFile, options: &DemoArgs) -> Result<(), CommandError> {
    print_line(&format!(
        "\nConcord is serving a sample business.\n\n  \
         Sign in as manager   {}\n  \
         Sign in as staff     {}\n  \
         The outside world    {}   (calendars as their owners see them)\n  \
         The mailbox          {}   (every mail that is sent)\n  \
         Booking platforms    {}/ota   (listings to book, with their calendar addresses)\n  \
         API                  {}/api/docs   (key in {})\n\n\
         The two links work as often as you like, for {} days and after a restart too.\n\
         Stop with Ctrl-C. Everything is kept in {}.\n",
        file.sign_in_url,
        file.staff_sign_in_url,
        file.sandbox_url,
        file.mailbox_url,
        file.sandbox_url,
        file.url,
        data_dir::demo_file_path(&options.data).display(),
        sample::LINK_LIFETIME.num_days(),
        options.data.display(),
    ))
}

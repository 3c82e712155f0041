//! The sample business: made once, found again at each start.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    connection::ProviderKind,
    customer::CustomerRules,
    ids::{BusinessId, ResourceId, StaffId, UserId},
    interval::instant_at,
    invitation::InvitationSettings,
    people::{Actor, Role, Trade},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangeRules,
};
use concord_providers::{BufferedResponse, HttpClient, HttpConfig};
use concord_sandbox::ListingAddress;
use concord_services::{
    bookings,
    connect::{self, ConnectTarget},
};
use concord_storage::{
    ChangeContext, PageRequest, api_keys,
    businesses::{self, Business, BusinessSettings},
    connections::{self, ConnectionTokens},
    in_tx,
    people::{self, NewUser, Staff, StaffSettings, User},
    reminder_rules,
    resources::{self, Resource, ResourceSettings},
    secret,
    sign_in::{self, NewSignInLink},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::{DemoFile, DemoSubject};
use crate::{app::App, cli::CommandError};

const SLUG: &str = "casa-azul";
const ZONE: Tz = chrono_tz::Europe::Lisbon;
/// The demo's links work for so long, as often as they are used, also after a restart.
pub(super) const LINK_LIFETIME: Duration = Duration::days(365);

/// Makes the sample business if it is not there, and says how to reach it.
pub(super) async fn seed(
    app: &App,
    sandbox_url: &str,
    before: Option<DemoFile>,
) -> Result<DemoFile, CommandError> {
    let db = &app.context.db;
    let business = match businesses::find_by_slug(db, SLUG).await? {
        Some(business) => business,
        None => create_business(app).await?,
    };
    let staff = people::list_staff(db, business.id, &PageRequest::default()).await?.items;
    if connections::list(db, business.id).await?.is_empty() {
        for (email, provider) in CONNECTED {
            if let Some(person) = staff.iter().find(|one| one.email == email) {
                connect(app, sandbox_url, business.id, person, provider).await?;
            }
        }
    }
    demo_file(app, sandbox_url, &business, staff, before).await
}

async fn create_business(app: &App) -> Result<Business, CommandError> {
    let now = app.now();
    let mut tx = app.context.db.begin().await?;
    let settings = BusinessSettings {
        name: "Casa Azul".into(),
        zone: ZONE,
        entry_privacy: EntryPrivacy::Minimal,
        mark_cancelled: false,
        outside: RemoteChangeRules::default(),
        invitations: InvitationSettings::default(),
        customers: CustomerRules::default(),
    };
    let business = businesses::create(&mut tx, SLUG, &settings, now).await?;
    reminder_rules::create_defaults(&mut tx, business.id, now).await?;
    let mut rooms = Vec::new();
    for (name, capacity) in [("Sea View Suite", 1), ("Garden Rooms", 2), ("Treatment Room", 1)] {
        let settings = ResourceSettings {
            name: name.into(),
            zone: None,
            capacity,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
        };
        rooms.push(resources::create(&mut tx, business.id, &settings, now).await?.id);
    }
    let mut crew = Vec::new();
    for (name, email, trade) in [
        ("Ana Pereira", "ana@example.com", Trade::General),
        ("Ben Okafor", "ben@example.com", Trade::General),
        ("Tomás Reis", "tomas@example.com", Trade::Technician),
        ("Carla Nunes", "carla@example.com", Trade::General),
    ] {
        let settings = StaffSettings { name: name.into(), email: email.into(), trade };
        crew.push(people::create_staff(&mut tx, business.id, &settings, now).await?.id);
    }
    for (name, email, role, staff) in [
        ("Rita Alves", "rita@example.com", Role::Manager, None),
        ("Ana Pereira", "ana@example.com", Role::Staff, crew.first().copied()),
    ] {
        let new = NewUser { business: business.id, staff, name: name.into(), email: email.into(), role };
        people::create_user(&mut tx, &new, now).await?;
    }
    tx.commit().await?;
    create_bookings(app, business.id, &rooms, &crew).await?;
    Ok(business)
}

/// A booking of the sample: days from today, and how it reads.
struct SampleBooking {
    reference: &'static str,
    room: usize,
    staff: &'static [usize],
    from_day: u64,
    /// Nights, or a start hour and minutes.
    length: SampleDuration,
    kind: BookingKind,
    status: BookingStatus,
    title: &'static str,
    customer: &'static str,
}

enum SampleDuration {
    Nights(u64),
    At(u32, i64),
}

#[rustfmt::skip]
fn samples() -> Vec<SampleBooking> {
    use BookingKind::{Booking, Delivery, Maintenance};
    use BookingStatus::{Approved, Confirmed, Pending};
    use SampleDuration::{At, Nights};
    let sample = |reference, room, staff, from_day, length, kind, status, title, customer| {
        SampleBooking { reference, room, staff, from_day, length, kind, status, title, customer }
    };
    vec![
        sample("CA-1001", 0, &[], 1, Nights(3), Booking, Confirmed, "Sea View, three nights", "Maria Santos"),
        sample("CA-1002", 1, &[], 0, Nights(2), Booking, Confirmed, "Garden Room, two nights", "Jonas Berg"),
        sample("CA-1003", 1, &[], 1, Nights(4), Booking, Approved, "Garden Room, family", "Aisha Bello"),
        sample("CA-1004", 0, &[], 5, Nights(2), Booking, Pending, "Sea View, weekend", "Luca Moretti"),
        sample("CA-1005", 2, &[0], 1, At(10, 60), Booking, Confirmed, "Massage, one hour", "Noor Haddad"),
        sample("CA-1006", 2, &[1], 1, At(11, 90), Booking, Confirmed, "Physiotherapy", "Peter Lang"),
        sample("CA-1007", 2, &[0], 2, At(15, 60), Booking, Confirmed, "Massage, one hour", "Emma Wilson"),
        sample("CA-1008", 2, &[3], 3, At(9, 45), Booking, Confirmed, "First consultation", "Sofia Rossi"),
        sample("CA-1009", 1, &[2], 7, At(8, 180), Maintenance, Confirmed, "Boiler service", ""),
        sample("CA-1010", 0, &[], 9, Nights(7), Booking, Confirmed, "Sea View, a week", "Chen Wei"),
        sample("CA-1011", 2, &[1], 4, At(8, 30), Delivery, Confirmed, "Linen delivery", ""),
        sample("CA-1012", 1, &[], 8, Nights(3), Booking, Confirmed, "Garden Room, three nights", "Olga Petrova"),
    ]
}

async fn create_bookings(
    app: &App,
    business: BusinessId,
    rooms: &[ResourceId],
    crew: &[StaffId],
) -> Result<(), CommandError> {
    let now = app.now();
    let today = now.with_timezone(&ZONE).date_naive();
    let change = ChangeContext { business, actor: Actor::System, now };
    for sample in samples() {
        let draft = BookingDraft {
            resource: rooms[sample.room],
            kind: sample.kind,
            status: sample.status,
            time: time_of(&sample, today),
            title: sample.title.into(),
            customer: customer(sample.customer),
            party_size: matches!(sample.length, SampleDuration::Nights(_)).then_some(2),
            quantity: 1,
            staff: sample.staff.iter().map(|index| crew[*index]).collect(),
            location: String::new(),
            notes: String::new(),
            source: "demo".into(),
            meeting_url: String::new(),
            guests: Vec::new(),
        };
        bookings::put(&app.context, &change, sample.reference, &draft, None)
            .await
            .map_err(|error| format!("the sample booking {} was not made: {error}", sample.reference))?;
    }
    Ok(())
}

fn time_of(sample: &SampleBooking, today: NaiveDate) -> BookingTime {
    let day = today + Days::new(sample.from_day);
    match sample.length {
        SampleDuration::Nights(nights) => {
            BookingTime::Stay { check_in: day, check_out: day + Days::new(nights) }
        }
        SampleDuration::At(hour, minutes) => {
            let clock = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
            let starts_at = instant_at(day.and_time(clock), ZONE);
            BookingTime::Timed { starts_at, ends_at: starts_at + Duration::minutes(minutes) }
        }
    }
}

fn customer(name: &str) -> Customer {
    let email =
        name.split_whitespace().next().map(|first| format!("{}@guests.example", first.to_lowercase()));
    Customer { name: name.into(), email: email.unwrap_or_default(), phone: String::new(), language: None }
}

#[derive(Deserialize)]
struct SandboxGrant {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

/// Asks the sandbox's control interface. Returns its answer, which may be a refusal.
pub(super) async fn call_sandbox(
    sandbox_url: &str,
    method: http::Method,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Result<BufferedResponse, CommandError> {
    let url = Url::parse(sandbox_url)?.join(path)?;
    let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let request = http::Request::builder()
        .method(method)
        .uri(url.as_str())
        .header("content-type", "application/json")
        .body(bytes::Bytes::from(body))?;
    let sent = HttpClient::new(HttpConfig::default())?.send(request).await;
    Ok(sent.map_err(|error| format!("the sandbox at {sandbox_url} does not answer: {error}"))?)
}

/// Who of the sample is connected from the start, and with which account of the sandbox.
const CONNECTED: [(&str, ProviderKind); 2] =
    [("ana@example.com", ProviderKind::Google), ("carla@example.com", ProviderKind::Microsoft)];

/// As if the person had been to the consent page: the sandbox gives a grant to whoever may control it.
async fn connect(
    app: &App,
    sandbox_url: &str,
    business: BusinessId,
    person: &Staff,
    provider: ProviderKind,
) -> Result<(), CommandError> {
    let account = serde_json::json!({ "provider": provider, "email": person.email, "name": person.name });
    let made = call_sandbox(sandbox_url, http::Method::POST, "/control/accounts", Some(&account)).await?;
    // Most are there already.
    if !made.status.is_success() && made.status != http::StatusCode::CONFLICT {
        return Err(format!("the sandbox at {sandbox_url} answers {}", made.status).into());
    }
    let scopes = provider.oauth().map_or(&[][..], |oauth| oauth.scopes);
    let ask = serde_json::json!({ "provider": provider, "account": person.email, "scope": scopes.join(" ") });
    let answer = call_sandbox(sandbox_url, http::Method::POST, "/control/grants", Some(&ask)).await?;
    if !answer.status.is_success() {
        return Err(format!("the sandbox at {sandbox_url} answers {}", answer.status).into());
    }
    let grant: SandboxGrant = serde_json::from_slice(&answer.body)?;
    let tokens = ConnectionTokens {
        access: grant.access_token.into(),
        access_expires_at: app.now() + Duration::seconds(grant.expires_in),
        refresh: Some(grant.refresh_token.into()),
    };
    let wanted = ConnectTarget { business, staff: person.id, provider };
    connect::adopt(&app.context, wanted, tokens, "/".into()).await?;
    Ok(())
}

async fn demo_file(
    app: &App,
    sandbox_url: &str,
    business: &Business,
    staff: Vec<Staff>,
    before: Option<DemoFile>,
) -> Result<DemoFile, CommandError> {
    let db = &app.context.db;
    let users = people::list_users(db, business.id).await?;
    let connected = connections::list(db, business.id).await?;
    let rooms = resources::list(db, business.id, &PageRequest::default()).await?.items;
    let sign_in = |role| users.iter().find(move |user| user.role == role);
    let link = async |user: Option<&User>, old: Option<String>| match user {
        Some(user) => sign_in_url(app, user, old).await,
        None => Err(CommandError::from("the demo's people are gone; start with an empty data folder")),
    };
    Ok(DemoFile {
        url: app.absolute_url(""),
        sign_in_url: link(sign_in(Role::Manager), before.as_ref().map(|file| file.sign_in_url.clone()))
            .await?,
        staff_sign_in_url: link(
            sign_in(Role::Staff),
            before.as_ref().map(|file| file.staff_sign_in_url.clone()),
        )
        .await?,
        api_key: api_key(app, business.id, before.map(|file| file.api_key)).await?,
        business_id: business.id.to_string(),
        sandbox_url: sandbox_url.to_owned(),
        mailbox_url: format!("{sandbox_url}/mailbox"),
        resources: rooms
            .into_iter()
            .map(|room: Resource| DemoSubject { id: room.id.to_string(), name: room.name, provider: None })
            .collect(),
        listings: listings(sandbox_url).await?,
        staff: staff
            .into_iter()
            .map(|member| DemoSubject {
                id: member.id.to_string(),
                name: member.name,
                provider: connected
                    .iter()
                    .find(|connection| connection.staff_id == member.id)
                    .map(|connection| connection.provider.to_string()),
            })
            .collect(),
    })
}

async fn listings(sandbox_url: &str) -> Result<Vec<ListingAddress>, CommandError> {
    let answer = call_sandbox(sandbox_url, http::Method::GET, "/control/ota", None).await?;
    // A sandbox that runs elsewhere may be older than we are.
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The link of a former start if it still holds, at the present address; otherwise a new one.
async fn sign_in_url(app: &App, user: &User, old: Option<String>) -> Result<String, CommandError> {
    let db = &app.context.db;
    let now = app.now();
    let kept = old.as_deref().and_then(|url| url.rsplit_once("/sign-in/")).map(|(_, token)| token.to_owned());
    if let Some(token) = kept {
        let digest = secret::digest_bytes(token.as_bytes());
        if is_link_valid(db, &digest, user.id, now).await? {
            return Ok(app.absolute_url(&format!("/sign-in/{token}")));
        }
    }
    let token = secret::new_token("");
    let digest = secret::digest(&token);
    let mut tx = db.begin().await?;
    let new = NewSignInLink {
        digest: &digest,
        user: user.id,
        reusable: true,
        browser: None,
        expires_at: now + LINK_LIFETIME,
    };
    sign_in::create_link(&mut tx, &new, now).await?;
    tx.commit().await?;
    Ok(app.absolute_url(&format!("/sign-in/{}", token.expose_secret())))
}

async fn is_link_valid(
    db: &concord_storage::Db,
    digest: &str,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, CommandError> {
    // Looking is using: these links are reusable, and the transaction is dropped.
    let mut tx = db.begin().await?;
    Ok(sign_in::use_link(&mut tx, digest, now).await?.is_some_and(|found| found.id == user))
}

async fn api_key(app: &App, business: BusinessId, old: Option<String>) -> Result<String, CommandError> {
    let db = &app.context.db;
    if let Some(old) = old {
        let digest = secret::digest_bytes(old.as_bytes());
        let found = api_keys::find_by_digest(db, &digest).await?;
        if found.is_some_and(|key| key.business_id == business) {
            return Ok(old);
        }
    }
    let token = secret::new_token("ck_");
    in_tx!(db, tx => api_keys::create(&mut tx, business, "Demo", &token, app.now()).await)?;
    Ok(token.expose_secret().to_owned())
}

//! What an installation carries, printed: how fast many calendars are written beside what the limits and the provider's
//! latency allow and how much CPU a booking costs, alone and in a crowd, how soon a change stands in the calendar while a large
//! import runs or thousands of jobs wait for another one, how much more four workers do than one, the memory and the rows that
//! large calendars take, how soon other systems hear of a booking by webhooks, whether a hundred mails a second are in anybody's way,
//! and what pages and calls take where a business has a hundred thousand bookings.
//!
//! Everything is as in life: the program as processes of its own, once as web and two workers over PostgreSQL and Redis,
//! once as one process over SQLite; the providers are the sandbox and Radicale over HTTP. All of it shares this machine.
//!
//!     cargo bench --bench load                        as it is released
//!     cargo bench --bench load -- many waiting written outage crash beside crowd webhooks mails workers large    some of it
//!
//! The mails need a mail server: `make bench-mails` starts one.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed, and its result is for people"
)]

mod cpu_per_booking;
mod during_import;
mod fixture;
mod large_calendars;
mod mails;
mod page_latency;
mod queue_fairness;
mod webhooks;
mod workers;
mod write_throughput;

use concord_storage::testing;
use concord_testing::{app::cluster, process};

use crate::{fixture::DeploymentMode, process::Redis, write_throughput::LoadFault};

#[tokio::main]
async fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if is_wanted("large") {
        large_calendars::measure().await;
    }
    let redis = Redis::start().await;
    if is_wanted("workers") {
        workers::measure(&redis).await;
    }
    for form in [DeploymentMode::Distributed(redis.url()), DeploymentMode::SingleProcess] {
        let name = form.name();
        for part in ["many", "waiting", "written", "outage", "crash", "beside", "crowd", "webhooks", "mails"]
        {
            let is_wanted = is_wanted(part);
            if !is_wanted {
                continue;
            }
            let db = match form {
                DeploymentMode::Distributed(_) => testing::postgres().await,
                DeploymentMode::SingleProcess => testing::sqlite().await,
            };
            redis.flush().await;
            println!("{name}:");
            match part {
                "many" => page_latency::measure(&db, &form).await,
                "waiting" => cpu_per_booking::measure(&db, &form).await,
                "outage" => write_throughput::measure_after(LoadFault::Outage, &db, &form).await,
                "crash" => write_throughput::measure_after(LoadFault::Crash, &db, &form).await,
                "crowd" => queue_fairness::measure(&db, &form).await,
                "mails" => mails::measure(&db, &form).await,
                "webhooks" => webhooks::measure(&db, &form).await,
                "written" => write_throughput::measure(&db, &form).await,
                _ => during_import::measure(&db, &form).await,
            }
        }
    }
}

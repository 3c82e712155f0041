//! How fast calendars are read, compared and written, and how much memory that takes. `scripts/bench_ical.sh` runs it
//! beside other programs that do the same work, and judges.
//!
//! Each figure is a line: what, a tab, milliseconds or megabytes.
//!
//! - `read FILE`: reading it, reading and diffing it, and calcard's parser alone;
//! - `memory FILE`: reading and diffing it once, and the most memory that took;
//! - `write EVENTS`: writing as many by ours and by the crate `icalendar`;
//! - `feed EVENTS FILE`: writes a file to read.
#![expect(clippy::print_stdout, reason = "it prints its figures")]

mod diff;
mod feed;
mod write;

use std::{env, fs, hint::black_box, time::Instant};

use concord_domain::ical::{ParsedCalendar, ReadLimits, read};

/// The best of them counts: whatever else the machine does only adds.
const ROUNDS: u32 = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["read", file] => reading(&fs::read(file)?)?,
        ["memory", file] => memory(&fs::read(file)?)?,
        ["write", events] => write::measure(events.parse()?),
        ["feed", events, file] => fs::write(file, feed::bytes(events.parse()?))?,
        _ => println!("see scripts/bench_ical.sh"),
    }
    Ok(())
}

/// Milliseconds of the best of some rounds.
fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let made = black_box(work());
        best = best.min(began.elapsed().as_secs_f64());
        drop(made);
    }
    best * 1e3
}

fn print(what: &str, figure: f64) {
    println!("{what}\t{figure:.2}");
}

/// Enough for the largest file of the bench.
fn limits() -> ReadLimits {
    ReadLimits {
        bytes: 256 << 20,
        lines: 5_000_000,
        events: 200_000,
        occurrences: 200_000,
        steps: 100_000_000,
        ..ReadLimits::default()
    }
}

fn calendar(bytes: &[u8]) -> Result<ParsedCalendar, Box<dyn std::error::Error>> {
    let calendar = read(bytes, chrono_tz::Europe::Lisbon, &limits())?;
    if calendar.warnings.is_empty() { Ok(calendar) } else { Err(format!("{:?}", calendar.warnings).into()) }
}

fn reading(bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::str::from_utf8(bytes)?;
    let known = diff::known(&calendar(bytes)?, &limits())?;
    // What was read is given back within no figure, neither here nor there.
    print("concord reads", best(|| calendar(bytes).ok()));
    print(
        "concord reads and diffs",
        best(|| {
            let calendar = calendar(bytes).ok()?;
            let actions = diff::actions(&calendar, &known, &limits()).ok()?;
            Some((calendar, actions))
        }),
    );
    print("calcard parses", best(|| calcard::Parser::new(text).entry()));
    Ok(())
}

fn memory(bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let calendar = calendar(bytes)?;
    let known = diff::known(&calendar, &limits())?;
    let actions = diff::actions(&calendar, &known, &limits())?;
    print("concord's memory, in MB", peak()?);
    println!("{} events, {} bytes, {actions} actions", calendar.events.len(), bytes.len());
    Ok(())
}

/// The most memory that this process has had, in megabytes, the file that it read included.
fn peak() -> Result<f64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}

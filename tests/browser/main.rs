//! The pages, used in a real browser against the real program: `concord demo` with its sandbox, the system's Chromium,
//! driven over WebDriver.
//!
//! `demo_app` starts the program, `browser` a browser; each other file is a story of what a person does. Nobody sleeps:
//! what takes its time is awaited by `until` and `Browser::see`.
//!
//! To add a story: a file with `#[tokio::test]` functions that begin with `DemoApp::open()` and `Browser::open(..)`. It
//! needs `chromium` and `chromedriver` (Debian: `apt-get install chromium chromium-driver`), or the driver's path in
//! `CONCORD_TEST_CHROMEDRIVER`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test whose surroundings fail has failed, and says what it saw"
)]

mod accessibility;
mod bookings;
mod caldav;
mod calendars;
mod changes;
mod channels;
mod csrf;
mod customers;
mod feeds;
mod keyboard;
mod phone;
mod screenshots;
mod sign_in;
mod without_script;

use concord_testing::app::{browser, demo_app};

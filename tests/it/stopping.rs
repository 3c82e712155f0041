//! A process that is told to stop.

use std::time::Duration;

use concord_storage::testing::TestDb;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::house::{House, Wishes};

async fn a_request_that_never_ends_does_not_keep_it(db: &TestDb) {
    let settings = vec![("worker.shutdown_seconds", "1".to_owned())];
    let house = House::with(db, Wishes { settings, ..Wishes::default() }).await;
    let address = house.api.base.trim_start_matches("http://").to_owned();
    let mut whole = TcpStream::connect(&address).await.unwrap();
    whole.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\n\r\nGET /rea").await.unwrap();
    // The second request on the connection is begun by the time that the first one is answered.
    let mut answer = vec![0; 12];
    whole.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    let began = Instant::now();
    house.stop().await;
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for somebody who never goes on");
    let mut rest = Vec::new();
    // Ended or reset, but no longer held.
    let _ = whole.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens");
}

concord_storage::on_both_databases!(a_request_that_never_ends_does_not_keep_it);

//! Fetching the instrument file: redirects followed, no token with them, nothing half-written left behind.

use std::time::Duration;

use tandem_dhan::fetch::{FetchError, FetchSettings, fetch_file};

use super::server::{Reply, Server};

const FILE: &str = "A,B\n1,2\n";

#[actix_rt::test]
async fn a_redirect_is_followed_without_a_token() {
    let store = Server::answering(200, FILE);
    let target = format!("http://{}/file.csv", store.address);
    let server = Server::start(move |_| {
        Reply::Raw(format!("HTTP/1.1 302 X\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n").into_bytes())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instruments.csv");
    std::fs::write(&path, "yesterday").unwrap();
    let url = format!("{}/instrument/NSE_FNO", server.url());
    let bytes = fetch_file(&url, &FetchSettings::default(), &path).await.unwrap();
    assert_eq!((bytes, std::fs::read_to_string(&path).unwrap().as_str()), (FILE.len() as u64, FILE));
    for request in server.requests().into_iter().chain(store.requests()) {
        assert!(!request.head.to_ascii_lowercase().contains("token"), "{}", request.head);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file left");
}

#[actix_rt::test]
async fn a_failed_fetch_leaves_the_old_file_alone() {
    let loops = Server::start(|_| {
        Reply::Raw(b"HTTP/1.1 302 X\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_vec())
    });
    let cut = Server::start(|_| {
        Reply::RawThenClose(format!("HTTP/1.1 200 X\r\ncontent-length: 900\r\n\r\n{FILE}").into_bytes())
    });
    let slow =
        Server::start(|_| Reply::RawThenHold(b"HTTP/1.1 200 X\r\ncontent-length: 900\r\n\r\nA".to_vec()));
    let large = Server::answering(200, &"x".repeat(5000));
    let missing = Server::answering(404, "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instruments.csv");
    std::fs::write(&path, "yesterday").unwrap();
    let settings =
        FetchSettings { bytes_max: 4000, deadline: Duration::from_millis(500), ..FetchSettings::default() };

    for (server, expected) in
        [(&loops, "status"), (&cut, "cut"), (&slow, "deadline"), (&large, "too large"), (&missing, "status")]
    {
        let error = fetch_file(&server.url(), &settings, &path).await.unwrap_err();
        let found = match error {
            FetchError::Status { .. } => "status",
            FetchError::Cut { .. } => "cut",
            FetchError::Deadline { .. } => "deadline",
            FetchError::TooLarge { .. } => "too large",
            other => panic!("{other}"),
        };
        assert_eq!(found, expected);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "yesterday");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file left");
    assert!(matches!(fetch_file("nonsense", &settings, &path).await, Err(FetchError::Url(_))));
}

//! https and wss end to end, with a certificate authority of our own: trusted where it is named, refused where not.

use std::net::SocketAddr;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tandem_dhan::rest::{ClientError, ReadError};
use tandem_dhan::stream::{OrderStream, StreamError, StreamSettings};
use tandem_dhan::tls;

use super::certificate::authority;
use super::server::{account, client, settings, token};
use super::stream::frames_after_login;

fn start(server: rustls::ServerConfig) -> SocketAddr {
    let server = HttpServer::new(|| {
        App::new().route("/v2/orders", web::get().to(|| async { HttpResponse::Ok().body("[]") })).route(
            "/",
            web::get().to(|request: HttpRequest, body: web::Payload| async move {
                frames_after_login(request, body, |mut session| async move {
                    let frame = include_str!("../fixtures/frames/pending.json");
                    let _ = session.text(frame.repeat(200)).await;
                })
            }),
        )
    })
    .workers(1)
    .disable_signals()
    .bind_rustls_0_23("127.0.0.1:0", server)
    .unwrap();
    let address = server.addrs()[0];
    actix_rt::spawn(server.run());
    address
}

#[actix_rt::test]
async fn https_is_trusted_by_its_authority_only() {
    let authority = authority();
    let address = start(authority.server);
    let mut with_authority = settings(&format!("https://{address}/v2"));
    with_authority.extra_ca_file = Some(authority.ca_file.clone());
    assert!(client(&with_authority).orders().await.unwrap().is_complete());

    let without = settings(&format!("https://{address}/v2"));
    let outcome = client(&without).orders().await;
    assert!(matches!(outcome, Err(ReadError::NotSent { .. })), "{outcome:?}");
}

#[actix_rt::test]
async fn wss_carries_frames_over_64_kib() {
    let authority = authority();
    let address = start(authority.server);
    let mut settings = StreamSettings::new(format!("wss://{address}/"));
    let refused = OrderStream::connect(&settings, &account(), &token()).await;
    assert!(matches!(refused, Err(StreamError::Connect { .. })), "{refused:?}");

    settings.extra_ca_file = Some(authority.ca_file.clone());
    let mut stream = OrderStream::connect(&settings, &account(), &token()).await.unwrap();
    let frame = stream.next().await.unwrap();
    assert_eq!(frame.items.len(), 200);
    assert!(frame.items.iter().all(Result::is_ok));
}

#[actix_rt::test]
async fn a_file_without_an_authority_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    assert!(tls::client_config(Some(&path)).is_err());
    std::fs::write(&path, "no certificate").unwrap();
    assert!(tls::client_config(Some(&path)).is_err());

    let mut settings = settings("https://127.0.0.1:1/v2");
    settings.extra_ca_file = Some(path);
    let outcome = tandem_dhan::rest::AccountClient::new(&settings, account(), token());
    assert!(matches!(outcome, Err(ClientError::Tls(_))));
}

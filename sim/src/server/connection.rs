//! The socket under a REST connection, so that a request can end without any answer.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::dev::Extensions;

/// A second handle to a connection's socket.
pub(crate) struct Connection {
    socket: TcpStream,
}

impl Connection {
    /// For `HttpServer::on_connect`.
    pub(crate) fn remember(connection: &dyn Any, extensions: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        match stream.as_fd().try_clone_to_owned() {
            Ok(descriptor) => drop(extensions.insert(Self { socket: descriptor.into() })),
            Err(error) => tracing::warn!(%error, "a connection's socket was not doubled: it cannot be cut"),
        }
    }

    /// Ends the connection both ways, at once; nothing written later reaches the caller.
    pub(crate) fn cut(&self) {
        // Already closed by the caller: as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

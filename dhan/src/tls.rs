//! TLS for every connection this program opens: ring, the public roots, HTTP/1.1 only.
//!
//! The HTTP client has no crypto of its own as it is built here, and its switch for the HTTP version silently drops a
//! custom TLS configuration; so both are decided in this one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file of extra authorities cannot be read.
    #[error("read certificate authorities from {path}: {why}")]
    ExtraAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The library refused the configuration.
    #[error("set up tls: {0}")]
    Setup(#[from] rustls::Error),
}

/// The client side of TLS; trusts the public roots, and also the PEM certificates of `extra_ca_file` where one is
/// given (a simulator with a certificate of its own).
pub fn client_config(extra_ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = extra_ca_file {
        add_file(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let fault = |why: String| TlsError::ExtraAuthority { path: path.to_owned(), why };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fault(error.to_string()))?;
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(fault("no certificate in it".to_owned()));
    }
    Ok(())
}

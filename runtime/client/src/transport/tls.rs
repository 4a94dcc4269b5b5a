//! Who is trusted, and the certificate of who asks.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::clusters::Tls;
use crate::error::{Code, Error};

/// The longest file of certificates or keys, in bytes.
const MAX_LEN: u64 = 4 << 20;

/// How TLS is spoken with a cluster, for a protocol upon it.
pub(crate) fn config(tls: &Tls, protocol: &[u8]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("TLS cannot be spoken: {error}")))?
        .with_root_certificates(roots(tls)?);
    let mut config = match (&tls.cert_file, &tls.key_file) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
                wrong(format!("failed to read a private key from {}: {error}", key.display()))
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let certificate = certificate.display();
                wrong(format!("the client certificate {certificate} cannot be used: {error}"))
            })?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => return Err(wrong("tls.cert_file needs tls.key_file".to_owned())),
        (None, Some(_)) => return Err(wrong("tls.key_file needs tls.cert_file".to_owned())),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

fn roots(tls: &Tls) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &tls.ca_file {
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|error| {
                wrong(format!("a certificate of {} cannot be used: {error}", file.display()))
            })?;
        }
        return Ok(roots);
    }
    let system = rustls_native_certs::load_native_certs();
    // A system has many; one that cannot be read vouches for nobody.
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        let why = system.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(wrong(format!(
            "this machine trusts no certificate authority{why}: install ca-certificates, or set \
             tls.ca_file"
        )));
    }
    Ok(roots)
}

/// The certificates of a file; at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(wrong(format!("{} holds no certificate in PEM", file.display()))),
        Err(error) => {
            Err(wrong(format!("failed to read a certificate from {}: {error}", file.display())))
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    crate::file::read(file, MAX_LEN)
        .map(|(bytes, _)| bytes)
        .map_err(|error| wrong(format!("failed to read {}: {error}", file.display())))
}

fn wrong(message: String) -> Error {
    Error::new(Code::InvalidConfiguration, message)
}

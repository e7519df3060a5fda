//! What a client publishes: a metadata document and keys, on a host of its own with TLS.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::aws_lc_rs as provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

const NAME: &str = "client.example";

/// A web site on this machine, as [`NAME`].
pub(crate) struct Host {
    address: SocketAddr,
    authority: String,
    pages: Arc<Pages>,
}

#[derive(Default)]
struct Pages {
    by_path: Mutex<BTreeMap<String, Page>>,
    asked_for: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Page {
    status: &'static str,
    /// None where it is empty.
    cache_control: &'static str,
    body: String,
}

impl Host {
    pub(crate) fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(provider::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Arc::new(Pages::default());
        let (config, served) = (Arc::new(config), Arc::clone(&pages));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, pages) = (Arc::clone(&config), Arc::clone(&served));
                // Whoever asks may hang up in the middle.
                std::thread::spawn(move || drop(converse(config, stream, &pages)));
            }
        });
        Self {
            address,
            authority,
            pages,
        }
    }

    /// The part of the configuration with which a server in `folder` finds the host.
    pub(crate) fn config(&self, folder: &Path) -> String {
        std::fs::write(folder.join("ca.pem"), &self.authority).unwrap();
        let address = self.address;
        format!("[cimd.test]\nhosts = {{ \"{NAME}\" = \"{address}\" }}\nca_file = \"ca.pem\"\n")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{NAME}{path}")
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn publish(&self, path: &str, value: &Value) {
        self.answer(path, "200 OK", &value.to_string());
    }

    pub(crate) fn answer(&self, path: &str, status: &'static str, body: &str) {
        self.put(path, status, "", body.to_owned());
    }

    /// Publishes what may be kept for a while.
    pub(crate) fn publish_for(&self, path: &str, cache_control: &'static str, value: &Value) {
        self.put(path, "200 OK", cache_control, value.to_string());
    }

    fn put(&self, path: &str, status: &'static str, cache_control: &'static str, body: String) {
        let page = Page {
            status,
            cache_control,
            body,
        };
        self.pages
            .by_path
            .lock()
            .unwrap()
            .insert(path.to_owned(), page);
    }

    /// How often the path was asked for.
    pub(crate) fn asked_for(&self, path: &str) -> usize {
        let asked_for = self.pages.asked_for.lock().unwrap();
        asked_for.iter().filter(|asked| *asked == path).count()
    }
}

fn converse(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    pages: &Pages,
) -> Result<(), Box<dyn std::error::Error>> {
    let connection = ServerConnection::new(config)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
    }
    let page = pages.by_path.lock().unwrap().get(&path).cloned();
    pages.asked_for.lock().unwrap().push(path);
    let Page {
        status,
        cache_control,
        body,
    } = page.unwrap_or(Page {
        status: "404 Not Found",
        cache_control: "",
        body: "{}".to_owned(),
    });
    let cached = match cache_control {
        "" => String::new(),
        value => format!("Cache-Control: {value}\r\n"),
    };
    let stream = reader.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nLocation: /elsewhere\r\n\
         {cached}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}

/// A client's key pair.
pub(crate) struct ClientKey {
    pub(crate) kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
}

impl ClientKey {
    pub(crate) fn rsa(kid: &'static str) -> Self {
        let pair = Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        Self { kid, pair }
    }

    pub(crate) fn p256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let pair = Pair::P256(pair);
        Self { kid, pair }
    }

    /// The public part (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "kid": self.kid,
                    "use": "sig",
                    "alg": "RS256",
                    "n": text(key.modulus().big_endian_without_leading_zero()),
                    "e": text(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC",
                    "crv": "P-256",
                    "kid": self.kid,
                    "x": text(&point[1..33]),
                    "y": text(&point[33..]),
                })
            }
        }
    }

    /// The header of an honest assertion.
    pub(crate) fn header(&self) -> Value {
        let alg = match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
        };
        json!({ "alg": alg, "kid": self.kid, "typ": "JWT" })
    }

    /// A token, signed with this key whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                let bytes = message.as_bytes();
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)
                    .unwrap();
                signature
            }
            Pair::P256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message.as_bytes());
                signed.unwrap().as_ref().to_vec()
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and claims, as they are signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

//! Looks at the files of certificates and keys before librdkafka does, which says of a mistake only that there is one.

use std::fs;
use std::path::Path;

use rdkafka::ClientConfig;

use crate::error::{Error, Printable, Result};

/// Properties that name a file, and whether it must hold PEM.
const FILES: [(&str, bool); 5] = [
    ("ssl.ca.location", true),
    ("ssl.certificate.location", true),
    ("ssl.key.location", true),
    ("ssl.keystore.location", false),
    ("ssl.crl.location", true),
];
/// librdkafka looks for the system's authorities itself.
pub(super) const PROBE: &str = "probe";
/// How every PEM begins.
const BEGIN: &str = "-----BEGIN ";

fn given<'a>(config: &'a ClientConfig, key: &str) -> Option<&'a str> {
    config.get(key).filter(|value| !value.is_empty())
}

fn wrong(key: &str, path: &str, what: &str) -> Error {
    Error::Config(format!("{} '{}' {what}", key.replace('.', "_"), Printable(path)))
}

/// Checks what can be checked without a connection.
///
/// # Errors
/// [`Error::Config`] names the setting, the file and what is wrong with it.
pub(super) fn check(config: &ClientConfig) -> Result<()> {
    for (key, text) in FILES {
        let Some(path) = given(config, key).filter(|path| *path != PROBE) else { continue };
        if Path::new(path).is_dir() {
            if key == "ssl.ca.location" {
                continue;
            }
            return Err(wrong(key, path, "is a folder; give the file"));
        }
        let content = fs::read(path).map_err(|error| wrong(key, path, &format!("cannot be read: {error}")))?;
        if text && !contains(&content, BEGIN) {
            return Err(wrong(key, path, "holds no PEM, the text form that begins with -----BEGIN; convert it"));
        }
    }
    let own = |place: &str, text: &str| given(config, place).or_else(|| given(config, text));
    let certificate = own("ssl.certificate.location", "ssl.certificate.pem");
    let key = own("ssl.key.location", "ssl.key.pem");
    match (certificate, key) {
        (Some(_), None) => Err(Error::Config(
            "ssl_certificate_location is given without ssl_key_location: brokers accept a certificate only with its key".into(),
        )),
        (None, Some(_)) => Err(Error::Config(
            "ssl_key_location is given without ssl_certificate_location: a key alone proves nothing, give its certificate too".into(),
        )),
        _ => unlocked(config),
    }
}

/// A key that needs a password has been given one.
fn unlocked(config: &ClientConfig) -> Result<()> {
    let Some(path) = given(config, "ssl.key.location") else { return Ok(()) };
    let content = fs::read(path).unwrap_or_default();
    if contains(&content, "ENCRYPTED") && given(config, "ssl.key.password").is_none() {
        return Err(wrong("ssl.key.location", path, "is locked with a password: give it as ssl_key_password"));
    }
    Ok(())
}

/// Whether there is a file that holds PEM.
pub(super) fn is_pem(path: &str) -> bool {
    fs::read(path).is_ok_and(|content| contains(&content, BEGIN))
}

fn contains(content: &[u8], part: &str) -> bool {
    content.windows(part.len()).any(|window| window == part.as_bytes())
}

/// What librdkafka said about the files when it opened them, in words that help; `None` for anything else.
pub(super) fn explain(config: &ClientConfig, reason: &str) -> Option<Error> {
    let told = |key: &str, what: &str| Some(wrong(key, given(config, key).unwrap_or_default(), what));
    let key = "ssl.key.location";
    let certificate = given(config, "ssl.certificate.location").unwrap_or_default();
    if reason.contains("key values mismatch") {
        return told(key, &format!("is not the key of the certificate in '{}'", Printable(certificate)));
    }
    if reason.starts_with("ssl.key.location failed") && given(config, "ssl.key.password").is_some() {
        return told(key, "cannot be opened with ssl_key_password: the password is wrong, or the file is damaged");
    }
    ["ssl.key.location", "ssl.certificate.location", "ssl.ca.location", "ssl.crl.location"]
        .into_iter()
        .find(|key| reason.starts_with(&format!("{key} failed")))
        .and_then(|key| told(key, &format!("cannot be used: {}", reason.split(" failed: ").last().unwrap_or(reason))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(settings: &[(&str, &str)]) -> String {
        let mut config = ClientConfig::new();
        for (key, value) in settings {
            config.set(*key, *value);
        }
        check(&config).unwrap_err().to_string()
    }

    #[test]
    fn each_mistake_with_a_file_names_the_setting_and_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let absent = folder.path().join("absent").to_str().unwrap().to_owned();
        let here = folder.path().to_str().unwrap().to_owned();
        let (plain, pem) = (file("plain", "no"), file("pem", "-----BEGIN CERTIFICATE-----"));
        let locked = file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----");
        for (settings, says) in [
            (vec![("ssl.ca.location", absent.as_str())], "ssl_ca_location"),
            (vec![("ssl.ca.location", absent.as_str())], "cannot be read"),
            (vec![("ssl.ca.location", plain.as_str())], "holds no PEM"),
            (vec![("ssl.key.location", here.as_str())], "is a folder"),
            (vec![("ssl.key.location", pem.as_str())], "without ssl_certificate_location"),
            (vec![("ssl.certificate.location", pem.as_str())], "without ssl_key_location"),
            (
                vec![("ssl.certificate.location", pem.as_str()), ("ssl.key.location", locked.as_str())],
                "ssl_key_password",
            ),
        ] {
            let message = refused(&settings);
            assert!(message.contains(says), "{message}");
        }
        let mut config = ClientConfig::new();
        config.set("ssl.ca.location", PROBE);
        assert!(check(&config).is_ok());
    }
}

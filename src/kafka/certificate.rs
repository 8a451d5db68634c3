//! Why a broker's certificate was refused: OpenSSL knows it, librdkafka says only that it was.
//!
//! librdkafka asks here about each certificate of the chain, with what OpenSSL found. Nothing is decided here: what OpenSSL
//! refuses stays refused, and the reason goes into the line that librdkafka logs.

use std::ffi::{c_char, c_int, c_void};

use rdkafka::ClientConfig;
use rdkafka::bindings as rdk;
use rdkafka::config::NativeClientConfig;

use super::consumer::text;

/// What is said of a certificate whose authority is unknown.
pub(super) const UNTRUSTED: &str = "by an authority that is not trusted here";

/// What librdkafka puts before our reason.
const MARK: &str = "verification callback failed: ";

/// Has librdkafka ask why a certificate is refused, unless nobody looks at certificates.
pub(super) fn explain_refusals(config: &ClientConfig, native: &NativeClientConfig) {
    if config.get("enable.ssl.certificate.verification").is_some_and(super::config::is_false) {
        return;
    }
    // SAFETY: the configuration is valid, and the callback has the type that librdkafka asks for.
    let outcome = unsafe { rdk::rd_kafka_conf_set_ssl_cert_verify_cb(native.ptr(), Some(on_certificate)) };
    if outcome != rdk::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
        log::debug!("librdkafka was built without TLS");
    }
}

/// SAFETY contract: librdkafka calls it with texts, a valid number, and room for `size` bytes of a reason.
unsafe extern "C" fn on_certificate(
    _: *mut rdk::rd_kafka_t,
    broker: *const c_char,
    _: i32,
    found: *mut c_int,
    depth: c_int,
    _: *const c_char,
    _: usize,
    reason: *mut c_char,
    size: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: by the contract of this function; no more is written than there is room for, with a zero behind it.
    unsafe {
        if *found == 0 {
            return 1;
        }
        let host = text(broker).rsplit_once(':').map_or("", |(host, _)| host);
        let why = why(*found, depth, host);
        let most = why.len().min(size.saturating_sub(1));
        if size > 0 {
            std::ptr::copy_nonoverlapping(why.as_ptr(), reason.cast::<u8>(), most);
            *reason.add(most) = 0;
        }
        0
    }
}

/// What OpenSSL's number means (`openssl/x509_vfy.h`), with a remedy. `depth` is 0 for the broker's own certificate.
fn why(number: i32, depth: i32, host: &str) -> String {
    let whose = if depth == 0 { "the broker's certificate" } else { "the certificate of the broker's authority" };
    match number {
        9 => format!("{whose} is not valid yet: compare the clocks of this machine and of the broker"),
        10 => format!("{whose} has expired: have it renewed; if it is valid, look at this machine's clock"),
        18 => format!(
            "{whose} is signed by itself, by no authority: have one sign it, or, if it is known to be the broker's, give it \
             as ssl_ca_location"
        ),
        2 | 19 | 20 | 21 => format!(
            "{whose} is signed {UNTRUSTED}: give the authority's PEM file as ssl_ca_location, or \
             install it among the system's (package ca-certificates)"
        ),
        23 => format!("{whose} has been revoked: have a new one made"),
        26 => format!("{whose} was not made for servers: have one made with extended key usage serverAuth"),
        62 | 64 => format!(
            "{whose} does not speak for the host '{host}': connect by a name that it contains, or have one made for this name"
        ),
        other => format!("{whose} cannot be verified (OpenSSL's X509 error {other})"),
    }
}

/// The reason in librdkafka's log line, if it is one about a certificate: whose it is, and why it was refused.
pub(super) fn refusal(line: &str) -> Option<String> {
    let (before, why) = line.split_once(MARK)?;
    let names = before.split_once("Certificate (").map_or("", |(_, names)| names).trim_end();
    Some(format!("{why} ({})", names.trim_end_matches(')')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_apart() {
        let mut all: Vec<String> = [9, 10, 18, 20, 23, 26, 62, 1].iter().map(|number| why(*number, 0, "h")).collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(why(10, 1, "h").contains("authority"));
    }

    #[test]
    fn a_long_reason_is_cut_to_the_room_there_is() {
        let (mut found, mut room) = (62, [1 as c_char; 20]);
        let host = c"a-host:9093";
        // SAFETY: all pointers are valid, and the room is as long as is said.
        let answer = unsafe {
            on_certificate(
                std::ptr::null_mut(),
                host.as_ptr(),
                1,
                &raw mut found,
                0,
                std::ptr::null(),
                0,
                room.as_mut_ptr(),
                room.len(),
                std::ptr::null_mut(),
            )
        };
        assert_eq!((answer, found, room[19]), (0, 62, 0));
        // SAFETY: it ends with a zero, as was just seen.
        assert_eq!(unsafe { text(room.as_ptr()) }, "the broker's certif");
    }

    #[test]
    fn the_reason_is_found_in_the_line_of_librdkafka() {
        let line = "[thrd:ssl://h:1/bootstrap]: ssl://h:1/bootstrap: Certificate (subject=/CN=b, issuer=/CN=a) verification \
                    callback failed: it is old";
        assert_eq!(refusal(line).unwrap(), "it is old (subject=/CN=b, issuer=/CN=a)");
        assert!(refusal("SSL handshake failed").is_none());
    }
}

//! Integration tests of the floors that talk to a broker: against the one that `TELEWIRE_TEST_BROKERS` names, and the
//! embedded one against librdkafka.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod alignment;
mod embedded;
mod groups;
mod layouts;
mod outages;
mod races;
mod reading;
mod sessions;
mod support;
mod writing;

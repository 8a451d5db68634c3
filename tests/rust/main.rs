//! Integration tests of the floors that talk to a broker.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod embedded;

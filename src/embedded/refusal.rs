//! A "no" in Kafka's terms: the error code a client acts on, and the sentence a person reads.

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

/// Why a request, or one part of it, was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What the client's code looks at.
    pub error: ResponseError,
    /// What happened, to which thing, what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal with its reason.
    pub(super) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }

    /// The error code on the wire.
    pub(super) fn code(&self) -> i16 {
        self.error.code()
    }

    /// The sentence, where the protocol has a place for it.
    pub(super) fn text(&self) -> Option<StrBytes> {
        (!self.message.is_empty()).then(|| StrBytes::from_string(self.message.clone()))
    }
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self { error, message: String::new() }
    }
}

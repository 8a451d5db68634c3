//! One packet, no I/O: the envelope, the names of its types, and samples between columns and the wire.
//!
//! What bytes are right is decided by Google's protobuf: whatever it accepts is read here with the same meaning, and
//! what is written here is byte for byte what it would write for the same message.

mod block;
mod columns;
#[cfg(test)]
mod conformance_tests;
mod decode;
mod encode;
mod envelope;
mod head;
mod message;
mod packet_type;
#[cfg(test)]
mod samples_for_tests;
mod texts;
mod wire;

pub use block::{ColumnBlock, ColumnView, PacketFormat, TableView, TimeRange, Times, ValueType};
pub use columns::{Column, ColumnRef, FormatRef, SampleFormat, Samples, Strided, Timebase, Values, ValuesRef, status};
pub use decode::{Appended, Decoder, SamplePacket, Wanted, decode_samples, latest_ns};
pub use encode::{
    bytes_per_row, encode_periodic, encode_rows, encode_synchro, fixed_bytes, periodic_len, rows_len, synchro_len,
};
pub use envelope::Envelope;
pub use head::Head;
pub use message::decode_message;
pub use packet_type::PacketType;
pub use texts::TextsRef;

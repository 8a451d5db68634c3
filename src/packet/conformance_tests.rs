//! The codec against `tests/conformance/`: bytes that Google's protobuf wrote, and what it reads from odd ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde::Deserialize;

use super::*;
use crate::error::Error;

fn vectors<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let path = format!("{}/tests/conformance/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[derive(Deserialize)]
struct EnvelopeVector {
    hex: String,
    expected: Option<EnvelopeFields>,
}

#[derive(Deserialize)]
struct EnvelopeFields {
    r#type: String,
    session_key: String,
    is_essential: bool,
    content: String,
    id: u64,
}

impl EnvelopeFields {
    fn compare(&self, envelope: &Envelope<'_>, hex: &str) {
        let content = bytes(&self.content);
        let expected = Envelope {
            type_name: &self.r#type,
            session_key: &self.session_key,
            is_essential: self.is_essential,
            content: &content,
            id: self.id,
        };
        assert_eq!(envelope, &expected, "{hex}");
    }
}

#[test]
fn envelopes_are_written_as_google_writes_them() {
    let vectors: Vec<EnvelopeVector> = vectors("envelopes");
    assert!(vectors.len() >= 35);
    for EnvelopeVector { hex, expected } in vectors {
        let given = bytes(&hex);
        let envelope = Envelope::peek(&given).unwrap();
        expected.unwrap().compare(&envelope, &hex);
        assert_eq!(envelope.encode(), given, "{hex}");
    }
}

#[test]
fn odd_envelopes_are_read_or_refused_as_google_does() {
    let vectors: Vec<EnvelopeVector> = vectors("odd_envelopes");
    assert!(vectors.len() >= 700);
    for EnvelopeVector { hex, expected } in vectors {
        let given = bytes(&hex);
        match (Envelope::peek(&given), expected) {
            (Ok(envelope), Some(expected)) => expected.compare(&envelope, &hex),
            (Err(Error::Decode { .. }), None) => {}
            (outcome, expected) => panic!("{hex}: {outcome:?}, but protobuf reads it: {}", expected.is_some()),
        }
    }
}

#[derive(Deserialize)]
struct SampleVector {
    r#type: String,
    hex: String,
    expected: Option<ExpectedSamples>,
    #[serde(default = "sensible")]
    sense: bool,
    #[serde(default)]
    start_ns: u64,
    #[serde(default)]
    interval_ns: u32,
    #[serde(default)]
    intervals_ns: Vec<u32>,
    #[serde(default)]
    given: Vec<JsonColumn>,
}

fn sensible() -> bool {
    true
}

#[derive(Deserialize)]
struct ExpectedSamples {
    format: Option<JsonFormat>,
    times: Vec<u64>,
    columns: Vec<JsonColumn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum JsonFormat {
    Id(u64),
    Parameters(Vec<String>),
}

#[derive(Deserialize)]
struct JsonColumn {
    #[serde(flatten)]
    values: JsonValues,
    status: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "values", rename_all = "lowercase")]
enum JsonValues {
    F64(Vec<String>),
    I32(Vec<i32>),
    Bool(Vec<bool>),
    Str(Vec<String>),
}

/// A column whose doubles are compared by their bits.
#[derive(Debug, PartialEq)]
enum Exact {
    F64(Vec<u64>),
    Other(Values),
}

impl JsonColumn {
    fn doubles(hex: &[String]) -> Vec<f64> {
        hex.iter().map(|bits| f64::from_bits(u64::from_str_radix(bits, 16).unwrap())).collect()
    }

    fn exact(&self) -> Exact {
        match &self.values {
            JsonValues::F64(hex) => Exact::F64(Self::doubles(hex).into_iter().map(f64::to_bits).collect()),
            JsonValues::I32(values) => Exact::Other(Values::I32(values.clone())),
            JsonValues::Bool(values) => Exact::Other(Values::Bool(values.clone())),
            JsonValues::Str(values) => Exact::Other(Values::Str(values.clone())),
        }
    }
}

fn exact(values: &Values) -> Exact {
    match values {
        Values::F64(values) => Exact::F64(values.iter().map(|value| value.to_bits()).collect()),
        other => Exact::Other(other.clone()),
    }
}

fn compare(samples: &Samples, expected: &ExpectedSamples, hex: &str) {
    let format = match &expected.format {
        None => SampleFormat::Missing,
        Some(JsonFormat::Id(id)) => SampleFormat::Id(*id),
        Some(JsonFormat::Parameters(names)) => SampleFormat::Parameters(names.clone()),
    };
    assert_eq!(samples.format, format, "{hex}");
    assert_eq!(samples.times.to_vec(), expected.times, "{hex}");
    assert_eq!(samples.columns.len(), expected.columns.len(), "{hex}");
    for (column, expected) in samples.columns.iter().zip(&expected.columns) {
        assert_eq!(exact(&column.values), expected.exact(), "{hex}");
        let plain = column.status.as_ref().filter(|status| status.iter().any(|&worth| worth != status::VALID));
        assert_eq!(plain, expected.status.as_ref(), "{hex}");
    }
}

/// Writes a vector again from the columns it was made of.
fn encode(vector: &SampleVector, samples: &Samples) -> Vec<u8> {
    enum Owned<'a> {
        F64(Vec<f64>),
        I32(&'a [i32]),
        Bool(&'a [bool]),
        Str(Vec<&'a str>),
    }
    let owned: Vec<Owned<'_>> = vector
        .given
        .iter()
        .map(|column| match &column.values {
            JsonValues::F64(hex) => Owned::F64(JsonColumn::doubles(hex)),
            JsonValues::I32(values) => Owned::I32(values),
            JsonValues::Bool(values) => Owned::Bool(values),
            JsonValues::Str(values) => Owned::Str(values.iter().map(String::as_str).collect()),
        })
        .collect();
    let columns: Vec<ColumnRef<'_>> = owned
        .iter()
        .zip(&vector.given)
        .map(|(values, column)| ColumnRef {
            values: match values {
                Owned::F64(values) => ValuesRef::F64(values.into()),
                Owned::I32(values) => ValuesRef::I32((*values).into()),
                Owned::Bool(values) => ValuesRef::Bool((*values).into()),
                Owned::Str(values) => ValuesRef::Str(values),
            },
            status: column.status.as_ref().map(Strided::from),
        })
        .collect();
    let names: Vec<&str>;
    let format = match &samples.format {
        SampleFormat::Id(id) => FormatRef::Id(*id),
        SampleFormat::Parameters(list) => {
            names = list.iter().map(String::as_str).collect();
            FormatRef::Parameters(&names)
        }
        SampleFormat::Missing => panic!("every vector has a format"),
    };
    let mut out = Vec::new();
    match PacketType::parse(&vector.r#type) {
        PacketType::PeriodicData => {
            encode_periodic(&mut out, &format, vector.start_ns, vector.interval_ns, &columns).unwrap();
        }
        PacketType::SynchroData => {
            encode_synchro(&mut out, &format, vector.start_ns, &vector.intervals_ns, &columns).unwrap();
        }
        _ => encode_rows(&mut out, &format, &samples.times.to_vec(), &columns).unwrap(),
    }
    out
}

#[test]
fn samples_are_written_and_read_as_google_does() {
    let vectors: Vec<SampleVector> = vectors("samples");
    assert!(vectors.len() >= 150);
    for vector in &vectors {
        let bytes = bytes(&vector.hex);
        let samples = decode_samples(PacketType::parse(&vector.r#type), &bytes).unwrap();
        compare(&samples, vector.expected.as_ref().unwrap(), &vector.hex);
        assert_eq!(encode(vector, &samples), bytes, "{}", vector.hex);
    }
}

#[test]
fn odd_samples_are_read_or_refused_as_google_does_and_must_make_sense() {
    let vectors: Vec<SampleVector> = vectors("odd_samples");
    assert!(vectors.len() >= 2000);
    for vector in &vectors {
        let outcome = decode_samples(PacketType::parse(&vector.r#type), &bytes(&vector.hex));
        match (outcome, &vector.expected) {
            (Ok(samples), Some(expected)) => compare(&samples, expected, &vector.hex),
            (Err(Error::Decode { .. }), None) => {}
            (outcome, expected) => panic!(
                "{} {}: {outcome:?}, but protobuf reads it: {}, and it makes sense: {}",
                vector.r#type,
                vector.hex,
                expected.is_some() || !vector.sense,
                vector.sense
            ),
        }
    }
}

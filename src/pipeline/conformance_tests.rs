//! The machines against `tests/conformance/`: what the slow models in `tests/python/model` make of the same packets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::*;
use crate::packet::{ColumnBlock, Decoder, PacketFormat, PacketType, Wanted, status};

fn vectors<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let path = format!("{}/tests/conformance/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[derive(Deserialize)]
struct WindowCase {
    name: String,
    window_ns: u64,
    slide_percent: u32,
    steps: Vec<Step>,
    counts: JsonCounts,
    late_by_stream: BTreeMap<String, u64>,
    last_times: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Step {
    step: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    content: String,
    other: Option<JsonOther>,
    slides: Vec<JsonSlide>,
    frontier_ns: Option<u64>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct JsonCounts {
    received: u64,
    delivered: u64,
    late: u64,
    replaced: u64,
    others: u64,
    late_others: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct JsonOther {
    kind: String,
    identifier: String,
    time_ns: u64,
    packet: u64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct JsonSlide {
    start_ns: u64,
    end_ns: u64,
    columns: Vec<JsonColumn>,
    others: Vec<JsonOther>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct JsonColumn {
    parameter: String,
    samples: Vec<JsonSample>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct JsonSample {
    time_ns: u64,
    /// The bits of a double.
    f64: Option<String>,
    i32: Option<i32>,
    bool: Option<bool>,
    str: Option<String>,
    status: u8,
}

impl JsonSample {
    fn new(time_ns: u64, value: &Value, status: u8) -> Self {
        let mut sample = Self { time_ns, f64: None, i32: None, bool: None, str: None, status };
        match value {
            Value::F64(value) => sample.f64 = Some(format!("{:016x}", value.to_bits())),
            Value::I32(value) => sample.i32 = Some(*value),
            Value::Bool(value) => sample.bool = Some(*value),
            Value::Str(value) => sample.str = Some(value.to_string()),
        }
        sample
    }
}

impl JsonSlide {
    fn of(slide: &Slide<u64>) -> Self {
        let column = |column: SlideColumn<'_>| JsonColumn {
            parameter: column.name.to_string(),
            samples: (0..column.times.len())
                .map(|row| {
                    let value = match column.values {
                        SlideValues::F64(values) => Value::F64(values[row]),
                        SlideValues::I32(values) => Value::I32(values[row]),
                        SlideValues::Bool(values) => Value::Bool(values[row]),
                        SlideValues::Str(values) => Value::Str(values[row].clone()),
                        SlideValues::Mixed(values) => values[row].clone(),
                    };
                    let worth = column.status.map_or(status::VALID, |status| status[row]);
                    JsonSample::new(column.times[row], &value, worth)
                })
                .collect(),
        };
        let other = |other: &Other<u64>| JsonOther {
            kind: kind_name(other.kind).into(),
            identifier: other.identifier.to_string(),
            time_ns: other.time_ns,
            packet: other.item,
        };
        Self {
            start_ns: slide.start_ns(),
            end_ns: slide.end_ns(),
            columns: slide.columns().map(column).collect(),
            others: slide.others().iter().map(other).collect(),
        }
    }
}

const KINDS: [OtherKind; 4] = [OtherKind::Event, OtherKind::Error, OtherKind::Can, OtherKind::Marker];

fn kind_name(kind: OtherKind) -> &'static str {
    match kind {
        OtherKind::Event => "event",
        OtherKind::Error => "error",
        OtherKind::Can => "can",
        OtherKind::Marker => "marker",
    }
}

fn take(merger: &mut Merger<u64>, step: &Step, out: &mut Vec<Slide<u64>>) {
    let stream = merger.stream(&Arc::from(step.stream.as_str()));
    if let Some(other) = &step.other {
        let kind = KINDS.into_iter().find(|&kind| kind_name(kind) == other.kind).unwrap();
        let identifier = Arc::from(other.identifier.as_str());
        merger.other(stream, Other { kind, identifier, time_ns: other.time_ns, item: other.packet }, out);
        return;
    }
    let content = bytes(&step.content);
    let mut decoder = Decoder::new();
    let mut packet = decoder.open(PacketType::parse(&step.r#type), &content).unwrap();
    let names: Vec<Arc<str>> = match packet.format() {
        PacketFormat::Parameters(names) => names.iter().map(Arc::from).collect(),
        format => panic!("{format:?}"),
    };
    let parameters: Vec<ParameterId> = names.iter().map(|name| merger.parameter(name)).collect();
    let mut block = ColumnBlock::new();
    packet.append_to(&mut block, Wanted::All).unwrap();
    merger.samples(stream, &parameters, &block, out);
}

#[test]
fn windows_are_those_of_the_model() {
    let cases: Vec<WindowCase> = vectors("windows");
    assert!(cases.len() >= 29);
    for case in cases {
        let mut merger = Merger::new(MergeOptions::new(case.window_ns, case.slide_percent).unwrap());
        for (number, step) in case.steps.iter().enumerate() {
            let mut out = Vec::new();
            if step.step == "finish" {
                merger.finish(&mut out);
            } else {
                take(&mut merger, step, &mut out);
            }
            let slides: Vec<JsonSlide> = out.iter().map(JsonSlide::of).collect();
            assert_eq!(slides, step.slides, "{}, step {number}", case.name);
            assert_eq!(merger.frontier(), step.frontier_ns, "{}, step {number}", case.name);
        }
        let MergeCounts { received, delivered, late, replaced, others, late_others, .. } = merger.counts();
        assert_eq!(
            JsonCounts { received, delivered, late, replaced, others, late_others },
            case.counts,
            "{}",
            case.name
        );
        let late: BTreeMap<String, u64> =
            merger.late_by_stream().map(|(name, late)| (name.to_string(), late)).collect();
        assert_eq!(late, case.late_by_stream, "{}", case.name);
        let last: BTreeMap<String, u64> = merger.last_times().map(|(name, time)| (name.to_string(), time)).collect();
        assert_eq!(last, case.last_times, "{}", case.name);
    }
}

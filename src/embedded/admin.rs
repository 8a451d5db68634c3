//! Creating, extending and deleting topics, and the settings of topics and of the broker.

use std::collections::HashMap;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, BrokerId, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeConfigsRequest,
    DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, alter_configs_response,
    create_partitions_response, incremental_alter_configs_response,
};
use kafka_protocol::protocol::StrBytes;

use super::configs::{self, Given, Kind, TOPIC_SETTINGS};
use super::core::unknown_topic;
use super::dispatch::{Call, NODE};
use super::refusal::Refusal;
use super::topics::{Topic, check_name};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const FROM_TOPIC: i8 = 1;
const FROM_BROKER: i8 = 4;
const FROM_DEFAULT: i8 = 5;

/// Creates topics.
pub(super) fn create_topics(call: &Call<'_>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut count: HashMap<String, usize> = HashMap::new();
    for topic in &request.topics {
        *count.entry(topic.name.to_string()).or_default() += 1;
    }
    let one = |wanted: CreatableTopic| {
        let result = if count.get(wanted.name.as_str()).is_some_and(|n| *n > 1) {
            Err(Refusal::new(ResponseError::InvalidRequest, format!("topic '{}' is named twice", wanted.name.as_str())))
        } else {
            create_topic(call, &wanted, request.validate_only)
        };
        let response = CreatableTopicResult::default().with_name(wanted.name.clone());
        match result {
            Ok((topic, partitions)) => {
                let configs = TOPIC_SETTINGS.iter().map(|setting| {
                    let (value, source) = effective(call, &topic, setting);
                    let config = CreatableTopicConfigs::default().with_name(StrBytes::from_static_str(setting.name));
                    config.with_value(Some(StrBytes::from_string(value))).with_config_source(source)
                });
                let response = response.with_topic_id(if request.validate_only { uuid::Uuid::nil() } else { topic.id });
                let response = response.with_num_partitions(partitions).with_replication_factor(1);
                response.with_configs(Some(configs.collect()))
            }
            Err(refusal) => response.with_error_code(refusal.code()).with_error_message(refusal.text()),
        }
    };
    CreateTopicsResponse::default().with_topics(request.topics.into_iter().map(one).collect())
}

fn create_topic(
    call: &Call<'_>,
    wanted: &CreatableTopic,
    validate_only: bool,
) -> Result<(std::sync::Arc<Topic>, i32), Refusal> {
    check_name(&wanted.name)?;
    let mut given = Given::new();
    for config in &wanted.configs {
        let value = config.value.as_ref().ok_or_else(|| {
            let text = format!("topic setting '{}' has no value", config.name.as_str());
            Refusal::new(ResponseError::InvalidConfig, text)
        })?;
        given.insert(config.name.to_string(), value.to_string());
    }
    let partitions = if wanted.assignments.is_empty() {
        if !matches!(wanted.replication_factor, -1 | 1) {
            let text = format!(
                "Unable to replicate the partition {} time(s): the embedded broker is the only one; use 1",
                wanted.replication_factor
            );
            return Err(Refusal::new(ResponseError::InvalidReplicationFactor, text));
        }
        if wanted.num_partitions == -1 { call.core.default_partitions } else { wanted.num_partitions }
    } else {
        let mut indexes: Vec<i32> = wanted.assignments.iter().map(|a| a.partition_index).collect();
        indexes.sort_unstable();
        let consecutive = indexes.iter().zip(0..).all(|(index, expected)| *index == expected);
        let here = wanted.assignments.iter().all(|a| a.broker_ids == [BrokerId(NODE)]);
        if !consecutive || !here {
            let text = format!("partitions have to be numbered from 0 and to lie on broker {NODE}, the only one");
            return Err(Refusal::new(ResponseError::InvalidReplicaAssignment, text));
        }
        i32::try_from(indexes.len()).unwrap_or(i32::MAX)
    };
    call.core.create_topic(&wanted.name, partitions, given, validate_only).map(|topic| (topic, partitions))
}

/// Deletes topics by name or id.
pub(super) fn delete_topics(call: &Call<'_>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = |name| DeleteTopicState::default().with_name(Some(name));
    let wanted = request.topics.into_iter().chain(request.topic_names.into_iter().map(by_name));
    let one = |wanted: DeleteTopicState| {
        let found = match &wanted.name {
            Some(name) => call.core.topic(name).ok_or_else(|| unknown_topic(name)),
            None => call.core.topic_with_id(wanted.topic_id).ok_or_else(|| ResponseError::UnknownTopicId.into()),
        };
        let response = DeletableTopicResult::default().with_name(wanted.name).with_topic_id(wanted.topic_id);
        match found.and_then(|topic| call.core.delete_topic(&topic.name).map(|()| topic)) {
            Ok(topic) => response.with_name(Some(topic.wire_name())).with_topic_id(topic.id),
            Err(refusal) => response.with_error_code(refusal.code()).with_error_message(refusal.text()),
        }
    };
    DeleteTopicsResponse::default().with_responses(wanted.map(one).collect())
}

/// Adds partitions to topics.
pub(super) fn create_partitions(call: &Call<'_>, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|wanted| {
        let elsewhere = wanted.assignments.iter().flatten().any(|a| a.broker_ids != [BrokerId(NODE)]);
        let result = if elsewhere {
            let text = format!("partitions have to lie on broker {NODE}, the only one");
            Err(Refusal::new(ResponseError::InvalidReplicaAssignment, text))
        } else {
            call.core.extend_topic(&wanted.name, wanted.count, request.validate_only)
        };
        let (code, text) = outcome(result);
        let response = create_partitions_response::CreatePartitionsTopicResult::default().with_name(wanted.name);
        response.with_error_code(code).with_error_message(text)
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn outcome(result: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    result.err().map_or((0, None), |refusal| (refusal.code(), refusal.text()))
}

/// The value of a topic's setting, and where it comes from.
fn effective(call: &Call<'_>, topic: &Topic, setting: &configs::Setting) -> (String, i8) {
    if let Some(value) = topic.given().get(setting.name) {
        return (value.clone(), FROM_TOPIC);
    }
    match call.core.retention_ms {
        Some(ms) if setting.name == "retention.ms" => (ms.to_string(), FROM_BROKER),
        _ => (setting.default.to_owned(), FROM_DEFAULT),
    }
}

/// Settings of topics and of the broker.
pub(super) fn describe_configs(call: &Call<'_>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let one = |wanted: DescribeConfigsResource| {
        let described = describe(call, &wanted);
        let response = DescribeConfigsResult::default().with_resource_type(wanted.resource_type);
        let response = response.with_resource_name(wanted.resource_name.clone());
        match described {
            Ok(configs) => {
                let keys = wanted.configuration_keys;
                let keys = keys.filter(|keys| !keys.is_empty());
                let asked = |name: &str| keys.as_ref().is_none_or(|keys| keys.iter().any(|k| k.as_str() == name));
                let entry = |(name, kind, value, source): (&'static str, Kind, String, i8)| {
                    let (name, value) = (StrBytes::from_static_str(name), Some(StrBytes::from_string(value)));
                    let synonym = DescribeConfigsSynonym::default().with_name(name.clone());
                    let synonym = synonym.with_value(value.clone()).with_source(source);
                    let synonyms = if request.include_synonyms { vec![synonym] } else { Vec::new() };
                    let config = DescribeConfigsResourceResult::default().with_name(name).with_value(value);
                    let config = config.with_read_only(wanted.resource_type == BROKER).with_config_source(source);
                    let typed = if call.version >= 3 { config.with_config_type(kind.code()) } else { config };
                    typed.with_synonyms(synonyms)
                };
                response.with_configs(configs.into_iter().filter(|c| asked(c.0)).map(entry).collect())
            }
            Err(refusal) => response.with_error_code(refusal.code()).with_error_message(refusal.text()),
        }
    };
    DescribeConfigsResponse::default().with_results(request.resources.into_iter().map(one).collect())
}

type Described = Vec<(&'static str, Kind, String, i8)>;

fn describe(call: &Call<'_>, wanted: &DescribeConfigsResource) -> Result<Described, Refusal> {
    let name = wanted.resource_name.as_str();
    match wanted.resource_type {
        TOPIC => {
            check_name(name)?;
            let topic = call.core.topic(name).ok_or_else(|| unknown_topic(name))?;
            let row = |setting: &configs::Setting| {
                let (value, source) = effective(call, &topic, setting);
                (setting.name, setting.kind, value, source)
            };
            Ok(TOPIC_SETTINGS.iter().map(row).collect())
        }
        BROKER if name.is_empty() || name == NODE.to_string() => Ok(broker_settings(call)),
        BROKER => {
            let text = format!("there is no broker '{name}', only {NODE}");
            Err(Refusal::new(ResponseError::InvalidRequest, text))
        }
        other => {
            let text = format!("the embedded broker has no settings for resources of type {other}");
            Err(Refusal::new(ResponseError::InvalidRequest, text))
        }
    }
}

fn broker_settings(call: &Call<'_>) -> Described {
    let row = |name, kind, value: String| (name, kind, value, FROM_BROKER);
    vec![
        row("auto.create.topics.enable", Kind::Boolean, call.core.auto_create.to_string()),
        row("broker.id", Kind::Int(0), NODE.to_string()),
        row("default.replication.factor", Kind::Int(1), "1".to_owned()),
        row("delete.topic.enable", Kind::Boolean, "true".to_owned()),
        row("log.cleanup.policy", Kind::List(&["delete"]), "delete".to_owned()),
        row("log.retention.ms", Kind::Long(-1), call.core.retention_ms.unwrap_or(-1).to_string()),
        row("log.segment.bytes", Kind::Int(14), configs::SEGMENT_BYTES.to_string()),
        row("message.max.bytes", Kind::Int(0), configs::MAX_MESSAGE_BYTES.to_string()),
        row("min.insync.replicas", Kind::Int(1), "1".to_owned()),
        row("node.id", Kind::Int(0), NODE.to_string()),
        row("num.partitions", Kind::Int(1), call.core.default_partitions.to_string()),
    ]
}

/// Replaces the settings of topics.
pub(super) fn alter_configs(call: &Call<'_>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        let result = alterable(resource.resource_type, &resource.resource_name).and_then(|()| {
            let pairs =
                resource.configs.iter().filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string())));
            call.core.configure(&resource.resource_name, pairs.collect(), request.validate_only)
        });
        let (code, text) = outcome(result);
        let response = alter_configs_response::AlterConfigsResourceResponse::default();
        let response = response.with_error_code(code).with_error_message(text);
        response.with_resource_type(resource.resource_type).with_resource_name(resource.resource_name)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

/// Changes single settings of topics.
pub(super) fn incremental_alter_configs(
    call: &Call<'_>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        let changed = alterable(resource.resource_type, &resource.resource_name).and_then(|()| {
            let name = resource.resource_name.as_str();
            let mut given = call.core.topic(name).ok_or_else(|| unknown_topic(name))?.given();
            for config in &resource.configs {
                let value = config.value.as_ref().map(|v| v.to_string());
                change(&mut given, &config.name, config.config_operation, value)?;
            }
            call.core.configure(name, given, request.validate_only)
        });
        let (code, text) = outcome(changed);
        let response = incremental_alter_configs_response::AlterConfigsResourceResponse::default();
        let response = response.with_error_code(code).with_error_message(text);
        response.with_resource_type(resource.resource_type).with_resource_name(resource.resource_name)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn alterable(resource_type: i8, name: &str) -> Result<(), Refusal> {
    if resource_type == TOPIC {
        return check_name(name);
    }
    let text = "only the settings of topics can be changed; the broker's are given when it is started";
    Err(Refusal::new(ResponseError::InvalidRequest, text))
}

fn change(given: &mut Given, name: &str, operation: i8, value: Option<String>) -> Result<(), Refusal> {
    let invalid = |text: String| Refusal::new(ResponseError::InvalidConfig, text);
    let setting = TOPIC_SETTINGS.iter().find(|s| s.name == name);
    let setting = setting.ok_or_else(|| invalid(format!("unknown topic setting '{name}'")))?;
    let value = || value.ok_or_else(|| invalid(format!("topic setting '{name}' has no value")));
    match operation {
        0 => drop(given.insert(name.to_owned(), value()?)),
        1 => drop(given.remove(name)),
        2 | 3 if matches!(setting.kind, Kind::List(_)) => {
            let now = given.get(name).map_or(setting.default, String::as_str);
            let mut words: Vec<String> = now.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect();
            for word in value()?.split(',') {
                words.retain(|w| w != word);
                if operation == 2 {
                    words.push(word.to_owned());
                }
            }
            given.insert(name.to_owned(), words.join(","));
        }
        _ => return Err(invalid(format!("operation {operation} is not possible on topic setting '{name}'"))),
    }
    Ok(())
}

//! Which topics and partitions a session's selected streams are.

use std::sync::Arc;

use super::options::ReadOptions;
use crate::error::Result;
use crate::kafka::TopicPartition;
use crate::kafka::admin::Topics;
use crate::session::SessionInfo;
use crate::topic::{Layout, LayoutKind, NamedStreamForm, Strategy};

fn is_wanted(options: &ReadOptions, stream: &str) -> bool {
    let excluded = options.excluded_streams.iter().any(|name| name == stream);
    let main = stream.is_empty() && !options.exclude_main;
    let named = !stream.is_empty() && (options.streams.is_empty() || options.streams.iter().any(|name| name == stream));
    // The main stream counts as listed unless it is excluded; listing it by its empty name changes nothing.
    !excluded && (main || named)
}

/// Whether topics can be called after a data source. A session names its own itself: one that cannot be has no topics, and
/// is no reason to stop reading the others.
fn is_possible(layout: &Layout, source: &str) -> bool {
    layout.place(source, "").and_then(|_| layout.essentials(source)).is_ok()
}

/// The topics of selected streams that a data source must have, or that one of its sessions names, and that are not among
/// those that the cluster lists.
pub(crate) fn absent(
    layout: &Layout,
    topics: &Topics,
    options: &ReadOptions,
    source: &str,
    info: Option<&SessionInfo>,
) -> Result<Vec<String>> {
    if info.is_some() && !is_possible(layout, source) {
        return Ok(Vec::new());
    }
    if options.essentials {
        let topic = layout.essentials(source)?;
        return Ok(if topics.contains_key(&topic) { Vec::new() } else { vec![topic] });
    }
    let mut names = Vec::new();
    if is_wanted(options, "") {
        names.push(layout.place(source, "")?.topic);
    }
    for stream in options.streams.iter().filter(|stream| info.is_none() && is_wanted(options, stream)) {
        names.push(layout.place(source, stream)?.topic);
    }
    let offsets = info.into_iter().flat_map(|info| info.start_offsets.keys().chain(info.end_offsets.keys()));
    for (topic, partition) in offsets {
        let label = layout.stream_label(source, topic, *partition);
        if label.is_some_and(|label| is_wanted(options, &label)) && **topic != *layout.essentials(source)? {
            names.push(topic.to_string());
        }
    }
    names.retain(|name| !topics.contains_key(name));
    names.sort();
    names.dedup();
    Ok(names)
}

/// The partitions to read of a data source, or of one of its sessions, each with its stream's name. `streams` are the named
/// ones that it has; those that do not exist yet are left out: the caller asks again.
pub(crate) fn places(
    layout: &Layout,
    topics: &Topics,
    mut streams: Vec<String>,
    options: &ReadOptions,
    source: &str,
    info: Option<&SessionInfo>,
) -> Result<Vec<(TopicPartition, Arc<str>)>> {
    if info.is_some() && !is_possible(layout, source) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut all_of = |topic: &str, stream: &str| {
        let stream: Arc<str> = stream.into();
        for partition in 0..topics.get(topic).copied().unwrap_or(0) {
            found.push((TopicPartition::new(topic, partition), stream.clone()));
        }
    };
    if options.essentials {
        all_of(&layout.essentials(source)?, "");
        return Ok(found);
    }
    let wanted = |stream: &str| is_wanted(options, stream);
    let main = layout.place(source, "")?.topic;
    if layout.strategy == Strategy::PartitionBased {
        for partition in 0..topics.get(main.as_str()).copied().unwrap_or(0) {
            // Packets of streams without a mapping lie on the main stream's partition; so would those of a foreign writer.
            let label = layout.stream_label(source, &main, partition).unwrap_or_default();
            if wanted(&label) {
                found.push((TopicPartition::new(main.as_str(), partition), label.as_str().into()));
            }
        }
        return Ok(found);
    }
    if wanted("") {
        all_of(&main, "");
    }
    // A session's own offsets name its streams even where the layout's form cannot list them.
    let offsets = info.into_iter().flat_map(|info| info.start_offsets.keys().chain(info.end_offsets.keys()));
    for (topic, partition) in offsets {
        if let Some(label) = layout.stream_label(source, topic, *partition)
            && !label.is_empty()
            && !streams.contains(&label)
            // Offsets may name anything; what cannot be a topic is none.
            && layout.place(source, &label).is_ok()
        {
            streams.push(label);
        }
    }
    for name in options.streams.iter().filter(|name| !name.is_empty()) {
        if !streams.contains(name) {
            streams.push(name.clone());
        }
    }
    for stream in streams.iter().filter(|stream| wanted(stream)) {
        let mut topic = layout.place(source, stream)?.topic;
        if !topics.contains_key(&topic) && layout.kind == LayoutKind::Domain {
            // Two forms of the name are documented; a named stream is looked for under both.
            let form = match layout.form {
                NamedStreamForm::A => NamedStreamForm::B,
                NamedStreamForm::B => NamedStreamForm::A,
            };
            let other = Layout { form, ..layout.clone() };
            if options.streams.contains(stream)
                && let Ok(place) = other.place(source, stream)
            {
                topic = place.topic;
            }
        }
        all_of(&topic, stream);
    }
    Ok(found)
}

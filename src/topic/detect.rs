//! What a cluster already uses: which layout, and how it calls the topics of named streams.

use super::layout::{Layout, NamedStreamForm};

/// The layouts whose session-info topic exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detected {
    /// Only the classic one.
    Classic,
    /// Only the domain one.
    Domain,
    /// Both: the caller takes domain, and warns.
    Both,
    /// None: nobody has written a session yet.
    Neither,
}

/// Which layouts have a session-info topic among `topics`, for this domain.
pub fn detect<'t>(domain: &str, topics: impl IntoIterator<Item = &'t str>) -> Detected {
    let (mut classic, mut in_domain) = (false, false);
    for topic in topics {
        classic |= topic == "SessionInfo";
        in_domain |= without_domain(domain, topic) == Some("Sys.SessionInfo");
    }
    match (classic, in_domain) {
        (true, false) => Detected::Classic,
        (false, true) => Detected::Domain,
        (true, true) => Detected::Both,
        (false, false) => Detected::Neither,
    }
}

/// How named streams are called, learnt from session packets: pairs of a session's data source and a key of its
/// `topic_partition_offsets`, oldest session first. The newest proof wins; `None` without one.
pub fn detect_form<S, K>(domain: &str, offset_keys_by_session: impl Iterator<Item = (S, K)>) -> Option<NamedStreamForm>
where
    S: AsRef<str>,
    K: AsRef<str>,
{
    let mut form = None;
    for (data_source, key) in offset_keys_by_session {
        let (topic, _) = Layout::parse_offset_key(key.as_ref());
        let Some(name) = without_domain(domain, &topic).and_then(|rest| rest.strip_prefix("Data.")) else { continue };
        let data_source = data_source.as_ref();
        if name.is_empty() || data_source.is_empty() || name == data_source {
            continue;
        }
        match name.strip_prefix(data_source).and_then(|rest| rest.strip_prefix('.')) {
            Some(stream) if !stream.is_empty() && !stream.contains('.') => form = Some(NamedStreamForm::A),
            Some(_) => {}
            // A dot here means the main topic of a foreign data source; that proves nothing.
            None if !name.contains('.') => form = Some(NamedStreamForm::B),
            None => {}
        }
    }
    form
}

/// The topic without the prefix of the domain; `None` if it is of another domain.
pub(super) fn without_domain<'t>(domain: &str, topic: &'t str) -> Option<&'t str> {
    if domain.is_empty() { Some(topic) } else { topic.strip_prefix(domain)?.strip_prefix('.') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_info_topic_tells_the_layout() {
        assert_eq!(detect("", ["SessionInfo", "Default"]), Detected::Classic);
        assert_eq!(detect("", ["Sys.SessionInfo"]), Detected::Domain);
        assert_eq!(detect("POC", ["Sys.SessionInfo"]), Detected::Neither);
        assert_eq!(detect("POC", ["POC.Sys.SessionInfo", "SessionInfo"]), Detected::Both);
        assert_eq!(detect("", []), Detected::Neither);
    }

    #[test]
    fn conformance_11_foreign_session_packets_prove_form_a_or_b() {
        use NamedStreamForm::{A, B};
        let form = |domain, keys: &[(&str, &str)]| detect_form(domain, keys.iter().copied());
        assert_eq!(form("POC", &[("Default", "POC.Data.Default:0"), ("Default", "POC.Essential.Default:0")]), None);
        assert_eq!(form("POC", &[("Default", "POC.Data.Default.Stream1:0")]), Some(A));
        assert_eq!(form("POC", &[("Default", "POC.Data.Stream1:0")]), Some(B));
        assert_eq!(form("", &[("Default", "Data.Stream1")]), Some(B));
        assert_eq!(form("POC", &[("Default", "Data.Default.Stream1:0")]), None);
        assert_eq!(form("", &[("Car.1", "Data.Car.1.Stream1:0")]), Some(A));
        assert_eq!(form("", &[("Car", "Data.Other.Stream1:0")]), None);
        let newest = [("Default", "Data.Stream1:0"), ("Default", "Data.Default.Stream1:0")];
        assert_eq!(form("", &newest), Some(A));
    }
}

//! The data formats that packets name: what is known of them, which of their columns are wanted, and what must be looked
//! up first.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::client::Client;
use crate::error::{Error, Result};
use crate::packet::{PacketFormat, PacketType, TextsRef};
use crate::session::Pattern;

/// How often a broker that does not answer is asked for a format, and how long after each time.
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Inline formats that are remembered at most; registered ones are as many as somebody has defined.
const MOST_INLINE: usize = 1024;

/// A data format that nobody has defined so far, as far as is known here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownFormat {
    pub(super) data_source: Arc<str>,
    pub(super) id: u64,
    /// Whether it is an event's, not a list of parameters.
    event: bool,
}

impl UnknownFormat {
    /// What nobody has defined.
    pub(super) fn error(&self) -> Error {
        Error::UnknownFormat { id: self.id, data_source: self.data_source.to_string() }
    }
}

/// What a data format stands for.
pub(super) enum Definition {
    Parameters(Arc<[String]>),
    Event(Arc<str>),
}

/// A data format, and which of its columns are wanted.
#[derive(Debug)]
pub(super) struct Resolved {
    /// How many columns its packets have.
    pub(super) width: usize,
    /// The names of the wanted ones.
    pub(super) names: Arc<[String]>,
    /// `None`: all are wanted.
    pub(super) columns: Option<Vec<u32>>,
    shared: OnceLock<Vec<Arc<str>>>,
}

impl Resolved {
    fn new(all: &[String], wanted: Option<&[Pattern]>) -> Self {
        let Some(patterns) = wanted else {
            return Self { width: all.len(), names: all.into(), columns: None, shared: OnceLock::new() };
        };
        let columns: Vec<u32> = (0_u32..)
            .zip(all)
            .filter(|(_, name)| patterns.iter().any(|pattern| pattern.matches(name)))
            .map(|(index, _)| index)
            .collect();
        let names = columns.iter().filter_map(|&index| all.get(index as usize).cloned()).collect();
        let columns = (columns.len() < all.len()).then_some(columns);
        Self { width: all.len(), names, columns, shared: OnceLock::new() }
    }

    /// The names of the wanted columns, each to be held by itself.
    pub(super) fn shared_names(&self) -> &[Arc<str>] {
        self.shared.get_or_init(|| self.names.iter().map(|name| name.as_str().into()).collect())
    }
}

/// The formats met so far.
pub(super) struct Formats {
    wanted: Option<Vec<Pattern>>,
    by_id: HashMap<Arc<str>, HashMap<u64, Arc<Resolved>>>,
    events: HashMap<Arc<str>, HashMap<u64, Arc<str>>>,
    /// By the hash of the names; few share one, and then the later one takes the place.
    inline: HashMap<u64, (Vec<String>, Arc<Resolved>)>,
    /// Looked up in vain, and not to be looked up again for now.
    refused: HashSet<UnknownFormat>,
    warned: HashSet<UnknownFormat>,
}

/// Which format a packet has.
pub(super) enum Found<T> {
    Known(T),
    /// To be looked up.
    Unknown(UnknownFormat),
    /// Looked up in vain.
    Refused(UnknownFormat),
    /// The packet does not say.
    Missing,
}

impl Formats {
    /// Formats of which the parameters that match one of the patterns are wanted; `None` for all.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a pattern cannot be used.
    pub(super) fn new(wanted: Option<&[String]>) -> Result<Self> {
        let wanted = wanted.map(|entries| entries.iter().map(|entry| Pattern::new(entry)).collect()).transpose()?;
        Ok(Self {
            wanted,
            by_id: HashMap::new(),
            events: HashMap::new(),
            inline: HashMap::new(),
            refused: HashSet::new(),
            warned: HashSet::new(),
        })
    }

    /// Asks the broker. Not to be called while a lock is held.
    pub(super) fn ask(client: &Client, format: &UnknownFormat) -> Result<Definition> {
        let mut attempts = 1..ATTEMPTS;
        loop {
            let found = if format.event {
                client.event_of(&format.data_source, format.id).map(Definition::Event)
            } else {
                client.parameters_of(&format.data_source, format.id).map(Definition::Parameters)
            };
            // A broker that is away for a moment has not said that nobody defined it.
            let Err(Error::Timeout { .. } | Error::Unreachable { .. }) = &found else { return found };
            if attempts.next().is_none() {
                return found;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// [`Formats::ask`], with an error of its own where a right lacks: that says nothing about the format.
    pub(super) fn ask_if_allowed(client: &Client, format: &UnknownFormat) -> Result<Result<Definition>> {
        match Self::ask(client, format) {
            Err(error @ Error::Denied { .. }) => Err(error),
            found => Ok(found),
        }
    }

    /// Remembers what the broker says: the definition, or that there is none.
    pub(super) fn answer(&mut self, format: &UnknownFormat, found: &Result<Definition>) {
        match found {
            Ok(Definition::Parameters(names)) => self.learn(format, names),
            Ok(Definition::Event(name)) => {
                self.events.entry(format.data_source.clone()).or_default().insert(format.id, name.clone());
            }
            Err(_) => {
                self.refused.insert(format.clone());
            }
        }
    }

    /// What was looked up in vain may be looked up again.
    pub(super) fn forgive_all(&mut self) {
        self.refused.clear();
    }

    /// A format that was looked up in vain may be looked up again.
    pub(super) fn forgive(&mut self, format: &UnknownFormat) {
        self.refused.remove(format);
    }

    /// Whether this is the first warning of a format.
    pub(super) fn warns_first(&mut self, format: &UnknownFormat) -> bool {
        self.warned.insert(format.clone())
    }

    fn learn(&mut self, format: &UnknownFormat, names: &[String]) {
        let resolved = Arc::new(Resolved::new(names, self.wanted.as_deref()));
        self.by_id.entry(format.data_source.clone()).or_default().insert(format.id, resolved);
    }

    fn missing<T>(&self, unknown: UnknownFormat) -> Found<T> {
        if self.refused.contains(&unknown) { Found::Refused(unknown) } else { Found::Unknown(unknown) }
    }

    /// The format of a packet of samples.
    pub(super) fn find(
        &mut self,
        format: PacketFormat<'_>,
        data_source: &Arc<str>,
        client: &Client,
    ) -> Found<Arc<Resolved>> {
        match format {
            PacketFormat::Id(id) => self.by_id(id, data_source, client),
            PacketFormat::Parameters(names) => Found::Known(self.inline(names)),
            PacketFormat::Missing => Found::Missing,
        }
    }

    /// The parameters behind an id.
    fn by_id(&mut self, id: u64, data_source: &Arc<str>, client: &Client) -> Found<Arc<Resolved>> {
        let known = |formats: &Self| formats.by_id.get(data_source).and_then(|ids| ids.get(&id)).cloned();
        if let Some(resolved) = known(self) {
            return Found::Known(resolved);
        }
        let unknown = UnknownFormat { data_source: data_source.clone(), id, event: false };
        let heard = client.inner.directory.formats(data_source, |table| table.parameters(id)).flatten();
        if let Some(names) = heard {
            self.learn(&unknown, &names);
        }
        known(self).map_or_else(|| self.missing(unknown), Found::Known)
    }

    /// Whether a format is known by now, without asking anybody.
    pub(super) fn knows(&mut self, format: &UnknownFormat, client: &Client) -> bool {
        if format.event {
            matches!(self.event(format.id, &format.data_source, client), Found::Known(_))
        } else {
            matches!(self.by_id(format.id, &format.data_source, client), Found::Known(_))
        }
    }

    /// The event behind an id.
    pub(super) fn event(&mut self, id: u64, data_source: &Arc<str>, client: &Client) -> Found<Arc<str>> {
        if let Some(name) = self.events.get(data_source).and_then(|ids| ids.get(&id)) {
            return Found::Known(name.clone());
        }
        let heard = client.inner.directory.formats(data_source, |table| table.event(id)).flatten();
        if let Some(name) = heard {
            self.events.entry(data_source.clone()).or_default().insert(id, name.clone());
            return Found::Known(name);
        }
        self.missing(UnknownFormat { data_source: data_source.clone(), id, event: true })
    }

    fn inline(&mut self, names: TextsRef<'_>) -> Arc<Resolved> {
        let mut hasher = DefaultHasher::new();
        (names.offsets(), names.text()).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some((known, resolved)) = self.inline.get(&hash)
            && known.len() == names.len()
            && known.iter().zip(names.iter()).all(|(a, b)| a == b)
        {
            return resolved.clone();
        }
        if self.inline.len() >= MOST_INLINE {
            self.inline.clear();
        }
        let all: Vec<String> = names.iter().map(ToString::to_string).collect();
        let resolved = Arc::new(Resolved::new(&all, self.wanted.as_deref()));
        self.inline.insert(hash, (all, resolved.clone()));
        resolved
    }
}

/// A packet does not say which parameters it holds.
pub(super) fn no_format() -> Error {
    Error::Decode { what: "packet of samples".into(), reason: "it does not say which parameters it holds".into() }
}

/// A packet has another number of columns than its format has parameters.
pub(super) fn wrong_width(kind: PacketType, columns: usize, parameters: usize) -> Error {
    Error::Decode {
        what: format!("{} packet", kind.name()),
        reason: format!("{columns} columns for {parameters} parameters"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn resolved(wanted: Option<&[&str]>) -> Resolved {
        let all = ["vCar:A", "gLat:A", "vCar:B"].map(String::from);
        let patterns: Option<Vec<Pattern>> =
            wanted.map(|entries| entries.iter().map(|entry| Pattern::new(entry).unwrap()).collect());
        Resolved::new(&all, patterns.as_deref())
    }

    #[test]
    fn the_columns_of_a_format_are_chosen_by_its_names() {
        assert_eq!(resolved(None).columns, None);
        assert_eq!(resolved(Some(&["*"])).columns, None);
        let some = resolved(Some(&["vCar:B", "v*:A"]));
        assert_eq!(
            (some.columns.clone(), &*some.names, some.width),
            (Some(vec![0, 2]), &["vCar:A", "vCar:B"].map(String::from)[..], 3)
        );
        assert_eq!(some.shared_names().iter().map(|name| &**name).collect::<Vec<_>>(), ["vCar:A", "vCar:B"]);
        assert!(resolved(Some(&[])).names.is_empty() && resolved(Some(&["vcar:A"])).names.is_empty());
    }
}

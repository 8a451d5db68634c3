//! Rights that lack: said to whoever reads, again and again while nothing changes, and read on as soon as they are given.

use std::collections::HashSet;
use std::time::Instant;

use super::Feed;
use crate::error::{Error, Result};
use crate::kafka::admin::wanted_still;
use crate::session::SessionInfo;
use crate::stream::moment::Moment;

/// What this feed is not allowed.
#[derive(Default)]
pub(super) struct Denials {
    /// By topic; that of the group under the empty name.
    open: Vec<(String, Error)>,
    said: Option<Instant>,
    /// Topics that are known to be absent and not only hidden from us.
    pub(super) absent: HashSet<String>,
    /// A topic that the last listing left out has come or was allowed since.
    pub(super) outdated: bool,
}

impl Denials {
    /// Whether everything is allowed, as far as is known.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Feed {
    /// The broker refuses something. Whoever reads is told at once.
    pub(super) fn on_denied(&mut self, topic: &str, error: Error) {
        if !self.denials.open.iter().any(|(known, _)| known == topic) {
            log::warn!("{error}");
            self.denials.open.push((topic.to_string(), error.clone()));
            self.complain(error);
        }
    }

    /// Something came from there.
    pub(super) fn on_allowed(&mut self, topic: &str) {
        if !self.denials.is_empty() {
            self.denials.open.retain(|(known, _)| known != topic);
        }
    }

    /// Says it again after the time that a request may take, so that nobody waits in silence.
    pub(super) fn say_denied(&mut self) {
        let again = self.denials.said.is_none_or(|at| at.elapsed() >= self.client.timeout());
        if let Some((_, error)) = self.denials.open.first().filter(|_| again) {
            let error = error.clone();
            self.complain(error);
        }
    }

    fn complain(&mut self, error: Error) {
        self.denials.said = Some(Instant::now());
        self.core.queue.complain(error);
    }

    /// A session is not read without those of its topics that it names and that are hidden from us.
    pub(super) fn check_hidden(&mut self, info: &SessionInfo, moment: &Moment) -> Result<()> {
        for topic in moment.absent(&self.options, &info.data_source, Some(info))? {
            // There may be very many.
            wanted_still()?;
            if !self.check_topic(&topic)? && info.ended {
                self.denials.outdated = true;
                return Err(Error::Kafka {
                    operation: format!("reading topic '{topic}'"),
                    reason: "it has come or was allowed since the topics were listed".into(),
                    code: "UNKNOWN_TOPIC_OR_PARTITION".into(),
                    retriable: true,
                });
            }
        }
        Ok(())
    }

    /// The same for the topics that a group shares.
    pub(super) fn check_hidden_of_group(&mut self, source: &str, moment: &Moment) -> Result<()> {
        for topic in moment.absent(&self.options, source, None)? {
            self.check_topic(&topic)?;
        }
        Ok(())
    }

    /// False when the topic is there by now. A session that is live goes on without it until the next look for streams.
    fn check_topic(&mut self, topic: &str) -> Result<bool> {
        if self.denials.absent.contains(topic) {
            return Ok(true);
        }
        let operation = format!("reading topic '{topic}'");
        match self.client.inner.admin.exists_by_now(topic, "Read", operation) {
            Ok(there) => {
                self.on_allowed(topic);
                if !there {
                    self.denials.absent.insert(topic.to_string());
                }
                Ok(!there)
            }
            Err(error @ Error::Denied { .. }) => {
                self.on_denied(topic, error.clone());
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::embedded::{Broker, BrokerOptions};
    use crate::packet::Envelope;
    use crate::session::NewSession;
    use crate::stream::pulse::Answers;
    use crate::stream::reader::prepare;
    use crate::stream::{Client, ClientOptions, ReadOptions, Reading};

    #[test]
    fn a_topic_that_a_listing_does_not_have_yet_is_waited_for_and_not_left_out() {
        let broker = Broker::start(BrokerOptions::default()).unwrap();
        let client = Client::connect(ClientOptions::new(broker.address())).unwrap();
        let new = NewSession { data_source: "Car".into(), ..NewSession::default() };
        let info = client.create_session(&new).unwrap();
        let packet = Envelope { type_name: "Note", session_key: &info.key, is_essential: false, content: b"x", id: 0 };
        let writer = client.writer().unwrap();
        writer.write("Car", "", &info.key, &packet.encode()).unwrap();
        writer.flush(Duration::from_secs(10)).unwrap();
        client.end_session(&info.key).unwrap();

        let options = ReadOptions { reading: Reading::Historic, ..ReadOptions::default() };
        let (core, mut feeds) = prepare(client.clone(), options, 1).unwrap();
        let mut feed = feeds.remove(0);
        // As it was before the topic of the data came, or before we were allowed to see it.
        let mut listed = client.inner.admin.topics(Duration::ZERO).unwrap();
        Arc::make_mut(&mut listed).remove(&client.layout().place("Car", "").unwrap().topic).unwrap();
        let mut earlier = Moment::new(client.layout(), listed);
        earlier.remember(feed.waiting.iter().cloned());
        feed.moment = Some(earlier);
        feed.take_up_waiting().unwrap();
        assert!(feed.sessions.is_empty(), "taken up without its data");
        assert_eq!(core.health(&Answers::default(), 0).last_error, None, "nothing is wrong");
        feed.take_up_waiting().unwrap();
        assert_eq!(feed.sessions.values().map(|active| active.places.len()).collect::<Vec<_>>(), [1]);
    }
}

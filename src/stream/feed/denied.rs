//! Rights that lack: said to whoever reads, again and again while nothing changes, and read on as soon as they are given.

use std::time::Instant;

use super::Feed;
use crate::error::{Error, Result};
use crate::session::SessionInfo;
use crate::stream::moment::Moment;

/// What this feed is not allowed.
#[derive(Default)]
pub(super) struct Denials {
    /// By topic; that of the group under the empty name.
    open: Vec<(String, Error)>,
    said: Option<Instant>,
    /// Topics that are known to be absent and not only hidden from us.
    absent: Vec<String>,
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
            self.check_topic(&topic)?;
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

    fn check_topic(&mut self, topic: &str) -> Result<()> {
        if self.denials.absent.iter().any(|known| known == topic) {
            return Ok(());
        }
        let operation = format!("reading topic '{topic}'");
        match self.client.inner.admin.check_visible(topic, "Read", operation) {
            Ok(()) => {
                self.on_allowed(topic);
                self.denials.absent.push(topic.to_string());
                Ok(())
            }
            Err(error) => {
                self.on_denied(topic, error.clone());
                Err(error)
            }
        }
    }
}

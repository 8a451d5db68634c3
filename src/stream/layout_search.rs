//! Which layout a cluster has: chosen, found among its topics, or assumed until somebody writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::options::LayoutChoice;
use crate::sync::Mutex;
use crate::topic::{self, Detected, Layout, LayoutKind};

/// The layout of a client, and whether it is more than an assumption.
pub(crate) struct LayoutSearch {
    layout: Mutex<Layout>,
    choice: LayoutChoice,
    /// Whether it was found or chosen, not assumed for an empty cluster.
    known: AtomicBool,
}

impl LayoutSearch {
    pub(crate) fn new(layout: Layout, choice: LayoutChoice) -> Arc<Self> {
        // Only the domain layout has domains.
        let known = choice != LayoutChoice::Auto || !layout.domain.is_empty();
        Arc::new(Self { layout: Mutex::new(layout), choice, known: AtomicBool::new(known) })
    }

    /// The layout in use.
    pub(crate) fn layout(&self) -> Layout {
        self.layout.lock().clone()
    }

    /// Looks at the layout without a copy.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Layout) -> T) -> T {
        look(&self.layout.lock())
    }

    /// Changes a part of it that is found out otherwise.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Layout)) {
        change(&mut self.layout.lock());
    }

    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// From now on it is what this client writes. Whether that was settled before.
    pub(crate) fn settle(&self) -> bool {
        self.known.swap(true, Ordering::AcqRel)
    }

    /// Puts what the cluster shows into the layout, unless that is settled or it shows nothing yet.
    pub(crate) fn look<'t>(&self, topics: impl Iterator<Item = &'t str>) {
        let mut layout = self.layout.lock();
        if self.choice != LayoutChoice::Auto || self.is_known() {
            return;
        }
        layout.kind = match topic::detect(&layout.domain, topics) {
            Detected::Classic => LayoutKind::Classic,
            Detected::Domain => LayoutKind::Domain,
            Detected::Both => {
                log::warn!(
                    "the cluster has sessions in the classic and in the domain layout; reading and writing domain. \
                     Say layout=\"classic\" or layout=\"domain\" to choose"
                );
                LayoutKind::Domain
            }
            Detected::Neither => return,
        };
        self.known.store(true, Ordering::Release);
    }
}

//! The parameters of a session: their numbers, and their order in a slide.

use std::collections::HashMap;
use std::sync::Arc;

use super::merge::ParameterId;

/// Parameters by number, by name and in order of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashMap<Arc<str>, ParameterId>,
    /// By number; shared with the slides, so that a column needs no name of its own. Made anew for new parameters.
    table: Arc<[Arc<str>]>,
    /// Those that are not in the table yet.
    new: Vec<Arc<str>>,
    /// Numbers in ascending order of names.
    order: Vec<u32>,
    /// By number: where in `order` it is.
    ranks: Vec<u32>,
}

impl Names {
    /// The number of a parameter, the same for the same name.
    pub(super) fn id(&mut self, name: &Arc<str>) -> ParameterId {
        if let Some(&known) = self.ids.get(name) {
            return known;
        }
        let id = ParameterId(self.len() as u32);
        self.ids.insert(name.clone(), id);
        self.new.push(name.clone());
        id
    }

    /// How many parameters.
    pub(super) fn len(&self) -> usize {
        self.table.len() + self.new.len()
    }

    /// Brings table and order up to date. All numbers below are of parameters that were known then.
    pub(super) fn settle(&mut self) {
        if self.new.is_empty() {
            return;
        }
        self.order.extend(self.table.len() as u32..self.len() as u32);
        self.table = self.table.iter().cloned().chain(self.new.drain(..)).collect();
        // A stable sort takes what is in order already as it is.
        self.order.sort_by(|&a, &b| self.table[a as usize].cmp(&self.table[b as usize]));
        self.ranks.resize(self.table.len(), 0);
        for (rank, &id) in self.order.iter().enumerate() {
            self.ranks[id as usize] = rank as u32;
        }
    }

    pub(super) fn table(&self) -> &Arc<[Arc<str>]> {
        &self.table
    }

    /// Place of a parameter among all in order of names.
    pub(super) fn rank(&self, id: ParameterId) -> u32 {
        self.ranks[id.0 as usize]
    }

    /// The parameter of a place.
    pub(super) fn at_rank(&self, rank: u32) -> u32 {
        self.order[rank as usize]
    }

    /// Bytes of memory held, the names' own included.
    pub(super) fn bytes_held(&self) -> usize {
        let text: usize = self.table.iter().chain(&self.new).map(|name| name.len() + 2 * size_of::<usize>()).sum();
        let each = size_of::<(Arc<str>, ParameterId)>() + size_of::<Arc<str>>() + 2 * size_of::<u32>();
        text + self.len() * each
    }
}

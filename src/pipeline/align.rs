//! The alignment gate: packets of several lanes come out in such an order that no lane runs ahead of the others in time.
//!
//! A lane is what is fetched on its own: a stream, or one partition of it. Each is a queue of packets in their order. Next
//! comes the packet by which its lane gets least far: the one for which the highest time of its lane, itself included,
//! is lowest. A lane that is empty and behind that time is waited for, unless it is caught up: then nothing of it is there
//! to come. Where packets follow each other without going back and span up to `d`, every packet begins no earlier than `d`
//! before the highest time that came out before it, however the lanes were fetched and whatever gaps they have.

use std::collections::VecDeque;

struct Held<T> {
    /// Counts everything that was put in.
    number: u64,
    /// The highest time of the lane up to and with this; `None` before its first.
    reached_ns: Option<u64>,
    size: usize,
    item: T,
}

struct Lane<T> {
    key: usize,
    queue: VecDeque<Held<T>>,
    /// The highest time that was put in.
    newest_ns: Option<u64>,
    size: usize,
}

/// Holds back the packets of one session's lanes as far as that takes to keep them together in time.
pub struct Aligner<T> {
    lanes: Vec<Lane<T>>,
    /// What is of no lane, with the number of what comes after it.
    loose: VecDeque<(u64, usize, T)>,
    number: u64,
    items: usize,
    size: usize,
}

impl<T> Default for Aligner<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for Aligner<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aligner").field("lanes", &self.lanes.len()).field("items", &self.len()).finish_non_exhaustive()
    }
}

impl<T> Aligner<T> {
    /// Without lanes.
    #[must_use]
    pub fn new() -> Self {
        Self { lanes: Vec::new(), loose: VecDeque::new(), number: 0, items: 0, size: 0 }
    }

    /// Adds a lane, which is waited for from now on. Its key is the caller's; one that is there stays as it is.
    pub fn open(&mut self, key: usize) {
        if self.lane(key).is_none() {
            self.lanes.push(Lane { key, queue: VecDeque::new(), newest_ns: None, size: 0 });
        }
    }

    /// Removes a lane with all that it holds, which is given back.
    pub fn close(&mut self, key: usize) -> impl Iterator<Item = T> + use<T> {
        let index = self.lanes.iter().position(|lane| lane.key == key);
        let lane = index.map(|index| self.lanes.remove(index));
        if let Some(lane) = &lane {
            self.items -= lane.queue.len();
            self.size -= lane.size;
        }
        lane.into_iter().flat_map(|lane| lane.queue).map(|held| held.item)
    }

    fn lane(&self, key: usize) -> Option<&Lane<T>> {
        self.lanes.iter().find(|lane| lane.key == key)
    }

    /// Puts something into a lane. `latest_ns` is the highest time in it; without one it follows what came before it in
    /// its lane. `size` is what it counts for in [`Self::size`].
    pub fn push(&mut self, key: usize, latest_ns: Option<u64>, size: usize, item: T) {
        self.open(key);
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.key == key) else { return };
        lane.newest_ns = lane.newest_ns.max(latest_ns);
        lane.queue.push_back(Held { number: self.number, reached_ns: lane.newest_ns, size, item });
        lane.size += size;
        self.number += 1;
        self.items += 1;
        self.size += size;
    }

    /// Puts in what is of no lane: it comes out when all that is held now has come out, and holds nothing up itself.
    /// `size` counts like that of [`Self::push`].
    pub fn follow(&mut self, size: usize, item: T) {
        self.loose.push_back((self.number, size, item));
        self.size += size;
    }

    /// The next, if there is one that needs no waiting. `caught_up` says of a lane whether nothing of it is there to come;
    /// it is asked about empty lanes that would be waited for.
    pub fn pop(&mut self, caught_up: impl FnMut(usize) -> bool) -> Option<T> {
        if let Some(item) = self.pop_loose() {
            return Some(item);
        }
        let (index, reached_ns) = self.first()?;
        let mut behind = self.behind(reached_ns);
        if !behind.all(caught_up) {
            return None;
        }
        drop(behind);
        let lane = self.lanes.get_mut(index)?;
        let held = lane.queue.pop_front()?;
        lane.size -= held.size;
        self.items -= 1;
        self.size -= held.size;
        Some(held.item)
    }

    /// The next without waiting for any lane.
    pub fn pop_any(&mut self) -> Option<T> {
        self.pop(|_| true)
    }

    /// Empty lanes that are behind what would come next: it waits for those of them that are not caught up.
    pub fn waits_for(&self) -> impl Iterator<Item = usize> {
        self.first().into_iter().flat_map(|(_, reached_ns)| self.behind(reached_ns))
    }

    fn behind(&self, reached_ns: Option<u64>) -> impl Iterator<Item = usize> {
        let behind = move |lane: &&Lane<T>| lane.queue.is_empty() && lane.newest_ns < reached_ns;
        self.lanes.iter().filter(behind).map(|lane| lane.key)
    }

    /// The lane whose first item gets it least far, and how far.
    fn first(&self) -> Option<(usize, Option<u64>)> {
        let heads =
            self.lanes.iter().enumerate().filter_map(|(index, lane)| Some((index, lane.queue.front()?.reached_ns)));
        heads.min_by_key(|(_, reached_ns)| *reached_ns)
    }

    fn pop_loose(&mut self) -> Option<T> {
        let number = self.loose.front()?.0;
        let before = self.lanes.iter().filter_map(|lane| lane.queue.front()).any(|held| held.number < number);
        if before {
            return None;
        }
        let (_, size, item) = self.loose.pop_front()?;
        self.size -= size;
        Some(item)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items + self.loose.len()
    }

    /// The sizes of all that is held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The sizes of what a lane holds.
    #[must_use]
    pub fn size_of(&self, key: usize) -> usize {
        self.lane(key).map_or(0, |lane| lane.size)
    }

    /// Whether a lane holds something.
    #[must_use]
    pub fn holds(&self, key: usize) -> bool {
        self.lane(key).is_some_and(|lane| !lane.queue.is_empty())
    }

    /// The keys of the lanes, with the sizes of what they hold.
    pub fn lanes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.lanes.iter().map(|lane| (lane.key, lane.size))
    }
}

#[cfg(test)]
mod tests;

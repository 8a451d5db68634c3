//! Texts side by side in one buffer, as Arrow lays them out: no allocation per text.

use std::ops::Range;

/// Texts in one buffer. `offsets` has one entry more than there are texts, or none when there are no texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts {
    offsets: Vec<i32>,
    bytes: String,
}

impl Texts {
    pub(super) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Appends a text; `false` when the buffer would no longer be addressed by 31 bits.
    pub(super) fn push(&mut self, text: &str) -> bool {
        let Ok(end) = i32::try_from(self.bytes.len() + text.len()) else { return false };
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.bytes.push_str(text);
        self.offsets.push(end);
        true
    }

    /// Keeps the first `len` texts, and the memory of the others.
    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.offsets.truncate(len + 1);
            self.bytes.truncate(self.end_of(len));
        }
    }

    pub(super) fn clear(&mut self) {
        self.offsets.clear();
        self.bytes.clear();
    }

    /// Becomes a copy, in the memory it has.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.offsets.clone_from(&other.offsets);
        self.bytes.clone_from(&other.bytes);
    }

    /// Bytes of text.
    pub(super) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of memory held.
    pub(super) fn bytes_held(&self) -> usize {
        self.bytes.capacity() + self.offsets.capacity() * size_of::<i32>()
    }

    pub(super) fn view(&self) -> TextsRef<'_> {
        TextsRef { offsets: &self.offsets, bytes: &self.bytes }
    }

    fn end_of(&self, text: usize) -> usize {
        self.offsets.get(text).map_or(0, |&offset| offset as usize)
    }
}

/// Texts that were read, in one buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextsRef<'a> {
    offsets: &'a [i32],
    bytes: &'a str,
}

impl<'a> TextsRef<'a> {
    /// How many texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text `index`; `None` beyond the last.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        let (&start, &end) = (self.offsets.get(index)?, self.offsets.get(index + 1)?);
        self.bytes.get(Range { start: start as usize, end: end as usize })
    }

    /// The texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let texts = *self;
        (0..self.len()).map(move |index| texts.get(index).unwrap_or_default())
    }

    /// Where each text begins in [`Self::text`], and after them where the last one ends: Arrow's offsets of a `Utf8`
    /// array. Empty when there are no texts.
    #[must_use]
    pub fn offsets(&self) -> &'a [i32] {
        self.offsets
    }

    /// All texts without anything between them.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lie_side_by_side_and_can_be_cut_off() {
        let mut texts = Texts::default();
        for text in ["ab", "", "°C"] {
            assert!(texts.push(text));
        }
        assert_eq!(texts.view().iter().collect::<Vec<_>>(), ["ab", "", "°C"]);
        assert_eq!((texts.view().offsets(), texts.view().text()), (&[0, 2, 2, 5][..], "ab°C"));
        texts.truncate(2);
        assert_eq!((texts.view().get(1), texts.view().get(2), texts.bytes_len()), (Some(""), None, 2));
        texts.truncate(0);
        assert!(texts.view().is_empty() && texts.bytes_len() == 0);
    }
}

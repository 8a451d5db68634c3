//! Values of every type that samples have, and what they are worth.

use telewire::packet::{Strided, ValuesRef};

use crate::measuring::Random;

/// The type of a case's values.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Doubles, of which this part is zero.
    Doubles(f64),
    Integers,
    Booleans,
    Texts,
}

/// Which statuses a case's samples have.
#[derive(Clone, Copy, PartialEq)]
pub enum Worth {
    Valid,
    /// One sample in twenty is missing or wrong.
    Mixed,
    /// Each sample one of the four, by chance.
    Own,
    /// None was given: the field is absent.
    Absent,
}

impl Worth {
    /// So many of them; none when all are valid.
    pub fn statuses(self, count: usize, random: &mut Random) -> Option<Vec<u8>> {
        let mut one = || match self {
            Self::Valid => 1,
            Self::Mixed if random.next().is_multiple_of(20) => 2 + (random.next() % 2) as u8,
            Self::Mixed => 1,
            Self::Own => (random.next() % 4) as u8,
            Self::Absent => 0,
        };
        (self != Self::Valid).then(|| (0..count).map(|_| one()).collect())
    }
}

/// Values of one type, as a program has them.
pub enum Values {
    Doubles(Vec<f64>),
    Integers(Vec<i32>),
    Booleans(Vec<bool>),
    Texts(Vec<&'static str>),
}

impl Values {
    pub fn new(kind: Kind, count: usize, random: &mut Random) -> Self {
        let texts = ["soft", "medium", "hard", "intermediate"];
        match kind {
            Kind::Doubles(zeros) => Self::Doubles((0..count).map(|_| random.value(zeros)).collect()),
            Kind::Integers => Self::Integers((0..count).map(|_| (random.next() % 20_000) as i32 - 10_000).collect()),
            Kind::Booleans => Self::Booleans((0..count).map(|_| random.next().is_multiple_of(2)).collect()),
            Kind::Texts => Self::Texts((0..count).map(|_| texts[(random.next() % 4) as usize]).collect()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Doubles(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Booleans(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// A column of `len` values that lie `stride` apart; texts lie side by side.
    pub fn column(&self, offset: usize, stride: usize, len: usize) -> ValuesRef<'_> {
        match self {
            Self::Doubles(values) => ValuesRef::F64(Strided::new(values, offset, stride, len).unwrap()),
            Self::Integers(values) => ValuesRef::I32(Strided::new(values, offset, stride, len).unwrap()),
            Self::Booleans(values) => ValuesRef::Bool(Strided::new(values, offset, stride, len).unwrap()),
            Self::Texts(values) => ValuesRef::Str(&values[offset..offset + len]),
        }
    }
}

//! The end of the log that the store may not have yet, in memory, by room.
//!
//! A room starts from the store's snapshot and goes on with this. The bytes are capped: past that
//! the oldest are dropped, and a room that would need them waits until the store has them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::log::Entry;

#[derive(Debug, Default)]
struct Partition {
    entries: VecDeque<Arc<Entry>>,
    /// Every entry from this offset on is here.
    floor: i64,
    /// The offset after the newest one.
    next: i64,
}

#[derive(Debug)]
pub struct Tail {
    partitions: Vec<Partition>,
    rooms: HashMap<Arc<str>, VecDeque<Arc<Entry>>>,
    bytes: usize,
    max_bytes: usize,
}

/// What an entry takes beside its value: the queues' slots and the key's share.
const OVERHEAD: usize = 128;

impl Tail {
    /// A tail that begins at the given offsets, one for each partition.
    pub fn new(from: &[i64], max_bytes: usize) -> Tail {
        let partition = |&floor: &i64| Partition { entries: VecDeque::new(), floor, next: floor };
        Tail {
            partitions: from.iter().map(partition).collect(),
            rooms: HashMap::new(),
            bytes: 0,
            max_bytes,
        }
    }

    /// Keeps an entry. One that is not in its room's partition is nothing to any room, and only has
    /// its place in the log.
    pub fn push(&mut self, entry: Arc<Entry>, is_in_place: bool) {
        let Some(partition) = self.partitions.get_mut(usize::from(entry.partition)) else { return };
        partition.next = entry.offset + 1;
        self.bytes += entry.value.len() + OVERHEAD;
        if is_in_place {
            self.rooms.entry(entry.key.clone()).or_default().push_back(entry.clone());
        }
        let index = usize::from(entry.partition);
        partition.entries.push_back(entry);
        while self.bytes > self.max_bytes && self.drop_oldest(index) {}
    }

    /// Forgets what the store has: every entry before `stored`.
    pub fn trim(&mut self, partition: u16, stored: i64) {
        let index = usize::from(partition);
        while let Some(oldest) = self.partitions.get(index).and_then(|p| p.entries.front()) {
            if oldest.offset >= stored || !self.drop_oldest(index) {
                break;
            }
        }
    }

    fn drop_oldest(&mut self, index: usize) -> bool {
        let Some(entry) = self.partitions[index].entries.pop_front() else { return false };
        self.partitions[index].floor = entry.offset + 1;
        self.bytes -= entry.value.len() + OVERHEAD;
        if let Some(room) = self.rooms.get_mut(&entry.key)
            && room.front().is_some_and(|first| Arc::ptr_eq(first, &entry))
        {
            room.pop_front();
            if room.is_empty() {
                self.rooms.remove(&entry.key);
            }
        }
        true
    }

    /// The entries of a room from an offset on, or `None` if some of them may have been dropped.
    pub fn after(&self, partition: u16, key: &str, from: i64) -> Option<Vec<Arc<Entry>>> {
        if from < self.partitions.get(usize::from(partition))?.floor {
            return None;
        }
        let entries = self.rooms.get(key).into_iter().flatten();
        Some(entries.filter(|entry| entry.offset >= from).cloned().collect())
    }

    /// At most `most` entries of a partition from an offset on, or `None` if some may have been
    /// dropped.
    pub fn from(&self, partition: u16, from: i64, most: usize) -> Option<Vec<Arc<Entry>>> {
        let partition = self.partitions.get(usize::from(partition))?;
        let at = partition.entries.partition_point(|entry| entry.offset < from);
        let entries = partition.entries.range(at..).take(most);
        (from >= partition.floor).then(|| entries.cloned().collect())
    }

    /// The offset after the newest entry of each partition.
    pub fn next(&self) -> Vec<i64> {
        self.partitions.iter().map(|partition| partition.next).collect()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, offset: i64) -> Arc<Entry> {
        Arc::new(Entry { partition: 0, offset, key: key.into(), value: vec![0; 100].into() })
    }

    fn offsets(entries: Option<Vec<Arc<Entry>>>) -> Option<Vec<i64>> {
        Some(entries?.iter().map(|entry| entry.offset).collect())
    }

    #[test]
    fn a_room_finds_its_own_entries_until_the_store_has_them() {
        let mut tail = Tail::new(&[5], 10_000);
        [entry("a", 5), entry("b", 6), entry("a", 7)].into_iter().for_each(|e| tail.push(e, true));
        assert_eq!(offsets(tail.after(0, "a", 5)), Some(vec![5, 7]));
        assert_eq!(offsets(tail.after(0, "a", 6)), Some(vec![7]));
        assert_eq!(offsets(tail.after(0, "c", 8)), Some(vec![]));
        assert_eq!(tail.after(0, "a", 4), None, "it began later");
        assert_eq!(offsets(tail.from(0, 6, 1)), Some(vec![6]));
        assert_eq!(tail.from(0, 4, 9), None);
        tail.trim(0, 7);
        assert_eq!(tail.after(0, "a", 6), None);
        assert_eq!(offsets(tail.after(0, "a", 7)), Some(vec![7]));
        assert_eq!(tail.next(), [8]);
    }

    #[test]
    fn an_entry_of_another_partition_is_nothing_to_its_room() {
        let mut tail = Tail::new(&[0, 0], 10_000);
        let elsewhere = Arc::new(Entry { partition: 1, ..(*entry("a", 0)).clone() });
        tail.push(elsewhere.clone(), false);
        tail.push(entry("a", 0), true);
        assert_eq!(offsets(tail.after(0, "a", 0)), Some(vec![0]));
        assert_eq!(tail.from(1, 0, 9), Some(vec![elsewhere]));
        tail.trim(1, 1);
        assert_eq!(offsets(tail.after(0, "a", 0)), Some(vec![0]));
        assert_eq!(tail.next(), [1, 1]);
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut tail = Tail::new(&[0], 1_000);
        (0..100).for_each(|offset| tail.push(entry("a", offset), true));
        assert!(tail.bytes() <= 1_000);
        assert_eq!(tail.after(0, "a", 50), None);
        assert!(tail.after(0, "a", 99).is_some());
        tail.trim(0, 100);
        assert_eq!((tail.bytes(), tail.rooms.len()), (0, 0));
    }
}

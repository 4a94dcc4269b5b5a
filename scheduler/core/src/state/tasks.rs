//! Where tasks are kept: in places of a fixed number each, found by id through a hash table.
//!
//! Looking a task up costs the same however many there are, which a sorted map of a million texts
//! does not give. The order of the table and of the places is never seen from outside, so neither has
//! an influence on what the scheduler does. The table is many, none of them large. Places are in blocks that a frozen copy shares until
//! one of their tasks changes.

use std::sync::Arc;

use aurora_model::job::ScheduledTask;
use aurora_model::key::TaskId;
use hashbrown::HashTable;

/// Tasks of one block.
const BLOCK: usize = 32;

/// Upper bits of a hash by which ids are spread over tables. A table that grows is made anew, which
/// for one with a million tasks keeps everybody waiting.
const TABLE_BITS: u32 = 6;

/// The place of a task, while it is there.
pub(super) type Slot = u32;

/// A task, and which job it is of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) task: ScheduledTask,
    /// The place of its job in the index.
    pub(super) job: u32,
}

pub(super) type Block = Vec<Option<Kept>>;

/// All tasks.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    blocks: Vec<Arc<Block>>,
    free: Vec<Slot>,
    /// The upper half of the hash of an id, and the place, in the table of that hash. With it a table
    /// grows without a look at the ids. There are none as long as there is no task.
    tables: Vec<HashTable<(u32, Slot)>>,
    /// Places that were ever used.
    used: Slot,
    /// Tasks that are there.
    count: usize,
}

impl Tasks {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn slot(&self, id: &TaskId) -> Option<Slot> {
        let hash = hash(id.as_str());
        self.tables
            .get(table(hash))?
            .find(spread(hash), |(known, slot)| *known == hash && self.is_at(*slot, id))
            .map(|(_, slot)| *slot)
    }

    pub(super) fn at(&self, slot: Slot) -> Option<&Kept> {
        let (block, place) = position(slot);
        self.blocks.get(block)?.get(place)?.as_ref()
    }

    pub(super) fn at_mut(&mut self, slot: Slot) -> Option<&mut Kept> {
        let (block, place) = position(slot);
        Arc::make_mut(self.blocks.get_mut(block)?).get_mut(place)?.as_mut()
    }

    pub(super) fn get(&self, id: &TaskId) -> Option<&ScheduledTask> {
        self.at(self.slot(id)?).map(|kept| &kept.task)
    }

    /// Keeps a task whose id is not there yet.
    pub(super) fn insert(&mut self, kept: Kept) -> Slot {
        let hash = hash(kept.task.id().as_str());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        let (block, place) = position(slot);
        if block == self.blocks.len() {
            self.blocks.push(Arc::new(Vec::with_capacity(BLOCK)));
        }
        if let Some(block) = self.blocks.get_mut(block) {
            let block = Arc::make_mut(block);
            match block.get_mut(place) {
                Some(empty) => *empty = Some(kept),
                None => block.push(Some(kept)),
            }
        }
        self.tables.resize_with(1 << TABLE_BITS, HashTable::new);
        if let Some(slots) = self.tables.get_mut(table(hash)) {
            slots.insert_unique(spread(hash), (hash, slot), |(hash, _)| spread(*hash));
            self.count += 1;
        }
        slot
    }

    pub(super) fn remove(&mut self, id: &TaskId) -> Option<(Slot, Kept)> {
        let hash = hash(id.as_str());
        let Self { tables, blocks, .. } = self;
        let is_it = |(known, slot): &(u32, Slot)| {
            let (block, place) = position(*slot);
            *known == hash
                && blocks
                    .get(block)
                    .and_then(|block| block.get(place)?.as_ref())
                    .is_some_and(|kept| kept.task.id() == id)
        };
        let slots = tables.get_mut(table(hash))?;
        let (_, slot) = slots.find_entry(spread(hash), is_it).ok()?.remove().0;
        self.count -= 1;
        let (block, place) = position(slot);
        let kept = Arc::make_mut(self.blocks.get_mut(block)?).get_mut(place)?.take()?;
        self.free.push(slot);
        Some((slot, kept))
    }

    /// The same tasks in the same blocks, of which none is found by its id: a copy for next to
    /// nothing.
    pub(super) fn frozen(&self) -> Self {
        Self { blocks: self.blocks.clone(), ..Self::default() }
    }

    /// Every task by its job, jobs and their tasks in an order of their own.
    pub(super) fn by_job(&self) -> Vec<Vec<&ScheduledTask>> {
        let mut jobs: Vec<Vec<&ScheduledTask>> = Vec::new();
        for kept in self.blocks.iter().flat_map(|block| block.iter()).flatten() {
            let place = kept.job as usize;
            if place >= jobs.len() {
                jobs.resize_with(place + 1, Vec::new);
            }
            if let Some(job) = jobs.get_mut(place) {
                job.push(&kept.task);
            }
        }
        jobs.retain(|tasks| !tasks.is_empty());
        for tasks in &mut jobs {
            tasks.sort_by(|a, b| {
                let place =
                    |task: &ScheduledTask| (task.state.is_terminal(), task.assigned.instance);
                place(a).cmp(&place(b)).then_with(|| a.id().cmp(b.id()))
            });
        }
        jobs.sort_by(|a, b| {
            a.first().map(|task| task.job()).cmp(&b.first().map(|task| task.job()))
        });
        jobs
    }

    fn is_at(&self, slot: Slot, id: &TaskId) -> bool {
        self.at(slot).is_some_and(|kept| kept.task.id() == id)
    }

    /// Every task, in no order that means anything: for what does not depend on it.
    pub(super) fn unordered(&self) -> impl Iterator<Item = &ScheduledTask> {
        self.blocks.iter().flat_map(|block| block.iter()).flatten().map(|kept| &kept.task)
    }
}

/// The same tasks, wherever they lie.
impl PartialEq for Tasks {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.unordered().all(|task| other.get(task.id()) == Some(task))
    }
}

fn position(slot: Slot) -> (usize, usize) {
    let slot = slot as usize;
    (slot / BLOCK, slot % BLOCK)
}

/// A hash of a text. Ids end with a UUID of this scheduler's own, so nobody can choose them to
/// collide.
fn hash(text: &str) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sum = text.len() as u64;
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        let product = u128::from(sum ^ u64::from_le_bytes(word)) * u128::from(FACTOR);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
        let folded = (product >> 64) as u64 ^ product as u64;
        sum = folded.rotate_left(23);
    }
    u32::try_from(sum.wrapping_mul(FACTOR) >> 32).unwrap_or(0)
}

/// The number of the table for a hash: by its upper bits, as a table goes by the lower ones.
fn table(hash: u32) -> usize {
    (hash >> (u32::BITS - TABLE_BITS)) as usize
}

/// What a table takes: it looks at the upper and the lower bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

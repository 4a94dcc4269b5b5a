//! Server sets in ZooKeeper (`executor.md` 17).

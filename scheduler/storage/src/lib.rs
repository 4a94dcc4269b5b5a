//! The durable operation log: segments, checksums, group commit, snapshots, replay.

//! The Mesos executor: runs one task in its sandbox.

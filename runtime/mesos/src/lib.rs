//! Mesos v1: wire types, RecordIO, scheduler-side and executor-side clients.

//! The embedded Mesos-compatible master and agent.

//! The shell around the scheduler core: gRPC, HTTP, web pages, the Mesos session and timers.

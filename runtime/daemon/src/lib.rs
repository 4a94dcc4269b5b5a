//! What every daemon shares: telemetry, ops endpoints, signals and shutdown.

//! What holds of updates whatever happens (`invariants.md`).

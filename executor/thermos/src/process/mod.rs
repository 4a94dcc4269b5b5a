//! Processes of the operating system: starting them, hearing of their end, finding and ending all
//! that descends from them.

pub mod children;
pub mod image;
pub mod leftover;
pub mod output;
pub mod spawn;
pub mod tree;
pub mod user;

//! What errors come from.

/// The innermost cause of an error: what libraries say above it is no news to people.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

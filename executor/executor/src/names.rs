//! Where a program that holds its own C library looks names up.

#![expect(unsafe_code, reason = "the C library has no other way to be told")]

use std::ffi::{CStr, c_char, c_int};

/// What is looked up, and where; the parts of the C library for that are in the program.
const DATABASES: [(&CStr, &CStr); 4] = [
    (c"passwd", c"files"),
    (c"group", c"files"),
    (c"initgroups", c"files"),
    (c"hosts", c"files dns"),
];

unsafe extern "C" {
    /// Of glibc's `nss.h`.
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Has users, groups and hosts looked up in files, and hosts by DNS, whatever the machine's `nsswitch.conf`
/// says: what it names besides are libraries made for the machine's own C library, which do harm in a program
/// that has another.
///
/// Called before there is a second thread.
pub(crate) fn only_from_files() {
    for (database, services) in DATABASES {
        // SAFETY: both are texts that live for ever, of which it keeps what it needs; nobody looks anything
        // up meanwhile.
        let told = unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
        if told != 0 {
            eprintln!("aurora-executor: {database:?} cannot be looked up in {services:?} only");
        }
    }
}

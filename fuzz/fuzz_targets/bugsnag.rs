//! Fuzzes `targets::bugsnag`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::bugsnag(bytes));

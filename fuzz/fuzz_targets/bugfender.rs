//! Fuzzes `targets::bugfender`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::bugfender(bytes));

//! Fuzzes `targets::message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::message(bytes));

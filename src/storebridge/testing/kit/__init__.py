"""The tests of the conformance kit, by subject; `storebridge.testing.conformance` joins them."""

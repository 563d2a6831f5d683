//! Boot tests: machines that boot the built image, and what they must show. See `docs/testing.md`.

mod empty;

//! Partner Center: its sign-in, and what a person is told.

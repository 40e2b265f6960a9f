// Panels that may be without data in the tests, and why. One that always has data must not be here.

export const EMPTY = {}

// Loaded before each test file when HOLDFAST_IDENTITY=1: a handler that does nothing stands around every part of every composition, so that
// nothing fuses, no retry becomes a rescue, and whoever relied on being composed directly with another is found out.
import { insertion } from '../../src/core/compose.ts'

insertion.wrap = (next) =>
  function identity(input, ctx, quiet) {
    return next(input, ctx, quiet)
  }

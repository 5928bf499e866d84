// `holdfast/testing`: what tests of applications need stands above the application, so its entry does, too.
export * from '../testing/index.ts'
export { type TestHoldfast, type TestHoldfastOptions, testHoldfast } from './test-holdfast.ts'

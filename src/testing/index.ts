export * from './contracts/index.ts'
export { type TestClock, testClock } from './test-clock.ts'

export { consecutive } from './consecutive.ts'
export { type CountWindowOptions, countWindow } from './count-window.ts'
export type { TallyCounts, Trip } from './tally.ts'
export { type TimeWindowOptions, timeWindow } from './time-window.ts'

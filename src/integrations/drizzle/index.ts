export { type DrizzleSlice, drizzleTransactions } from './drizzle-transactions.ts'

export { type KyselySlice, kyselyTransactions } from './kysely-transactions.ts'

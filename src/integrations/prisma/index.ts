export { type PrismaSlice, type PrismaTransactionsOptions, prismaTransactions } from './prisma-transactions.ts'

// One of the four processes: books its transfers, some at a time, and says which are acknowledged.
import { sqliteStorage } from 'holdfast/sqlite'
import { book, transfersOf } from './transfer.ts'

const [path = '', clerk = '0', count = '0', accounts = '2'] = process.argv.slice(2)
const storage = sqliteStorage(path)
await storage.open()
const store = storage.eventStore

const waiting = transfersOf(Number(clerk), Number(count), Number(accounts))
async function work(): Promise<void> {
  for (let transfer = waiting.shift(); transfer !== undefined; transfer = waiting.shift()) {
    await book(store, transfer)
    process.stdout.write(`${transfer.id}\n`)
  }
}
await Promise.all(Array.from({ length: 4 }, work))
await storage.close()

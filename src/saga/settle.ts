import type { SagaJournal, SagaWrite } from '../ports/saga-journal.ts'

/** Whether the journal holds exactly these records: then the append whose answer was lost, or an equal one, succeeded. */
export async function wasWritten(journal: SagaJournal, write: SagaWrite): Promise<boolean> {
  const last = write.records.at(-1)
  if (last === undefined) return false
  const stored = await journal.read(write.id)
  const equal = write.records.every((record) => {
    const found = stored[record.seq - 1]
    return (
      found !== undefined &&
      found.seq === record.seq &&
      found.kind === record.kind &&
      found.step === record.step &&
      found.atEpochMs === record.atEpochMs &&
      found.data === record.data
    )
  })
  if (!equal) return false
  if (write.create === undefined) return true
  const head = await journal.head(write.id)
  return head?.inputHash === write.create.inputHash && head.definitionHash === write.create.definitionHash
}
